#include "base/arena.h"

#include <stdint.h>

#include "unit.h"

START_TEST(returns_every_block)
{
	struct arena_pool pool;
	struct arena a;

	arena_pool_init(&pool, 2, 0);
	arena_init(&a, &pool, 0);
	for (int i = 0; i < 1000; i++) {
		char *p = arena_alloc(&a, (size_t)i);

		ck_assert_uint_eq((uintptr_t)p % 8, 0);
		memset(p, i, (size_t)i);
	}
	ck_assert_uint_gt(pool.n_used, 2);
	arena_reset(&a);
	ck_assert_uint_eq(pool.n_used, 0);
	ck_assert_uint_eq(pool.n_free, 2);
	arena_pool_fini(&pool);
}
END_TEST

START_TEST(keeps_large_pieces)
{
	struct arena_pool pool;
	struct arena a;
	void *small, *large;

	arena_pool_init(&pool, 0, 100000);
	arena_init(&a, &pool, 0);
	small = arena_alloc(&a, 4096);
	large = arena_alloc(&a, 50000);
	arena_alloc(&a, 4000); /* of a block */
	arena_reset(&a);
	ck_assert_uint_eq(pool.large.free_bytes, 16384 + 57344);
	ck_assert_ptr_eq(arena_alloc(&a, 9000), small);
	ck_assert_ptr_eq(arena_alloc(&a, 55000), large);
	arena_reset(&a);
	arena_pool_fini(&pool);
}
END_TEST

static void
use_blocks(struct arena_pool *pool, size_t n)
{
	struct arena a;

	arena_init(&a, pool, 0);
	for (size_t i = 0; i < 4 * n; i++)
		arena_alloc(&a, 1000);
	arena_reset(&a);
}

START_TEST(gives_back_what_nobody_needs)
{
	struct arena_pool pool;

	arena_pool_init(&pool, 1024, 1024 * 1024);
	use_blocks(&pool, 1000);
	ck_assert(arena_pool_is_trimmable(&pool));
	arena_pool_trim(&pool); /* all of them were needed since the last time */
	ck_assert_uint_eq(pool.n_free, 1000);
	use_blocks(&pool, 600);
	arena_pool_trim(&pool); /* 400 were not, and half of those go */
	ck_assert_uint_eq(pool.n_free, 800);
	for (int i = 0; i < 5; i++)
		arena_pool_trim(&pool);
	ck_assert(!arena_pool_is_trimmable(&pool));
	arena_pool_fini(&pool);
}
END_TEST

START_TEST(budget_is_sticky)
{
	struct arena a;

	arena_init(&a, NULL, 10000);
	arena_alloc(&a, 5000);
	ck_assert(!a.is_over);
	ck_assert_ptr_nonnull(arena_alloc(&a, 6000));
	ck_assert(a.is_over);
	arena_alloc(&a, 1);
	ck_assert(a.is_over);
	arena_reset(&a);
	ck_assert(!a.is_over);
}
END_TEST

static int turn;

static void
note_turn(void *arg)
{
	*(int *)arg = ++turn;
}

START_TEST(cleans_up_last_first)
{
	int first = 0, second = 0;
	struct arena a;

	arena_init(&a, NULL, 0);
	arena_on_reset(&a, note_turn, &first);
	arena_on_reset(&a, note_turn, &second);
	arena_reset(&a);
	ck_assert_int_eq(second, 1);
	ck_assert_int_eq(first, 2);
}
END_TEST

START_TEST(copies_and_formats)
{
	struct arena a;
	struct str s;

	arena_init(&a, NULL, 0);
	s = arena_printf(&a, "%s-%d", "x", 7);
	ck_assert_str_is(s, "x-7");
	s = arena_str(&a, s);
	ck_assert_str_eq(s.p, "x-7");
	arena_reset(&a);
}
END_TEST

/* A head of some KiB costs no look at the heap, and what is left of the block before it is not lost. */
START_TEST(takes_blocks_for_pieces_that_fit_into_one)
{
	struct arena_pool pool;
	struct arena a;
	char *small, *piece;

	arena_pool_init(&pool, 8, 1 << 20);
	arena_init(&a, &pool, 0);
	for (int round = 0; round < 2; round++) {
		small = arena_alloc(&a, 64);
		piece = arena_alloc(&a, 4080);
		ck_assert_ptr_null(a.large);
		ck_assert_uint_eq(pool.n_used, 2);
		memset(piece, 'x', 4080);
		ck_assert_ptr_eq(arena_alloc(&a, 64), small + 64);
		/* what leaves more room behind it than there was goes on with its own block */
		(void)arena_alloc(&a, 3800);
		piece = arena_alloc(&a, 1000);
		ck_assert_ptr_eq(arena_alloc(&a, 8), piece + 1000);
		arena_reset(&a);
		ck_assert_uint_eq(pool.n_free, 3);
	}
	arena_pool_fini(&pool);
}
END_TEST

UNIT_MAIN("arena", returns_every_block, takes_blocks_for_pieces_that_fit_into_one,
    keeps_large_pieces, gives_back_what_nobody_needs,
    budget_is_sticky, cleans_up_last_first, copies_and_formats)
