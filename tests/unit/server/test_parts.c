#include "server/parts.h"

#include "server/server_rig.h"

static struct rig r;
static struct call_conf calls[3];

static struct route_conf *
open_rig(enum route_format format)
{
	struct route_conf *route;

	rig_open(&r);
	route = rig_route(&r, "/x", "GET");
	route->kind = ROUTE_CALLS;
	calls[0] = rig_call("user", "/user");
	calls[1] = rig_call("orders", "/orders");
	calls[1].is_required = false;
	route->calls = calls;
	route->n_calls = 2;
	route->formats[0] = format;
	route->n_formats = 1;
	return route;
}

static void
setup(enum route_format format)
{
	open_rig(format);
	rig_start(&r);
	rig_ask(&r, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 2);
}

START_TEST(lines_leave_as_calls_end)
{
	setup(FORMAT_NDJSON);
	rig_answer(&r, rig_up(&r, " /orders "), "application/json", "[1,\r\n 2]");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Type: application/x-ndjson\r\n");
	rig_assert_has(&r.client[0], "\r\nTransfer-Encoding: chunked\r\n");
	rig_assert_lacks(&r.client[0], "Vary");
	rig_assert_ends(&r.client[0], "{\"call\":\"orders\",\"result\":[1, 2]}\n\r\n");
	rig_answer(&r, rig_up(&r, " /user "), "application/json", "{\"id\": 7}");
	rig_assert_ends(&r.client[0],
	    "{\"call\":\"user\",\"result\":{\"id\": 7}}\n{\"complete\":true}\n\r\n0\r\n\r\n");
	rig_ask(&r, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(optional_failures_are_records)
{
	setup(FORMAT_SSE);
	rig_say(&r, rig_up(&r, " /orders "), "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Type: text/event-stream\r\n");
	rig_assert_has(&r.client[0],
	    "event: failure\ndata: {\"call\":\"orders\",\"error\":\"status_not_accepted\",\"ms\":0}"
	    "\n\n");
	rig_answer(&r, rig_up(&r, " /user "), "application/json", "{}");
	rig_assert_has(&r.client[0],
	    "event: user\ndata: {}\n\nevent: end\ndata: {\"complete\":false}\n\n");
	rig_close(&r);
}
END_TEST

START_TEST(a_deciding_failure_before_the_head_is_an_ordinary_error)
{
	setup(FORMAT_NDJSON);
	rig_say(&r, rig_up(&r, " /user "), "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 502 ");
	rig_assert_has(&r.client[0], "\r\nContent-Type: application/problem+json\r\n");
	rig_assert_has(&r.client[0], "\"call\":\"user\"");
	ck_assert(rig_up(&r, " /orders ")->is_ended || rig_up(&r, " /orders ")->is_broken);
	rig_close(&r);
}
END_TEST

START_TEST(a_deciding_failure_after_the_head_ends_the_stream_in_good_order)
{
	setup(FORMAT_NDJSON);
	rig_answer(&r, rig_up(&r, " /orders "), "application/json", "1");
	rig_say(&r, rig_up(&r, " /user "), "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	rig_assert_has(&r.client[0],
	    "{\"call\":\"user\",\"error\":\"status_not_accepted\",\"ms\":0}\n"
	    "{\"complete\":false,\"problem\":{\"status\":502,");
	rig_assert_has(&r.client[0], "\"call\":\"user\",\"reason\":\"status_not_accepted\"}}\n");
	rig_assert_ends(&r.client[0], "\r\n0\r\n\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(multipart_passes_bytes_and_types_on)
{
	open_rig(FORMAT_MULTIPART);
	calls[1].format = PART_BASE64;
	rig_start(&r);
	rig_ask(&r, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_answer(&r, rig_up(&r, " /orders "), "image/png", "\x89PNG\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Type: multipart/mixed; boundary=");
	rig_assert_has(&r.client[0],
	    "\r\nContent-Type: image/png\r\nContent-Disposition: inline; name=\"orders\"\r\n"
	    "Content-Length: 6\r\n\r\n\x89PNG\r\n\r\n");
	rig_answer(&r, rig_up(&r, " /user "), "application/json; v=1", "{\n}");
	rig_assert_has(&r.client[0], "\r\nContent-Type: application/json; v=1\r\n");
	rig_assert_has(&r.client[0], "\r\n\r\n{\n}\r\n--");
	rig_assert_ends(&r.client[0], "--\r\n\r\n0\r\n\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(accept_chooses)
{
	struct route_conf *route = open_rig(FORMAT_JSON);

	route->formats[1] = FORMAT_SSE;
	route->n_formats = 2;
	rig_start(&r);
	rig_ask(&r, "GET /x HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 406 ");
	rig_assert_has(&r.client[0], "\"not_acceptable\"");
	rig_assert_has(&r.client[0], "\r\nVary: Accept\r\n");
	ck_assert_uint_eq(r.n_up, 0);
	rig_ask(&r,
	    "GET /x HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream, */*;q=0.1\r\n\r\n");
	rig_answer(&r, rig_up(&r, " /orders "), "application/json", "1");
	rig_assert_has(&r.client[0], "\r\nContent-Type: text/event-stream\r\n");
	rig_assert_has(&r.client[0], "\r\nVary: Accept\r\n");
	rig_leave(&r, 0);
	ck_assert(rig_up(&r, " /user ")->is_ended || rig_up(&r, " /user ")->is_broken);
	rig_close(&r);
}
END_TEST

START_TEST(head_ends_with_the_first_part)
{
	open_rig(FORMAT_NDJSON);
	rig_start(&r);
	rig_ask(&r, "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_answer(&r, rig_up(&r, " /orders "), "application/json", "1");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_lacks(&r.client[0], "chunked");
	rig_assert_ends(&r.client[0], "\r\n\r\n");
	ck_assert(rig_up(&r, " /user ")->is_ended || rig_up(&r, " /user ")->is_broken);
	rig_close(&r);
}
END_TEST

START_TEST(http_1_0_ends_with_the_connection)
{
	open_rig(FORMAT_NDJSON);
	rig_start(&r);
	rig_ask(&r, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	rig_answer(&r, rig_up(&r, " /orders "), "application/json", "1");
	rig_answer(&r, rig_up(&r, " /user "), "application/json", "2");
	rig_assert_lacks(&r.client[0], "chunked");
	rig_assert_has(&r.client[0], "\r\nConnection: close\r\n");
	rig_assert_ends(&r.client[0],
	    "\r\n\r\n{\"call\":\"orders\",\"result\":1}\n{\"call\":\"user\",\"result\":2}\n"
	    "{\"complete\":true}\n");
	rig_close(&r);
}
END_TEST

UNIT_MAIN("parts", lines_leave_as_calls_end, optional_failures_are_records,
    a_deciding_failure_before_the_head_is_an_ordinary_error,
    a_deciding_failure_after_the_head_ends_the_stream_in_good_order,
    multipart_passes_bytes_and_types_on, accept_chooses, head_ends_with_the_first_part,
    http_1_0_ends_with_the_connection)
