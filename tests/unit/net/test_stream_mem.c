#include "net/stream_mem.h"

#include "base/buf.h"
#include "unit.h"

/* Sends what is in `out` and collects what comes, whatever the stream does. */
struct peer {
	struct stream *stream;
	struct buf in;
	struct str out;
	size_t n_sent;
	int n_connected, n_calls;
	enum err_code connect_result;
	bool is_ended, is_broken;
	bool ends_after; /* shuts down when all is sent */
};

static void
peer_send(struct peer *p)
{
	while (p->n_sent < p->out.n) {
		struct iovec iov = { (void *)(p->out.p + p->n_sent), p->out.n - p->n_sent };
		size_t put;
		enum io_status io = stream_writev(p->stream, &iov, 1, &put);

		if (io == IO_ERROR)
			p->is_broken = true;
		if (io != IO_OK)
			return;
		p->n_sent += put;
	}
	if (p->ends_after)
		stream_shutdown_write(p->stream);
}

static void
on_connected(void *arg, enum err_code e)
{
	struct peer *p = arg;

	p->n_connected++;
	p->connect_result = e;
	if (e == ERR_NONE)
		peer_send(p);
}

static void
on_readable(void *arg)
{
	struct peer *p = arg;
	char bytes[512];
	enum io_status io;
	size_t got;

	p->n_calls++;
	while ((io = stream_read(p->stream, bytes, sizeof bytes, &got)) == IO_OK)
		buf_add(&p->in, str_of(bytes, got));
	if (io == IO_AGAIN)
		return;
	p->is_ended = io == IO_EOF;
	p->is_broken = io == IO_ERROR;
	stream_want_read(p->stream, false);
}

static void
on_writable(void *arg)
{
	peer_send(arg);
}

static const struct stream_events events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

struct scene {
	struct mem_world *world;
	struct loop *loop;
	struct peer a, b;
};

static void
scene_open(struct scene *s, uint64_t seed)
{
	*s = (struct scene){ .world = mem_world_new(seed) };
	s->loop = mem_world_loop(s->world);
}

static void
scene_pair(struct scene *s)
{
	struct stream *ends[2];

	stream_mem_pair(s->loop, s->loop, ends);
	s->a.stream = ends[0];
	s->b.stream = ends[1];
	stream_set_owner(ends[0], &events, &s->a);
	stream_set_owner(ends[1], &events, &s->b);
	stream_want_read(ends[0], true);
	stream_want_read(ends[1], true);
}

static void
run(struct scene *s)
{
	for (int i = 0; mem_world_step(s->world); i++)
		ck_assert_int_lt(i, 1000000);
}

static void
scene_close(struct scene *s)
{
	stream_close(&s->a.stream);
	stream_close(&s->b.stream);
	buf_fini(&s->a.in);
	buf_fini(&s->b.in);
	run(s);
	loop_free(s->loop);
	mem_world_free(s->world);
}

START_TEST(bytes_cross_in_one_turn)
{
	struct scene s;

	scene_open(&s, 1);
	scene_pair(&s);
	s.a.out = STR("ping");
	peer_send(&s.a);
	ck_assert_int_eq(s.b.n_calls, 0);
	ck_assert_uint_eq(stream_mem_unread(s.b.stream), 4);
	loop_turn(s.loop, 0);
	ck_assert_str_is(buf_str(&s.b.in), "ping");
	ck_assert_uint_eq(s.world->now_ns, s.loop->now_ns);
	scene_close(&s);
}
END_TEST

START_TEST(a_close_ends_after_the_bytes)
{
	struct scene s;

	scene_open(&s, 1);
	scene_pair(&s);
	s.a.out = STR("last words");
	peer_send(&s.a);
	stream_close(&s.a.stream);
	run(&s);
	ck_assert_str_is(buf_str(&s.b.in), "last words");
	ck_assert(s.b.is_ended && !s.b.is_broken);
	/* Writing to it is accepted once, and answered by a reset. */
	s.b.out = STR("hello?");
	peer_send(&s.b);
	ck_assert(!s.b.is_broken);
	s.b.out = STR("hello? hello?");
	peer_send(&s.b);
	ck_assert(s.b.is_broken);
	scene_close(&s);
}
END_TEST

START_TEST(unread_bytes_at_close_reset)
{
	struct scene s;

	scene_open(&s, 1);
	scene_pair(&s);
	stream_want_read(s.b.stream, false);
	s.a.out = STR("never read");
	peer_send(&s.a);
	stream_close(&s.b.stream);
	run(&s);
	ck_assert(s.a.is_broken && !s.a.is_ended);
	scene_close(&s);
}
END_TEST

START_TEST(a_half_close_leaves_the_other_half)
{
	struct scene s;

	scene_open(&s, 1);
	scene_pair(&s);
	stream_shutdown_write(s.a.stream);
	run(&s);
	ck_assert(s.b.is_ended);
	s.b.out = STR("still here");
	peer_send(&s.b);
	run(&s);
	ck_assert_str_is(buf_str(&s.a.in), "still here");
	ck_assert(!s.a.is_ended);
	scene_close(&s);
}
END_TEST

START_TEST(a_reset_reaches_the_peer)
{
	struct scene s;

	scene_open(&s, 1);
	scene_pair(&s);
	stream_reset(&s.a.stream);
	run(&s);
	ck_assert(s.b.is_broken);
	scene_close(&s);
}
END_TEST

static void
on_accept(void *owner, struct stream *stream, const struct addr *peer)
{
	struct scene *s = owner;

	ck_assert(!addr_is_unix(peer));
	s->b.stream = stream;
	stream_set_owner(stream, &events, &s->b);
	stream_want_read(stream, true);
}

static const struct mem_listener_events listener_events = { .on_accept = on_accept };

START_TEST(connects_to_listeners_only)
{
	struct mem_listener *l;
	struct scene s;
	struct addr at;

	addr_parse(STR("10.0.0.1:80"), &at);
	scene_open(&s, 1);
	s.a.stream = stream_connect(s.loop, &at, &events, &s.a);
	ck_assert_int_eq(s.a.n_connected, 0);
	run(&s);
	ck_assert_int_eq(s.a.connect_result, ERR_CONNECT_REFUSED);
	stream_close(&s.a.stream);

	l = mem_world_listen(s.world, s.loop, &at, &listener_events, &s);
	s.a.out = STR("hi");
	s.a.stream = stream_connect(s.loop, &at, &events, &s.a);
	run(&s);
	ck_assert_int_eq(s.a.n_connected, 2);
	ck_assert_int_eq(s.a.connect_result, ERR_NONE);
	ck_assert_str_is(buf_str(&s.b.in), "hi");
	mem_world_unlisten(&l);
	scene_close(&s);
}
END_TEST

/* Everything but what loses bytes. */
static const struct mem_faults mild = {
	.latency_ns = 1000000,
	.connect_ns = 5000000,
	.stall_ns = 100000000,
	.turn_ns = 100000,
	.window_bytes = 300,
	.stall_chance = 50000,
	.split_chance = 500000,
	.again_chance = 300000,
	.late_chance = 300000,
};

static uint64_t
exchange_both_ways(uint64_t seed, const struct mem_faults *faults)
{
	static char text[20000];
	struct scene s;
	uint64_t end_ns;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7 + i / 256);
	scene_open(&s, seed);
	s.world->faults = *faults;
	scene_pair(&s);
	s.a.out = str_of(text, sizeof text);
	s.b.out = str_of(text, sizeof text / 2);
	s.a.ends_after = true;
	s.b.ends_after = true;
	peer_send(&s.a);
	peer_send(&s.b);
	run(&s);
	end_ns = s.world->now_ns;
	if (faults->reset_chance == 0) {
		ck_assert(s.a.is_ended && s.b.is_ended);
		ck_assert(str_eq(buf_str(&s.b.in), s.a.out));
		ck_assert(str_eq(buf_str(&s.a.in), s.b.out));
	} else {
		ck_assert(str_has_prefix(s.a.out, buf_str(&s.b.in)));
		ck_assert(str_has_prefix(s.b.out, buf_str(&s.a.in)));
	}
	scene_close(&s);
	return end_ns;
}

START_TEST(faults_lose_nothing_and_replay)
{
	uint64_t first = exchange_both_ways(1, &mild);

	ck_assert_uint_eq(exchange_both_ways(1, &mild), first);
	ck_assert_uint_ne(exchange_both_ways(2, &mild), first);
	for (uint64_t seed = 3; seed < 60; seed++)
		exchange_both_ways(seed, &mild);
}
END_TEST

START_TEST(resets_lose_only_the_rest)
{
	struct mem_faults faults = mild;

	faults.reset_chance = 20000;
	for (uint64_t seed = 1; seed < 60; seed++)
		exchange_both_ways(seed, &faults);
}
END_TEST

static void
nothing(void *arg)
{
	*(bool *)arg = true;
}

START_TEST(a_loop_alone_moves_the_clock)
{
	struct timer t;
	struct scene s;
	bool is_fired = false;

	scene_open(&s, 1);
	timer_init(&t, nothing, &is_fired);
	loop_timer_set(s.loop, &t, s.loop->now_ns + 7 * NS_PER_SEC);
	loop_turn(s.loop, NS_PER_SEC);
	ck_assert(!is_fired);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert(is_fired);
	ck_assert_uint_eq(s.loop->now_ns, 8 * NS_PER_SEC);
	scene_close(&s);
}
END_TEST

UNIT_MAIN("stream_mem", bytes_cross_in_one_turn, a_close_ends_after_the_bytes,
    unread_bytes_at_close_reset, a_half_close_leaves_the_other_half, a_reset_reaches_the_peer,
    connects_to_listeners_only, faults_lose_nothing_and_replay, resets_lose_only_the_rest,
    a_loop_alone_moves_the_clock)
