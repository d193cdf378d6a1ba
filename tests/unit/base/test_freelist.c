#include "base/freelist.h"

#include <stdint.h>

#include "unit.h"

START_TEST(gives_room_for_what_was_asked)
{
	static const size_t sizes[] = { 0, 1, 16384, 16385, 20480, 20481, 32767, 32769, 200000, 262144, 1048575,
		1048576, 1048577, 3000000 };
	struct freelist f;

	freelist_init(&f, 16 * 1024 * 1024);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *p = freelist_take(&f, sizes[i]);

		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		memset(p, 1, sizes[i]);
		freelist_give(&f, p);
	}
	freelist_fini(&f);
	ck_assert_uint_eq(f.free_bytes, 0);
}
END_TEST

START_TEST(takes_the_last_one_given)
{
	struct freelist f;
	void *one, *other;

	freelist_init(&f, 1024 * 1024);
	one = freelist_take(&f, 100000);
	other = freelist_take(&f, 100000);
	freelist_give(&f, one);
	freelist_give(&f, other);
	ck_assert_ptr_eq(freelist_take(&f, 114688), other); /* of the same size class */
	ck_assert_ptr_eq(freelist_take(&f, 98305), one);
	freelist_give(&f, one);
	freelist_give(&f, other);
	freelist_give(&f, NULL);
	freelist_fini(&f);
}
END_TEST

START_TEST(keeps_no_more_than_its_ceiling)
{
	void *pieces[10];
	struct freelist f;

	freelist_init(&f, 5 * 16384);
	for (int i = 0; i < 10; i++)
		pieces[i] = freelist_take(&f, 16384);
	for (int i = 0; i < 10; i++)
		freelist_give(&f, pieces[i]);
	ck_assert_uint_eq(f.free_bytes, 5 * 16384);
	ck_assert_uint_eq(f.shelves[0].n_free, 5);
	freelist_give(&f, freelist_take(&f, 3000000)); /* too large to be kept */
	ck_assert_uint_eq(f.free_bytes, 5 * 16384);
	freelist_fini(&f);
}
END_TEST

START_TEST(grows_with_what_is_in_it)
{
	static const size_t sizes[] = { 20000, 70000, 70001, 900000, 2000000, 5000000 };
	struct freelist f;
	size_t n = 0;
	char *p = NULL;

	freelist_init(&f, 1024 * 1024);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		p = freelist_grow(&f, p, n, sizes[i]);
		for (size_t k = 0; k < n; k += 1000)
			ck_assert_int_eq(p[k], (char)(k / 1000));
		n = sizes[i];
		for (size_t k = 0; k < n; k += 1000)
			p[k] = (char)(k / 1000);
	}
	freelist_give(&f, p);
	freelist_fini(&f);
}
END_TEST

START_TEST(shrinks_by_what_nobody_needs)
{
	void *pieces[8];
	struct freelist f;

	freelist_init(&f, 1024 * 1024);
	for (int i = 0; i < 8; i++)
		pieces[i] = freelist_take(&f, 16384);
	for (int i = 0; i < 8; i++)
		freelist_give(&f, pieces[i]);
	freelist_trim(&f); /* they have just been in use */
	ck_assert_uint_eq(f.shelves[0].n_free, 8);
	pieces[0] = freelist_take(&f, 16384);
	pieces[1] = freelist_take(&f, 16384);
	freelist_give(&f, pieces[0]);
	freelist_give(&f, pieces[1]);
	freelist_trim(&f); /* six have lain there all the time */
	ck_assert_uint_eq(f.shelves[0].n_free, 5);
	for (int i = 0; i < 3; i++)
		freelist_trim(&f);
	ck_assert_uint_eq(f.free_bytes, 0);
	freelist_fini(&f);
}
END_TEST

START_TEST(does_without_a_list)
{
	char *p = freelist_take(NULL, 20000);

	p = freelist_grow(NULL, p, 20000, 40000);
	freelist_give(NULL, p);
}
END_TEST

UNIT_MAIN("freelist", gives_room_for_what_was_asked, takes_the_last_one_given,
    keeps_no_more_than_its_ceiling, grows_with_what_is_in_it, shrinks_by_what_nobody_needs,
    does_without_a_list)
