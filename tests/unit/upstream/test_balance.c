#include "upstream/balance.h"

#include "unit.h"
#include "upstream/upstream.h"

#define N 3

static struct upstream_conf conf;
static struct endpoint endpoints[N];
static struct endpoint *list[N], *candidates[N];
static struct loop loop;
static struct upstream up;

static void
setup(enum balance_kind kind)
{
	conf = (struct upstream_conf){ .balance = kind, .timeouts = { .connect_ns = NS_PER_SEC } };
	up = (struct upstream){ .conf = &conf, .endpoints = list, .n_endpoints = N };
	up.candidates = candidates;
	up.loop = &loop;
	loop.now_ns = 1000 * NS_PER_SEC;
	rnd_init(&up.rnd, 1);
	for (size_t i = 0; i < N; i++) {
		endpoints[i] = (struct endpoint){ .upstream = &up, .weight = 1 };
		list[i] = &endpoints[i];
	}
}

static void
pick_often(int times, int counts[N])
{
	memset(counts, 0, N * sizeof *counts);
	for (int i = 0; i < times; i++)
		counts[balance_pick(&up, NULL) - endpoints]++;
}

START_TEST(round_robin_follows_the_weights)
{
	int counts[N];

	setup(BALANCE_ROUND_ROBIN);
	endpoints[1].weight = 3;
	pick_often(500, counts);
	ck_assert_int_eq(counts[0], 100);
	ck_assert_int_eq(counts[1], 300);
	ck_assert_int_eq(counts[2], 100);
}
END_TEST

START_TEST(the_less_loaded_is_preferred)
{
	int counts[N];

	setup(BALANCE_LEAST_LOADED);
	endpoints[0].active = 50;
	pick_often(300, counts);
	ck_assert_int_lt(counts[0], 10);
	ck_assert_int_gt(counts[1], 100);
	ck_assert_int_gt(counts[2], 100);
}
END_TEST

/* Answers take about a millisecond everywhere, and one call is under way at a time. */
START_TEST(equal_loads_share_by_weight)
{
	int counts[N] = { 0 };
	struct rnd noise;

	setup(BALANCE_LEAST_LOADED);
	rnd_init(&noise, 2);
	endpoints[1].weight = 3;
	up.n_endpoints = 2;
	for (int i = 0; i < 10000; i++) {
		struct endpoint *ep = balance_pick(&up, NULL);

		counts[ep - endpoints]++;
		endpoint_note_latency(ep, NS_PER_MS / 2 + rnd_below(&noise, NS_PER_MS));
	}
	ck_assert_int_gt(counts[1], 6400);
	ck_assert_int_lt(counts[1], 8000);
}
END_TEST

START_TEST(one_that_cannot_be_reached_draws_no_calls_and_is_tried_again)
{
	int counts[N];

	setup(BALANCE_LEAST_LOADED);
	for (size_t i = 0; i < N; i++)
		endpoint_note_latency(&endpoints[i], NS_PER_MS);
	endpoint_note_unreachable(&endpoints[0]);
	for (int i = 0; i < 300; i++) {
		struct endpoint *ep = balance_pick(&up, NULL);

		ck_assert_ptr_ne(ep, &endpoints[0]);
		endpoint_note_latency(ep, NS_PER_MS);
	}
	for (int i = 0; i < 5000; i++)
		endpoint_note_latency(balance_pick(&up, NULL), NS_PER_MS);
	pick_often(300, counts);
	ck_assert_int_gt(counts[0], 0);
}
END_TEST

START_TEST(another_one_when_one_is_to_be_avoided)
{
	static const enum balance_kind kinds[] = { BALANCE_ROUND_ROBIN, BALANCE_LEAST_LOADED };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		setup(kinds[k]);
		for (int i = 0; i < 100; i++)
			ck_assert_ptr_ne(balance_pick(&up, &endpoints[1]), &endpoints[1]);
		up.n_endpoints = 1;
		ck_assert_ptr_eq(balance_pick(&up, &endpoints[0]), &endpoints[0]);
	}
}
END_TEST

/* Endpoint 0 and 1 come first, 2 is for when neither can be reached. */
START_TEST(the_first_priority_that_can_be_reached_gets_the_calls)
{
	static const enum balance_kind kinds[] = { BALANCE_ROUND_ROBIN, BALANCE_LEAST_LOADED };
	int counts[N];

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		setup(kinds[k]);
		endpoints[2].priority = 1;
		pick_often(300, counts);
		ck_assert_int_gt(counts[0], 0);
		ck_assert_int_gt(counts[1], 0);
		ck_assert_int_eq(counts[2], 0);
		endpoint_note_unreachable(&endpoints[0]);
		pick_often(300, counts);
		ck_assert_int_eq(counts[1], 300);
		ck_assert_ptr_eq(balance_pick(&up, &endpoints[1]), &endpoints[2]);
		endpoint_note_unreachable(&endpoints[1]);
		pick_often(300, counts);
		ck_assert_int_eq(counts[2], 300);
		endpoint_note_unreachable(&endpoints[2]);
		pick_often(300, counts);
		ck_assert_int_gt(counts[0] + counts[1], 0);
		for (int i = 0; i < 100; i++)
			ck_assert_ptr_ne(balance_pick(&up, &endpoints[0]), &endpoints[0]);
	}
}
END_TEST

START_TEST(one_call_after_a_while_tries_what_could_not_be_reached)
{
	int counts[N];

	setup(BALANCE_LEAST_LOADED);
	endpoints[1].priority = endpoints[2].priority = 1;
	endpoint_note_unreachable(&endpoints[0]);
	loop.now_ns += 5 * NS_PER_SEC;
	pick_often(100, counts);
	ck_assert_int_eq(counts[0], 1);
	loop.now_ns += 5 * NS_PER_SEC;
	ck_assert_ptr_eq(balance_pick(&up, NULL), &endpoints[0]);
	endpoint_note_latency(&endpoints[0], NS_PER_MS);
	pick_often(100, counts);
	ck_assert_int_eq(counts[0], 100);
}
END_TEST

UNIT_MAIN("balance", the_first_priority_that_can_be_reached_gets_the_calls,
    one_call_after_a_while_tries_what_could_not_be_reached,
    round_robin_follows_the_weights, the_less_loaded_is_preferred,
    equal_loads_share_by_weight,
    one_that_cannot_be_reached_draws_no_calls_and_is_tried_again,
    another_one_when_one_is_to_be_avoided)
