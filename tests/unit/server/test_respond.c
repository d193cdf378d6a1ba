#include "server/respond.h"

#include "unit.h"

static struct arena arena;
static struct respond_context ctx;
static bool is_chunked;

static void
setup(uint8_t minor, bool is_persistent)
{
	arena_reset(&arena);
	ctx = (struct respond_context){
		.date = STR("D"), .minor = minor, .is_persistent = is_persistent
	};
}

START_TEST(writes_answers)
{
	struct answer a = { .status = 503,
		.content_type = STR("t/x"),
		.retry_after_s = 2,
		.fields = STR("A: b\r\n"),
		.body_bytes = 12 };

	setup(1, true);
	ctx.is_relayed = true;
	ck_assert_str_is(respond_answer(&ctx, &a, &arena),
	    "HTTP/1.1 503 Service Unavailable\r\nDate: D\r\nContent-Type: t/x\r\nContent-Length: "
	    "12\r\n"
	    "Retry-After: 2\r\nVia: 1.1 gatherd\r\nA: b\r\n\r\n");
	arena_reset(&arena);
}
END_TEST

START_TEST(tells_what_becomes_of_the_connection)
{
	struct answer a = { .status = 204 };

	setup(1, false);
	ck_assert_str_is(respond_answer(&ctx, &a, &arena),
	    "HTTP/1.1 204 No Content\r\nDate: D\r\nConnection: close\r\n\r\n");
	setup(0, true);
	ck_assert_str_is(respond_answer(&ctx, &a, &arena),
	    "HTTP/1.1 204 No Content\r\nDate: D\r\nConnection: keep-alive\r\n\r\n");
	setup(0, false);
	a.status = 299;
	ck_assert_str_is(respond_answer(&ctx, &a, &arena),
	    "HTTP/1.1 299 \r\nDate: D\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	arena_reset(&arena);
}
END_TEST

static struct str
stream_head(enum exchange_length kind, uint64_t length)
{
	struct header slots[4];
	struct header_list fields;
	struct exchange_head head = { .status = 200, .fields = &fields, .length_kind = kind };

	header_list_init(&fields, slots, 4);
	header_list_add(&fields, STR("content-length"), STR("99"));
	header_list_add(&fields, STR("Transfer-Encoding"), STR("chunked"));
	header_list_add(&fields, STR("Keep-Alive"), STR("timeout=1"));
	header_list_add(&fields, STR("X-A"), STR("1"));
	head.has_length = kind == EXCHANGE_LENGTH_KNOWN;
	head.length = length;
	return respond_stream(&ctx, &head, &arena, &is_chunked);
}

START_TEST(frames_streams_anew)
{
	setup(1, true);
	ck_assert_str_is(stream_head(EXCHANGE_LENGTH_KNOWN, 5),
	    "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: D\r\nContent-Length: 5\r\n\r\n");
	ck_assert(!is_chunked);
	ck_assert_str_is(stream_head(EXCHANGE_LENGTH_UNKNOWN, 0),
	    "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n");
	ck_assert(is_chunked);
	ck_assert_str_is(
	    stream_head(EXCHANGE_LENGTH_NONE, 0), "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: D\r\n\r\n");
	setup(0, false);
	ck_assert_str_is(stream_head(EXCHANGE_LENGTH_UNKNOWN, 0),
	    "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: D\r\nConnection: close\r\n\r\n");
	ck_assert(!is_chunked);
	arena_reset(&arena);
}
END_TEST

START_TEST(knows_which_answers_have_bodies)
{
	ck_assert(respond_has_body(METHOD_GET, 200));
	ck_assert(respond_has_body(METHOD_OTHER, 404));
	ck_assert(!respond_has_body(METHOD_HEAD, 200));
	ck_assert(!respond_has_body(METHOD_GET, 204));
	ck_assert(!respond_has_body(METHOD_GET, 304));
}
END_TEST

UNIT_MAIN("respond", writes_answers, tells_what_becomes_of_the_connection, frames_streams_anew,
    knows_which_answers_have_bodies)
