/* Where fields lie in memory: what two threads write is on different cache lines, what one step uses on the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "daemon/shared.h"
#include "daemon/worker.h"
#include "net/loop_real.h"
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

#define CONFIG \
	"version: 1\n" \
	"workers: 2\n" \
	"listeners: { one: { address: 127.0.0.1:8080 }, other: { address: 127.0.0.1:8081 } }\n" \
	"upstreams: { u: { servers: [ http://127.0.0.1:1 ], concurrency: { limit: 3 } } }\n" \
	"routes: [ { path: /, proxy: { upstream: u } } ]\n"

static void
assert_lines(const void *p)
{
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq((uintptr_t)p % CACHE_LINE, 0);
}

/* All that is written for requests and was not made by the worker itself. */
static void
assert_worker_lines(struct worker *w)
{
	assert_lines(w);
	assert_lines(w->loop);
	assert_lines(w->loop->world);
	assert_lines(w->loop->scratch);
	assert_lines(w->tls_io);
	assert_lines(w->server.fields);
	for (size_t i = 0; i < w->n_listeners; i++) {
		assert_lines(w->listeners[i]);
		assert_lines(w->listeners[i]->shared);
	}
	for (size_t i = 0; i < w->n_upstreams; i++) {
		struct upstream *up = &w->upstreams[i];

		assert_lines(up);
		assert_lines(up->limiter.slot);
		assert_lines(up->turn.slot);
		assert_lines(up->fields);
		assert_lines(up->endpoints);
		assert_lines(up->candidates);
		ck_assert_uint_gt(up->n_endpoints, 0);
		assert_lines(up->endpoints[0]);
	}
}

static void
free_worker(struct worker *w)
{
	struct loop *loop = w->loop;

	worker_close(w);
	loop_turn(loop, 0);
	worker_free(w);
	loop_free(loop);
}

/* The main thread makes all of them, one after the other: what it makes for one is no neighbour of another's. */
START_TEST(workers_share_no_line_but_what_they_share)
{
	struct generation *gen = generation_load_text(STR(CONFIG));
	struct worker *workers[2];
	struct shared shared;

	ck_assert_ptr_nonnull(gen);
	shared_init(&shared, gen, 2);
	assert_lines(shared.admission);
	for (unsigned i = 0; i < 2; i++) {
		struct worker_setup setup = { .index = i, .shared = &shared, .loop = loop_real_new() };

		workers[i] = worker_new(&setup);
		assert_lines(shared.shards[i].cells);
	}
	for (size_t l = 0; l < 2; l++)
		for (unsigned i = 0; i < 2; i++)
			worker_listen(workers[i], l, -1, NULL);
	for (unsigned i = 0; i < 2; i++)
		assert_worker_lines(workers[i]);
	for (unsigned i = 0; i < 2; i++)
		free_worker(workers[i]);
	shared_fini(&shared);
	generation_free(gen);
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
	ck_assert_uint_ge((a > b ? a - b : b - a) / CACHE_LINE, (layout.n_cells * sizeof *one.cells + 63) / CACHE_LINE);
	metric_shard_fini(&one);
	metric_shard_fini(&other);
}
END_TEST

UNIT_MAIN("layout", worker_memory_has_lines_of_its_own, workers_share_no_line_but_what_they_share,
    shards_of_metrics_do_not_meet)
