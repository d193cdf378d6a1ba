/* Every coding there and back, cut at random places; what is damaged, endless or too much is told apart. */
#include "codec/coding.h"

#include <string.h>

#include "base/rnd.h"
#include "unit.h"

#define STORE_BYTES ((size_t)64 << 20)

static struct freelist pieces;
static struct coding_store store;
static struct rnd rnd;
static const struct coding_limits no_limits = { UINT64_C(1) << 30, UINT64_C(1) << 30 };

static void
setup(void)
{
	freelist_init(&pieces, SIZE_MAX);
	coding_store_init(&store, STORE_BYTES, &pieces);
	rnd_init(&rnd, 4711);
}

static void
teardown(void)
{
	ck_assert_uint_eq(store.n_states, 0);
	ck_assert_uint_eq(store.used_bytes, 0);
	freelist_fini(&pieces);
}

/* A text that compresses about as JSON does. */
static void
fill(struct buf *out, size_t n)
{
	while (out->n < n)
		buf_printf(out, "{\"id\":%u,\"name\":\"user %u\",\"price\":%u.50},\n",
		    (unsigned)(rnd_u64(&rnd) % 1000), (unsigned)(rnd_u64(&rnd) % 64),
		    (unsigned)(rnd_u64(&rnd) % 10000));
	out->n = n;
}

static void
encode(enum coding coding, unsigned level, struct str text, struct buf *out)
{
	const struct coding_setup how = { coding, level, text.n };
	struct coding_encoder *e = coding_encoder_new(&store, &how);

	coding_encode(e, text, CODING_FINISH, out);
	coding_encoder_free(&e);
	ck_assert_ptr_null(e);
}

/* In pieces of at most `piece` bytes; the end is looked for as well. */
static enum err_code
decode(enum coding coding, const struct coding_limits *limits, struct str coded, size_t piece,
    struct buf *out)
{
	struct coding_decoder *d = coding_decoder_new(&store, coding, limits);
	enum err_code e = ERR_NONE;

	for (size_t at = 0; at < coded.n && e == ERR_NONE;) {
		size_t n = piece == 0 ? (size_t)(rnd_u64(&rnd) % 50) : piece;

		n = n < coded.n - at ? n : coded.n - at;
		e = coding_decode(d, str_of(coded.p + at, n), out);
		at += n;
	}
	if (e == ERR_NONE)
		e = coding_decode_end(d);
	coding_decoder_free(&d);
	ck_assert_ptr_null(d);
	ck_assert_uint_eq(store.n_states, 0);
	return e;
}

static void
assert_decodes(enum coding coding, struct str coded, struct str text, size_t piece)
{
	struct buf back = BUF_INIT;

	ck_assert_int_eq(decode(coding, &no_limits, coded, piece, &back), ERR_NONE);
	ck_assert_uint_eq(back.n, text.n);
	ck_assert(text.n == 0 || memcmp(back.p, text.p, text.n) == 0);
	buf_fini(&back);
}

START_TEST(whole_bodies_come_back)
{
	static const size_t sizes[] = { 0, 1, 200, 249, 250, 251, 5000, 32506, 32768, 200000 };

	setup();
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (unsigned level = 1; level <= 9; level++) {
			for (enum coding c = CODING_GZIP; c <= CODING_BR; c++) {
				struct buf text = BUF_INIT, coded = BUF_INIT;

				fill(&text, sizes[i]);
				encode(c, level, buf_str(&text), &coded);
				assert_decodes(c, buf_str(&coded), buf_str(&text), SIZE_MAX);
				if (sizes[i] <= 5000)
					assert_decodes(c, buf_str(&coded), buf_str(&text), 1);
				assert_decodes(c, buf_str(&coded), buf_str(&text), 0);
				buf_fini(&text);
				buf_fini(&coded);
			}
		}
	}
	teardown();
}
END_TEST

/* What was flushed can be decoded before anything else has come. */
START_TEST(flushed_input_can_be_read_at_once)
{
	setup();
	for (enum coding c = CODING_GZIP; c <= CODING_BR; c++) {
		const struct coding_setup how = { c, 4, 0 };
		struct coding_encoder *e = coding_encoder_new(&store, &how);
		struct coding_decoder *d = coding_decoder_new(&store, c, &no_limits);
		struct buf text = BUF_INIT, back = BUF_INIT;

		for (int i = 0; i < 300; i++) {
			size_t before = text.n, cut;
			struct buf coded = BUF_INIT;

			fill(&text, before + (size_t)(rnd_u64(&rnd) % 3000));
			cut = before + (size_t)(rnd_u64(&rnd) % (text.n - before + 1));
			coding_encode(
			    e, str_of(text.p + before, cut - before), CODING_HOLD, &coded);
			coding_encode(e, str_of(text.p + cut, text.n - cut), CODING_FLUSH, &coded);
			if (i % 3 == 0) /* and once more, with nothing new */
				coding_encode(e, str_none(), CODING_FLUSH, &coded);
			ck_assert_int_eq(coding_decode(d, buf_str(&coded), &back), ERR_NONE);
			ck_assert_uint_eq(back.n, text.n);
			ck_assert_int_eq(memcmp(back.p, text.p, text.n), 0);
			buf_fini(&coded);
		}
		ck_assert_int_eq(coding_decode_end(d), ERR_CONTENT_CODING_INVALID);
		coding_encoder_free(&e);
		coding_decoder_free(&d);
		buf_fini(&text);
		buf_fini(&back);
	}
	teardown();
}
END_TEST

START_TEST(every_cut_and_every_byte_behind_the_end_is_noticed)
{
	setup();
	for (enum coding c = CODING_GZIP; c <= CODING_BR; c++) {
		struct buf text = BUF_INIT, coded = BUF_INIT, back = BUF_INIT;

		fill(&text, 700);
		encode(c, 5, buf_str(&text), &coded);
		for (size_t n = 1; n < coded.n; n++) {
			buf_clear(&back);
			ck_assert_int_eq(
			    decode(c, &no_limits, str_of(coded.p, n), SIZE_MAX, &back),
			    ERR_CONTENT_CODING_INVALID);
		}
		buf_add_c(&coded, "x");
		for (size_t piece = 1; piece <= coded.n; piece++) {
			buf_clear(&back);
			ck_assert_int_eq(decode(c, &no_limits, buf_str(&coded), piece, &back),
			    ERR_CONTENT_CODING_INVALID);
		}
		buf_fini(&text);
		buf_fini(&coded);
		buf_fini(&back);
	}
	teardown();
}
END_TEST

/* Brotli has no checksum: what is damaged may decode to something else, but never to the text. */
START_TEST(damage_is_noticed)
{
	setup();
	for (enum coding c = CODING_GZIP; c <= CODING_BR; c++) {
		struct buf text = BUF_INIT, coded = BUF_INIT, back = BUF_INIT;

		fill(&text, 700);
		encode(c, 5, buf_str(&text), &coded);
		for (size_t i = 10; i < coded.n; i++) {
			enum err_code e;

			coded.p[i] ^= 0x20;
			buf_clear(&back);
			e = decode(c, &no_limits, buf_str(&coded), SIZE_MAX, &back);
			coded.p[i] ^= 0x20;
			if (c == CODING_GZIP)
				ck_assert_int_eq(e, ERR_CONTENT_CODING_INVALID);
			else
				ck_assert(e != ERR_NONE || back.n != text.n ||
				    memcmp(back.p, text.p, text.n) != 0);
		}
		buf_fini(&text);
		buf_fini(&coded);
		buf_fini(&back);
	}
	teardown();
}
END_TEST

START_TEST(members_of_gzip_follow_each_other)
{
	struct buf coded = BUF_INIT;

	setup();
	encode(CODING_GZIP, 5, STR("one "), &coded);
	encode(CODING_GZIP, 5, STR(""), &coded);
	encode(CODING_GZIP, 5, STR("two"), &coded);
	for (size_t piece = 1; piece < coded.n; piece++)
		assert_decodes(CODING_GZIP, buf_str(&coded), STR("one two"), piece);
	buf_fini(&coded);
	teardown();
}
END_TEST

/* The zlib format, of zlib itself. */
static const char zlib_hello[] = "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15";

START_TEST(deflate_is_the_zlib_format)
{
	struct str coded = str_of(zlib_hello, sizeof zlib_hello - 1);
	struct buf back = BUF_INIT;

	setup();
	assert_decodes(CODING_DEFLATE, coded, STR("hello"), 1);
	assert_decodes(CODING_DEFLATE, coded, STR("hello"), SIZE_MAX);
	ck_assert_int_eq(decode(CODING_DEFLATE, &no_limits, str_of(coded.p + 2, coded.n - 6),
			     SIZE_MAX, &back),
	    ERR_CONTENT_CODING_INVALID);
	buf_fini(&back);
	teardown();
}
END_TEST

START_TEST(no_byte_at_all_is_an_empty_body)
{
	setup();
	for (enum coding c = CODING_GZIP; c <= CODING_DEFLATE; c++)
		assert_decodes(c, STR(""), STR(""), 1);
	teardown();
}
END_TEST

static void
bomb(enum coding coding, size_t n, struct buf *out)
{
	const struct coding_setup how = { coding, 9, 0 };
	struct coding_encoder *e = coding_encoder_new(&store, &how);
	char *zeros = calloc(1, 1 << 20);

	for (size_t i = 0; i < n >> 20; i++)
		coding_encode(e, str_of(zeros, 1 << 20), CODING_HOLD, out);
	coding_encode(e, str_none(), CODING_FINISH, out);
	coding_encoder_free(&e);
	free(zeros);
}

START_TEST(bombs_are_refused_by_ratio_and_by_size)
{
	static const struct coding_limits by_ratio = { UINT64_C(1) << 30, 200 };
	static const struct coding_limits by_size = { 1 << 20, UINT64_MAX };

	setup();
	for (enum coding c = CODING_GZIP; c <= CODING_BR; c++) {
		struct buf coded = BUF_INIT, back = BUF_INIT;

		bomb(c, (size_t)64 << 20, &coded);
		ck_assert_int_eq(
		    decode(c, &by_ratio, buf_str(&coded), SIZE_MAX, &back), ERR_DECODED_RATIO);
		ck_assert_uint_lt(back.cap, (size_t)200 * 65536);
		buf_fini(&back);
		ck_assert_int_eq(
		    decode(c, &by_size, buf_str(&coded), SIZE_MAX, &back), ERR_DECODED_TOO_LARGE);
		ck_assert_uint_le(back.cap, (size_t)3 << 20);
		buf_fini(&back);
		ck_assert_int_eq(
		    decode(c, &by_size, buf_str(&coded), 7, &back), ERR_DECODED_TOO_LARGE);
		buf_fini(&back);
		buf_fini(&coded);
	}
	teardown();
}
END_TEST

START_TEST(limits_are_exact)
{
	setup();
	for (enum coding c = CODING_GZIP; c <= CODING_BR; c++) {
		struct buf text = BUF_INIT, coded = BUF_INIT, back = BUF_INIT;
		struct coding_limits limits = { 50000, 1000 };

		fill(&text, 50000);
		encode(c, 5, buf_str(&text), &coded);
		ck_assert_int_eq(decode(c, &limits, buf_str(&coded), 0, &back), ERR_NONE);
		buf_clear(&back);
		limits.max_bytes = 49999;
		ck_assert_int_eq(
		    decode(c, &limits, buf_str(&coded), 0, &back), ERR_DECODED_TOO_LARGE);
		ck_assert_uint_le(back.n, 50000);
		buf_fini(&text);
		buf_fini(&coded);
		buf_fini(&back);
	}
	teardown();
}
END_TEST

/* A metablock of 16 MiB is announced in a window of 16 MiB: the ring may not follow. */
static const char br_greedy[] = "\x0f\xff\xff\xff\x81\x00\x00";

START_TEST(a_decoder_takes_no_more_memory_than_it_may)
{
	static const struct coding_limits small = { 100000, UINT64_MAX };
	struct buf coded = BUF_INIT, back = BUF_INIT;
	enum err_code e;

	setup();
	e = decode(CODING_BR, &small, str_of(br_greedy, sizeof br_greedy - 1), SIZE_MAX, &back);
	ck_assert(e == ERR_DECODED_TOO_LARGE || e == ERR_CONTENT_CODING_INVALID);
	ck_assert_uint_le(pieces.free_bytes, coding_decoder_bytes(100000));
	buf_fini(&coded);
	buf_fini(&back);
	teardown();
}
END_TEST

START_TEST(no_compressor_takes_more_than_it_is_charged)
{
	struct buf text = BUF_INIT;

	setup();
	fill(&text, 3 << 20);
	for (size_t i = 0; i < 1 << 20; i++) /* and what does not compress */
		buf_add_char(&text, (char)rnd_u64(&rnd));
	for (enum coding c = CODING_GZIP; c <= CODING_BR; c++) {
		for (unsigned level = 1; level <= 9; level++) {
			static const size_t cuts[] = { 3000, 65536 };

			for (size_t k = 0; k < ARRAY_LEN(cuts); k++) {
				const struct coding_setup how = { c, level, 0 };
				struct buf out = BUF_INIT;
				struct coding_encoder *e;

				e = coding_encoder_new(&store, &how);
				ck_assert_uint_eq(store.used_bytes, coding_encoder_bytes(&how));
				for (size_t at = 0; at < text.n; at += cuts[k]) {
					size_t n = text.n - at < cuts[k] ? text.n - at : cuts[k];

					coding_encode(
					    e, str_of(text.p + at, n), CODING_FLUSH, &out);
					buf_clear(&out);
				}
				coding_encode(e, str_none(), CODING_FINISH, &out);
				coding_encoder_free(&e);
				/* all that it ever had is free now */
				ck_assert_msg(pieces.free_bytes <= coding_encoder_bytes(&how),
				    "%s %u took %zu", coding_name(c).p, level, pieces.free_bytes);
				buf_fini(&out);
				freelist_fini(&pieces);
				freelist_init(&pieces, SIZE_MAX);
			}
		}
	}
	buf_fini(&text);
	teardown();
}
END_TEST

START_TEST(the_store_has_a_ceiling)
{
	const struct coding_setup how = { CODING_GZIP, 5, 0 };
	size_t each = coding_encoder_bytes(&how);
	struct coding_encoder *e[4];

	setup();
	store.max_bytes = 4 * each - 1;
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(e[i] = coding_encoder_new(&store, &how));
	ck_assert_ptr_null(coding_encoder_new(&store, &how));
	coding_encoder_free(&e[0]);
	ck_assert_uint_gt(pieces.free_bytes, 200000);
	ck_assert_ptr_nonnull(e[0] = coding_encoder_new(&store, &how));
	ck_assert_uint_lt(pieces.free_bytes, 20000);
	for (int i = 0; i < 3; i++)
		coding_encoder_free(&e[i]);
	teardown();
}
END_TEST

START_TEST(a_small_body_needs_little)
{
	struct coding_setup how = { CODING_GZIP, 5, 1500 };

	ck_assert_uint_lt(coding_encoder_bytes(&how), 64 << 10);
	how.size_bytes = 1;
	ck_assert_uint_lt(coding_encoder_bytes(&how), 32 << 10);
}
END_TEST

static enum err_code
coding_of(const char *first, const char *second, enum coding *out)
{
	struct header at[2];
	struct header_list list;

	header_list_init(&list, at, 2);
	if (first != NULL)
		ck_assert(header_list_add(&list, STR("content-encoding"), str_c(first)));
	if (second != NULL)
		ck_assert(header_list_add(&list, STR("Content-Encoding"), str_c(second)));
	return coding_of_fields(&list, out);
}

/* What comes out in several steps shares its room: a small body does not move to a larger one at each of them. */
START_TEST(output_grows_only_when_it_is_full)
{
	static const enum coding codings[] = { CODING_GZIP, CODING_BR };

	setup();
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		const struct coding_setup how = { codings[i], 5, 0 };
		struct coding_encoder *e = coding_encoder_new(&store, &how);
		struct buf text = BUF_INIT, out = BUF_INIT;
		size_t cap;

		fill(&text, 500);
		coding_encode(e, buf_str(&text), CODING_HOLD, &out);
		cap = out.cap;
		for (int part = 0; part < 4; part++)
			coding_encode(e, buf_str(&text), CODING_FLUSH, &out);
		coding_encode(e, str_none(), CODING_FINISH, &out);
		ck_assert_uint_gt(out.n, 0);
		ck_assert_uint_eq(out.cap, cap);
		coding_encoder_free(&e);
		buf_fini(&text);
		buf_fini(&out);
	}
	teardown();
}
END_TEST

START_TEST(one_coding_is_understood)
{
	static const struct {
		const char *first, *second;
		enum coding coding;
	} fine[] = {
		{ NULL, NULL, CODING_IDENTITY },
		{ "", NULL, CODING_IDENTITY },
		{ "identity", "Identity", CODING_IDENTITY },
		{ "gzip", NULL, CODING_GZIP },
		{ "X-GZip", NULL, CODING_GZIP },
		{ " , br ,", NULL, CODING_BR },
		{ "deflate, identity", NULL, CODING_DEFLATE },
	};
	static const struct {
		const char *first, *second;
	} wrong[] = { { "gzip, gzip", NULL }, { "gzip", "br" }, { "zstd", NULL }, { "gzip;q=1", NULL },
		{ "compress", NULL }, { "\"gzip\"", NULL } };
	enum coding c;

	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		ck_assert_int_eq(coding_of(fine[i].first, fine[i].second, &c), ERR_NONE);
		ck_assert_int_eq(c, fine[i].coding);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_int_eq(
		    coding_of(wrong[i].first, wrong[i].second, &c), ERR_CONTENT_CODING_UNKNOWN);
}
END_TEST

UNIT_MAIN("coding", whole_bodies_come_back, flushed_input_can_be_read_at_once,
    every_cut_and_every_byte_behind_the_end_is_noticed, damage_is_noticed,
    members_of_gzip_follow_each_other, deflate_is_the_zlib_format, no_byte_at_all_is_an_empty_body,
    bombs_are_refused_by_ratio_and_by_size, limits_are_exact,
    a_decoder_takes_no_more_memory_than_it_may, no_compressor_takes_more_than_it_is_charged,
    the_store_has_a_ceiling, a_small_body_needs_little,
    output_grows_only_when_it_is_full, one_coding_is_understood)
