#include "gather/edit.h"

#include "unit.h"

static struct arena arena;

START_TEST(without_changes_the_text_itself_comes_out)
{
	struct str in = STR("abc"), out;
	struct edit e;

	edit_init(&e, &arena, in, 10);
	ck_assert_int_eq(edit_finish(&e, &out), ERR_NONE);
	ck_assert_ptr_eq(out.p, in.p);
	ck_assert_uint_eq(out.n, 3);
	ck_assert_uint_eq(arena.used_bytes, 0);
}
END_TEST

START_TEST(cuts_replaces_and_inserts)
{
	struct str in = STR("0123456789"), out;
	struct edit e;

	arena_init(&arena, NULL, 0);
	edit_init(&e, &arena, in, 0);
	edit_replace(&e, str_of(in.p, 1), STR("zero "));
	edit_replace(&e, str_of(in.p + 3, 2), STR(""));
	edit_replace(&e, str_of(in.p + 5, 0), STR("four and a half "));
	edit_replace(&e, str_of(in.p + 9, 1), STR("!"));
	ck_assert_int_eq(edit_finish(&e, &out), ERR_NONE);
	ck_assert_str_is(out, "zero 12four and a half 5678!");
	arena_reset(&arena);
}
END_TEST

START_TEST(a_text_of_its_own_is_changed_where_it_is)
{
	char text[] = "0123456789";
	struct str in = str_c(text), out;
	struct edit e;

	arena_init(&arena, NULL, 0);
	edit_init_in_place(&e, &arena, in, 0);
	edit_replace(&e, str_of(in.p + 1, 3), STR("ab"));
	ck_assert_str_eq(text + 4, "456789");
	edit_replace(&e, str_of(in.p + 5, 1), STR("cd"));
	ck_assert_str_eq(text + 6, "6789");
	ck_assert_int_eq(edit_finish(&e, &out), ERR_NONE);
	ck_assert_str_is(out, "0ab4cd6789");
	ck_assert_ptr_eq(out.p, text);
	ck_assert_uint_eq(arena.used_bytes, 0);
}
END_TEST

START_TEST(a_text_that_outgrows_its_place_moves)
{
	char text[] = "0123456789";
	struct str in = str_c(text), out;
	struct edit e;

	arena_init(&arena, NULL, 0);
	edit_init_in_place(&e, &arena, in, 0);
	edit_replace(&e, str_of(in.p, 2), STR(""));
	edit_replace(&e, str_of(in.p + 4, 1), STR("abcd"));
	edit_replace(&e, str_of(in.p + 9, 1), STR("xyz"));
	ck_assert_int_eq(edit_finish(&e, &out), ERR_NONE);
	ck_assert_str_is(out, "23abcd5678xyz");
	ck_assert_ptr_ne(out.p, text);
	arena_reset(&arena);
}
END_TEST

START_TEST(grows_as_often_as_needed)
{
	char text[1000];
	struct str out;
	struct edit e;

	memset(text, '.', sizeof text);
	arena_init(&arena, NULL, 0);
	edit_init(&e, &arena, str_of(text, sizeof text), 3);
	for (size_t i = 0; i < sizeof text; i++)
		edit_replace(&e, str_of(text + i, 1), STR("0123456789"));
	ck_assert_int_eq(edit_finish(&e, &out), ERR_NONE);
	ck_assert_uint_eq(out.n, 10 * sizeof text);
	for (size_t i = 0; i < out.n; i++)
		ck_assert_int_eq(out.p[i], (int)('0' + i % 10));
	arena_reset(&arena);
}
END_TEST

START_TEST(stops_at_the_budget)
{
	struct str in = STR("a"), out;
	struct edit e;

	arena_init(&arena, NULL, 64);
	edit_init(&e, &arena, in, 0);
	edit_replace(
	    &e, in, STR("0123456789012345678901234567890123456789012345678901234567890123456789"));
	edit_replace(&e, str_of(in.p + 1, 0), STR("more"));
	ck_assert_int_eq(edit_finish(&e, &out), ERR_BUDGET);
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("edit", without_changes_the_text_itself_comes_out, cuts_replaces_and_inserts,
    a_text_of_its_own_is_changed_where_it_is, a_text_that_outgrows_its_place_moves,
    grows_as_often_as_needed, stops_at_the_budget)
