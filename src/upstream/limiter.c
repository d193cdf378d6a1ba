/*
 * The semaphore over all workers. A view and its permits belong to one worker's thread; only the slot and
 * n_given are shared.
 */
#include "upstream/limiter.h"

void
limiter_slot_init(struct limiter_slot *slot, uint64_t limit, uint64_t queue_size)
{
	*slot = (struct limiter_slot){ .queue_size = (uint32_t)queue_size };
	atomic_init(&slot->limit, limit == 0 ? UINT32_MAX : (uint32_t)limit);
}

static bool
slot_take(struct limiter_slot *slot, uint32_t n)
{
	uint32_t inflight = atomic_load(&slot->inflight);

	do {
		if ((uint64_t)inflight + n > atomic_load(&slot->limit))
			return false;
	} while (!atomic_compare_exchange_weak(&slot->inflight, &inflight, inflight + n));
	return true;
}

static uint64_t
own_bit(const struct limiter *l)
{
	return UINT64_C(1) << l->worker;
}

static void
dequeue(struct limiter *l, struct permit *p)
{
	TAILQ_REMOVE(&l->waiting, p, link);
	l->n_waiting--;
	loop_timer_drop(l->loop, &p->timer);
	limiter_unreserve(l, p->n);
	if (TAILQ_EMPTY(&l->waiting))
		atomic_fetch_and(&l->slot->waiting_workers, ~own_bit(l));
}

/* Takes what is free of what p asks for; true when that was all of it. */
static bool
collect(struct limiter *l, struct permit *p)
{
	for (; p->n_held < p->n && slot_take(l->slot, 1); p->n_held++)
		l->n_units++;
	if (p->n_held < p->n)
		return false;
	dequeue(l, p);
	p->state = PERMIT_HELD;
	return true;
}

/* The head of the queue is given a unit. */
static void
grant(struct limiter *l)
{
	struct permit *p = TAILQ_FIRST(&l->waiting);

	p->n_held++;
	l->n_units++;
	if (collect(l, p))
		p->on_settled(p, ERR_NONE);
}

/* Others wait as well: is this unit still of this worker's share, or one that is left of equal shares? */
static bool
keeps(struct limiter *l, uint32_t limit, uint32_t n_workers)
{
	if (l->n_units < limit / n_workers)
		return true;
	if ((uint64_t)l->n_units * n_workers >= limit)
		return false;
	return l->n_kept++ < LIMITER_ROUNDS * (l->n_units + 1);
}

/* The next one of `workers` behind the one before. */
static unsigned
next_of(struct limiter *l, uint64_t workers)
{
	uint64_t behind = workers & ~((UINT64_C(2) << l->last_given) - 1);

	l->n_kept = 0;
	l->last_given = (unsigned)__builtin_ctzll(behind != 0 ? behind : workers);
	return l->last_given;
}

/* A unit that is no permit's goes to a worker that waits. False: none does. */
static bool
hand_on(struct limiter *l)
{
	uint64_t bits = atomic_load(&l->slot->waiting_workers);
	uint64_t others = bits & ~own_bit(l);
	uint32_t limit = atomic_load(&l->slot->limit);
	struct limiter *to;

	if (bits == 0 || atomic_load(&l->slot->inflight) > limit)
		return false;
	if (others == 0 ||
	    (bits != others && keeps(l, limit, (uint32_t)__builtin_popcountll(bits)))) {
		grant(l);
		return true;
	}
	to = l->slot->views[next_of(l, others)];
	if (atomic_fetch_add(&to->n_given, 1) == 0)
		loop_post(to->loop, &to->kick);
	return true;
}

/* A unit that is no permit's is not in flight any more. True: it is again, for one who waits. */
static bool
retake(struct limiter_slot *slot)
{
	atomic_fetch_sub(&slot->inflight, 1);
	/* Who began to wait just before has found nothing free. */
	return atomic_load(&slot->waiting_workers) != 0 && slot_take(slot, 1);
}

/* Who it is for is seen when the turn ends: its other requests may wait by then. */
static void
put_back(struct limiter *l)
{
	if (atomic_load(&l->slot->waiting_workers) == 0 && !retake(l->slot))
		return;
	l->n_spare++;
	loop_defer(l->loop, &l->share);
}

static void
on_share(void *arg)
{
	struct limiter *l = arg;
	struct permit *p;

	while (l->n_spare > 0) {
		l->n_spare--;
		while (!hand_on(l) && retake(l->slot))
			;
	}
	/* Where the limit has grown, nothing has to come back first. */
	while ((p = TAILQ_FIRST(&l->waiting)) != NULL && collect(l, p))
		p->on_settled(p, ERR_NONE);
}

static void
on_kick(struct msg *m)
{
	struct limiter *l = CONTAINER_OF(m, struct limiter, kick);
	/* From here on whoever gives posts the message again. */
	uint32_t n = atomic_exchange(&l->n_given, 0);

	for (; n > 0 && !TAILQ_EMPTY(&l->waiting); n--)
		grant(l);
	for (; n > 0; n--)
		put_back(l);
}

void
limiter_init(struct limiter *l, struct limiter_slot *slot, unsigned worker, struct loop *loop)
{
	assert(worker < LIMITER_MAX_WORKERS);
	*l = (struct limiter){ .slot = slot, .loop = loop, .worker = worker };
	TAILQ_INIT(&l->waiting);
	l->kick.fn = on_kick;
	defer_init(&l->share, on_share, l);
	slot->views[worker] = l;
}

void
limiter_fini(struct limiter *l)
{
	assert(TAILQ_EMPTY(&l->waiting));
	loop_defer_cancel(l->loop, &l->share);
	l->slot->views[l->worker] = NULL;
}

static void
on_queue_timeout(void *arg)
{
	struct permit *p = arg;

	permit_release(p);
	p->on_settled(p, ERR_QUEUE_TIMEOUT);
}

static void
hold(struct permit *p, struct limiter *from, uint32_t n)
{
	p->from = from;
	p->n = p->n_held = n;
	p->state = PERMIT_HELD;
}

bool
permit_take(struct permit *p, struct limiter *from, uint32_t n)
{
	assert(p->state == PERMIT_NONE);
	if (!TAILQ_EMPTY(&from->waiting) || !slot_take(from->slot, n))
		return false;
	from->n_units += n;
	hold(p, from, n);
	return true;
}

void
permit_wait(struct permit *p, struct limiter *from, uint32_t n, uint64_t deadline_ns,
    void (*on_settled)(struct permit *, enum err_code))
{
	bool is_head = TAILQ_EMPTY(&from->waiting);

	p->from = from;
	p->n = n;
	p->n_held = 0;
	p->state = PERMIT_WAITING;
	p->on_settled = on_settled;
	timer_init(&p->timer, on_queue_timeout, p);
	loop_timer_set(from->loop, &p->timer, deadline_ns);
	TAILQ_INSERT_TAIL(&from->waiting, p, link);
	from->n_waiting++;
	if (!is_head)
		return;
	atomic_fetch_or(&from->slot->waiting_workers, own_bit(from));
	/* A release between the failed try and the bit would have seen nobody: look once more. */
	collect(from, p);
}

enum err_code
permit_acquire(struct permit *p, struct limiter *from, uint64_t deadline_ns,
    void (*on_settled)(struct permit *, enum err_code))
{
	enum err_code e;

	if (permit_take(p, from, 1))
		return ERR_NONE;
	e = limiter_reserve(from, 1);
	if (e == ERR_NONE)
		permit_wait(p, from, 1, deadline_ns, on_settled);
	return e;
}

void
permit_hand(struct permit *to, struct permit *from)
{
	assert(to->state == PERMIT_NONE && from->state == PERMIT_HELD);
	hold(to, from->from, 1);
	from->n = --from->n_held;
	if (from->n_held > 0)
		return;
	from->state = PERMIT_NONE;
	from->from = NULL;
}

void
permit_release(struct permit *p)
{
	struct limiter *l = p->from;
	uint32_t n = p->n_held;

	if (p->state == PERMIT_WAITING)
		dequeue(l, p);
	p->state = PERMIT_NONE;
	p->from = NULL;
	p->n_held = 0;
	for (; n > 0; n--) {
		l->n_units--;
		put_back(l);
	}
}

enum err_code
limiter_reserve(struct limiter *l, uint32_t n)
{
	struct limiter_slot *slot = l->slot;
	uint32_t queued = atomic_load(&slot->queued);

	do {
		if ((uint64_t)queued + n > slot->queue_size)
			return ERR_QUEUE_FULL;
	} while (!atomic_compare_exchange_weak(&slot->queued, &queued, queued + n));
	return ERR_NONE;
}

void
limiter_unreserve(struct limiter *l, uint32_t n)
{
	atomic_fetch_sub(&l->slot->queued, n);
}

bool
limiter_has_room(const struct limiter *l, uint32_t n)
{
	const struct limiter_slot *slot = l->slot;

	return (uint64_t)atomic_load(&slot->inflight) + n <= atomic_load(&slot->limit) ||
	    (uint64_t)atomic_load(&slot->queued) + n <= slot->queue_size;
}

uint32_t
limiter_inflight(const struct limiter *l)
{
	return atomic_load(&l->slot->inflight);
}

uint32_t
limiter_limit(const struct limiter *l)
{
	return atomic_load(&l->slot->limit);
}
