#include "codec/json_keys.h"

#include "base/mem.h"
#include "base/rnd.h"
#include "unit.h"

START_TEST(sorts)
{
	static const size_t sizes[] = { 0, 1, 2, 31, 32, 33, 1000, 70000 };
	struct rnd rnd;

	rnd_init(&rnd, 9);
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		size_t n = sizes[s];
		uint64_t *r = mem_calloc(n + 1, sizeof *r);
		uint64_t sum = 0;

		for (unsigned kind = 0; kind < 3; kind++) {
			for (size_t i = 0; i < n; i++) {
				/* any, few different, equal upper halves */
				r[i] = kind == 0   ? rnd_u64(&rnd)
				       : kind == 1 ? rnd_below(&rnd, 5) << 32
						   : i * 7919 % n;
				sum += r[i];
			}
			json_keys_sort(r, n);
			for (size_t i = 0; i < n; i++) {
				ck_assert(i == 0 || r[i - 1] <= r[i]);
				sum -= r[i];
			}
			ck_assert(sum == 0);
		}
		free(r);
	}
}
END_TEST

/* Every record with a partner must be among the suspects; few others may. */
START_TEST(suspects_all_that_are_equal)
{
	static const size_t sizes[] = { 0, 1, 2, 16, 17, 127, 128, 129, 512, 1100, 50000 };
	struct rnd rnd;

	rnd_init(&rnd, 10);
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		size_t n = sizes[s], n_suspects, found = 0;
		uint64_t *r = mem_calloc(n + 1, sizeof *r);
		uint64_t twin = rnd_u64(&rnd) >> 32 << 32;

		for (size_t i = 0; i < n; i++)
			r[i] = rnd_u64(&rnd) >> 32 << 32 | i;
		if (n > 1) {
			r[n / 2] = twin | (uint32_t)r[n / 2];
			r[n - 1] = twin | (uint32_t)r[n - 1];
			r[0] = twin | (uint32_t)r[0];
		}
		n_suspects = json_keys_suspects(r, n);
		ck_assert_uint_le(n_suspects, 8 + n / 4);
		for (size_t i = 0; i < n_suspects; i++)
			found += r[i] >> 32 == twin >> 32;
		ck_assert_uint_eq(found, n < 2 ? 0 : n == 2 ? 2 : 3);
		json_keys_sort(r, n);
		for (size_t i = 0; i < n; i++)
			ck_assert(i == 0 || r[i] != r[i - 1]);
		free(r);
	}
}
END_TEST

/* Places are indexes of an array of keys. */
static struct str
key_at(const void *texts, uint32_t place)
{
	const char *const *keys = texts;

	return str_c(keys[place]);
}

START_TEST(links_equal_keys)
{
	static const char *const keys[] = { "b", "a", "c", "a", "d", "b", "a", "e" };
	struct json_keys stack;
	size_t n;

	json_keys_init(&stack, 3);
	/* one hash for all: which keys are equal is decided by the keys */
	for (uint32_t i = 0; i < ARRAY_LEN(keys); i++)
		json_keys_push(&stack, 7, i);
	n = json_keys_link(stack.at, stack.n, key_at, keys);
	ck_assert_uint_eq(n, 5);
	ck_assert_uint_eq(json_keys_place(stack.at[0]), 0);
	ck_assert(json_keys_is_first(stack.at[0]));
	ck_assert_uint_eq(json_keys_next(stack.at[0]), 5);
	ck_assert(json_keys_is_first(json_keys_find(stack.at, n, 1)));
	ck_assert_uint_eq(json_keys_next(json_keys_find(stack.at, n, 1)), 3);
	ck_assert_uint_eq(json_keys_next(json_keys_find(stack.at, n, 3)), 6);
	ck_assert(!json_keys_is_first(json_keys_find(stack.at, n, 3)));
	ck_assert_uint_eq(json_keys_next(json_keys_find(stack.at, n, 6)), 0);
	ck_assert_uint_eq(json_keys_next(json_keys_find(stack.at, n, 5)), 0);
	json_keys_fini(&stack);
}
END_TEST

START_TEST(links_nothing_when_keys_differ)
{
	static const char *const keys[] = { "a", "b", "c" };
	uint64_t records[] = { 5ull << 32 | 0, 5ull << 32 | 1, 6ull << 32 | 2 };

	ck_assert_uint_eq(json_keys_link(records, 3, key_at, keys), 0);
	ck_assert_uint_eq(json_keys_link(records, 0, key_at, keys), 0);
}
END_TEST

/* Equal hashes are never missed, and different ones seldom suspected, in whatever round. */
START_TEST(suspects_what_may_repeat)
{
	struct json_keys keys;
	struct rnd rnd;
	unsigned n_suspected = 0;

	rnd_init(&rnd, 3);
	json_keys_init(&keys, 1);
	for (unsigned round = 0; round < 70000; round++) {
		keys.n = 0;
		json_keys_push(&keys, 7, 0); /* of an object around */
		for (uint32_t i = 0; i < 9; i++)
			json_keys_push(&keys, (uint32_t)rnd_u64(&rnd), i);
		n_suspected += json_keys_may_repeat(&keys, 1);
		json_keys_push(&keys, (uint32_t)(keys.at[1 + round % 9] >> 32), 9);
		ck_assert(json_keys_may_repeat(&keys, 1));
		ck_assert(!json_keys_may_repeat(&keys, keys.n));
	}
	ck_assert_uint_lt(n_suspected, 70000 / 10);
	json_keys_fini(&keys);
}
END_TEST

UNIT_MAIN("json_keys", sorts, suspects_all_that_are_equal, links_equal_keys,
    links_nothing_when_keys_differ, suspects_what_may_repeat)
