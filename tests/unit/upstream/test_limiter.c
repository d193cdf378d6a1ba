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

START_TEST(a_waiter_that_leaves_passes_its_wake_up_on)
{
	struct fixture f;
	struct permit a = { 0 }, b = { 0 }, c = { 0 };

	setup(&f, 1, 5);
	ck_assert_int_eq(acquire(&a, &f.views[0]), ERR_NONE);
	ck_assert_int_eq(acquire(&b, &f.views[1]), ERR_NONE);
	permit_release(&a); /* kicks worker 1, whose waiter leaves before it hears of it */
	ck_assert_int_eq(acquire(&a, &f.views[0]), ERR_NONE);
	ck_assert_int_eq(acquire(&c, &f.views[0]), ERR_NONE);
	ck_assert_int_eq(c.state, PERMIT_WAITING);
	permit_release(&b);
	permit_release(&a);
	while (n_settled == 0)
		ck_assert(mem_world_step(f.world));
	ck_assert_int_eq(c.state, PERMIT_HELD);
	permit_release(&c);
	teardown(&f);
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
    a_waiter_that_leaves_passes_its_wake_up_on, no_limit_never_waits)
