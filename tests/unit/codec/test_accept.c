#include "codec/accept.h"

#include "unit.h"

static unsigned
quality(const char *accept, const char *type)
{
	struct header at[2];
	struct header_list list;

	header_list_init(&list, at, 2);
	if (accept != NULL)
		ck_assert(header_list_add(&list, STR("accept"), str_c(accept)));
	return accept_quality(&list, str_c(type));
}

START_TEST(everything_is_wanted_by_default)
{
	ck_assert_uint_eq(quality(NULL, "a/b"), 1000);
	ck_assert_uint_eq(quality("", "a/b"), 1000);
	ck_assert_uint_eq(quality(" , ,", "a/b"), 1000);
	ck_assert_uint_eq(quality("nonsense", "a/b"), 1000);
}
END_TEST

START_TEST(ranges_match)
{
	ck_assert_uint_eq(quality("a/b", "a/b"), 1000);
	ck_assert_uint_eq(quality("A/B", "a/b"), 1000);
	ck_assert_uint_eq(quality("a/*", "a/b"), 1000);
	ck_assert_uint_eq(quality("*/*", "a/b"), 1000);
	ck_assert_uint_eq(quality("a/c", "a/b"), 0);
	ck_assert_uint_eq(quality("a/bc", "a/b"), 0);
	ck_assert_uint_eq(quality("ab/*", "a/b"), 0);
	ck_assert_uint_eq(quality("a/*", "ab/c"), 0);
	ck_assert_uint_eq(quality("*", "a/b"), 1000);
	ck_assert_uint_eq(quality("x/y, a/b", "a/b"), 1000);
}
END_TEST

START_TEST(weights_count)
{
	ck_assert_uint_eq(quality("a/b;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b ; Q=0.125", "a/b"), 125);
	ck_assert_uint_eq(quality("a/b;q=0", "a/b"), 0);
	ck_assert_uint_eq(quality("a/b;q=1.000", "a/b"), 1000);
	ck_assert_uint_eq(quality("a/b;version=\"1\";q=0.2", "a/b"), 200);
	ck_assert_uint_eq(quality("a/b;q=0.2, a/b;q=0.3", "a/b"), 300);
}
END_TEST

START_TEST(the_most_specific_range_decides)
{
	ck_assert_uint_eq(quality("*/*;q=0.1, a/*;q=0.2, a/b;q=0.3", "a/b"), 300);
	ck_assert_uint_eq(quality("a/b;q=0.3, a/*;q=0.2, */*;q=0.1", "a/c"), 200);
	ck_assert_uint_eq(quality("a/b;q=0.3, a/*;q=0.2, */*;q=0.1", "x/y"), 100);
	ck_assert_uint_eq(quality("*/*, a/b;q=0", "a/b"), 0);
}
END_TEST

START_TEST(malformed_weights_are_ignored)
{
	ck_assert_uint_eq(quality("a/b;q=2, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=1.001, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=0.1234, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=-1, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=0.x, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=00, a/*;q=0.5", "a/b"), 500);
}
END_TEST

UNIT_MAIN("accept", everything_is_wanted_by_default, ranges_match, weights_count,
    the_most_specific_range_decides, malformed_weights_are_ignored)
