#include "net/timer.h"

#include "base/rnd.h"
#include "unit.h"

static void
nothing(void *arg)
{
	(void)arg;
}

START_TEST(pops_in_order_whatever_was_done)
{
	enum { N = 300 };
	static struct timer t[N];
	struct timer_heap h = { 0 };
	struct timer *popped;
	uint64_t last = 0;
	struct rnd r;

	rnd_init(&r, 7);
	for (int i = 0; i < N; i++)
		timer_init(&t[i], nothing, NULL);
	for (int i = 0; i < 20000; i++) {
		struct timer *x = &t[rnd_below(&r, N)];
		uint64_t what = rnd_below(&r, 10);

		if (what == 0)
			timer_heap_drop(&h, x);
		else if (what == 1)
			timer_heap_set(&h, x, TIMER_NEVER);
		else
			timer_heap_set(&h, x, rnd_below(&r, 1000));
	}
	for (uint64_t now = 0; now <= 1000; now += 10)
		while ((popped = timer_heap_pop(&h, now)) != NULL) {
			ck_assert(!timer_is_set(popped));
			ck_assert_uint_eq(popped->heap_index, 0);
			last++;
		}
	ck_assert_uint_gt(last, N / 2);
	ck_assert_uint_eq(h.n, 0);
	timer_heap_fini(&h);
}
END_TEST

START_TEST(never_fires_early_and_never_late)
{
	struct timer_heap h = { 0 };
	struct timer t;

	timer_init(&t, nothing, NULL);
	timer_heap_set(&h, &t, 100);
	timer_heap_set(&h, &t, 500);
	ck_assert_uint_eq(timer_heap_next_ns(&h), 100);
	ck_assert_ptr_null(timer_heap_pop(&h, 100));
	ck_assert_uint_eq(timer_heap_next_ns(&h), 500);
	timer_heap_set(&h, &t, 300);
	ck_assert_uint_eq(timer_heap_next_ns(&h), 300);
	ck_assert_ptr_null(timer_heap_pop(&h, 299));
	ck_assert_ptr_eq(timer_heap_pop(&h, 300), &t);
	ck_assert_ptr_null(timer_heap_pop(&h, 1000));
	ck_assert_uint_eq(timer_heap_next_ns(&h), TIMER_NEVER);
	timer_heap_fini(&h);
}
END_TEST

START_TEST(moving_later_is_no_heap_operation)
{
	struct timer_heap h = { 0 };
	struct timer a, b;

	timer_init(&a, nothing, NULL);
	timer_init(&b, nothing, NULL);
	timer_heap_set(&h, &a, 100);
	timer_heap_set(&h, &b, 200);
	timer_heap_set(&h, &a, 900);
	ck_assert_uint_eq(a.armed_ns, 100);
	ck_assert_uint_eq(a.heap_index, 1);
	ck_assert_uint_eq(timer_heap_count_set(&h), 2);
	ck_assert_ptr_eq(timer_heap_pop(&h, 200), &b);
	ck_assert_uint_eq(a.armed_ns, 900);
	timer_heap_drop(&h, &a);
	timer_heap_drop(&h, &a);
	ck_assert_uint_eq(timer_heap_count_set(&h), 0);
	timer_heap_fini(&h);
}
END_TEST

UNIT_MAIN("timer", pops_in_order_whatever_was_done, never_fires_early_and_never_late,
    moving_later_is_no_heap_operation)
