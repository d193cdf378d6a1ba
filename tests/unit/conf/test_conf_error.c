#include "conf/conf_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct conf_pos
at(const char *file, uint32_t line, uint32_t column)
{
	return (struct conf_pos){ .file = file, .line = line, .column = column };
}

START_TEST(sorted_by_place_and_said_once)
{
	struct arena a;
	struct conf_errors e;

	arena_init(&a, NULL, 0);
	conf_error_init(&e, &a);
	conf_error_add(&e, at("b", 1, 1), "five");
	conf_error_add(&e, at("a", 10, 1), "four");
	conf_error_add(&e, at("a", 9, 2), "three");
	conf_error_warn(&e, at("a", 9, 1), "two");
	conf_error_add(&e, at("a", 9, 2), "three");
	conf_error_add(&e, at(NULL, 0, 0), "one");
	ck_assert_uint_eq(e.n_errors, 5);
	conf_error_sort(&e);
	ck_assert_uint_eq(e.n, 5);
	ck_assert_uint_eq(e.n_errors, 4);
	ck_assert_str_is(conf_error_line(&e, &e.at[0]), "one");
	ck_assert_str_is(conf_error_line(&e, &e.at[1]), "a:9:1: warning: two");
	ck_assert_str_is(conf_error_line(&e, &e.at[2]), "a:9:2: three");
	ck_assert_str_is(conf_error_line(&e, &e.at[3]), "a:10:1: four");
	ck_assert_str_is(conf_error_line(&e, &e.at[4]), "b:1:1: five");
	arena_reset(&a);
}
END_TEST

START_TEST(a_message_is_one_line)
{
	struct arena a;
	struct conf_errors e;

	arena_init(&a, NULL, 0);
	conf_error_init(&e, &a);
	conf_error_add(&e, at("a", 1, 1), "%s", "x\ny\x1b[31m\x7f");
	ck_assert_str_is(conf_error_line(&e, &e.at[0]), "a:1:1: x?y?[31m?");
	arena_reset(&a);
}
END_TEST

START_TEST(too_many_are_counted_but_not_kept)
{
	struct arena a;
	struct conf_errors e;

	arena_init(&a, NULL, 0);
	conf_error_init(&e, &a);
	for (uint32_t i = 0; i < CONF_ERRORS_MAX + 5; i++)
		conf_error_add(&e, at("a", i, 1), "no");
	conf_error_warn(&e, at("b", 1, 1), "hm");
	ck_assert(conf_error_is_full(&e) && e.has_more);
	conf_error_sort(&e);
	ck_assert_uint_eq(e.n, CONF_ERRORS_MAX + 1);
	ck_assert_uint_eq(e.n_errors, CONF_ERRORS_MAX + 5);
	arena_reset(&a);
}
END_TEST

START_TEST(warnings_take_no_place_of_errors)
{
	struct arena a;
	struct conf_errors e;
	char *said = NULL;
	size_t n;
	FILE *to = open_memstream(&said, &n);

	arena_init(&a, NULL, 0);
	conf_error_init(&e, &a);
	for (uint32_t i = 0; i < CONF_ERRORS_MAX + 5; i++)
		conf_error_warn(&e, at("a", i, 1), "hm");
	conf_error_add(&e, at("b", 1, 1), "no");
	ck_assert(!conf_error_is_full(&e) && !e.has_more && e.has_more_warnings);
	conf_error_sort(&e);
	ck_assert_uint_eq(e.n, CONF_ERRORS_MAX + 1);
	ck_assert_uint_eq(e.n_errors, 1);
	conf_error_print(&e, to);
	ck_assert_int_eq(fclose(to), 0);
	ck_assert_ptr_nonnull(strstr(said, "\nb:1:1: no\nand more warnings, not shown\n"));
	free(said);
	arena_reset(&a);
}
END_TEST

UNIT_MAIN("conf_error", sorted_by_place_and_said_once, a_message_is_one_line,
    too_many_are_counted_but_not_kept, warnings_take_no_place_of_errors)
