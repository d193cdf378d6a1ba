/*
 * The permits of several calls of one request to one upstream: all of them or none, before the first call leaves.
 *
 *     all are free and nobody of this worker waits: taken at once
 *     else  places in the queue for all of them, or ERR_QUEUE_FULL;
 *           then the upstream's turn, a semaphore of one;
 *           then, in the queue, the units one by one; with the last of them the turn goes on to the next group
 *
 * Two groups that collected side by side could each hold what the other waits for; with the turn one collects
 * at a time. What it waits for is held by calls in flight, or by groups that are complete, and comes back whatever
 * others do. Groups of several upstreams are taken in the order of the upstreams, so that none wait in a circle.
 */
#ifndef UPSTREAM_PERMIT_GROUP_H
#define UPSTREAM_PERMIT_GROUP_H

#include "upstream/limiter.h"

/* Embedded in the owner, zero-initialised. Once settled it can be used again. */
struct permit_group {
	struct permit all;    /* PERMIT_HELD: complete; its units are handed on by permit_hand() */
	struct permit turn;   /* held while collecting */
	struct limiter *from; /* borrowed */
	uint64_t deadline_ns;
	/* ERR_NONE: complete. ERR_QUEUE_TIMEOUT: it has nothing. Never from inside permit_group_wait(). */
	void (*on_settled)(struct permit_group *g, enum err_code e);
};

/* n units, at most the limit, if they are free and no group of this worker waits. turn: of the same upstream. */
bool permit_group_take(
    struct permit_group *g, struct limiter *from, struct limiter *turn, uint32_t n);
/*
 * When they could not be taken. ERR_NONE: complete (g->all is PERMIT_HELD, on_settled will not come), or waiting (it
 * will, at the latest at deadline_ns). ERR_QUEUE_FULL: neither.
 */
enum err_code permit_group_wait(struct permit_group *g, struct limiter *from, struct limiter *turn,
    uint32_t n, uint64_t deadline_ns, void (*on_settled)(struct permit_group *, enum err_code));
bool permit_group_is_waiting(const struct permit_group *g);
/* Gives everything back; harmless when it has nothing. */
void permit_group_release(struct permit_group *g);

#endif
