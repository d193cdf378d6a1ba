/*
 * One-shot timers in a 4-ary heap, shared by the real and the simulated world. Lazy: moving a
 * deadline later costs one store; the heap learns of it when the earlier time has come.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

struct timer {
	void (*fn)(void *arg); /* runs in the loop, after the deadline; may set the timer again */
	void *arg;             /* back pointer to the owner, which drops the timer before it dies */
	uint64_t deadline_ns;  /* TIMER_NEVER: not set */
	uint64_t armed_ns;     /* its key in the heap, never later than deadline_ns */
	size_t heap_index;     /* 1-based place in the heap; 0: not in it */
};

struct timer_heap {
	struct timer **at; /* owned array of borrowed timers */
	size_t n;
	size_t cap;
};

void timer_init(struct timer *t, void (*fn)(void *), void *arg);

static inline bool
timer_is_set(const struct timer *t)
{
	return t->deadline_ns != TIMER_NEVER;
}

/* Frees the array; timers that are still in it are forgotten. */
void timer_heap_fini(struct timer_heap *h);
/* Puts t in, or moves it; deadline_ns may be TIMER_NEVER. */
void timer_heap_set(struct timer_heap *h, struct timer *t, uint64_t deadline_ns);
/* Takes t out; harmless when it is not in. */
void timer_heap_drop(struct timer_heap *h, struct timer *t);
/* Takes out one timer that is due, now unset; NULL when there is none. */
struct timer *timer_heap_pop(struct timer_heap *h, uint64_t now_ns);
/* No timer is due before this; TIMER_NEVER when there is none. May be early, because of laziness. */
static inline uint64_t
timer_heap_next_ns(const struct timer_heap *h)
{
	return h->n == 0 ? TIMER_NEVER : h->at[0]->armed_ns;
}
/* How many of them are set: those that were cleared do not count. */
size_t timer_heap_count_set(const struct timer_heap *h);

#endif
