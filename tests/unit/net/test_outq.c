#include "net/outq.h"

#include "base/buf.h"
#include "base/rnd.h"
#include "unit.h"

/* A stream that takes as much as a test allows. */
struct taker {
	struct stream base;
	struct buf taken;
	size_t room;   /* bytes until IO_AGAIN */
	size_t gulp;   /* at most so many in one write */
	size_t n_calls;
	size_t max_slices;
	bool is_dead;
};

static enum io_status
taker_writev(struct stream *s, const struct iovec *iov, size_t n, size_t *put)
{
	struct taker *t = CONTAINER_OF(s, struct taker, base);
	size_t left = t->gulp < t->room ? t->gulp : t->room;

	*put = 0;
	t->n_calls++;
	if (n > t->max_slices)
		t->max_slices = n;
	if (t->is_dead)
		return IO_ERROR;
	for (size_t i = 0; i < n && left > 0; i++) {
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		ck_assert_uint_gt(iov[i].iov_len, 0);
		buf_add(&t->taken, str_of(iov[i].iov_base, part));
		left -= part;
		*put += part;
	}
	t->room -= *put;
	return *put > 0 ? IO_OK : IO_AGAIN;
}

static const struct stream_ops taker_ops = { .writev = taker_writev };

static void
taker_init(struct taker *t, size_t room, size_t gulp)
{
	*t = (struct taker){ .base = { .ops = &taker_ops }, .room = room, .gulp = gulp };
}

START_TEST(sends_in_order_and_gives_its_blocks_back)
{
	struct arena_pool pool;
	struct taker t;
	struct outq q;

	arena_pool_init(&pool, 4);
	outq_init(&q, &pool);
	taker_init(&t, SIZE_MAX, SIZE_MAX);
	ck_assert_int_eq(outq_flush(&q, &t.base), IO_OK);
	ck_assert_uint_eq(t.n_calls, 0);
	outq_add(&q, "one ", 4);
	outq_add(&q, "nothing", 0);
	outq_add(&q, "two", 3);
	ck_assert_uint_eq(outq_bytes(&q), 7);
	ck_assert_uint_eq(pool.n_used, 1);
	ck_assert_int_eq(outq_flush(&q, &t.base), IO_OK);
	ck_assert_uint_eq(t.n_calls, 1);
	ck_assert_str_is(buf_str(&t.taken), "one two");
	ck_assert(outq_is_empty(&q));
	ck_assert_uint_eq(pool.n_used, 0);
	buf_fini(&t.taken);
	arena_pool_fini(&pool);
}
END_TEST

START_TEST(joins_what_lies_together)
{
	struct taker t;
	struct outq q;

	outq_init(&q, NULL);
	taker_init(&t, SIZE_MAX, SIZE_MAX);
	for (size_t i = 0; i < 8; i++)
		outq_add(&q, "neighbour" + i, 1);
	outq_flush(&q, &t.base);
	ck_assert_uint_eq(t.max_slices, 1);
	ck_assert_str_is(buf_str(&t.taken), "neighbou");
	buf_fini(&t.taken);
}
END_TEST

START_TEST(waits_for_room_and_stops_at_death)
{
	struct taker t;
	struct outq q;

	outq_init(&q, NULL);
	taker_init(&t, 5, SIZE_MAX);
	outq_add(&q, "abcd", 4);
	outq_add(&q, "EFGH", 4);
	ck_assert_int_eq(outq_flush(&q, &t.base), IO_AGAIN);
	ck_assert_uint_eq(outq_bytes(&q), 3);
	t.room = 1;
	ck_assert_int_eq(outq_flush(&q, &t.base), IO_AGAIN);
	outq_add(&q, "i", 1);
	t.room = 100;
	ck_assert_int_eq(outq_flush(&q, &t.base), IO_OK);
	ck_assert_str_is(buf_str(&t.taken), "abcdEFGHi");
	outq_add(&q, "x", 1);
	t.is_dead = true;
	ck_assert_int_eq(outq_flush(&q, &t.base), IO_ERROR);
	ck_assert_uint_eq(outq_bytes(&q), 1);
	outq_clear(&q);
	ck_assert(outq_is_empty(&q));
	buf_fini(&t.taken);
}
END_TEST

START_TEST(keeps_every_byte_over_many_slices_and_any_cut)
{
	static char source[100000];
	struct arena_pool pool;
	size_t at = 0;
	struct taker t;
	struct outq q;
	struct rnd r;

	rnd_init(&r, 3);
	for (size_t i = 0; i < sizeof source; i++)
		source[i] = (char)rnd_u64(&r);
	arena_pool_init(&pool, 100);
	outq_init(&q, &pool);
	taker_init(&t, 0, 777);
	while (at < sizeof source) {
		/* Every second byte is skipped, so that no two slices join. */
		for (uint64_t k = rnd_below(&r, 3000); k > 0 && at < sizeof source; k--, at += 2)
			outq_add(&q, source + at, 1);
		t.room = rnd_below(&r, 2000);
		outq_flush(&q, &t.base);
	}
	t.room = SIZE_MAX;
	ck_assert_int_eq(outq_flush(&q, &t.base), IO_OK);
	ck_assert_uint_eq(t.taken.n, sizeof source / 2);
	for (size_t i = 0; i < t.taken.n; i++)
		ck_assert_int_eq(t.taken.p[i], source[2 * i]);
	ck_assert_uint_eq(pool.n_used, 0);
	buf_fini(&t.taken);
	arena_pool_fini(&pool);
}
END_TEST

START_TEST(a_stream_that_never_runs_dry_stays_small)
{
	static char source[4096];
	struct arena_pool pool;
	struct taker t;
	struct outq q;

	arena_pool_init(&pool, 100);
	outq_init(&q, &pool);
	taker_init(&t, 0, SIZE_MAX);
	outq_add(&q, source, 1);
	for (size_t i = 0; i < 100000; i++) {
		outq_add(&q, source + (i * 2) % 4000, 1);
		t.room = 1;
		outq_flush(&q, &t.base);
		buf_clear(&t.taken);
	}
	ck_assert_uint_le(pool.n_used, 1);
	outq_clear(&q);
	ck_assert_uint_eq(pool.n_used, 0);
	buf_fini(&t.taken);
	arena_pool_fini(&pool);
}
END_TEST

UNIT_MAIN("outq", sends_in_order_and_gives_its_blocks_back, joins_what_lies_together,
    waits_for_room_and_stops_at_death, keeps_every_byte_over_many_slices_and_any_cut,
    a_stream_that_never_runs_dry_stays_small)
