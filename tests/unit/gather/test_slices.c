#include "gather/slices.h"

#include "base/buf.h"
#include "base/rnd.h"
#include "unit.h"

START_TEST(points_at_long_and_copies_short)
{
	static const char text[] =
	    "a text that is long enough to be worth a slice of its own, and more of it";
	struct arena a;
	struct slices s;

	arena_init(&a, NULL, 0);
	slices_init(&s, &a, 1);
	slices_add(&s, STR("{"));
	slices_copy(&s, STR("\"k\":"));
	slices_add(&s, STR(""));
	ck_assert_uint_eq(s.n, 1);
	slices_add(&s, str_of(text, 60));
	slices_add(&s, str_of(text + 60, sizeof text - 61));
	slices_copy(&s, STR("}"));
	ck_assert_uint_eq(s.bytes, sizeof text - 1 + 6);
	ck_assert_ptr_eq(s.iov[1].iov_base, text);
	ck_assert_uint_eq(s.iov[0].iov_len, 5);
	arena_reset(&a);
}
END_TEST

START_TEST(keeps_every_byte_in_order)
{
	static char source[4096];
	struct buf want = BUF_INIT, got = BUF_INIT;
	struct arena a;
	struct slices s;
	struct rnd rnd;

	rnd_init(&rnd, 4);
	for (size_t i = 0; i < sizeof source; i++)
		source[i] = (char)rnd_u64(&rnd);
	arena_init(&a, NULL, 0);
	slices_init(&s, &a, 0);
	for (unsigned i = 0; i < 5000; i++) {
		size_t from = rnd_below(&rnd, sizeof source);
		size_t n = rnd_below(&rnd, rnd_chance(&rnd, 1, 2) ? 8 : 1000);
		struct str piece;

		piece = str_of(source + from, n < sizeof source - from ? n : sizeof source - from);
		buf_add(&want, piece);
		if (rnd_chance(&rnd, 1, 3))
			slices_copy(&s, piece);
		else
			slices_add(&s, piece);
	}
	for (size_t i = 0; i < s.n; i++)
		buf_add(&got, str_of(s.iov[i].iov_base, s.iov[i].iov_len));
	ck_assert_uint_eq(s.bytes, want.n);
	ck_assert(str_eq(buf_str(&want), buf_str(&got)));
	buf_fini(&want);
	buf_fini(&got);
	arena_reset(&a);
}
END_TEST

UNIT_MAIN("slices", points_at_long_and_copies_short, keeps_every_byte_in_order)
