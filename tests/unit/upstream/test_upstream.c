/* Endpoints of a name: they come, stay and go while calls are on them. In the memory world. */
#include "upstream/upstream.h"

#include "net/stream.h"
#include "upstream/call.h"
#include "upstream_rig.h"

#define N 3 /* servers that listen, at 10.0.0.1 to 10.0.0.3 */

struct peer {
	struct stream *stream;
	bool is_answered;
};

struct fixture {
	struct mem_listener *listeners[N];
	struct peer peers[16];
	size_t n_peers;
	bool is_silent; /* servers take requests and do not answer */
	struct arena arena;
};

static struct rig r;
static struct fixture f;
static struct call call;
static int n_done;

static struct addr
addr_of(unsigned i)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;
	int n = snprintf(text, sizeof text, "10.0.0.%u:80", i);

	ck_assert_int_eq(addr_parse(str_of(text, (size_t)n), &a), ERR_NONE);
	return a;
}

/* ---- servers */

static void
answer(struct peer *p)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct iovec v = str_iov(str_of(text, sizeof text - 1));
	size_t put;

	ck_assert_int_eq(stream_writev(p->stream, &v, 1, &put), IO_OK);
	p->is_answered = true;
}

static void
on_readable(void *owner)
{
	struct peer *p = owner;
	char bytes[4096];
	size_t got;
	enum io_status io = stream_read(p->stream, bytes, sizeof bytes, &got);

	if (io == IO_EOF || io == IO_ERROR)
		stream_close(&p->stream);
	else if (io == IO_OK && !f.is_silent)
		answer(p);
}

static void
on_writable(void *owner)
{
	(void)owner;
}

static const struct stream_events peer_events = { .on_readable = on_readable,
	.on_writable = on_writable };

static void
on_accept(void *owner, struct stream *stream, const struct addr *from)
{
	struct peer *p = &f.peers[f.n_peers++];

	(void)owner;
	(void)from;
	p->stream = stream;
	stream_set_owner(stream, &peer_events, p);
	stream_want_read(stream, true);
}

static const struct mem_listener_events listener_events = { .on_accept = on_accept };

/* ---- the upstream */

static void
setup(void)
{
	memset(&f, 0, sizeof f);
	rig_open(&r);
	for (unsigned i = 0; i < N; i++) {
		struct addr at = addr_of(i + 1);

		f.listeners[i] = mem_world_listen(r.world, r.loop, &at, &listener_events, &f);
	}
	r.conf.balance = BALANCE_ROUND_ROBIN;
	rig_start(&r);
	arena_init(&f.arena, &r.loop->blocks, 0);
}

static void
teardown(void)
{
	upstream_close(&r.up);
	for (size_t i = 0; i < N; i++)
		mem_world_unlisten(&f.listeners[i]);
	for (size_t i = 0; i < f.n_peers; i++)
		stream_close(&f.peers[i].stream);
	arena_reset(&f.arena);
	rig_close(&r);
}

/* The name has these addresses, by their last digit; a digit behind it is the priority. */
static void
set_places(const char *digits)
{
	struct place places[8];
	size_t n = 0;

	for (; *digits != '\0'; digits += *digits == ' ') {
		places[n] = (struct place){ .addr = addr_of((unsigned)(*digits++ - '0')), .weight = 1 };
		if (*digits != ' ' && *digits != '\0')
			places[n].priority = (unsigned)(*digits++ - '0');
		n++;
	}
	upstream_set_places(&r.up, 0, places, n, ERR_CONNECT_FAILED);
}

static void
assert_endpoints(const char *digits)
{
	size_t n = 0;

	for (; digits[n] != '\0'; n++) {
		struct addr want = addr_of((unsigned)(digits[n] - '0'));

		ck_assert_uint_lt(n, r.up.n_endpoints);
		ck_assert(addr_eq(&r.up.endpoints[n]->addr, &want));
	}
	ck_assert_uint_eq(r.up.n_endpoints, n);
}

/* ---- calls */

static void
on_done(struct call *c)
{
	(void)c;
	n_done++;
}

static const struct call_events collecting = { .on_done = on_done };
static const struct h1_request get = {
	.start_line = STR_INIT("GET / HTTP/1.1\r\n"),
	.fields = STR_INIT("\r\n"),
	.method = METHOD_GET,
	.is_idempotent = true,
};

static void
start_call(void)
{
	n_done = 0;
	call_init(&call, &r.up, &f.arena, &collecting, NULL);
	call.max_body_bytes = 1000;
	call_start(&call, &get, r.loop->now_ns + 100 * NS_PER_SEC);
	ck_assert_int_eq(n_done, 0);
}

static void
finish_call(enum err_code want, const char *server)
{
	while (n_done == 0)
		ck_assert(mem_world_step(r.world));
	ck_assert_int_eq(call.error, want);
	ck_assert_str_is(call.server, server);
	ck_assert_uint_eq(limiter_inflight(&r.up.limiter), 0);
}

static void
settle(void)
{
	for (int i = 0; i < 10; i++)
		loop_turn(r.loop, 0);
}

START_TEST(addresses_come_stay_and_go)
{
	struct endpoint *second;

	setup();
	assert_endpoints("");
	set_places("1 2");
	assert_endpoints("12");
	second = r.up.endpoints[1];
	set_places("3 2");
	assert_endpoints("23");
	ck_assert_ptr_eq(r.up.endpoints[0], second);
	settle();
	ck_assert(LIST_EMPTY(&r.up.leaving));
	set_places("");
	assert_endpoints("23");
	teardown();
}
END_TEST

START_TEST(an_address_that_comes_draws_no_more_calls_than_others)
{
	setup();
	set_places("1 2");
	endpoint_note_latency(r.up.endpoints[0], 4 * NS_PER_MS);
	set_places("1 2 3");
	ck_assert_uint_eq(r.up.endpoints[1]->latency_ewma_ns, 0);
	ck_assert_uint_eq(r.up.endpoints[2]->latency_ewma_ns, 4 * NS_PER_MS);
	teardown();
}
END_TEST

START_TEST(the_order_is_that_of_the_priorities)
{
	setup();
	set_places("12 21 32");
	assert_endpoints("213");
	set_places("10 21 32");
	assert_endpoints("123");
	teardown();
}
END_TEST

START_TEST(a_call_tries_all_of_a_priority_before_the_next)
{
	setup();
	set_places("90 80 70 60 50 11");
	start_call();
	finish_call(ERR_NONE, "10.0.0.1:80");
	ck_assert_uint_eq(call.n_redispatches, 5);
	start_call();
	finish_call(ERR_NONE, "10.0.0.1:80");
	ck_assert_uint_eq(call.n_redispatches, 0);
	set_places("90 80 70 60 50 41");
	start_call();
	while (n_done == 0)
		ck_assert(mem_world_step(r.world));
	ck_assert_int_eq(call.error, ERR_CONNECT_REFUSED);
	start_call();
	while (n_done == 0)
		ck_assert(mem_world_step(r.world));
	ck_assert_int_eq(call.error, ERR_CONNECT_REFUSED);
	ck_assert_uint_le(call.n_redispatches, 3);
	teardown();
}
END_TEST

START_TEST(without_an_address_a_call_fails_at_once)
{
	setup();
	upstream_set_places(&r.up, 0, NULL, 0, ERR_CONNECT_TIMEOUT);
	start_call();
	loop_turn(r.loop, 0);
	ck_assert_int_eq(n_done, 1);
	finish_call(ERR_CONNECT_TIMEOUT, "");
	set_places("1");
	start_call();
	finish_call(ERR_NONE, "10.0.0.1:80");
	teardown();
}
END_TEST

START_TEST(a_call_ends_where_it_is_when_its_address_goes)
{
	setup();
	f.is_silent = true;
	set_places("1");
	start_call();
	settle();
	set_places("2");
	settle();
	ck_assert_uint_eq(f.n_peers, 1);
	ck_assert(!LIST_EMPTY(&r.up.leaving));
	answer(&f.peers[0]);
	finish_call(ERR_NONE, "10.0.0.1:80");
	settle();
	ck_assert(LIST_EMPTY(&r.up.leaving));
	ck_assert_ptr_null(f.peers[0].stream);
	f.is_silent = false;
	start_call();
	finish_call(ERR_NONE, "10.0.0.2:80");
	teardown();
}
END_TEST

START_TEST(idle_connections_to_an_address_that_goes_are_closed)
{
	setup();
	set_places("1");
	start_call();
	finish_call(ERR_NONE, "10.0.0.1:80");
	ck_assert_uint_eq(r.up.endpoints[0]->pool.n_idle, 1);
	set_places("2");
	settle();
	ck_assert_ptr_null(f.peers[0].stream);
	ck_assert(LIST_EMPTY(&r.up.leaving));
	teardown();
}
END_TEST

/* Nobody listens at 10.0.0.9: the connection is refused when the address has left already. */
START_TEST(a_call_that_cannot_connect_goes_on_to_the_address_that_came)
{
	setup();
	set_places("9");
	start_call();
	set_places("3");
	finish_call(ERR_NONE, "10.0.0.3:80");
	settle();
	ck_assert(LIST_EMPTY(&r.up.leaving));
	teardown();
}
END_TEST

START_TEST(a_call_that_waits_is_cancelled_and_its_endpoint_goes)
{
	setup();
	r.world->faults.silent_chance = MEM_WORLD_CHANCE;
	set_places("1");
	start_call();
	settle();
	set_places("2");
	settle();
	ck_assert(!LIST_EMPTY(&r.up.leaving));
	call_cancel(&call);
	settle();
	ck_assert(LIST_EMPTY(&r.up.leaving));
	teardown();
}
END_TEST

START_TEST(an_address_that_comes_while_draining_keeps_no_connection)
{
	setup();
	upstream_drain(&r.up);
	set_places("1");
	start_call();
	finish_call(ERR_NONE, "10.0.0.1:80");
	ck_assert_uint_eq(r.up.endpoints[0]->pool.n_idle, 0);
	teardown();
}
END_TEST

/* ---- servers with two addresses: nobody listens where the last digit is over 3 */

static void
set_pair(unsigned first, unsigned other)
{
	struct place at = { .addr = addr_of(first),
		.other = addr_of(other),
		.has_other = true,
		.weight = 1 };

	upstream_set_places(&r.up, 0, &at, 1, ERR_NONE);
}

START_TEST(the_other_address_is_taken_when_the_first_one_fails)
{
	setup();
	set_pair(9, 2);
	start_call();
	finish_call(ERR_NONE, "10.0.0.2:80");
	ck_assert_uint_lt(call.times.leased - call.times.started, 10 * NS_PER_MS);
	ck_assert_uint_gt(r.up.endpoints[0]->other_first_until_ns, r.loop->now_ns);
	start_call();
	finish_call(ERR_NONE, "10.0.0.2:80");
	ck_assert_uint_eq(f.n_peers, 1);
	teardown();
}
END_TEST

START_TEST(connections_to_an_other_address_that_has_gone_are_not_used)
{
	setup();
	set_pair(9, 2);
	start_call();
	finish_call(ERR_NONE, "10.0.0.2:80");
	set_pair(9, 3);
	start_call();
	finish_call(ERR_NONE, "10.0.0.3:80");
	ck_assert_uint_eq(f.n_peers, 2);
	ck_assert_ptr_null(f.peers[0].stream);
	f.is_silent = true;
	start_call();
	settle();
	set_pair(9, 1);
	settle();
	answer(&f.peers[1]);
	finish_call(ERR_NONE, "10.0.0.3:80");
	settle();
	ck_assert_ptr_null(f.peers[1].stream);
	teardown();
}
END_TEST

START_TEST(the_other_address_is_taken_when_the_first_one_is_slow)
{
	setup();
	set_pair(1, 2);
	r.world->faults.silent_chance = MEM_WORLD_CHANCE;
	start_call();
	r.world->faults.silent_chance = 0;
	finish_call(ERR_NONE, "10.0.0.2:80");
	ck_assert_uint_ge(call.times.leased - call.times.started, 250 * NS_PER_MS);
	ck_assert_uint_lt(call.times.leased - call.times.started, 260 * NS_PER_MS);
	teardown();
}
END_TEST

START_TEST(the_first_address_is_taken_when_it_answers_in_time)
{
	setup();
	set_pair(1, 2);
	start_call();
	finish_call(ERR_NONE, "10.0.0.1:80");
	settle();
	ck_assert_uint_eq(f.n_peers, 1);
	ck_assert_uint_eq(r.up.endpoints[0]->other_first_until_ns, 0);
	teardown();
}
END_TEST

START_TEST(a_race_that_nobody_wins_fails_the_call)
{
	setup();
	set_pair(8, 9);
	start_call();
	finish_call(ERR_CONNECT_REFUSED, "10.0.0.8:80");
	r.world->faults.silent_chance = MEM_WORLD_CHANCE;
	start_call();
	finish_call(ERR_CONNECT_TIMEOUT, "10.0.0.8:80");
	teardown();
}
END_TEST

START_TEST(a_race_is_given_up_with_its_call)
{
	setup();
	set_pair(1, 2);
	r.world->faults.silent_chance = MEM_WORLD_CHANCE;
	start_call();
	while (timer_heap_count_set(&r.loop->timers) > 2)
		ck_assert(mem_world_step(r.world));
	set_places("3");
	call_cancel(&call);
	settle();
	ck_assert(LIST_EMPTY(&r.up.leaving));
	teardown();
}
END_TEST

UNIT_MAIN("upstream", the_other_address_is_taken_when_the_first_one_fails,
    an_address_that_comes_draws_no_more_calls_than_others,
    a_call_tries_all_of_a_priority_before_the_next,
    connections_to_an_other_address_that_has_gone_are_not_used,
    the_other_address_is_taken_when_the_first_one_is_slow,
    the_first_address_is_taken_when_it_answers_in_time, a_race_that_nobody_wins_fails_the_call,
    a_race_is_given_up_with_its_call, addresses_come_stay_and_go, the_order_is_that_of_the_priorities,
    without_an_address_a_call_fails_at_once, a_call_ends_where_it_is_when_its_address_goes,
    idle_connections_to_an_address_that_goes_are_closed,
    a_call_that_cannot_connect_goes_on_to_the_address_that_came,
    a_call_that_waits_is_cancelled_and_its_endpoint_goes,
    an_address_that_comes_while_draining_keeps_no_connection)
