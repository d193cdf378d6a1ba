#include "net/stream_record.h"

#include "base/buf.h"
#include "net/mem_world.h"
#include "unit.h"

/* An end that sends `left` bytes of a pattern, and collects what comes. */
struct end {
	struct stream *stream;
	struct buf in;
	size_t n_sent;
	size_t n_all;
	size_t n_offered; /* and refused: offered again */
	int n_connected;
	enum err_code result;
	enum io_status end;
	bool ends_after;
	bool has_shut;
	struct rnd *rnd;
};

struct scene {
	struct mem_world *world;
	struct loop *loop;
	struct mem_listener *listener;
	struct addr at;
	struct end a, b;
};

static char
pattern(size_t i)
{
	return (char)(i * 31 + i / 251);
}

static void
send_some(struct end *e)
{
	char bytes[5000];
	size_t put;

	while (e->n_sent < e->n_all) {
		size_t left = e->n_all - e->n_sent;
		size_t n =
		    e->n_offered > 0 ? e->n_offered : 1 + (size_t)rnd_below(e->rnd, sizeof bytes);
		struct iovec iov = { bytes, n < left ? n : left };
		enum io_status io;

		for (size_t i = 0; i < iov.iov_len; i++)
			bytes[i] = pattern(e->n_sent + i);
		io = stream_writev(e->stream, &iov, 1, &put);
		e->n_offered = io == IO_AGAIN ? iov.iov_len : 0;
		if (io != IO_OK)
			return;
		e->n_sent += put;
	}
	if (e->ends_after && !e->has_shut)
		stream_shutdown_write(e->stream);
	e->has_shut = true;
}

static void
on_connected(void *arg, enum err_code result)
{
	struct end *e = arg;

	e->n_connected++;
	e->result = result;
	if (result != ERR_NONE) {
		stream_close(&e->stream);
		return;
	}
	stream_want_read(e->stream, true);
	send_some(e);
}

static void
on_readable(void *arg)
{
	struct end *e = arg;
	char bytes[4096];
	size_t got;
	enum io_status io =
	    stream_read(e->stream, bytes, 1 + rnd_below(e->rnd, sizeof bytes), &got);

	if (io == IO_OK)
		buf_add(&e->in, str_of(bytes, got));
	if (io == IO_OK || io == IO_AGAIN)
		return;
	e->end = io;
	stream_want_read(e->stream, false);
}

static void
on_writable(void *arg)
{
	send_some(arg);
}

static const struct stream_events events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

static void
on_accept(void *owner, struct stream *stream, const struct addr *peer)
{
	struct scene *s = owner;

	(void)peer;
	s->b.stream = stream;
	stream_set_owner(stream, &events, &s->b);
	stream_want_read(stream, true);
	send_some(&s->b);
}

static const struct mem_listener_events listener_events = { .on_accept = on_accept };

static void
open_scene(struct scene *s, uint64_t seed, size_t n)
{
	*s = (struct scene){ .world = mem_world_new(seed) };
	s->world->has_records = true;
	s->loop = mem_world_loop(s->world);
	ck_assert_int_eq(addr_parse(STR("10.0.0.1:443"), &s->at), ERR_NONE);
	s->listener = mem_world_listen(s->world, s->loop, &s->at, &listener_events, s);
	s->a = s->b = (struct end){ .n_all = n, .rnd = &s->world->rnd, .ends_after = true };
}

static void
run(struct scene *s)
{
	int steps = 0;

	while (mem_world_step(s->world) && steps < 5000000)
		steps++;
	ck_assert_int_lt(steps, 5000000);
}

static void
close_scene(struct scene *s)
{
	mem_world_unlisten(&s->listener);
	stream_close(&s->a.stream);
	stream_close(&s->b.stream);
	run(s);
	buf_fini(&s->a.in);
	buf_fini(&s->b.in);
	loop_free(s->loop);
	mem_world_free(s->world);
}

static void
connect_both(struct scene *s)
{
	s->a.stream = stream_connect(s->loop, &s->at, &events, &s->a);
	run(s);
}

static void
expect_all(const struct end *e, size_t n)
{
	size_t right = 0;

	ck_assert_uint_eq(e->in.n, n);
	while (right < n && e->in.p[right] == pattern(right))
		right++;
	ck_assert_uint_eq(right, n);
	ck_assert_int_eq(e->end, IO_EOF);
}

START_TEST(bytes_cross_whatever_happens_to_records)
{
	struct scene s;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		open_scene(&s, seed, seed * 200);
		s.world->faults = (struct mem_faults){
			.latency_ns = seed % 2 * NS_PER_MS,
			.window_bytes = seed % 5 == 0 ? 20 : 3000,
			.split_chance = 300000,
			.again_chance = 200000,
			.late_chance = 200000,
			.cross_chance = seed % 3 == 0 ? 100000 : 0,
		};
		connect_both(&s);
		ck_assert_int_eq(s.a.n_connected, 1);
		ck_assert_int_eq(s.b.n_connected, 0);
		expect_all(&s.a, seed * 200);
		expect_all(&s.b, seed * 200);
		close_scene(&s);
	}
}
END_TEST

START_TEST(a_refused_connection_is_told)
{
	struct scene s;

	open_scene(&s, 1, 10);
	s.world->faults.refuse_chance = MEM_WORLD_CHANCE;
	connect_both(&s);
	ck_assert_int_eq(s.a.result, ERR_CONNECT_REFUSED);
	close_scene(&s);
}
END_TEST

/* Each end hears of it once, and nothing is left behind. */
START_TEST(resets_and_closes_at_any_time)
{
	struct scene s;

	for (uint64_t seed = 1; seed <= 250; seed++) {
		open_scene(&s, seed, 20000);
		s.world->faults = (struct mem_faults){
			.latency_ns = NS_PER_MS,
			.window_bytes = 2000,
			.split_chance = 300000,
			.cross_chance = 100000,
			.reset_chance = seed % 2 == 0 ? 30000 : 0,
		};
		s.a.stream = stream_connect(s.loop, &s.at, &events, &s.a);
		for (uint64_t i = 0; i < seed % 61 && mem_world_step(s.world); i++)
			continue;
		if (seed % 3 == 0)
			stream_reset(&s.a.stream);
		else if (seed % 3 == 1)
			stream_close(&s.b.stream);
		run(&s);
		ck_assert_int_le(s.a.n_connected, 1);
		close_scene(&s);
	}
}
END_TEST

UNIT_MAIN("stream_record", bytes_cross_whatever_happens_to_records, a_refused_connection_is_told,
    resets_and_closes_at_any_time)
