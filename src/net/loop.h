/*
 * The loop of one thread: readiness, time, and the order of work within a turn. Behind it stands
 * libevent (loop_real_new in loop_real.h) or, in tests, a simulated world with a virtual clock
 * (loop_new with other ops).
 *
 * A turn: wait for readiness or the next timer; take the time once; run ready streams and timers;
 * messages from other threads; deferred work (also what it defers itself); flushes; then free what
 * was buried.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "net/addr.h"
#include "net/timer.h"

struct loop;
struct stream;
struct stream_events;

/* ---- timers: one shot, lazy: moving a deadline later costs one store, no heap operation */

/* Fires once, at or after deadline_ns of the loop's clock; replaces an earlier setting. */
void loop_timer_set(struct loop *loop, struct timer *t, uint64_t deadline_ns);
/* Lazy: the timer may stay in the heap (and t must stay valid) until loop_timer_drop(). */
void loop_timer_clear(struct timer *t);
/* Out of the heap: t's memory may go. Harmless when it is not in it. */
void loop_timer_drop(struct loop *loop, struct timer *t);

/* ---- deferred work, of this turn */

enum defer_queue { DEFER_NONE, DEFER_WORK, DEFER_FLUSH };

struct defer {
	TAILQ_ENTRY(defer) link;
	void (*fn)(void *arg);
	void *arg; /* back pointer to the owner, which cancels before it dies */
	enum defer_queue queue;
};

static inline bool
defer_is_queued(const struct defer *d)
{
	return d->queue != DEFER_NONE;
}

static inline void
defer_init(struct defer *d, void (*fn)(void *), void *arg)
{
	*d = (struct defer){ .fn = fn, .arg = arg };
}

/* Runs before the turn ends, in order of deferring; harmless when already queued in either queue. */
void loop_defer(struct loop *loop, struct defer *d);
/*
 * Runs after all deferred work of the turn; for output, so that a turn's output leaves in one
 * write.
 */
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
	/*
	 * Waits for readiness or wake, at the latest until until_ns of mono() (0: polls;
	 * TIMER_NEVER: no limit); then calls loop_take_time() and runs ready streams. May return
	 * early.
	 */
	void (*wait)(struct loop *loop, uint64_t until_ns);
	/* Makes this or the next wait() return soon; from any thread. */
	void (*wake)(struct loop *loop);
	/* The clocks, in ns. */
	uint64_t (*mono)(struct loop *loop);
	uint64_t (*wall)(struct loop *loop);
	/* Bytes that nobody can foretell; in a simulated world those of its seed. */
	void (*random)(struct loop *loop, void *to, size_t n);
	/* See stream_connect(). */
	struct stream *(*connect)(struct loop *loop, const struct addr *to,
	    const struct stream_events *events, void *owner);
	void (*fini)(struct loop *loop);
};

#define LOOP_SCRATCH_BYTES 65536

struct loop {
	const struct loop_ops *ops;
	void *world;      /* of the ops: the event_base, or the simulator */
	uint64_t now_ns;  /* monotonic; read once a turn */
	uint64_t wall_ns; /* since 1970; read once a turn */
	bool has_time;    /* this turn's time was taken */
	char *scratch;    /* owned; LOOP_SCRATCH_BYTES, a read callback's until it returns */
	struct arena_pool blocks; /* of this thread's arenas */
	struct timer trim;        /* while blocks keeps more than a thread at rest needs */
	struct timer_heap timers;
	TAILQ_HEAD(, defer) deferred;
	TAILQ_HEAD(, defer) flushes;
	SLIST_HEAD(, grave) graves;
	uint64_t turns;    /* begun, this one included */
	uint64_t stall_ns; /* a turn longer than this is a stall, which is logged; 0: none is */
	struct {
		uint64_t n; /* not told yet */
		uint64_t longest_ns;
		uint64_t told_ns; /* when the last line was written */
		struct timer tell; /* while there are some */
	} stalls;
	/* What other threads write: away from what this one uses all the time. */
	_Alignas(CACHE_LINE) _Atomic(struct msg *) inbox; /* newest first; taken whole */
	atomic_bool is_stopping;
};

/* A loop in the world of ops. Not of a thread yet: the one that turns it owns it. */
struct loop *loop_new(const struct loop_ops *ops, void *world);
/*
 * From its thread. Buried objects are freed; timers, deferred work and messages that are left are
 * forgotten, and every arena of loop->blocks must have been reset.
 */
void loop_free(struct loop *loop);
/* True when a turn would not have to wait for the world: work, messages or graves are left. */
bool loop_has_work(const struct loop *loop);
/* For the world: takes the turn's time. Before the first callback of a wait(); harmless again. */
void loop_take_time(struct loop *loop);
/* One turn; waits at most max_wait_ns (TIMER_NEVER: no limit). */
void loop_turn(struct loop *loop, uint64_t max_wait_ns);
/* Turns until loop_stop(). */
void loop_run(struct loop *loop);
/* From any thread. */
void loop_stop(struct loop *loop);

#endif
