/*
 * The order of work within a turn, for every world. One loop per thread, used on it; only
 * loop_post() and loop_stop() may be called from others.
 */
#include "net/loop.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"

/* 4 MiB: what some thousand requests in flight leave behind is kept for the next. */
#define BLOCKS_KEPT 1024
/* Of larger memory: answers of some hundred KiB to some tens of clients. */
#define LARGE_BYTES_KEPT ((size_t)8 * 1024 * 1024)
#define TRIM_NS NS_PER_SEC

static void
on_trim(void *arg)
{
	struct loop *loop = arg;

	arena_pool_trim(&loop->blocks);
}

static void
on_tell_stalls(void *arg)
{
	struct loop *loop = arg;

	log_warn("loop: %" PRIu64 " turn(s) of a worker took more than %" PRIu64 " ms, the longest %" PRIu64
		 " ms, and its other requests waited; are there too few processors, or very large answers?",
	    loop->stalls.n, loop->stall_ns / NS_PER_MS, loop->stalls.longest_ns / NS_PER_MS);
	loop->stalls.n = 0;
	loop->stalls.longest_ns = 0;
	loop->stalls.told_ns = loop->now_ns;
}

struct loop *
loop_new(const struct loop_ops *ops, void *world)
{
	struct loop *loop = mem_calloc_lines(1, sizeof *loop);

	loop->ops = ops;
	loop->world = world;
	loop->scratch = mem_calloc_lines(1, LOOP_SCRATCH_BYTES);
	arena_pool_init(&loop->blocks, BLOCKS_KEPT, LARGE_BYTES_KEPT);
	timer_init(&loop->trim, on_trim, loop);
	timer_init(&loop->stalls.tell, on_tell_stalls, loop);
	TAILQ_INIT(&loop->deferred);
	TAILQ_INIT(&loop->flushes);
	SLIST_INIT(&loop->graves);
	atomic_init(&loop->inbox, NULL);
	atomic_init(&loop->is_stopping, false);
	loop->now_ns = ops->mono(loop);
	loop->wall_ns = ops->wall(loop);
	return loop;
}

static void
empty_graveyard(struct loop *loop)
{
	struct grave *g;

	while ((g = SLIST_FIRST(&loop->graves)) != NULL) {
		SLIST_REMOVE_HEAD(&loop->graves, link);
		g->fn(g->arg);
	}
}

void
loop_free(struct loop *loop)
{
	empty_graveyard(loop);
	loop->ops->fini(loop);
	timer_heap_fini(&loop->timers);
	arena_pool_fini(&loop->blocks);
	free(loop->scratch);
	free(loop);
}

void
loop_timer_set(struct loop *loop, struct timer *t, uint64_t deadline_ns)
{
	timer_heap_set(&loop->timers, t, deadline_ns);
}

void
loop_timer_clear(struct timer *t)
{
	t->deadline_ns = TIMER_NEVER;
}

void
loop_timer_drop(struct loop *loop, struct timer *t)
{
	timer_heap_drop(&loop->timers, t);
}

void
loop_defer(struct loop *loop, struct defer *d)
{
	if (defer_is_queued(d))
		return;
	d->queue = DEFER_WORK;
	TAILQ_INSERT_TAIL(&loop->deferred, d, link);
}

void
loop_flush_later(struct loop *loop, struct defer *d)
{
	if (defer_is_queued(d))
		return;
	d->queue = DEFER_FLUSH;
	TAILQ_INSERT_TAIL(&loop->flushes, d, link);
}

void
loop_defer_cancel(struct loop *loop, struct defer *d)
{
	if (d->queue == DEFER_WORK)
		TAILQ_REMOVE(&loop->deferred, d, link);
	else if (d->queue == DEFER_FLUSH)
		TAILQ_REMOVE(&loop->flushes, d, link);
	d->queue = DEFER_NONE;
}

void
loop_bury(struct loop *loop, struct grave *g, void (*fn)(void *), void *arg)
{
	g->fn = fn;
	g->arg = arg;
	SLIST_INSERT_HEAD(&loop->graves, g, link);
}

void
loop_post(struct loop *loop, struct msg *m)
{
	struct msg *head = atomic_load(&loop->inbox);

	do
		m->next = head;
	while (!atomic_compare_exchange_weak(&loop->inbox, &head, m));
	/* Whoever filled the empty inbox has woken the loop, and it takes all that came since. */
	if (head == NULL)
		loop->ops->wake(loop);
}

void
loop_stop(struct loop *loop)
{
	atomic_store(&loop->is_stopping, true);
	loop->ops->wake(loop);
}

bool
loop_has_work(const struct loop *loop)
{
	return !TAILQ_EMPTY(&loop->deferred) || !TAILQ_EMPTY(&loop->flushes) ||
	       !SLIST_EMPTY(&loop->graves) || atomic_load(&loop->inbox) != NULL;
}

void
loop_take_time(struct loop *loop)
{
	if (loop->has_time)
		return;
	loop->has_time = true;
	loop->now_ns = loop->ops->mono(loop);
	loop->wall_ns = loop->ops->wall(loop);
}

static void
run_timers(struct loop *loop)
{
	/* A timer that sets itself to a time already past must not hold the turn for ever. */
	size_t budget = loop->timers.n;
	struct timer *t;

	while (budget-- > 0 && (t = timer_heap_pop(&loop->timers, loop->now_ns)) != NULL)
		t->fn(t->arg);
}

static void
run_messages(struct loop *loop)
{
	struct msg *m, *next, *oldest = NULL;

	/* The plain load spares the locked exchange of nearly every turn. */
	if (atomic_load_explicit(&loop->inbox, memory_order_relaxed) == NULL)
		return;
	for (m = atomic_exchange(&loop->inbox, NULL); m != NULL; m = next) {
		next = m->next;
		m->next = oldest;
		oldest = m;
	}
	for (m = oldest; m != NULL; m = next) {
		next = m->next;
		m->fn(m);
	}
}

/* Deferred work first, whoever asks for it and however late: flushes see the turn's whole output. */
static void
run_deferred(struct loop *loop)
{
	struct defer *d;

	for (;;) {
		d = TAILQ_FIRST(&loop->deferred);
		if (d == NULL)
			d = TAILQ_FIRST(&loop->flushes);
		if (d == NULL)
			return;
		loop_defer_cancel(loop, d);
		d->fn(d->arg);
	}
}

/* Under load once in TRIM_NS; a thread that is idle is woken until it has given back what it can. */
static void
trim_later(struct loop *loop)
{
	if (arena_pool_is_trimmable(&loop->blocks) && !timer_is_set(&loop->trim))
		loop_timer_set(loop, &loop->trim, loop->now_ns + TRIM_NS);
}

/* They come in swarms: a line a second tells of all of them, the first one at once and none of them hours later. */
static void
note_stall(struct loop *loop)
{
	uint64_t took_ns;

	if (loop->stall_ns == 0)
		return;
	took_ns = loop->ops->mono(loop) - loop->now_ns;
	if (LIKELY(took_ns <= loop->stall_ns))
		return;
	loop->stalls.n++;
	if (took_ns > loop->stalls.longest_ns)
		loop->stalls.longest_ns = took_ns;
	if (!timer_is_set(&loop->stalls.tell))
		loop_timer_set(loop, &loop->stalls.tell, loop->stalls.told_ns + NS_PER_SEC);
}

static uint64_t
wait_until(struct loop *loop, uint64_t max_wait_ns)
{
	uint64_t until_ns = timer_heap_next_ns(&loop->timers);
	uint64_t limit_ns;

	if (max_wait_ns == 0 || loop_has_work(loop) || atomic_load(&loop->is_stopping))
		return 0;
	if (max_wait_ns == TIMER_NEVER ||
	    __builtin_add_overflow(loop->ops->mono(loop), max_wait_ns, &limit_ns))
		return until_ns;
	return until_ns < limit_ns ? until_ns : limit_ns;
}

void
loop_turn(struct loop *loop, uint64_t max_wait_ns)
{
	loop->turns++;
	loop->ops->wait(loop, wait_until(loop, max_wait_ns));
	loop_take_time(loop);
	run_timers(loop);
	run_messages(loop);
	run_deferred(loop);
	empty_graveyard(loop);
	trim_later(loop);
	note_stall(loop);
	loop->has_time = false;
}

void
loop_run(struct loop *loop)
{
	while (!atomic_load(&loop->is_stopping))
		loop_turn(loop, TIMER_NEVER);
}
