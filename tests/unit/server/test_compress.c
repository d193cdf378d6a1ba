#include "server/compress.h"

#include "server/server_rig.h"

static struct rig r;
static struct conf_text types[] = { { .s = STR("text/*") }, { .s = STR("application/json") } };

#define HUNDRED \
	"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 012345678901"
#define LONG HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

static void
compress_route(struct route_conf *route)
{
	route->compress = (struct compress_conf){
		.codings = { CODING_BR, CODING_GZIP },
		.n_codings = 2,
		.min_bytes = 1000,
		.types = { types, 2 },
		.gzip_level = 5,
		.br_level = 4,
	};
}

/* What follows the first empty line of an answer. */
static struct str
body_of(struct rig_end *end)
{
	const char *text = buf_c(&end->in), *at = strstr(text, "\r\n\r\n");

	ck_assert_ptr_nonnull(at);
	return str_of(at + 4, end->in.n - (size_t)(at + 4 - text));
}

static void
add_chunks(struct str rest, struct buf *out)
{
	struct h1_frame frame = { .kind = H1_FRAME_CHUNKED };
	enum h1_progress progress = H1_MORE;

	while (rest.n > 0 && progress == H1_MORE) {
		struct str payload;
		size_t used;

		progress = h1_frame_feed(&frame, rest, &used, &payload);
		buf_add(out, payload);
		rest = str_of(rest.p + used, rest.n - used);
	}
	ck_assert_int_ne(progress, H1_REFUSED);
}

/* What the coded bytes say so far; the end must be there or not. */
static void
assert_says(enum coding coding, struct str coded, const char *want, bool is_whole)
{
	static const struct coding_limits limits = { UINT64_C(1) << 30, UINT64_MAX };
	struct coding_decoder *d = coding_decoder_new(&r.coding, coding, &limits);
	struct buf text = BUF_INIT;

	ck_assert_int_eq(coding_decode(d, coded, &text), ERR_NONE);
	ck_assert_int_eq(
	    coding_decode_end(d), is_whole ? ERR_NONE : ERR_CONTENT_CODING_INVALID);
	ck_assert_uint_eq(text.n, strlen(want));
	ck_assert_str_eq(buf_c(&text), want);
	coding_decoder_free(&d);
	buf_fini(&text);
}

static void
assert_chunks_say(enum coding coding, const char *want, bool is_whole)
{
	struct buf coded = BUF_INIT;

	add_chunks(body_of(&r.client[0]), &coded);
	assert_says(coding, buf_str(&coded), want, is_whole);
	buf_fini(&coded);
}

static void
ask(const char *method, const char *path, const char *accept, const char *more)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n%s\r\n", method, path,
	    accept, more);
	rig_ask(&r, buf_c(&text));
	buf_fini(&text);
}

/* ---- whole answers */

static void
open_reply(const char *body)
{
	rig_open(&r);
	compress_route(rig_reply(&r, "/x", "GET", body));
	compress_route(rig_reply(&r, "/short", "GET", "short"));
	rig_reply(&r, "/plain", "GET", LONG);
	rig_start(&r);
}

START_TEST(a_whole_answer_is_compressed_as_the_client_wants)
{
	open_reply(LONG);
	ask("GET", "/x", "gzip", "");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Encoding: gzip\r\n");
	rig_assert_has(&r.client[0], "\r\nVary: Accept-Encoding\r\n");
	rig_assert_lacks(&r.client[0], "chunked");
	assert_says(CODING_GZIP, body_of(&r.client[0]), LONG, true);
	ask("GET", "/x", "gzip, br", "");
	rig_assert_has(&r.client[0], "\r\nContent-Encoding: br\r\n");
	assert_says(CODING_BR, body_of(&r.client[0]), LONG, true);
	ask("GET", "/x", "zstd, identity;q=0", "");
	rig_assert_lacks(&r.client[0], "Content-Encoding");
	rig_assert_has(&r.client[0], "\r\nVary: Accept-Encoding\r\n");
	rig_assert_ends(&r.client[0], LONG);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_COMPRESSION_IN, 1, 0), 2 * strlen(LONG));
	ck_assert_uint_lt(metric_get(&r.metrics, METRIC_COMPRESSION_OUT, 1, 0), 400);
	rig_close(&r);
}
END_TEST

START_TEST(what_is_not_to_be_compressed_is_left_alone)
{
	static struct conf_pair coded = { { .s = STR("content-encoding") }, { .s = STR("zstd") } };
	static struct conf_pair fixed = { { .s = STR("Cache-Control") },
		{ .s = STR("no-transform") } };
	static struct conf_pair image = { { .s = STR("Content-Type") }, { .s = STR("image/png") } };
	struct conf_pair *const fields[] = { &coded, &fixed, &image };
	static const char *const paths[] = { "/coded", "/fixed", "/image", "/short", "/plain" };

	rig_open(&r);
	for (size_t i = 0; i < 3; i++) {
		struct route_conf *route = rig_reply(&r, paths[i], "GET", LONG);

		compress_route(route);
		route->reply.headers = (struct conf_pair_list){ fields[i], 1 };
	}
	compress_route(rig_reply(&r, "/short", "GET", "short"));
	rig_reply(&r, "/plain", "GET", LONG);
	compress_route(rig_reply(&r, "/x", "GET", LONG));
	rig_start(&r);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		ask("GET", paths[i], "gzip", "");
		rig_assert_lacks(&r.client[0], "Content-Encoding: gzip");
		rig_assert_lacks(&r.client[0], "Vary");
	}
	ask("GET", "/x", "gzip", "Cache-Control: no-transform\r\n");
	rig_assert_lacks(&r.client[0], "Content-Encoding");
	rig_close(&r);
}
END_TEST

START_TEST(head_tells_what_get_would_but_for_the_length)
{
	open_reply(LONG);
	ask("HEAD", "/x", "gzip", "");
	rig_assert_has(&r.client[0], "\r\nContent-Encoding: gzip\r\n");
	rig_assert_has(&r.client[0], "\r\nVary: Accept-Encoding\r\n");
	rig_assert_lacks(&r.client[0], "Content-Length");
	rig_assert_ends(&r.client[0], "\r\n\r\n");
	ask("HEAD", "/x", "identity", "");
	rig_assert_has(&r.client[0], "\r\nContent-Length: 1100\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(a_long_answer_takes_several_turns)
{
	struct buf text = BUF_INIT;

	for (int i = 0; i < 10000; i++)
		buf_printf(&text, "line %d\n", i * 7919);
	for (int drop = 0; drop < 2; drop++) {
		open_reply(buf_c(&text));
		rig_connect(&r, 0);
		rig_put(&r.client[0], STR("GET /x HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"));
		while (r.coding.n_states == 0)
			loop_turn(r.loop, 0);
		loop_turn(r.loop, 0);
		ck_assert_uint_eq(r.coding.n_states, 1);
		ck_assert_uint_eq(r.client[0].in.n, 0);
		if (drop == 0) {
			rig_settle(&r);
			assert_says(CODING_GZIP, body_of(&r.client[0]), buf_c(&text), true);
			rig_ask(&r, "GET /short HTTP/1.1\r\nHost: x\r\n\r\n");
			rig_assert_ends(&r.client[0], "short");
		} else {
			rig_leave(&r, 0);
		}
		rig_close(&r);
	}
	buf_fini(&text);
}
END_TEST

START_TEST(without_memory_answers_leave_as_they_are)
{
	open_reply(LONG);
	r.coding.max_bytes = 1000;
	ask("GET", "/x", "gzip", "");
	rig_assert_lacks(&r.client[0], "Content-Encoding");
	rig_assert_has(&r.client[0], "\r\nVary: Accept-Encoding\r\n");
	rig_assert_ends(&r.client[0], LONG);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_COMPRESSION_SKIPPED, 1, 0), 1);
	rig_close(&r);
}
END_TEST

/* ---- streamed ones */

static void
open_proxy(void)
{
	rig_open(&r);
	compress_route(rig_proxy(&r, "/x"));
	rig_start(&r);
}

#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

START_TEST(each_event_leaves_in_its_turn)
{
	static const char *const codings[] = { "gzip", "br" };

	for (size_t i = 0; i < 2; i++) {
		enum coding coding;

		open_proxy();
		ck_assert(coding_find(str_c(codings[i]), &coding));
		ask("GET", "/x", codings[i], "");
		rig_say(&r, &r.up[0], CHUNKED_HEAD "9\r\ndata: 1\n\n\r\n");
		rig_assert_has(&r.client[0], "\r\nTransfer-Encoding: chunked\r\n");
		assert_chunks_say(coding, "data: 1\n\n", false);
		rig_say(&r, &r.up[0], "9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\n");
		assert_chunks_say(coding, "data: 1\n\ndata: 2\n\ndata: 3\n\n", false);
		rig_say(&r, &r.up[0], "0\r\n\r\n");
		rig_assert_ends(&r.client[0], "\r\n0\r\n\r\n");
		assert_chunks_say(coding, "data: 1\n\ndata: 2\n\ndata: 3\n\n", true);
		ask("GET", "/x", "identity", "");
		rig_close(&r);
	}
}
END_TEST

START_TEST(a_body_of_known_length_is_streamed_without_it)
{
	open_proxy();
	ask("GET", "/x", "gzip", "");
	rig_say(&r, &r.up[0],
	    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: \"v1\"\r\nAccept-Ranges: bytes\r\n"
	    "Vary: Origin\r\nContent-Length: 1100\r\n\r\n" LONG);
	rig_assert_has(&r.client[0], "\r\nETag: W/\"v1\"\r\n");
	rig_assert_has(&r.client[0], "\r\nVary: Origin, Accept-Encoding\r\n");
	rig_assert_lacks(&r.client[0], "Accept-Ranges");
	rig_assert_lacks(&r.client[0], "Content-Length");
	assert_chunks_say(CODING_GZIP, LONG, true);
	rig_close(&r);
}
END_TEST

START_TEST(parts_of_a_body_and_304_keep_their_bytes)
{
	open_proxy();
	ask("GET", "/x", "gzip", "Range: bytes=0-1099\r\n");
	rig_say(&r, &r.up[0],
	    "HTTP/1.1 206 Partial Content\r\nContent-Type: text/html\r\nETag: \"v1\"\r\n"
	    "Content-Range: bytes 0-1099/5000\r\nContent-Length: 1100\r\n\r\n" LONG);
	rig_assert_has(&r.client[0], "\r\nETag: \"v1\"\r\n");
	rig_assert_has(&r.client[0], "\r\nVary: Accept-Encoding\r\n");
	rig_assert_lacks(&r.client[0], "Content-Encoding");
	rig_assert_ends(&r.client[0], LONG);
	ask("GET", "/x", "gzip", "If-None-Match: W/\"v1\"\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 304 ");
	rig_assert_has(&r.client[0], "\r\nETag: W/\"v1\"\r\n");
	rig_assert_has(&r.client[0], "\r\nVary: Accept-Encoding\r\n");
	rig_assert_lacks(&r.client[0], "Content-Encoding");
	ask("GET", "/x", "identity", "If-None-Match: \"v1\"\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nETag: \"v1\"\r\n");
	ask("HEAD", "/x", "gzip", "");
	rig_say(&r, &r.up[0],
	    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1100\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Encoding: gzip\r\n");
	rig_assert_lacks(&r.client[0], "Content-Length");
	rig_assert_ends(&r.client[0], "\r\n\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(a_client_of_version_1_0_has_the_close_as_its_end)
{
	open_proxy();
	rig_ask(&r, "GET /x HTTP/1.0\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n");
	rig_say(&r, &r.up[0],
	    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1100\r\n\r\n" LONG);
	rig_assert_has(&r.client[0], "\r\nContent-Encoding: gzip\r\n");
	ck_assert(r.client[0].is_ended);
	assert_says(CODING_GZIP, body_of(&r.client[0]), LONG, true);
	rig_close(&r);
}
END_TEST

/* A client that takes nothing stops the upstream; what is held is bounded; then all of it comes. */
START_TEST(a_slow_client_stops_the_upstream)
{
	static char chunk[32768 + 20];
	size_t sent = 0, bytes = 0, n_chunks = 0;
	struct buf coded = BUF_INIT, text = BUF_INIT;
	static const struct coding_limits limits = { UINT64_C(1) << 30, UINT64_MAX };
	struct coding_decoder *d;
	struct rnd rnd;

	open_proxy();
	rnd_init(&rnd, 1);
	ask("GET", "/x", "gzip", "");
	rig_say(&r, &r.up[0], CHUNKED_HEAD);
	r.client[0].is_deaf = true;
	stream_want_read(r.client[0].stream, false);
	for (int i = 0; i < 400; i++) {
		struct iovec iov = { chunk, 0 };
		size_t n = (size_t)snprintf(chunk, sizeof chunk, "%x\r\n", 32768), put;

		for (size_t k = 0; k < 32768; k++)
			chunk[n + k] = (char)rnd_u64(&rnd);
		memcpy(chunk + n + 32768, "\r\n", 2);
		iov.iov_len = n + 32768 + 2;
		if (stream_writev(r.up[0].stream, &iov, 1, &put) != IO_OK)
			break;
		rig_settle(&r);
		if (put < iov.iov_len) {
			sent = n + 32768 + 2 - put;
			memmove(chunk, chunk + put, sent);
			n_chunks++;
			break;
		}
		n_chunks++;
	}
	ck_assert_uint_lt(n_chunks, 200);
	stream_want_read(r.client[0].stream, true);
	rig_settle(&r);
	while (sent > 0) {
		rig_put(&r.up[0], str_of(chunk, sent));
		sent = 0;
	}
	rig_say(&r, &r.up[0], "0\r\n\r\n");
	add_chunks(body_of(&r.client[0]), &coded);
	d = coding_decoder_new(&r.coding, CODING_GZIP, &limits);
	ck_assert_int_eq(coding_decode(d, buf_str(&coded), &text), ERR_NONE);
	ck_assert_int_eq(coding_decode_end(d), ERR_NONE);
	coding_decoder_free(&d);
	bytes = text.n;
	ck_assert_uint_eq(bytes, n_chunks * 32768);
	buf_fini(&coded);
	buf_fini(&text);
	rig_close(&r);
}
END_TEST

START_TEST(a_stream_that_is_cut_off_leaves_nothing_behind)
{
	for (int who = 0; who < 2; who++) {
		open_proxy();
		ask("GET", "/x", "br", "");
		rig_say(&r, &r.up[0], CHUNKED_HEAD "5\r\nhello\r\n");
		ck_assert_uint_eq(r.coding.n_states, 1);
		if (who == 0) {
			stream_reset(&r.up[0].stream);
			rig_settle(&r);
			rig_assert_lacks(&r.client[0], "\r\n0\r\n\r\n");
		} else {
			rig_leave(&r, 0);
		}
		ck_assert_uint_eq(r.coding.n_states, 0);
		ck_assert_uint_eq(r.coding.used_bytes, 0);
		rig_close(&r);
	}
}
END_TEST

UNIT_MAIN("compress", a_whole_answer_is_compressed_as_the_client_wants,
    what_is_not_to_be_compressed_is_left_alone, head_tells_what_get_would_but_for_the_length,
    a_long_answer_takes_several_turns, without_memory_answers_leave_as_they_are,
    each_event_leaves_in_its_turn, a_body_of_known_length_is_streamed_without_it,
    parts_of_a_body_and_304_keep_their_bytes, a_client_of_version_1_0_has_the_close_as_its_end,
    a_slow_client_stops_the_upstream, a_stream_that_is_cut_off_leaves_nothing_behind)
