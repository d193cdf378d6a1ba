#include "base/str.h"

#include "unit.h"

START_TEST(compares_without_case)
{
	ck_assert(str_ieq(STR("Content-Length"), STR("content-LENGTH")));
	ck_assert(!str_ieq(STR("a"), STR("ab")));
	ck_assert(!str_ieq(STR("@"), STR("`")));
}
END_TEST

START_TEST(takes_digits_only)
{
	static const char *const bad[] = { "", "+5", "-1", " 5", "5 ", "5x", "0x5",
		"18446744073709551616", "99999999999999999999" };
	uint64_t v = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(!str_to_u64(str_c(bad[i]), &v), "took \"%s\"", bad[i]);
		ck_assert_uint_eq(v, 7);
	}
	ck_assert(str_to_u64(STR("18446744073709551615"), &v));
	ck_assert(v == UINT64_MAX);
	ck_assert(str_to_u64(STR("007"), &v));
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(splits_at_separator)
{
	struct str rest = STR("a,,b,"), part;

	ck_assert(str_split(&rest, ',', &part));
	ck_assert_str_is(part, "a");
	ck_assert(str_split(&rest, ',', &part));
	ck_assert_str_is(part, "");
	ck_assert(str_split(&rest, ',', &part));
	ck_assert_str_is(part, "b");
	ck_assert(str_split(&rest, ',', &part));
	ck_assert_str_is(part, "");
	ck_assert(!str_split(&rest, ',', &part));
}
END_TEST

START_TEST(writes_numbers)
{
	char b[STR_U64_MAX];

	ck_assert_str_is(str_of(b, str_put_u64(b, 0)), "0");
	ck_assert_str_is(str_of(b, str_put_u64(b, UINT64_MAX)), "18446744073709551615");
}
END_TEST

START_TEST(trims_both_ends)
{
	ck_assert_str_is(str_trim(STR(" \ta b\t ")), "a b");
	ck_assert_str_is(str_trim(STR(" \t ")), "");
}
END_TEST

START_TEST(tells_words)
{
	ck_assert(str_is_word(STR("a-Z_09")));
	ck_assert(!str_is_word(STR("")));
	ck_assert(!str_is_word(STR("a.b")));
	ck_assert(!str_is_word(STR("\xc3\xa4")));
	for (const char *p = "/:@[`{"; *p != '\0'; p++) /* the neighbours of digits and letters */
		ck_assert(!str_is_alnum(*p));
}
END_TEST

START_TEST(copies_slices_as_far_as_there_is_room)
{
	struct iovec iov[] = { { "ab", 2 }, { NULL, 0 }, { "cde", 3 } };
	char to[6] = "------";

	ck_assert_uint_eq(str_copy_iov(to, 0, iov, 3), 0);
	ck_assert_uint_eq(str_copy_iov(to, 4, iov, 3), 4);
	ck_assert_mem_eq(to, "abcd--", 6);
	ck_assert_uint_eq(str_copy_iov(to, 6, iov, 3), 5);
	ck_assert_mem_eq(to, "abcde-", 6);
}
END_TEST

UNIT_MAIN("str", compares_without_case, tells_words, takes_digits_only, splits_at_separator,
    writes_numbers, trims_both_ends, copies_slices_as_far_as_there_is_room)
