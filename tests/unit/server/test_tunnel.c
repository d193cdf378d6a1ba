/* Tunnels between memory streams: order, ends, limits, and a storm of random peers and faults. */
#include "server/tunnel.h"

#include <string.h>

#include "base/mem.h"
#include "net/mem_world.h"
#include "net/stream_mem.h"
#include "unit.h"

/* Who stands behind one side: says numbered bytes, and checks those that come. */
struct peer {
	struct stream *stream; /* NULL: it has closed */
	size_t said;           /* bytes of its own count so far */
	size_t to_say;         /* then it ends its direction */
	size_t heard;
	size_t stops_at; /* it hears no more than this and leaves; SIZE_MAX: it listens to the end */
	bool has_ended;
	bool is_ended;  /* the other one has */
	bool is_broken;
	bool is_deaf;
	bool is_rude; /* leaves by a reset */
};

static struct {
	struct mem_world *world;
	struct loop *loop;
	struct tunnel tunnel;
	struct stream *inner[2];
	struct peer peer[2];
	int n_over;
	enum err_code why;
	bool is_cut[2];
	size_t passed[2];
	bool is_wrong; /* a byte was not what it should be */
	size_t most_held;
} f;

/* The nth byte that a side says; the two sides differ. */
static char
byte_at(int side, size_t n)
{
	return (char)(n * 31 + n / 251 + (size_t)side * 7);
}

/* ---- the tunnel's owner */

static void
on_passed(void *owner, enum tunnel_side from, size_t n)
{
	(void)owner;
	f.passed[from] += n;
}

static void
on_over(void *owner, enum err_code why)
{
	(void)owner;
	f.n_over++;
	f.why = why;
	for (int i = 0; i < 2; i++)
		f.is_cut[i] = tunnel_is_cut(&f.tunnel, (enum tunnel_side)i);
	tunnel_stop(&f.tunnel);
	for (int i = 0; i < 2; i++)
		if (f.is_cut[i])
			stream_reset(&f.inner[i]);
		else
			stream_close(&f.inner[i]);
}

static const struct tunnel_events tunnel_events = { .on_passed = on_passed, .on_over = on_over };

/* ---- peers */

static int
side_of(const struct peer *p)
{
	return p == &f.peer[1];
}

static void
leave(struct peer *p)
{
	if (p->is_rude)
		stream_reset(&p->stream);
	else
		stream_close(&p->stream);
}

static void
say(struct peer *p)
{
	char bytes[5000];

	while (p->stream != NULL && p->said < p->to_say) {
		size_t n = p->to_say - p->said, put;
		struct iovec v = { bytes, n < sizeof bytes ? n : sizeof bytes };

		for (size_t i = 0; i < v.iov_len; i++)
			bytes[i] = byte_at(side_of(p), p->said + i);
		if (stream_writev(p->stream, &v, 1, &put) != IO_OK)
			return;
		p->said += put;
	}
	if (p->stream == NULL || p->has_ended)
		return;
	p->has_ended = true;
	stream_shutdown_write(p->stream);
}

static void
on_readable(void *owner)
{
	struct peer *p = owner;
	char bytes[3000];
	size_t got;
	enum io_status io = stream_read(p->stream, bytes, sizeof bytes, &got);

	for (size_t i = 0; i < got; i++)
		f.is_wrong |= bytes[i] != byte_at(!side_of(p), p->heard + i);
	p->heard += got;
	p->is_ended = p->is_ended || io == IO_EOF;
	p->is_broken = p->is_broken || io == IO_ERROR;
	if (p->is_ended || p->is_broken)
		stream_want_read(p->stream, false);
	if (p->heard >= p->stops_at)
		leave(p);
}

static void
on_writable(void *owner)
{
	say(owner);
}

static const struct stream_events peer_events = {
	.on_readable = on_readable,
	.on_writable = on_writable,
};

/* ---- the frame */

static void
open_pair(int side)
{
	struct stream *ends[2];

	stream_mem_pair(f.loop, f.loop, ends);
	f.peer[side] = (struct peer){ .stream = ends[0], .stops_at = SIZE_MAX, .to_say = SIZE_MAX };
	f.peer[side].said = SIZE_MAX;
	stream_set_owner(ends[0], &peer_events, &f.peer[side]);
	stream_want_read(ends[0], true);
	f.inner[side] = ends[1];
}

static void
open_all(uint64_t seed, uint64_t most_ns)
{
	memset(&f, 0, sizeof f);
	f.world = mem_world_new(seed);
	f.loop = mem_world_loop(f.world);
	open_pair(0);
	open_pair(1);
	tunnel_init(&f.tunnel, &tunnel_events, NULL);
	tunnel_start(&f.tunnel, f.inner[0], f.inner[1], 10 * NS_PER_SEC, most_ns);
}

static void
settle(void)
{
	for (int i = 0; i < 300; i++)
		loop_turn(f.loop, 0);
}

static void
wait_ns(uint64_t ns)
{
	uint64_t until_ns = f.world->now_ns + ns;

	while (f.world->now_ns < until_ns)
		loop_turn(f.loop, until_ns - f.world->now_ns);
	settle();
}

static void
close_all(void)
{
	tunnel_stop(&f.tunnel);
	for (int i = 0; i < 2; i++) {
		stream_close(&f.peer[i].stream);
		stream_close(&f.inner[i]);
	}
	settle();
	ck_assert(!f.is_wrong);
	ck_assert_uint_eq(f.world->n_streams, 0);
	loop_free(f.loop);
	mem_world_free(f.world);
}

/* So many more bytes, then the end; `to_say` of SIZE_MAX means that there is no end yet. */
static void
speak(int side, size_t n)
{
	f.peer[side].said = 0;
	f.peer[side].to_say = n;
	say(&f.peer[side]);
	settle();
}

START_TEST(bytes_and_ends_go_both_ways)
{
	open_all(1, 0);
	speak(TUNNEL_CLIENT, 1000);
	ck_assert_uint_eq(f.peer[1].heard, 1000);
	ck_assert(f.peer[1].is_ended && !f.peer[0].is_ended);
	ck_assert_int_eq(f.n_over, 0);
	/* The other direction lives on. */
	speak(TUNNEL_UPSTREAM, 300000);
	ck_assert_uint_eq(f.peer[0].heard, 300000);
	ck_assert(f.peer[0].is_ended);
	ck_assert_int_eq(f.n_over, 1);
	ck_assert_int_eq(f.why, ERR_NONE);
	ck_assert(!f.is_cut[0] && !f.is_cut[1]);
	ck_assert_uint_eq(f.passed[TUNNEL_CLIENT], 1000);
	ck_assert_uint_eq(f.passed[TUNNEL_UPSTREAM], 300000);
	close_all();
}
END_TEST

/* What is not taken stops the sender: no more than a read's worth is held. */
START_TEST(a_slow_reader_stops_the_other)
{
	open_all(1, 0);
	stream_want_read(f.peer[1].stream, false);
	speak(TUNNEL_CLIENT, 10000000);
	ck_assert_uint_le(f.tunnel.end[TUNNEL_CLIENT].held.n, LOOP_SCRATCH_BYTES);
	ck_assert_uint_le(f.peer[0].said, 3 * 65536 + LOOP_SCRATCH_BYTES);
	ck_assert_int_eq(f.n_over, 0);
	stream_want_read(f.peer[1].stream, true);
	for (int i = 0; i < 20; i++)
		settle();
	ck_assert_uint_eq(f.peer[1].heard, 10000000);
	ck_assert_ptr_null(f.tunnel.end[TUNNEL_CLIENT].held.p);
	close_all();
}
END_TEST

START_TEST(silence_ends_it)
{
	open_all(1, 0);
	wait_ns(9 * NS_PER_SEC);
	speak(TUNNEL_CLIENT, 1);
	wait_ns(9 * NS_PER_SEC);
	ck_assert_int_eq(f.n_over, 0);
	wait_ns(2 * NS_PER_SEC);
	ck_assert_int_eq(f.why, ERR_TUNNEL_IDLE);
	ck_assert(!f.is_cut[0] && !f.is_cut[1]);
	close_all();
}
END_TEST

START_TEST(a_peer_that_takes_nothing_is_silent_too)
{
	open_all(1, 0);
	stream_want_read(f.peer[1].stream, false);
	speak(TUNNEL_CLIENT, 1000000);
	wait_ns(11 * NS_PER_SEC);
	ck_assert_int_eq(f.why, ERR_TUNNEL_IDLE);
	ck_assert(!f.is_cut[TUNNEL_CLIENT] && f.is_cut[TUNNEL_UPSTREAM]);
	close_all();
}
END_TEST

START_TEST(its_time_may_be_limited)
{
	open_all(1, 12 * NS_PER_SEC);
	wait_ns(9 * NS_PER_SEC);
	speak(TUNNEL_UPSTREAM, 1);
	wait_ns(4 * NS_PER_SEC);
	ck_assert_int_eq(f.why, ERR_TUNNEL_EXPIRED);
	close_all();
}
END_TEST

START_TEST(a_reset_is_passed_on)
{
	open_all(1, 0);
	stream_reset(&f.peer[TUNNEL_UPSTREAM].stream);
	settle();
	ck_assert_int_eq(f.why, ERR_RESET);
	ck_assert(f.is_cut[TUNNEL_CLIENT]);
	ck_assert(f.peer[TUNNEL_CLIENT].is_broken);
	close_all();
}
END_TEST

/* Its answer is whole: that it no longer listens must not destroy it. */
START_TEST(a_peer_that_answers_and_leaves)
{
	open_all(1, 0);
	f.peer[1].stops_at = 100;
	f.peer[1].said = 0;
	f.peer[1].to_say = 5000;
	say(&f.peer[1]);
	settle();
	speak(TUNNEL_CLIENT, 400000);
	ck_assert_uint_eq(f.peer[0].heard, 5000);
	ck_assert(f.peer[0].is_ended && !f.peer[0].is_broken);
	ck_assert_int_eq(f.n_over, 1);
	ck_assert(!f.is_cut[TUNNEL_CLIENT]);
	close_all();
}
END_TEST

/* ---- the storm */

static void
random_peer(struct rnd *rnd, struct peer *p)
{
	p->said = 0;
	p->to_say = rnd_chance(rnd, 1, 3) ? rnd_below(rnd, 300) : rnd_below(rnd, 200000);
	p->is_rude = rnd_chance(rnd, 1, 2);
	if (rnd_chance(rnd, 1, 4))
		p->stops_at = 1 + rnd_below(rnd, 100000);
	say(p);
}

static void
random_faults(struct rnd *rnd, struct mem_faults *faults)
{
	faults->latency_ns = rnd_below(rnd, 20 * NS_PER_MS);
	faults->split_chance = (unsigned)rnd_below(rnd, 500000);
	faults->again_chance = (unsigned)rnd_below(rnd, 300000);
	faults->late_chance = (unsigned)rnd_below(rnd, 300000);
	faults->window_bytes = 64 + rnd_below(rnd, 65536);
	faults->stall_chance = (unsigned)rnd_below(rnd, 10000);
	faults->stall_ns = NS_PER_SEC;
	faults->reset_chance = rnd_chance(rnd, 1, 4) ? 2000 : 0;
}

/* When nobody leaves and nothing breaks, all that is said is heard, and then the end. */
static void
check_end(bool is_kind)
{
	ck_assert_int_eq(f.n_over, 1);
	ck_assert_uint_le(f.most_held, LOOP_SCRATCH_BYTES);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_le(f.peer[!i].heard, f.passed[i]);
		ck_assert_uint_le(f.passed[i], f.peer[i].said);
		if (f.peer[!i].is_ended) /* an end is told of what is whole only */
			ck_assert_uint_eq(f.peer[!i].heard, f.peer[i].said);
	}
	if (!is_kind)
		return;
	ck_assert_int_eq(f.why, ERR_NONE);
	for (int i = 0; i < 2; i++)
		ck_assert(f.peer[i].is_ended && !f.peer[i].is_broken);
}

static void
storm(uint64_t seed)
{
	struct mem_faults faults = { 0 };
	struct rnd rnd;
	bool is_kind;

	rnd_init(&rnd, seed);
	random_faults(&rnd, &faults);
	memset(&f, 0, sizeof f);
	f.world = mem_world_new(seed);
	f.world->faults = faults;
	f.loop = mem_world_loop(f.world);
	open_pair(0);
	open_pair(1);
	tunnel_init(&f.tunnel, &tunnel_events, NULL);
	tunnel_start(&f.tunnel, f.inner[0], f.inner[1], 100 * NS_PER_SEC, 0);
	random_peer(&rnd, &f.peer[0]);
	random_peer(&rnd, &f.peer[1]);
	is_kind = faults.reset_chance == 0 && f.peer[0].stops_at == SIZE_MAX &&
	    f.peer[1].stops_at == SIZE_MAX;
	for (int i = 0; f.n_over == 0 && i < 100000; i++) {
		for (int side = 0; side < 2; side++) {
			const struct tunnel_end *end = &f.tunnel.end[side];

			if (end->held.n > f.most_held)
				f.most_held = end->held.n;
		}
		mem_world_step(f.world);
	}
	for (int i = 0; i < 3000; i++)
		mem_world_step(f.world);
	check_end(is_kind);
	close_all();
}

START_TEST(whatever_the_peers_and_the_network_do)
{
	for (uint64_t seed = 1; seed <= 1000; seed++)
		storm(seed);
}
END_TEST

UNIT_MAIN("tunnel", bytes_and_ends_go_both_ways, a_slow_reader_stops_the_other, silence_ends_it,
    a_peer_that_takes_nothing_is_silent_too, its_time_may_be_limited, a_reset_is_passed_on,
    a_peer_that_answers_and_leaves, whatever_the_peers_and_the_network_do)
