/*
 * The semaphore over all workers. A view and its permits belong to one worker's thread; only the slot and
 * is_kicked are shared.
 */
#include "upstream/limiter.h"

#define OWN_GRANTS_MAX 4 /* to self in a row while another worker waits */

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

/* Takes what is free of what the head of the queue asks for; true when that was all of it. */
static bool
collect(struct limiter *l, struct permit *p)
{
	while (p->n_held < p->n && slot_take(l->slot, 1))
		p->n_held++;
	if (p->n_held < p->n)
		return false;
	dequeue(l, p);
	p->state = PERMIT_HELD;
	return true;
}

static void
kick(struct limiter *l, unsigned worker)
{
	struct limiter *to = l->slot->views[worker];

	if (to == l)
		loop_defer(l->loop, &l->regrant);
	else if (!atomic_exchange(&to->is_kicked, true))
		loop_post(to->loop, &to->kick);
}

/* Wakes one worker that has waiters: self for a few grants, then the next one round the circle. */
static void
kick_one(struct limiter *l)
{
	uint64_t bits = atomic_load(&l->slot->waiting_workers);
	uint64_t others = bits & ~own_bit(l);
	uint64_t after = others & ~(own_bit(l) | (own_bit(l) - 1));

	if (bits == 0)
		return;
	if ((bits & own_bit(l)) != 0 && (others == 0 || l->own_grants < OWN_GRANTS_MAX)) {
		l->own_grants++;
		kick(l, l->worker);
		return;
	}
	l->own_grants = 0;
	kick(l, (unsigned)__builtin_ctzll(after != 0 ? after : others));
}

/* Grants heads while permits last; what this worker cannot use goes on to another. */
static void
serve(struct limiter *l)
{
	struct permit *p;

	while ((p = TAILQ_FIRST(&l->waiting)) != NULL && collect(l, p))
		p->on_settled(p, ERR_NONE);
	if (TAILQ_EMPTY(&l->waiting) &&
	    atomic_load(&l->slot->inflight) < atomic_load(&l->slot->limit))
		kick_one(l);
}

static void
on_regrant(void *arg)
{
	serve(arg);
}

static void
on_kick(struct msg *m)
{
	struct limiter *l = CONTAINER_OF(m, struct limiter, kick);

	/* Before serving: a release after this posts again, one before it is seen by the CAS. */
	atomic_store(&l->is_kicked, false);
	serve(l);
}

void
limiter_init(struct limiter *l, struct limiter_slot *slot, unsigned worker, struct loop *loop)
{
	assert(worker < LIMITER_MAX_WORKERS);
	*l = (struct limiter){ .slot = slot, .loop = loop, .worker = worker };
	TAILQ_INIT(&l->waiting);
	l->kick.fn = on_kick;
	defer_init(&l->regrant, on_regrant, l);
	slot->views[worker] = l;
}

void
limiter_fini(struct limiter *l)
{
	assert(TAILQ_EMPTY(&l->waiting));
	loop_defer_cancel(l->loop, &l->regrant);
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
	atomic_fetch_or(&from->slot->waiting_workers, own_bit(from));
	/* A release between the failed try and the bit would have kicked nobody: look once more. */
	if (is_head)
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
	if (n != 0) {
		atomic_fetch_sub(&l->slot->inflight, n);
		kick_one(l);
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
