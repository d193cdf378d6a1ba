/*
 * The permit protocol under real threads, in many short rounds: every worker asks for a few permits and groups of
 * them at once, holds each for a moment, and some waiters give up. The round ends when all were served. A lost
 * wake-up would be healed by later traffic; here none comes, so that it shows as a time-out. scripts/check also
 * runs this under ThreadSanitizer.
 */
#include <pthread.h>

#include "base/rnd.h"
#include "net/loop_real.h"
#include "unit.h"
#include "upstream/permit_group.h"

#define WORKERS 4
#define JOBS 2 /* per worker and round */
#define ROUNDS 20000
#define PATIENCE_NS (120 * NS_PER_SEC)

struct stress {
	struct limiter_slot slot;
	struct limiter_slot turn;
	_Atomic uint32_t held; /* counted beside the slot */
	_Atomic uint32_t most;
	_Atomic uint32_t timeouts;
	struct stress_worker *workers;
	/* Worker 0 leads the rounds: */
	int n_ready;
	int n_rounds;
};

struct stress_worker {
	struct stress *stress;
	struct loop *loop;
	struct limiter view;
	struct limiter turn;
	struct rnd rnd;
	pthread_t thread;
	struct msg begin; /* to this worker: the next round */
	struct msg ready; /* to worker 0: this one is through */
	int n_done;
	struct job {
		struct stress_worker *worker;
		struct permit permit; /* asks for one unit */
		struct permit_group group;
		struct timer leave; /* gives up waiting */
		struct msg later;   /* ends this job's round in a later turn */
	} jobs[JOBS];
};

static void
note_held(struct stress *s, uint32_t n)
{
	uint32_t now = atomic_fetch_add(&s->held, n) + n, most = atomic_load(&s->most);

	while (now > most && !atomic_compare_exchange_weak(&s->most, &most, now))
		;
}

static void
on_later(struct msg *m)
{
	struct job *j = CONTAINER_OF(m, struct job, later);
	struct stress_worker *w = j->worker;

	atomic_fetch_sub(&w->stress->held, j->permit.n_held + j->group.all.n_held);
	permit_release(&j->permit);
	while (j->group.all.n_held > 1) { /* as calls do, each at its end */
		permit_hand(&j->permit, &j->group.all);
		permit_release(&j->permit);
	}
	permit_group_release(&j->group);
	if (++w->n_done == JOBS)
		loop_post(w->stress->workers[0].loop, &w->ready);
}

static void
have(struct job *j)
{
	loop_timer_clear(&j->leave);
	note_held(j->worker->stress, j->permit.n_held + j->group.all.n_held);
	loop_post(j->worker->loop, &j->later);
}

static void
settle(struct job *j, enum err_code e)
{
	if (e == ERR_NONE) {
		have(j);
		return;
	}
	atomic_fetch_add(&j->worker->stress->timeouts, 1);
	loop_post(j->worker->loop, &j->later);
}

static void
on_permit(struct permit *p, enum err_code e)
{
	settle(CONTAINER_OF(p, struct job, permit), e);
}

static void
on_group(struct permit_group *g, enum err_code e)
{
	settle(CONTAINER_OF(g, struct job, group), e);
}

static bool
is_waiting(const struct job *j)
{
	return j->permit.state == PERMIT_WAITING || permit_group_is_waiting(&j->group);
}

/* A client that leaves. */
static void
on_leave(void *arg)
{
	struct job *j = arg;

	if (!is_waiting(j))
		return;
	permit_release(&j->permit);
	permit_group_release(&j->group);
	loop_post(j->worker->loop, &j->later);
}

static void
ask(struct job *j)
{
	struct stress_worker *w = j->worker;
	uint64_t until = w->loop->now_ns + PATIENCE_NS;
	uint32_t n = 1 + (uint32_t)rnd_below(&w->rnd, limiter_limit(&w->view));
	enum err_code e = ERR_NONE;

	if (n == 1)
		e = permit_acquire(&j->permit, &w->view, until, on_permit);
	else if (!permit_group_take(&j->group, &w->view, &w->turn, n))
		e = permit_group_wait(&j->group, &w->view, &w->turn, n, until, on_group);
	ck_assert_int_eq(e, ERR_NONE);
	if (!is_waiting(j))
		have(j);
	else if (rnd_chance(&w->rnd, 1, 4))
		loop_timer_set(w->loop, &j->leave, w->loop->now_ns + rnd_below(&w->rnd, 50) * NS_PER_US);
}

static void
on_begin(struct msg *m)
{
	struct stress_worker *w = CONTAINER_OF(m, struct stress_worker, begin);

	w->n_done = 0;
	for (int i = 0; i < JOBS; i++)
		ask(&w->jobs[i]);
}

static void
begin_round(struct stress *s)
{
	s->n_ready = 0;
	for (int i = WORKERS - 1; i >= 0; i--)
		loop_post(s->workers[i].loop, &s->workers[i].begin);
}

/* On worker 0. */
static void
on_ready(struct msg *m)
{
	struct stress *s = CONTAINER_OF(m, struct stress_worker, ready)->stress;

	if (++s->n_ready < WORKERS)
		return;
	if (++s->n_rounds < ROUNDS && atomic_load(&s->timeouts) == 0) {
		begin_round(s);
		return;
	}
	for (int i = 0; i < WORKERS; i++)
		loop_stop(s->workers[i].loop);
}

static void *
run(void *arg)
{
	loop_run(((struct stress_worker *)arg)->loop);
	return NULL;
}

static void
init_worker(struct stress *s, unsigned index)
{
	struct stress_worker *w = &s->workers[index];

	w->stress = s;
	w->loop = loop_real_new();
	w->begin.fn = on_begin;
	w->ready.fn = on_ready;
	rnd_init(&w->rnd, index);
	limiter_init(&w->view, &s->slot, index, w->loop);
	limiter_init(&w->turn, &s->turn, index, w->loop);
	for (int i = 0; i < JOBS; i++) {
		w->jobs[i].worker = w;
		w->jobs[i].later.fn = on_later;
		timer_init(&w->jobs[i].leave, on_leave, &w->jobs[i]);
	}
}

static void
fini_worker(struct stress_worker *w)
{
	for (int i = 0; i < JOBS; i++)
		loop_timer_drop(w->loop, &w->jobs[i].leave);
	limiter_fini(&w->view);
	limiter_fini(&w->turn);
	loop_free(w->loop);
}

static void
stress(uint32_t limit)
{
	static struct stress_worker workers[WORKERS];
	struct stress s = { .workers = workers };

	memset(workers, 0, sizeof workers);
	limiter_slot_init(&s.slot, limit, WORKERS * JOBS * limit);
	limiter_slot_init(&s.turn, 1, UINT32_MAX);
	for (unsigned i = 0; i < WORKERS; i++)
		init_worker(&s, i);
	begin_round(&s);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	/* A unit may be on its way to a worker whose waiter has left. */
	for (unsigned i = 0; i < WORKERS; i++)
		while (loop_has_work(workers[i].loop))
			loop_turn(workers[i].loop, 0);
	ck_assert_msg(atomic_load(&s.timeouts) == 0, "a wake-up was lost in round %d", s.n_rounds);
	ck_assert_uint_le(atomic_load(&s.most), limit);
	ck_assert_uint_ge(atomic_load(&s.most), 1);
	ck_assert_uint_eq(atomic_load(&s.slot.inflight), 0);
	ck_assert_uint_eq(atomic_load(&s.slot.queued), 0);
	ck_assert(atomic_load(&s.slot.waiting_workers) == 0);
	ck_assert_uint_eq(atomic_load(&s.turn.inflight), 0);
	ck_assert(atomic_load(&s.turn.waiting_workers) == 0);
	for (unsigned i = 0; i < WORKERS; i++)
		fini_worker(&workers[i]);
}

START_TEST(limit_of_one_loses_no_wake_up)
{
	stress(1);
}
END_TEST

START_TEST(limit_of_two_loses_no_wake_up)
{
	stress(2);
}
END_TEST

START_TEST(limit_of_three_loses_no_wake_up)
{
	stress(3);
}
END_TEST

UNIT_MAIN("limiter_stress", limit_of_one_loses_no_wake_up, limit_of_two_loses_no_wake_up,
    limit_of_three_loses_no_wake_up)
