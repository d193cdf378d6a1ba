#include "codec/h1_frame.h"

#include <stdio.h>

#include "h1_drive.h"
#include "unit.h"

/* A body on the wire, whose kind h1_frame_request() finds from `fields`, must end in `want`. */
static void
check_body(const char *fields, struct str body, const char *want)
{
	struct drive d = { 0 };
	struct buf bytes = BUF_INIT, text = BUF_INIT;

	buf_printf(&bytes, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", fields);
	buf_add(&bytes, body);
	if (strncmp(want, "reject", 6) != 0)
		buf_add_c(&text, "accept POST / a\n");
	buf_add_c(&text, want);
	drive_check(&d, fields, buf_str(&bytes), buf_str(&text));
	buf_fini(&bytes);
	buf_fini(&text);
	buf_fini(&d.out);
}

static void
check_chunks(struct str body, const char *want)
{
	check_body("Transfer-Encoding: chunked", body, want);
}

START_TEST(counts_lengths)
{
	check_body("Content-Length: 0", STR("x"), "left \"x\"\n");
	check_body("Content-Length: 3", STR("abcx"), "body \"abc\"\nleft \"x\"\n");
	check_body("Content-Length: 3", STR("ab"), "body \"ab\"\nincomplete\n");
	check_body("Connection: y", STR("ab"), "left \"ab\"\n");
	check_body("Content-Length: 9223372036854775808", STR(""), "reject 400 bad_framing\n");
}
END_TEST

START_TEST(decodes_chunks)
{
	check_chunks(STR("0\r\n\r\nx"), "left \"x\"\n");
	check_chunks(STR("3\r\nabc\r\n0\r\n\r\n"), "body \"abc\"\n");
	check_chunks(STR("1\r\na\r\n00B\r\nbcdefghijkl\r\n000\r\n\r\nx"), "body \"abcdefghijkl\"\nleft \"x\"\n");
	check_chunks(STR("2;a;b=c;d=\"\\\"e\tf;\" ; g = h\r\nab\r\n0;x\r\n\r\n"), "body \"ab\"\n");
	check_chunks(STR("1\r\na\r\n0\r\nX: y\r\nContent-Length:9\r\n\r\nx"), "body \"a\"\nleft \"x\"\n");
	check_chunks(STR("2\r\nab\r\n"), "body \"ab\"\nincomplete\n");
	check_chunks(STR("0\r\n"), "incomplete\n");
}
END_TEST

START_TEST(refuses_bad_chunks)
{
	static const struct str bad[] = {
		STR_INIT("\r\n"), STR_INIT("g\r\n"), STR_INIT("+1\r\n"), STR_INIT("-1\r\n"),
		STR_INIT("0x1\r\n"), STR_INIT(" 1\r\n"), STR_INIT("1 \r\n"), STR_INIT("1\n"),
		STR_INIT("1\r\r\n"), STR_INIT("1\rx"), STR_INIT("1\r\nab"), STR_INIT("1\r\na\n"),
		STR_INIT("1\r\na\rx"), STR_INIT("00000000000000001\r\n"),
		STR_INIT("8000000000000000\r\n"), STR_INIT("1;\r\n"), STR_INIT("1;a=\r\n"),
		STR_INIT("1;=b\r\n"), STR_INIT("1;a b\r\n"), STR_INIT("1;a=b c\r\n"),
		STR_INIT("1;a=\"b\r\n"), STR_INIT("1;a=\"b\"c\r\n"), STR_INIT("1;a=\"\\\r\n"),
		STR_INIT("1;a\n"), STR_INIT("1;a\x01\r\n"), STR_INIT("1;a=\"\x7f\"\r\n"),
		STR_INIT("1;a=\"\0\"\r\n"), STR_INIT("1;a \r\n"), STR_INIT("1 a\r\n"),
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		check_chunks(bad[i], "reject 400 bad_chunk\n");
}
END_TEST

START_TEST(refuses_bad_trailers)
{
	static const struct str bad[] = { STR_INIT("0\r\n\n"), STR_INIT("0\r\n\rx"),
		STR_INIT("0\r\n a: b\r\n"), STR_INIT("0\r\na : b\r\n"), STR_INIT("0\r\na\r\n"),
		STR_INIT("0\r\n:b\r\n"), STR_INIT("0\r\na: b\n"), STR_INIT("0\r\na: \x01\r\n"),
		STR_INIT("0\r\na: b\r\n c\r\n"), STR_INIT("0\r\na: b\rc"), STR_INIT("0\r\na: \0\r\n") };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		check_chunks(bad[i], "reject 400 bad_field\n");
}
END_TEST

/* `n` times `piece` between `before` and `after`. */
static void
check_many(const char *before, size_t n, const char *piece, const char *after, bool is_fine)
{
	struct h1_frame frame = { .kind = H1_FRAME_CHUNKED };
	struct buf b = BUF_INIT;
	struct str in, payload;
	enum h1_progress progress;
	size_t used;

	buf_add_c(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_add_c(&b, piece);
	buf_add_c(&b, after);
	in = buf_str(&b);
	do {
		progress = h1_frame_feed(&frame, in, &used, &payload);
		in = str_of(in.p + used, in.n - used);
	} while (progress == H1_MORE && in.n > 0);
	ck_assert_msg(progress == (is_fine ? H1_DONE : H1_REFUSED), "%zu of \"%s\"", n, piece);
	buf_fini(&b);
}

START_TEST(bounds_what_is_not_payload)
{
	char extended[300];

	check_many("1;", H1_FRAME_MAX_EXTENSION - 2, "a", "\r\nx\r\n0\r\n\r\n", true);
	check_many("1;", H1_FRAME_MAX_EXTENSION, "a", "\r\nx\r\n0\r\n\r\n", false);
	check_many("0\r\n", H1_FRAME_MAX_TRAILERS, "a:\r\n", "\r\n", true);
	check_many("0\r\n", H1_FRAME_MAX_TRAILERS + 1, "a:\r\n", "\r\n", false);
	check_many("0\r\na:", H1_FRAME_MAX_TRAILER_BYTES - 7, "a", "\r\n\r\n", true);
	check_many("0\r\na:", H1_FRAME_MAX_TRAILER_BYTES, "a", "\r\n\r\n", false);
	/* small chunks may go on for ever, small chunks with large extensions not */
	check_many("", 1000000, "1\r\nx\r\n", "0\r\n\r\n", true);
	check_many("", 100000, "00000000001\r\nx\r\n", "0\r\n\r\n", true);
	snprintf(extended, sizeof(extended), "1;%0200d\r\nx\r\n", 1);
	check_many("", 80, extended, "0\r\n\r\n", true);
	check_many("", 120, extended, "0\r\n\r\n", false);
}
END_TEST

START_TEST(is_done_before_the_first_byte_without_a_body)
{
	static const struct h1_limits limits = { 256, 64 };
	struct header slots[2];
	struct h1_head head;
	struct h1_frame frame;
	struct str payload;
	size_t used = 1;

	h1_head_init_request(&head, &limits, slots, ARRAY_LEN(slots));
	ck_assert_int_eq(h1_head_feed(&head, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), H1_DONE);
	ck_assert_int_eq(h1_frame_request(&frame, &head), ERR_NONE);
	ck_assert(h1_frame_is_done(&frame));
	ck_assert_int_eq(h1_frame_feed(&frame, STR(""), &used, &payload), H1_DONE);
	ck_assert_uint_eq(used, 0);
	ck_assert_int_eq(h1_frame_feed(&frame, str_none(), &used, &payload), H1_DONE);
	ck_assert_int_eq(h1_frame_eof(&frame), ERR_NONE);
}
END_TEST

static void
check_response(enum http_method asked, const char *text, const char *want)
{
	struct drive d = { .is_response = true, .asked = asked };

	drive_check(&d, text, str_c(text), str_c(want));
	buf_fini(&d.out);
}

START_TEST(ends_responses_by_the_rules)
{
	check_response(METHOD_GET, "HTTP/1.1 200 OK\r\n\r\nabc", "accept 200\nclose\nbody \"abc\"\n");
	check_response(METHOD_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx",
	    "accept 200\nleft \"x\"\n");
	check_response(METHOD_GET, "HTTP/1.1 304 X\r\nContent-Length: 3\r\n\r\n", "accept 304\n");
	check_response(METHOD_GET, "HTTP/1.1 204 X\r\nContent-Length: 3\r\n\r\nabc",
	    "accept 204\nclose\nleft \"abc\"\n");
	check_response(METHOD_GET, "HTTP/1.1 101 X\r\n\r\n", "reject 502 invalid_response\n");
	check_response(METHOD_CONNECT, "HTTP/1.1 200 X\r\n\r\n", "reject 502 invalid_response\n");
	check_response(METHOD_GET, "HTTP/1.1 100 X\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 1\r\n\r\na",
	    "accept 100\naccept 200\nbody \"a\"\n");
}
END_TEST

START_TEST(tells_cut_off_messages)
{
	struct h1_frame frame = { .kind = H1_FRAME_CHUNKED };

	ck_assert_int_eq(h1_frame_eof(&frame), ERR_CLIENT_GONE);
	frame.is_response = true;
	ck_assert_int_eq(h1_frame_eof(&frame), ERR_RESET);
}
END_TEST

/* In two parts, cut at every offset: what stands before `behind` is one piece of each part. */
static void
check_together(const char *text, const char *want, const char *behind)
{
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		struct h1_frame frame = { .kind = H1_FRAME_CHUNKED };
		struct buf in = BUF_INIT, out = BUF_INIT;
		enum h1_progress progress;
		struct str payload;
		size_t first, used;

		buf_add_c(&in, text);
		progress = h1_frame_feed_all(&frame, in.p, cut, &first, &payload);
		ck_assert(progress == H1_DONE || first == cut);
		buf_add(&out, payload);
		if (progress == H1_MORE) {
			progress = h1_frame_feed_all(&frame, in.p + first, in.n - first, &used, &payload);
			buf_add(&out, payload);
			first += used;
		}
		ck_assert_int_eq(progress, H1_DONE);
		ck_assert_str_eq(buf_c(&out), want);
		ck_assert_str_eq(text + first, behind);
		buf_fini(&in);
		buf_fini(&out);
	}
}

START_TEST(moves_tiny_chunks_together)
{
	struct h1_frame frame = { .kind = H1_FRAME_CHUNKED };
	char bad[] = "1\r\na\r\n1\r\nb\r\nX";
	struct str payload;
	size_t used;

	check_together("1\r\na\r\n1;x=y\r\nb\r\n3\r\ncde\r\n0\r\nT: 1\r\n\r\nGET", "abcde", "GET");
	check_together("0\r\n\r\n", "", "");
	ck_assert_int_eq(h1_frame_feed_all(&frame, bad, sizeof(bad) - 1, &used, &payload), H1_REFUSED);
	ck_assert(str_eq(payload, STR("ab")));
}
END_TEST

UNIT_MAIN("h1_frame", counts_lengths, decodes_chunks, refuses_bad_chunks, refuses_bad_trailers,
    bounds_what_is_not_payload, is_done_before_the_first_byte_without_a_body,
    moves_tiny_chunks_together,
    ends_responses_by_the_rules, tells_cut_off_messages)
