/*
 * The frame of a unit test program: one per source file, in the folder that mirrors src.
 *
 *     START_TEST(splits_at_separator) { ... } END_TEST
 *     UNIT_MAIN("str", splits_at_separator, ...)
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdlib.h>

#include "base/compiler.h"

/* A main() that runs the tests named, each in a process of its own; the exit status counts. */
#define UNIT_MAIN(name, ...) \
	int main(void) \
	{ \
		const TTest *const tests[] = { __VA_ARGS__ }; \
		Suite *suite = suite_create(name); \
		TCase *tc = tcase_create(name); \
		SRunner *runner; \
		int failed; \
\
		for (size_t i = 0; i < ARRAY_LEN(tests); i++) \
			tcase_add_test(tc, tests[i]); \
		tcase_set_timeout(tc, 900); /* ends what hangs; a sanitizer on a busy machine is slow */ \
		suite_add_tcase(suite, tc); \
		runner = srunner_create(suite); \
		srunner_run_all(runner, CK_ENV); \
		failed = srunner_ntests_failed(runner); \
		srunner_free(runner); \
		return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE; \
	}

#define ck_assert_str_is(s, lit) \
	ck_assert_msg(str_eq((s), str_c(lit)), "got \"%.*s\", want \"%s\"", STR_FMT(s), lit)

#endif
