/*
 * The semaphore: at most `limit` permits in flight over all workers, exact, with a bounded, timed FIFO queue
 * in front. One slot in the shared area per limiter (an upstream, or the daemon itself); one view of it per
 * worker with that worker's waiters. No locks.
 *
 *     acquire  own queue empty and CAS(inflight < limit): granted
 *              else push; set own bit in waiting_workers; try the CAS once more for the head; else wait
 *     release  no bit set: inflight--; a bit set by now: CAS(inflight < limit) for whoever that is
 *              else the unit stays in flight, so that nobody can take it, and is shared out when the
 *              turn ends: to the head of the own queue, or to another worker that waits, by message;
 *              no bit set any more: as above
 *     given    the head of the queue has it; clear own bit when the queue empties; queue already empty
 *              (the waiter left): as if released
 *
 * Without the second CAS, without the second look at the bits, or without passing on what nobody waits
 * for, waiters are forgotten; every access is seq_cst. The exhaustive model of this protocol,
 * tests/model/limiter_model.py, finds neither an excess permit nor a lost wake-up.
 *
 * A worker that waits keeps what comes back to it until it has an equal share of the limit; what is more
 * goes to the others that wait, round the circle. Units that are left of equal shares stay with a worker
 * until LIMITER_ROUNDS times what it has came back. So workers that are busy alike do not wake each
 * other, and one of w that waits without a unit is given one before
 * (w - 1) * (LIMITER_ROUNDS * ceil(limit / w) + 1) came back to those that have their share.
 *
 * A permit may stand for several units. One that waits takes them one by one as they come free while it is the head of
 * its queue, so that no stream of small ones can pass it by; who lets more than one such permit wait must order
 * them (permit_group does), or each of two would hold what the other waits for.
 */
#ifndef UPSTREAM_LIMITER_H
#define UPSTREAM_LIMITER_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "base/compiler.h"
#include "net/loop.h"

#define LIMITER_MAX_WORKERS 64
#define LIMITER_ROUNDS 4

struct limiter;

/* In the area that workers share; a cache line of its own. */
struct limiter_slot {
	_Alignas(CACHE_LINE) _Atomic uint32_t inflight;
	_Atomic uint32_t queued; /* units waited for, over all workers */
	_Atomic uint64_t waiting_workers;
	_Atomic uint32_t limit; /* read at each acquire; UINT32_MAX: none */
	uint32_t queue_size;
	struct limiter *views[LIMITER_MAX_WORKERS]; /* back pointers, set while no worker runs */
};

/* limit 0: no limit. queue_size: units that may be waited for. */
void limiter_slot_init(struct limiter_slot *slot, uint64_t limit, uint64_t queue_size);

struct permit;

/* One worker's view. */
struct limiter {
	struct limiter_slot *slot; /* borrowed, outlives the view */
	struct loop *loop;
	unsigned worker;
	unsigned last_given; /* to this worker */
	uint32_t n_kept;     /* since then, of what is left of equal shares */
	uint32_t n_units;    /* what its permits have of those in flight */
	uint32_t n_spare;    /* in flight besides: come back, to be shared out when the turn ends */
	TAILQ_HEAD(, permit) waiting;
	uint32_t n_waiting;
	struct defer share;
	/* What other workers write: away from what this one uses for every call. */
	_Alignas(CACHE_LINE) struct msg kick;
	_Atomic uint32_t n_given; /* units; not 0: the message is under way */
};

/* Before the workers run. */
void limiter_init(struct limiter *l, struct limiter_slot *slot, unsigned worker, struct loop *loop);
/* Nobody waits and no message is under way. */
void limiter_fini(struct limiter *l);

enum permit_state { PERMIT_NONE, PERMIT_WAITING, PERMIT_HELD };

/* A token for one or more units; embedded in what needs it, zero-initialised, released by one function. */
struct permit {
	TAILQ_ENTRY(permit) link;
	enum permit_state state;
	uint32_t n;           /* units asked for */
	uint32_t n_held;      /* n when PERMIT_HELD; what it has of them so far while PERMIT_WAITING */
	struct limiter *from; /* borrowed while not PERMIT_NONE */
	struct timer timer;
	/* ERR_NONE: held now. ERR_QUEUE_TIMEOUT: left the queue. Never from inside permit_acquire(). */
	void (*on_settled)(struct permit *p, enum err_code e);
};

/*
 * Asks for one unit. ERR_NONE: p is PERMIT_HELD (on_settled will not come) or PERMIT_WAITING (it will, at
 * the latest at deadline_ns). ERR_QUEUE_FULL: neither.
 */
enum err_code permit_acquire(struct permit *p, struct limiter *from, uint64_t deadline_ns,
    void (*on_settled)(struct permit *, enum err_code));
/* n units at once, if they are free and no one of this worker waits for any. False: nothing has changed. */
bool permit_take(struct permit *p, struct limiter *from, uint32_t n);
/* Waits for n units; their places in the queue were reserved before. As permit_acquire() with ERR_NONE. */
void permit_wait(struct permit *p, struct limiter *from, uint32_t n, uint64_t deadline_ns,
    void (*on_settled)(struct permit *, enum err_code));
/* Moves one unit of a held permit to an empty one; the last unit leaves `from` empty. */
void permit_hand(struct permit *to, struct permit *from);
/* Gives back what it has and leaves the queue; harmless when neither. */
void permit_release(struct permit *p);

/* Places in the queue for n units, used by permit_wait() or given back. ERR_QUEUE_FULL: none. */
enum err_code limiter_reserve(struct limiter *l, uint32_t n);
void limiter_unreserve(struct limiter *l, uint32_t n);
/* Could n units be granted or waited for at this moment? A look, not a reservation. */
bool limiter_has_room(const struct limiter *l, uint32_t n);
uint32_t limiter_inflight(const struct limiter *l);
/* UINT32_MAX: none. */
uint32_t limiter_limit(const struct limiter *l);

#endif
