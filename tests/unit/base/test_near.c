#include "base/near.h"

#include "unit.h"

START_TEST(counts_changes)
{
	ck_assert_uint_eq(near_distance(STR("timeouts"), STR("timeouts")), 0);
	ck_assert_uint_eq(near_distance(STR("timeout"), STR("timeouts")), 1);
	ck_assert_uint_eq(near_distance(STR("haeder"), STR("header")), 1);
	ck_assert_uint_eq(near_distance(STR("Header"), STR("header")), 0);
	ck_assert_uint_eq(near_distance(STR(""), STR("abc")), 3);
	ck_assert_uint_eq(near_distance(STR("kitten"), STR("sitting")), 3);
}
END_TEST

START_TEST(long_words_are_far_from_all)
{
	char text[100];

	memset(text, 'a', sizeof text);
	ck_assert_uint_eq(near_distance(str_of(text, sizeof text), STR("a")), SIZE_MAX);
}
END_TEST

START_TEST(hints_at_the_nearest_or_lists_all)
{
	struct near near;
	struct arena a;

	arena_init(&a, NULL, 0);
	near_init(&near, STR("usres"), &a);
	ck_assert_str_is(near_hint(&near), "none is defined");
	near_add(&near, STR("orders"));
	ck_assert_str_is(near_hint(&near), "known are: orders");
	near_add(&near, STR("users"));
	ck_assert_str_is(near_hint(&near), "did you mean \"users\"?");
	near_init(&near, STR("x"), &a);
	near_add(&near, STR("a"));
	near_add(&near, STR("b"));
	ck_assert_str_is(near_hint(&near), "known are: a, b");
	arena_reset(&a);
}
END_TEST

UNIT_MAIN(
    "near", counts_changes, long_words_are_far_from_all, hints_at_the_nearest_or_lists_all)
