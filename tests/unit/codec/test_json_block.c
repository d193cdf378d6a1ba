#include "codec/json_block.h"

#include "base/rnd.h"
#include "codec/json_texts.h"
#include "unit.h"

/* Both kinds of masks of one block. */
struct all_masks {
	struct json_block values;
	struct json_block_marks marks;
};

static struct all_masks
read_all(const struct json_block_ops *form, const char *p)
{
	struct all_masks all;

	form->read(&all.values, p);
	form->read_marks(&all.marks, p);
	return all;
}

static void
check_forms(const char *p)
{
	struct all_masks expected = read_all(&json_block_scalar, p);

	for (size_t i = 0; i < json_texts_n_forms(); i++) {
		struct all_masks got = read_all(json_texts_form(i), p);

		ck_assert_mem_eq(&got, &expected, sizeof got);
	}
}

START_TEST(tells_what_each_byte_is)
{
	char text[JSON_BLOCK_BYTES + 1] =
	    "a\"\\\x1f\x80 \x7f"
	    "09/:[{]}                                                 ";
	struct all_masks all = read_all(&json_block_scalar, text);

	ck_assert_uint_eq(all.values.special, 0x1e);
	ck_assert_uint_eq(~all.values.others, 0x180);
	ck_assert_uint_eq(all.marks.quotes, 0x2);
	ck_assert_uint_eq(all.marks.backslashes, 0x4);
	ck_assert_uint_eq(all.marks.opening, 0x1800);
	ck_assert_uint_eq(all.marks.closing, 0x6000);
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
