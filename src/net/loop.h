/*
 * The loop of one thread: readiness, time, and the order of work within a turn. Behind it stands libevent
 * (loop_new_real) or, in tests, a simulated world with a virtual clock (loop_new with other ops).
 *
 * A turn: wait for readiness or the next timer; take the time once; run ready streams and timers; messages
 * from other threads; deferred work (also what it defers itself); flushes; then free what was buried.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/addr.h"

struct loop;
struct stream;
struct stream_events;

/* ---- timers: one shot, lazy: moving a deadline later costs two stores, no heap operation */

#define TIMER_NEVER UINT64_MAX

struct timer {
	void (*fn)(void *arg); /* runs in the loop, after the deadline; may set the timer again */
	void *arg;             /* back pointer to the owner; the owner clears the timer before it dies */
	uint64_t deadline_ns;  /* TIMER_NEVER: not set */
	uint64_t armed_ns;     /* its key in the heap, never later than deadline_ns */
	size_t heap_index;     /* 1-based place in the heap; 0: not in it */
};

void timer_init(struct timer *t, void (*fn)(void *), void *arg);
/* Fires once, at or after deadline_ns of the loop's clock; replaces an earlier setting. */
void loop_timer_set(struct loop *loop, struct timer *t, uint64_t deadline_ns);
/* Lazy: the timer may stay in the heap (and t must stay valid) until loop_timer_drop(). */
void loop_timer_clear(struct timer *t);
/* Out of the heap: t's memory may go. Harmless when it is not in it. */
void loop_timer_drop(struct loop *loop, struct timer *t);
static inline bool
timer_is_set(const struct timer *t)
{
	return t->deadline_ns != TIMER_NEVER;
}

/* ---- deferred work, of this turn */

struct defer {
	TAILQ_ENTRY(defer) link;
	void (*fn)(void *arg);
	void *arg;
	bool is_queued;
};

void defer_init(struct defer *d, void (*fn)(void *), void *arg);
/* Runs before the turn ends, in order of deferring; harmless when already queued. */
void loop_defer(struct loop *loop, struct defer *d);
/* Runs after all deferred work of the turn; for output, so that a turn's output leaves in one write. */
void loop_flush_later(struct loop *loop, struct defer *d);
/* Takes it out of either queue; harmless when it is in none. */
void loop_defer_cancel(struct loop *loop, struct defer *d);

/* ---- the graveyard */

struct grave {
	SLIST_ENTRY(grave) link;
	void (*fn)(void *arg);
	void *arg;
};

/* fn(arg) runs when the turn is over: nothing on the stack can still point to arg. Once per object. */
void loop_bury(struct loop *loop, struct grave *g, void (*fn)(void *), void *arg);

/* ---- messages from other threads */

struct msg {
	struct msg *next;
	void (*fn)(struct msg *m); /* runs on the receiving loop's thread; then m belongs to fn */
};

/* From any thread. m is owned by the queue until fn runs. Messages of one sender keep their order. */
void loop_post(struct loop *loop, struct msg *m);

/* ---- the loop itself */

struct loop_ops {
	/* Waits for readiness or until wake, at most timeout_ns (TIMER_NEVER: no limit); runs ready streams. */
	void (*wait)(struct loop *loop, uint64_t timeout_ns);
	/* Makes wait() return soon; from any thread. */
	void (*wake)(struct loop *loop);
	/* The clocks, in ns. */
	uint64_t (*mono)(struct loop *loop);
	uint64_t (*wall)(struct loop *loop);
	/* See stream_connect(). */
	struct stream *(*connect)(struct loop *loop, const struct addr *to,
	    const struct stream_events *events, void *owner);
	void (*fini)(struct loop *loop);
};

#define LOOP_SCRATCH_BYTES 65536

struct timer_heap {
	struct timer **at; /* owned array of borrowed timers */
	size_t n;
	size_t cap;
};

struct loop {
	const struct loop_ops *ops;
	void *world;      /* of the ops: the event_base, or the simulator */
	uint64_t now_ns;  /* monotonic; read once a turn */
	uint64_t wall_ns; /* since 1970; read once a turn */
	char *scratch;    /* owned; LOOP_SCRATCH_BYTES that a read callback may use until it returns */
	struct arena_pool blocks; /* of this thread's arenas */
	struct timer_heap timers;
	TAILQ_HEAD(, defer) deferred;
	TAILQ_HEAD(, defer) flushes;
	SLIST_HEAD(, grave) graves;
	_Atomic(struct msg *) inbox; /* newest first; taken whole */
	atomic_bool is_stopping;
	uint64_t turns;
	uint64_t stall_ns; /* a turn longer than this is logged; 0: never */
};

/* A loop on libevent; NULL when the system refuses (logged). Free with loop_free() from its thread. */
struct loop *loop_new_real(void);
/* A loop in another world. */
struct loop *loop_new(const struct loop_ops *ops, void *world);
void loop_free(struct loop *loop);
/* One turn; waits at most max_wait_ns. */
void loop_turn(struct loop *loop, uint64_t max_wait_ns);
/* Turns until loop_stop(). */
void loop_run(struct loop *loop);
/* From any thread. */
void loop_stop(struct loop *loop);

#endif
