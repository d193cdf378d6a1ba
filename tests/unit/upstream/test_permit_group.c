#include "upstream/permit_group.h"

#include "upstream/limiter_rig.h"

static struct permit_group *settled_groups[8];

static void
on_group(struct permit_group *g, enum err_code e)
{
	settled_groups[n_settled] = g;
	settled[n_settled++] = e;
}

/* On worker i, for n units. */
static enum err_code
ask(struct fixture *f, struct permit_group *g, unsigned i, uint32_t n)
{
	uint64_t until = f->loops[i]->now_ns + NS_PER_SEC;

	if (permit_group_take(g, &f->views[i], &f->turns[i], n))
		return ERR_NONE;
	return permit_group_wait(g, &f->views[i], &f->turns[i], n, until, on_group);
}

static void
await(struct fixture *f, int n)
{
	while (n_settled < n)
		ck_assert(mem_world_step(f->world));
}

START_TEST(takes_all_at_once_or_waits_for_all)
{
	struct fixture f;
	struct permit_group a = { 0 }, b = { 0 };
	struct permit call = { 0 };

	setup(&f, 3, 2);
	ck_assert_int_eq(ask(&f, &a, 0, 2), ERR_NONE);
	ck_assert_int_eq(a.all.state, PERMIT_HELD);
	ck_assert_int_eq(ask(&f, &b, 1, 2), ERR_NONE);
	ck_assert(permit_group_is_waiting(&b));
	ck_assert_uint_eq(atomic_load(&f.slot.queued), 2);

	permit_hand(&call, &a.all); /* its calls end one by one */
	ck_assert_int_eq(a.all.state, PERMIT_HELD);
	permit_release(&call);
	await(&f, 1);
	ck_assert_int_eq(settled[0], ERR_NONE);
	ck_assert_uint_eq(b.all.n_held, 2);
	ck_assert_uint_eq(limiter_inflight(&f.views[0]), 3);
	permit_group_release(&a);
	permit_group_release(&b);
	permit_group_release(&b); /* twice is harmless */
	teardown(&f);
}
END_TEST

START_TEST(refuses_a_group_for_which_the_queue_has_no_places)
{
	struct fixture f;
	struct permit_group a = { 0 }, b = { 0 };

	setup(&f, 2, 1);
	ck_assert_int_eq(ask(&f, &a, 0, 1), ERR_NONE);
	ck_assert(!limiter_has_room(&f.views[1], 2));
	ck_assert_int_eq(ask(&f, &b, 1, 2), ERR_QUEUE_FULL);
	ck_assert(!permit_group_is_waiting(&b));
	ck_assert_uint_eq(atomic_load(&f.slot.queued), 0);
	permit_group_release(&b);
	permit_group_release(&a);
	teardown(&f);
}
END_TEST

START_TEST(collects_one_group_at_a_time)
{
	struct fixture f;
	struct permit_group first = { 0 }, groups[3] = { 0 };

	setup(&f, 2, 10);
	ck_assert_int_eq(ask(&f, &first, 0, 2), ERR_NONE);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(ask(&f, &groups[i], i % 2, 2), ERR_NONE);
		ck_assert(permit_group_is_waiting(&groups[i]));
	}
	permit_group_release(&first);
	for (int i = 0; i < 3; i++) {
		await(&f, i + 1);
		ck_assert_int_eq(settled[i], ERR_NONE);
		ck_assert_uint_eq(settled_groups[i]->all.n_held, 2);
		permit_group_release(settled_groups[i]);
	}
	teardown(&f);
}
END_TEST

START_TEST(single_calls_do_not_pass_a_group_by)
{
	struct fixture f;
	struct permit held[2] = { 0 }, late = { 0 };
	struct permit_group g = { 0 };
	uint64_t until;

	setup(&f, 2, 10);
	until = f.loops[0]->now_ns + NS_PER_SEC;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(permit_acquire(&held[i], &f.views[0], until, on_permit), ERR_NONE);
	ck_assert_int_eq(ask(&f, &g, 0, 2), ERR_NONE);
	ck_assert_int_eq(permit_acquire(&late, &f.views[0], until, on_permit), ERR_NONE);
	permit_release(&held[0]);
	while (g.all.n_held == 0)
		ck_assert(mem_world_step(f.world));
	ck_assert_int_eq(late.state, PERMIT_WAITING);
	permit_release(&held[1]);
	await(&f, 1);
	ck_assert_ptr_eq(settled_groups[0], &g);
	permit_group_release(&g);
	await(&f, 2);
	ck_assert_int_eq(late.state, PERMIT_HELD);
	permit_release(&late);
	teardown(&f);
}
END_TEST

START_TEST(gives_back_what_it_has_collected_when_its_time_is_over)
{
	struct fixture f;
	struct permit held[2] = { 0 };
	struct permit_group g = { 0 }, behind = { 0 };
	uint64_t until;

	setup(&f, 2, 10);
	until = f.loops[0]->now_ns + NS_PER_SEC;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(permit_acquire(&held[i], &f.views[0], until, on_permit), ERR_NONE);
	ck_assert_int_eq(ask(&f, &g, 0, 2), ERR_NONE);
	ck_assert_int_eq(ask(&f, &behind, 1, 2), ERR_NONE);
	permit_release(&held[0]);
	await(&f, 2);
	ck_assert_int_eq(settled[0], ERR_QUEUE_TIMEOUT);
	ck_assert_int_eq(settled[1], ERR_QUEUE_TIMEOUT);
	ck_assert_uint_eq(limiter_inflight(&f.views[0]), 1);
	permit_release(&held[1]);
	teardown(&f);
}
END_TEST

START_TEST(who_leaves_lets_the_next_group_collect)
{
	struct fixture f;
	struct permit_group a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	setup(&f, 2, 10);
	ck_assert_int_eq(ask(&f, &a, 0, 2), ERR_NONE);
	ck_assert_int_eq(ask(&f, &b, 0, 2), ERR_NONE);
	ck_assert_int_eq(ask(&f, &c, 1, 2), ERR_NONE);
	ck_assert_int_eq(ask(&f, &d, 1, 2), ERR_NONE);
	permit_group_release(&b); /* it had the turn */
	permit_group_release(&d); /* it waited for it */
	permit_group_release(&a);
	await(&f, 1);
	ck_assert_ptr_eq(settled_groups[0], &c);
	ck_assert_uint_eq(c.all.n_held, 2);
	permit_group_release(&c);
	teardown(&f);
}
END_TEST

UNIT_MAIN("permit_group", takes_all_at_once_or_waits_for_all,
    refuses_a_group_for_which_the_queue_has_no_places, collects_one_group_at_a_time,
    single_calls_do_not_pass_a_group_by, gives_back_what_it_has_collected_when_its_time_is_over,
    who_leaves_lets_the_next_group_collect)
