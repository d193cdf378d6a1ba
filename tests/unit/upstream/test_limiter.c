#include "upstream/limiter.h"

#include "upstream/limiter_rig.h"

static enum err_code
acquire(struct permit *p, struct limiter *from)
{
	return permit_acquire(p, from, from->loop->now_ns + NS_PER_SEC, on_permit);
}

START_TEST(grants_up_to_the_limit_then_queues_then_refuses)
{
	struct fixture f;
	struct permit a = { 0 }, b = { 0 }, c = { 0 };

	setup(&f, 1, 1);
	ck_assert_int_eq(acquire(&a, &f.views[0]), ERR_NONE);
	ck_assert_int_eq(a.state, PERMIT_HELD);
	ck_assert(limiter_has_room(&f.views[1], 1));
	ck_assert(!limiter_has_room(&f.views[1], 2));
	ck_assert_int_eq(acquire(&b, &f.views[1]), ERR_NONE);
	ck_assert_int_eq(b.state, PERMIT_WAITING);
	ck_assert_int_eq(acquire(&c, &f.views[0]), ERR_QUEUE_FULL);
	ck_assert_int_eq(c.state, PERMIT_NONE);
	ck_assert_uint_eq(limiter_inflight(&f.views[0]), 1);

	permit_release(&a);
	permit_release(&a); /* twice is harmless */
	while (n_settled == 0)
		ck_assert(mem_world_step(f.world));
	ck_assert_int_eq(settled[0], ERR_NONE);
	ck_assert_int_eq(b.state, PERMIT_HELD);
	permit_release(&b);
	ck_assert_uint_eq(limiter_inflight(&f.views[0]), 0);
	teardown(&f);
}
END_TEST

START_TEST(waits_no_longer_than_its_deadline)
{
	struct fixture f;
	struct permit a = { 0 }, b = { 0 };
	uint64_t begin;

	setup(&f, 1, 5);
	ck_assert_int_eq(acquire(&a, &f.views[0]), ERR_NONE);
	begin = f.loops[0]->now_ns;
	ck_assert_int_eq(acquire(&b, &f.views[0]), ERR_NONE);
	while (n_settled == 0)
		ck_assert(mem_world_step(f.world));
	ck_assert_int_eq(settled[0], ERR_QUEUE_TIMEOUT);
	ck_assert_uint_eq(f.loops[0]->now_ns - begin, NS_PER_SEC);
	ck_assert_uint_eq(atomic_load(&f.slot.queued), 0);
	ck_assert(atomic_load(&f.slot.waiting_workers) == 0);
	permit_release(&a);
	teardown(&f);
}
END_TEST

START_TEST(serves_its_queue_in_order)
{
	struct fixture f;
	struct permit p[4] = { 0 };

	setup(&f, 1, 5);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(acquire(&p[i], &f.views[0]), ERR_NONE);
	for (int i = 1; i < 4; i++) {
		permit_release(&p[i - 1]);
		while (n_settled < i)
			ck_assert(mem_world_step(f.world));
		ck_assert_int_eq(p[i].state, PERMIT_HELD);
		ck_assert(i == 3 || p[i + 1].state == PERMIT_WAITING);
	}
	permit_release(&p[3]);
	teardown(&f);
}
END_TEST

START_TEST(a_waiter_that_leaves_passes_its_unit_on)
{
	struct fixture f;
	struct permit a = { 0 }, b = { 0 }, c = { 0 };

	setup(&f, 1, 5);
	ck_assert_int_eq(acquire(&a, &f.views[0]), ERR_NONE);
	ck_assert_int_eq(acquire(&b, &f.views[1]), ERR_NONE);
	permit_release(&a); /* to worker 1, whose waiter leaves before it hears of it */
	ck_assert_int_eq(acquire(&c, &f.views[0]), ERR_NONE);
	ck_assert_int_eq(c.state, PERMIT_WAITING);
	permit_release(&b);
	while (n_settled == 0)
		ck_assert(mem_world_step(f.world));
	ck_assert_int_eq(c.state, PERMIT_HELD);
	permit_release(&c);
	ck_assert_uint_eq(limiter_inflight(&f.views[0]), 0);
	teardown(&f);
}
END_TEST

START_TEST(a_unit_that_comes_back_is_of_those_who_wait)
{
	struct fixture f;
	struct permit a = { 0 }, b = { 0 }, c = { 0 };

	setup(&f, 1, 5);
	ck_assert_int_eq(acquire(&a, &f.views[0]), ERR_NONE);
	ck_assert_int_eq(acquire(&b, &f.views[1]), ERR_NONE);
	permit_release(&a);
	while (n_settled == 0) {
		ck_assert(!permit_take(&c, &f.views[0], 1));
		ck_assert(mem_world_step(f.world));
	}
	ck_assert_int_eq(b.state, PERMIT_HELD);
	permit_release(&b);
	ck_assert(permit_take(&c, &f.views[0], 1));
	permit_release(&c);
	teardown(&f);
}
END_TEST

#define MANY 64

/* Two workers, each with more waiters than there are units; what is asked for is in order of the array. */
struct crowd {
	struct fixture f;
	struct permit permits[2][MANY];
};

static struct permit *
first_held(struct crowd *c, int worker)
{
	for (int i = 0; i < MANY; i++)
		if (c->permits[worker][i].state == PERMIT_HELD)
			return &c->permits[worker][i];
	return NULL;
}

static uint32_t
count_held(struct crowd *c, int worker)
{
	uint32_t n = 0;

	for (int i = 0; i < MANY; i++)
		n += c->permits[worker][i].state == PERMIT_HELD;
	return n;
}

/* Worker 0 has asked first and has all. */
static void
crowd_gather(struct crowd *c, uint32_t limit)
{
	*c = (struct crowd){ 0 };
	setup(&c->f, limit, 2 * MANY);
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < MANY; i++)
			ck_assert_int_eq(acquire(&c->permits[k][i], &c->f.views[k]), ERR_NONE);
	ck_assert_uint_eq(count_held(c, 0), limit);
}

/* One unit comes back to the worker, and whoever is given it has heard of it. */
static void
crowd_release(struct crowd *c, int worker)
{
	permit_release(first_held(c, worker));
	while (loop_has_work(c->f.loops[0]) || loop_has_work(c->f.loops[1]))
		ck_assert(mem_world_step(c->f.world));
}

static void
crowd_disperse(struct crowd *c)
{
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < MANY; i++)
			permit_release(&c->permits[k][i]);
	teardown(&c->f);
}

static uint64_t
turns(const struct crowd *c)
{
	return c->f.loops[0]->turns;
}

START_TEST(workers_that_wait_have_equal_shares_and_leave_each_other_alone)
{
	struct crowd c;
	uint64_t before;

	crowd_gather(&c, 8);
	for (uint32_t i = 1; i <= 4; i++) {
		crowd_release(&c, 0);
		ck_assert_uint_eq(count_held(&c, 0), 8 - i);
		ck_assert_uint_eq(count_held(&c, 1), i);
	}
	before = turns(&c);
	for (int i = 0; i < 40; i++) {
		crowd_release(&c, 1);
		ck_assert_uint_eq(count_held(&c, 1), 4);
	}
	ck_assert_uint_eq(turns(&c), before);
	crowd_disperse(&c);
}
END_TEST

START_TEST(who_waits_without_a_unit_is_given_one_after_some_rounds)
{
	struct crowd c;

	/* One unit cannot be shared: it changes over. */
	crowd_gather(&c, 1);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 4; i++) {
			crowd_release(&c, round % 2);
			ck_assert_uint_eq(count_held(&c, round % 2), 1);
		}
		crowd_release(&c, round % 2);
		ck_assert_uint_eq(count_held(&c, (round + 1) % 2), 1);
	}
	crowd_disperse(&c);
	/* Of three, each has one at once; the third changes over when both of a worker's have come back four times. */
	crowd_gather(&c, 3);
	crowd_release(&c, 0);
	for (int i = 0; i < 8; i++) {
		ck_assert_uint_eq(count_held(&c, 0), 2);
		ck_assert_uint_eq(count_held(&c, 1), 1);
		crowd_release(&c, 0);
	}
	ck_assert_uint_eq(count_held(&c, 0), 2);
	crowd_release(&c, 0);
	ck_assert_uint_eq(count_held(&c, 0), 1);
	ck_assert_uint_eq(count_held(&c, 1), 2);
	crowd_disperse(&c);
}
END_TEST

START_TEST(a_limit_that_has_changed_holds_from_the_next_release_on)
{
	struct crowd c;

	crowd_gather(&c, 2);
	atomic_store(&c.f.slot.limit, 6);
	crowd_release(&c, 0);
	ck_assert_uint_eq(limiter_inflight(&c.f.views[0]), 6);
	atomic_store(&c.f.slot.limit, 3);
	for (uint32_t i = 5; i >= 3; i--) {
		crowd_release(&c, first_held(&c, 0) == NULL);
		ck_assert_uint_eq(limiter_inflight(&c.f.views[0]), i);
	}
	crowd_release(&c, first_held(&c, 0) == NULL);
	ck_assert_uint_eq(limiter_inflight(&c.f.views[0]), 3);
	crowd_disperse(&c);
}
END_TEST

START_TEST(no_limit_never_waits)
{
	struct fixture f;
	struct permit p[64] = { 0 };

	setup(&f, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		ck_assert_int_eq(acquire(&p[i], &f.views[i % 2]), ERR_NONE);
		ck_assert_int_eq(p[i].state, PERMIT_HELD);
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		permit_release(&p[i]);
	ck_assert_uint_eq(limiter_inflight(&f.views[0]), 0);
	teardown(&f);
}
END_TEST

UNIT_MAIN("limiter", grants_up_to_the_limit_then_queues_then_refuses,
    waits_no_longer_than_its_deadline, serves_its_queue_in_order,
    a_waiter_that_leaves_passes_its_unit_on, a_unit_that_comes_back_is_of_those_who_wait,
    workers_that_wait_have_equal_shares_and_leave_each_other_alone,
    who_waits_without_a_unit_is_given_one_after_some_rounds,
    a_limit_that_has_changed_holds_from_the_next_release_on, no_limit_never_waits)
