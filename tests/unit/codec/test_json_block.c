#include "codec/json_block.h"

#include "base/rnd.h"
#include "codec/json_texts.h"
#include "unit.h"

static struct json_block
read_block(const struct json_block_ops *form, const char *p)
{
	struct json_block b;

	form->read(&b, p);
	return b;
}

static void
check_forms(const char *p)
{
	struct json_block expected = read_block(&json_block_scalar, p);

	for (size_t i = 0; i < json_texts_n_forms(); i++) {
		struct json_block got = read_block(json_texts_form(i), p);

		ck_assert_mem_eq(&got, &expected, sizeof got);
	}
}

START_TEST(tells_what_each_byte_is)
{
	char text[JSON_BLOCK_BYTES + 1] =
	    "a\"\\\x1f\x80 \x7f"
	    "09/:[{]}                                                 ";
	struct json_block b = read_block(&json_block_scalar, text);

	ck_assert_uint_eq(b.special, 0x1e);
	ck_assert_uint_eq(~b.others, 0x180);
	check_forms(text);
}
END_TEST

/* Every byte at every place, and nothing outside the block is touched. */
START_TEST(all_forms_agree_on_every_byte)
{
	char text[JSON_BLOCK_BYTES];
	struct rnd rnd;

	rnd_init(&rnd, 9);
	for (size_t i = 0; i < sizeof text; i++) {
		for (unsigned c = 0; c < 256; c++) {
			struct str tight;

			for (size_t j = 0; j < sizeof text; j++)
				text[j] = (char)rnd_below(&rnd, 256);
			text[i] = (char)c;
			tight = json_texts_tight(str_of(text, sizeof text));
			check_forms(tight.p);
			json_texts_free(tight);
		}
	}
}
END_TEST

START_TEST(the_best_form_is_one_of_them)
{
	bool is_known = false;

	for (size_t i = 0; i < json_texts_n_forms(); i++)
		is_known = is_known || json_block_best() == json_texts_form(i);
	ck_assert(is_known);
}
END_TEST

UNIT_MAIN("json_block", tells_what_each_byte_is, all_forms_agree_on_every_byte,
    the_best_form_is_one_of_them)
