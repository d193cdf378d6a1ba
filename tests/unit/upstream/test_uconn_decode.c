#include "upstream/uconn_decode.h"

#include <string.h>

#include "unit.h"
#include "upstream/upstream.h"

static struct coding_store store;
static struct metric_layout layout;
static struct metric_shard metrics;
static struct upstream up;
static struct arena arena;
static struct uconn_decode *decode;

static void
setup(void)
{
	size_t sizes[DIM_COUNT] = { 0 };

	for (size_t i = 0; i < DIM_COUNT; i++)
		sizes[i] = 1;
	metric_layout_init(&layout, sizes);
	metric_shard_init(&metrics, &layout);
	coding_store_init(&store, 1 << 24, NULL);
	up = (struct upstream){ .metrics = &metrics, .coding = &store };
	arena_init(&arena, NULL, 0);
}

static void
teardown(void)
{
	arena_reset(&arena);
	metric_shard_fini(&metrics);
	ck_assert_uint_eq(store.n_states, 0);
}

static enum err_code
start(const char *coding, uint64_t max_bytes)
{
	const struct coding_limits limits = { max_bytes, 100 };
	struct header_list fields;
	struct header at[1];

	header_list_init(&fields, at, 1);
	if (coding != NULL)
		ck_assert(header_list_add(&fields, STR("Content-Encoding"), str_c(coding)));
	return uconn_decode_start(&decode, &fields, &up, &limits, &arena);
}

static void
gzip(struct str text, struct buf *out)
{
	const struct coding_setup how = { CODING_GZIP, 5, 0 };
	struct coding_encoder *e = coding_encoder_new(&store, &how);

	coding_encode(e, text, CODING_FINISH, out);
	coding_encoder_free(&e);
}

START_TEST(plain_answers_are_left_alone)
{
	setup();
	ck_assert_int_eq(start(NULL, 100), ERR_NONE);
	ck_assert_ptr_null(decode);
	ck_assert_int_eq(start("identity", 100), ERR_NONE);
	ck_assert_ptr_null(decode);
	ck_assert_int_eq(start("gzip, br", 100), ERR_CONTENT_CODING_UNKNOWN);
	ck_assert_ptr_null(decode);
	teardown();
}
END_TEST

START_TEST(pieces_become_the_body_and_are_counted)
{
	struct buf coded = BUF_INIT;

	setup();
	gzip(STR("{\"a\":[1,1,1,1,1,1,1,1]}"), &coded);
	ck_assert_int_eq(start("gzip", 100), ERR_NONE);
	for (size_t i = 0; i < coded.n; i++)
		ck_assert_int_eq(uconn_decode_feed(decode, str_of(coded.p + i, 1)), ERR_NONE);
	ck_assert_int_eq(uconn_decode_end(decode), ERR_NONE);
	uconn_decode_stop(decode);
	ck_assert_str_is(buf_str(&decode->body), "{\"a\":[1,1,1,1,1,1,1,1]}");
	ck_assert_uint_eq(metric_get(&metrics, METRIC_UPSTREAM_DECODED_IN, 0, 0), coded.n);
	ck_assert_uint_eq(metric_get(&metrics, METRIC_UPSTREAM_DECODED_OUT, 0, 0), 23);
	buf_fini(&coded);
	teardown();
}
END_TEST

START_TEST(what_is_cut_short_or_too_much_fails)
{
	struct buf coded = BUF_INIT;

	setup();
	gzip(STR("0123456789012345678901234567890123456789"), &coded);
	ck_assert_int_eq(start("x-gzip", 100), ERR_NONE);
	ck_assert_int_eq(uconn_decode_feed(decode, str_of(coded.p, coded.n - 1)), ERR_NONE);
	ck_assert_int_eq(uconn_decode_end(decode), ERR_CONTENT_CODING_INVALID);
	ck_assert_int_eq(start("gzip", 39), ERR_NONE);
	ck_assert_int_eq(uconn_decode_feed(decode, buf_str(&coded)), ERR_DECODED_TOO_LARGE);
	uconn_decode_stop(decode);
	/* more went in than may come out: empty members make nothing */
	ck_assert_int_eq(start("gzip", 60), ERR_NONE);
	buf_clear(&coded);
	for (int i = 0; i < 4; i++)
		gzip(STR(""), &coded);
	ck_assert_uint_gt(coded.n, 60);
	ck_assert_int_eq(uconn_decode_feed(decode, str_of(coded.p, 60)), ERR_NONE);
	ck_assert_int_eq(
	    uconn_decode_feed(decode, str_of(coded.p + 60, 1)), ERR_RESPONSE_TOO_LARGE);
	buf_fini(&coded);
	teardown(); /* the arena stops the last one */
}
END_TEST

UNIT_MAIN("uconn_decode", plain_answers_are_left_alone, pieces_become_the_body_and_are_counted,
    what_is_cut_short_or_too_much_fails)
