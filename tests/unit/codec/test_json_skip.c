#include "codec/json_skip.h"

#include "base/buf.h"
#include "base/rnd.h"
#include "codec/json_texts.h"
#include "unit.h"

/* A string with brackets, quotes and backslashes in it, runs of them too. */
static void
add_string(struct buf *b, struct rnd *rnd)
{
	static const char *const pieces[] = { "a", "{", "]", "}}", "\\\"", "\\\\", "\\u0022",
		"[,:", "\xc3\xa9", "twelve bytes" };

	buf_add_char(b, '"');
	while (rnd_chance(rnd, 3, 4))
		buf_add_c(b, pieces[rnd_below(rnd, ARRAY_LEN(pieces))]);
	buf_add_char(b, '"');
}

static void
add_value(struct buf *b, struct rnd *rnd, unsigned depth)
{
	bool is_object = rnd_chance(rnd, 1, 2);

	if (depth == 0) {
		add_string(b, rnd);
		return;
	}
	buf_add_char(b, is_object ? '{' : '[');
	for (uint64_t n = rnd_below(rnd, 4), i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		if (is_object) {
			add_string(b, rnd);
			buf_add_char(b, ':');
		}
		add_value(b, rnd, depth - 1);
	}
	buf_add_char(b, is_object ? '}' : ']');
}

static void
check_forms(const char *p, const char *end, const char *behind)
{
	for (size_t i = 0; i < json_texts_n_forms(); i++)
		ck_assert_ptr_eq(json_texts_form(i)->skip(p, end), behind);
}

/* A container that ends where it should, with nothing, brackets and quotes behind it. */
START_TEST(finds_the_partner)
{
	static const char *const behind[] = { "", "]", "}]}]}]}]}]}]", ",\"\\\"}]",
		"   ,{\"a\":[]},{\"a\":[]}]"
		"                                                                      ]" };
	struct buf b = BUF_INIT;
	struct rnd rnd;

	rnd_init(&rnd, 12);
	for (unsigned i = 0; i < 20000; i++) {
		struct str text;
		size_t n;

		buf_clear(&b);
		add_value(&b, &rnd, 1 + i % 5);
		n = b.n;
		buf_add_c(&b, behind[rnd_below(&rnd, ARRAY_LEN(behind))]);
		text = json_texts_tight(buf_str(&b));
		ck_assert_ptr_eq(json_skip_container(text.p, text.p + text.n), text.p + n);
		check_forms(text.p, text.p + text.n, text.p + n);
		json_texts_free(text);
	}
	buf_fini(&b);
}
END_TEST

/* Runs of backslashes of every length, at every place of the block. */
START_TEST(follows_backslashes_from_block_to_block)
{
	char text[256];

	for (size_t before = 1; before < 70; before++) {
		for (size_t n = 0; n < 70; n += 2) {
			size_t length = 2 + before + n;

			memset(text, 'x', sizeof text);
			text[0] = '[';
			text[1] = '"';
			memset(text + 1 + before, '\\', n);
			memcpy(text + 1 + before + n, "\\\"]\"]", 5);
			length += 4;
			check_forms(text, text + sizeof text, text + length);
		}
	}
}
END_TEST

UNIT_MAIN("json_skip", finds_the_partner, follows_backslashes_from_block_to_block)
