/* Where fields lie in memory: what two threads write is on different cache lines, what one step uses on the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "daemon/shared.h"
#include "daemon/worker.h"
#include "server/cconn.h"
#include "server/exchange.h"
#include "unit.h"
#include "upstream/call.h"
#include "upstream/uconn.h"

#define LINE_OF(type, field) (offsetof(type, field) / CACHE_LINE)
#define END_OF(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))
#define IS_LINES(type) (sizeof(type) % CACHE_LINE == 0 && _Alignof(type) % CACHE_LINE == 0)

/* Arrays of what all workers write: no element shares a line with its neighbour. */
_Static_assert(IS_LINES(struct limiter_slot), "a semaphore has lines of its own");
_Static_assert(IS_LINES(struct upstream_slots), "and so have those of an upstream");
_Static_assert(IS_LINES(struct listener_shared), "a listener's count has a line of its own");
_Static_assert(LINE_OF(struct limiter_slot, inflight) == LINE_OF(struct limiter_slot, limit),
    "taking a permit touches one line");

/* What others write does not take the lines away that the owner works on. */
_Static_assert(LINE_OF(struct loop, inbox) > (END_OF(struct loop, stalls) - 1) / CACHE_LINE,
    "messages come to a line of their own");
_Static_assert(LINE_OF(struct limiter, kick) > (END_OF(struct limiter, share) - 1) / CACHE_LINE,
    "so do kicks");
_Static_assert(IS_LINES(struct loop) && IS_LINES(struct limiter) && IS_LINES(struct upstream),
    "nothing of another thread follows on the same line");

/* What a request needs of a connection is in two lines; what is for its beginning and its end follows. */
_Static_assert(END_OF(struct cconn, out) <= 2 * CACHE_LINE, "reading and writing for a client");
_Static_assert(offsetof(struct cconn, grave) > END_OF(struct cconn, timer), "and what is seldom");
_Static_assert(END_OF(struct uconn, timer) <= 2 * CACHE_LINE, "a connection to a server");
_Static_assert(sizeof(struct cconn) <= 5 * CACHE_LINE, "thousands of them wait");
_Static_assert(END_OF(struct exchange, arena) <= 2 * CACHE_LINE, "all steps allocate");
_Static_assert(END_OF(struct call, request) <= CACHE_LINE, "a call's state, owner and request");
_Static_assert(END_OF(struct uconn_h1, request) <= 2 * CACHE_LINE, "an attempt's lease and request");

START_TEST(worker_memory_has_lines_of_its_own)
{
	char *one = mem_calloc_lines(1, 100), *other = mem_calloc_lines(3, 1);

	ck_assert_uint_eq((uintptr_t)one % CACHE_LINE, 0);
	ck_assert_uint_eq((uintptr_t)other % CACHE_LINE, 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(one[i], 0);
	free(one);
	free(other);
}
END_TEST

START_TEST(shards_of_metrics_do_not_meet)
{
	struct metric_layout layout;
	struct metric_shard one, other;
	size_t sizes[DIM_COUNT] = { 0 };
	uintptr_t a, b;

	for (size_t i = 0; i < DIM_COUNT; i++)
		sizes[i] = 1;
	metric_layout_init(&layout, sizes);
	metric_shard_init(&one, &layout);
	metric_shard_init(&other, &layout);
	a = (uintptr_t)one.cells;
	b = (uintptr_t)other.cells;
	ck_assert_uint_eq(a % CACHE_LINE, 0);
	ck_assert_uint_eq(b % CACHE_LINE, 0);
	ck_assert_uint_ge(a > b ? a - b : b - a, layout.n_cells * sizeof *one.cells);
	metric_shard_fini(&one);
	metric_shard_fini(&other);
}
END_TEST

UNIT_MAIN("layout", worker_memory_has_lines_of_its_own, shards_of_metrics_do_not_meet)
