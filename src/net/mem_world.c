/* The world in memory: clock, loops, listeners. Everything in it runs on one thread. */
#include "net/mem_world.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "net/stream_mem.h"
#include "net/stream_record.h"

/* 2026-01-01: a wall clock like any other. */
#define WALL_START_NS (UINT64_C(1767225600) * NS_PER_SEC)

struct mem_listener {
	struct mem_world *world; /* borrowed, as the loop */
	struct loop *loop;
	struct addr at;
	const struct mem_listener_events *events;
	void *owner; /* back pointer, cut by mem_world_unlisten() */
	TAILQ_ENTRY(mem_listener) link;
	TAILQ_HEAD(, stream_mem) backlog; /* owned until accepted */
	struct defer accept;
	struct grave grave;
	uint64_t n_accepted;
};

struct mem_world *
mem_world_new(uint64_t seed)
{
	struct mem_world *w = mem_calloc(1, sizeof *w);

	w->now_ns = NS_PER_SEC;
	rnd_init(&w->rnd, seed);
	TAILQ_INIT(&w->loops);
	TAILQ_INIT(&w->listeners);
	return w;
}

void
mem_world_free(struct mem_world *w)
{
	assert(TAILQ_EMPTY(&w->loops) && TAILQ_EMPTY(&w->listeners));
	assert(w->n_streams == 0 && w->n_pairs == 0);
	timer_heap_fini(&w->events);
	free(w);
}

bool
mem_world_chance(struct mem_world *w, unsigned chance)
{
	return chance != 0 && rnd_chance(&w->rnd, chance, MEM_WORLD_CHANCE);
}

uint64_t
mem_world_delay(struct mem_world *w, uint64_t max_ns)
{
	return max_ns == 0 ? 0 : rnd_below(&w->rnd, max_ns + 1);
}

void
mem_world_ready_add(struct mem_ready *set, struct stream_mem *s)
{
	if (set->n == set->cap) {
		set->cap = set->cap == 0 ? 16 : set->cap * 2;
		set->at = mem_realloc(set->at, set->cap * sizeof(struct stream_mem *));
	}
	s->ready = set;
	s->ready_at = set->n;
	set->at[set->n++] = s;
}

void
mem_world_ready_drop(struct mem_ready *set, struct stream_mem *s)
{
	struct stream_mem *last = set->at[--set->n];

	assert(s->ready == set && set->at[s->ready_at] == s);
	set->at[s->ready_at] = last;
	last->ready_at = s->ready_at;
	s->ready = NULL;
}

/* Lets what is due arrive. */
static void
run_events(struct mem_world *w)
{
	struct timer *t;

	while ((t = timer_heap_pop(&w->events, w->now_ns)) != NULL)
		t->fn(t->arg);
}

/*
 * Every stream that was ready when the turn began, in any order; what becomes ready now is told
 * later.
 */
static void
run_ready(struct mem_loop *ml)
{
	struct mem_ready was = ml->running;

	assert(was.n == 0);
	ml->running = ml->ready;
	ml->ready = was;
	for (size_t i = 0; i < ml->running.n; i++)
		ml->running.at[i]->ready = &ml->running;
	while (ml->running.n > 0) {
		struct stream_mem *s = ml->running.at[rnd_below(&ml->world->rnd, ml->running.n)];

		mem_world_ready_drop(&ml->running, s);
		if (!mem_world_chance(ml->world, ml->world->faults.late_chance))
			stream_mem_tell(s);
		stream_mem_update(s);
	}
}

static void
mem_wait(struct loop *loop, uint64_t until_ns)
{
	struct mem_loop *ml = loop->world;
	struct mem_world *w = ml->world;

	run_events(w);
	while (ml->ready.n == 0 && !ml->is_woken && w->now_ns < until_ns) {
		uint64_t next_ns = timer_heap_next_ns(&w->events);

		if (next_ns > until_ns)
			next_ns = until_ns;
		if (next_ns == TIMER_NEVER)
			break; /* for ever, elsewhere; here the test finds that nothing came */
		w->now_ns = next_ns;
		run_events(w);
	}
	ml->is_woken = false;
	loop_take_time(loop);
	run_ready(ml);
}

static void
mem_wake(struct loop *loop)
{
	((struct mem_loop *)loop->world)->is_woken = true;
}

static uint64_t
mem_mono(struct loop *loop)
{
	return ((struct mem_loop *)loop->world)->world->now_ns;
}

static uint64_t
mem_wall(struct loop *loop)
{
	return mem_mono(loop) + WALL_START_NS;
}

static void
mem_fini(struct loop *loop)
{
	struct mem_loop *ml = loop->world;

	TAILQ_REMOVE(&ml->world->loops, ml, link);
	free(ml->ready.at);
	free(ml->running.at);
	free(ml);
	loop->world = NULL;
}

static struct stream *
mem_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner)
{
	if (((struct mem_loop *)loop->world)->world->has_records)
		return stream_record_connect(loop, to, events, owner);
	return stream_mem_connect(loop, to, events, owner);
}

static void
mem_random(struct loop *loop, void *to, size_t n)
{
	struct rnd *rnd = &((struct mem_loop *)loop->world)->world->rnd;

	for (size_t i = 0; i < n; i++)
		((unsigned char *)to)[i] = (unsigned char)rnd_below(rnd, 256);
}

static const struct loop_ops mem_ops = {
	.wait = mem_wait,
	.wake = mem_wake,
	.mono = mem_mono,
	.wall = mem_wall,
	.random = mem_random,
	.connect = mem_connect,
	.fini = mem_fini,
};

struct loop *
mem_world_loop(struct mem_world *w)
{
	struct mem_loop *ml = mem_calloc(1, sizeof *ml);

	ml->world = w;
	TAILQ_INSERT_TAIL(&w->loops, ml, link);
	ml->loop = loop_new(&mem_ops, ml);
	return ml->loop;
}

static bool
has_something(const struct mem_loop *ml)
{
	return ml->ready.n > 0 || ml->is_woken || loop_has_work(ml->loop) ||
	       timer_heap_next_ns(&ml->loop->timers) <= ml->world->now_ns;
}

static struct loop *
pick_loop(struct mem_world *w)
{
	struct mem_loop *ml, *pick = NULL;
	uint64_t n = 0;

	/* Reservoir of one: the k-th candidate replaces the choice with probability 1/k. */
	TAILQ_FOREACH (ml, &w->loops, link)
		if (has_something(ml) && rnd_below(&w->rnd, ++n) == 0)
			pick = ml;
	return pick == NULL ? NULL : pick->loop;
}

static bool
advance(struct mem_world *w)
{
	uint64_t next_ns = timer_heap_next_ns(&w->events);
	struct mem_loop *ml;

	TAILQ_FOREACH (ml, &w->loops, link)
		if (timer_heap_next_ns(&ml->loop->timers) < next_ns)
			next_ns = timer_heap_next_ns(&ml->loop->timers);
	if (next_ns == TIMER_NEVER)
		return false;
	if (next_ns > w->now_ns)
		w->now_ns = next_ns;
	run_events(w);
	return true;
}

bool
mem_world_step(struct mem_world *w)
{
	struct loop *loop;

	run_events(w);
	loop = pick_loop(w);
	if (loop == NULL)
		return advance(w);
	loop_turn(loop, 0);
	w->now_ns += mem_world_delay(w, w->faults.turn_ns);
	return true;
}

/* Clients come from addresses of their own, as they do elsewhere. */
static struct addr
peer_addr(uint64_t n)
{
	uint64_t host = n / 60000;
	const uint8_t ip[4] = { 10, 1, (uint8_t)(host / 256), (uint8_t)host };
	struct addr a;

	addr_of_bytes(ip, sizeof ip, 1024 + (unsigned)(n % 60000), &a);
	return a;
}

static void
accept_backlog(void *arg)
{
	struct mem_listener *l = arg;
	struct stream_mem *s;

	while (l->owner != NULL && (s = TAILQ_FIRST(&l->backlog)) != NULL) {
		struct addr peer = peer_addr(l->n_accepted++);
		struct stream *accepted = &s->base;

		TAILQ_REMOVE(&l->backlog, s, link);
		s->is_offered = false;
		if (l->world->has_records)
			accepted = stream_record_accept(accepted);
		l->events->on_accept(l->owner, accepted, &peer);
	}
}

struct mem_listener *
mem_world_listen(struct mem_world *w, struct loop *loop, const struct addr *at,
    const struct mem_listener_events *events, void *owner)
{
	struct mem_listener *l = mem_calloc(1, sizeof *l);

	assert(owner != NULL);
	l->world = w;
	l->loop = loop;
	l->at = *at;
	l->events = events;
	l->owner = owner;
	TAILQ_INIT(&l->backlog);
	defer_init(&l->accept, accept_backlog, l);
	TAILQ_INSERT_TAIL(&w->listeners, l, link);
	return l;
}

void
mem_world_unlisten(struct mem_listener **pl)
{
	struct mem_listener *l = *pl;
	struct stream_mem *s;

	if (l == NULL)
		return;
	*pl = NULL;
	while ((s = TAILQ_FIRST(&l->backlog)) != NULL) {
		struct stream *gone = &s->base;

		TAILQ_REMOVE(&l->backlog, s, link);
		s->is_offered = false;
		stream_reset(&gone);
	}
	TAILQ_REMOVE(&l->world->listeners, l, link);
	loop_defer_cancel(l->loop, &l->accept);
	l->owner = NULL;
	loop_bury(l->loop, &l->grave, free, l);
}

struct mem_listener *
mem_world_find(struct mem_world *w, const struct addr *at)
{
	struct mem_listener *l, *pick = NULL;
	uint64_t n = 0;

	TAILQ_FOREACH (l, &w->listeners, link)
		if (addr_eq(&l->at, at) && rnd_below(&w->rnd, ++n) == 0)
			pick = l;
	return pick;
}

struct loop *
mem_world_listener_loop(const struct mem_listener *l)
{
	return l->loop;
}

void
mem_world_offer(struct mem_listener *l, struct stream_mem *s)
{
	s->is_offered = true;
	TAILQ_INSERT_TAIL(&l->backlog, s, link);
	loop_defer(l->loop, &l->accept);
}
