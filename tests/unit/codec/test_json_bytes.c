#include "codec/json_bytes.h"

#include "base/rnd.h"
#include "codec/json_texts.h"
#include "unit.h"

typedef const char *find_fn(const char *p, const char *end);

static const struct {
	find_fn *vector;
	find_fn *scalar;
	const char *filler; /* bytes that are passed over */
} finds[] = {
	{ json_bytes_plain, json_bytes_plain_scalar, "az ~\x7f!#[]^" },
	{ json_bytes_wide, json_bytes_wide_scalar, "az ~\x7f!#[]^\x80\xff" },
	{ json_bytes_space, json_bytes_space_scalar, " \t\r\n" },
	{ json_bytes_digits, json_bytes_digits_scalar, "0123456789" },
	{ json_bytes_word, json_bytes_word_scalar, "09-+.eEtrufalsn" },
	{ json_bytes_quote, json_bytes_quote_scalar, "az!#[]^\\\x01\x80\xff" },
};

/* Every byte at every place of texts of every length up to three vectors. */
START_TEST(vector_forms_agree_with_scalar_forms)
{
	struct rnd rnd;

	rnd_init(&rnd, 5);
	for (size_t f = 0; f < ARRAY_LEN(finds); f++) {
		size_t n_filler = strlen(finds[f].filler);

		for (size_t n = 0; n <= 48; n++) {
			char text[48] = { 0 };
			struct str tight;

			for (size_t i = 0; i < n; i++)
				text[i] = finds[f].filler[rnd_below(&rnd, n_filler)];
			tight = json_texts_tight(str_of(text, n));
			ck_assert_ptr_eq(finds[f].vector(tight.p, tight.p + n), tight.p + n);
			for (size_t i = 0; i < n; i++) {
				char *at = (char *)(uintptr_t)tight.p + i;
				char old = *at;

				for (unsigned c = 0; c < 256; c++) {
					*at = (char)c;
					ck_assert_ptr_eq(finds[f].vector(tight.p, tight.p + n),
					    finds[f].scalar(tight.p, tight.p + n));
				}
				*at = old;
			}
			json_texts_free(tight);
		}
	}
}
END_TEST

/* However many backslashes stand before a quote, wherever they stand. */
START_TEST(strings_end_at_a_quote_that_is_not_escaped)
{
	char text[80];

	for (size_t before = 1; before < 20; before++) {
		for (size_t n = 0; n < 40; n++) {
			char *quote = text + before + n;

			memset(text, 'x', sizeof text);
			text[0] = '"';
			memset(text + before, '\\', n);
			*quote = '"';
			quote[7] = '"';
			ck_assert_ptr_eq(json_bytes_string_end(text + 1, text + sizeof text),
			    n % 2 == 0 ? quote : quote + 7);
			ck_assert_ptr_eq(json_bytes_string_end(text + 1, quote), quote);
		}
	}
}
END_TEST

UNIT_MAIN("json_bytes", vector_forms_agree_with_scalar_forms,
    strings_end_at_a_quote_that_is_not_escaped)
