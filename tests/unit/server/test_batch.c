#include "server/batch.h"

#include "server/server_rig.h"

#define TEXT "\"Content-Type\":\"text/plain; charset=utf-8\""

static struct rig r;

static struct route_conf *
open_rig(void)
{
	struct route_conf *route;

	rig_open(&r);
	route = rig_route(&r, "/batch", "POST");
	route->kind = ROUTE_BATCH;
	route->batch = (struct batch_conf){ .max = 5, .parallel = 2, .max_body_bytes = 1024 };
	rig_reply(&r, "/a", "GET", "AAA");
	rig_reply(&r, "/late", "GET", "L")->reply.delay_ns = NS_PER_SEC;
	rig_reply(&r, "/echo/{rest...}", "", "{query.q|none} {header.x|none} {body}");
	rig_proxy(&r, "/p/{rest...}");
	return route;
}

static void
ask(const char *body)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "POST /batch HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
	    body);
	rig_ask(&r, buf_c(&text));
	buf_fini(&text);
}

static void
setup(const char *body)
{
	open_rig();
	rig_start(&r);
	ask(body);
}

START_TEST(answers_in_the_order_of_the_entries)
{
	setup("[{\"path\":\"/late\"},{\"path\":\"/a\"},{\"path\":\"/nowhere\"}]");
	ck_assert_uint_eq(r.client[0].in.n, 0);
	rig_wait(&r, NS_PER_SEC + NS_PER_MS);
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Type: application/json\r\n");
	rig_assert_has(&r.client[0], "\r\n\r\n[{\"status\":200,\"headers\":{" TEXT "},\"body\":\"L\"},\n"
				     "{\"status\":200,\"headers\":{" TEXT "},\"body\":\"AAA\"},\n"
				     "{\"status\":404,\"headers\":{\"Content-Type\":"
				     "\"application/problem+json\"},\"body\":{\"status\":404,");
	rig_assert_ends(&r.client[0], "\"no_route\"}}]\n");
	rig_close(&r);
}
END_TEST

START_TEST(entries_say_what_a_request_says)
{
	setup("[{\"method\":\"PUT\",\"path\":\"/echo/x?q=1\",\"headers\":{\"X\":\"\\u0041\"},\"body\":\"b\\n\"},"
	      "{\"method\":\"PUT\",\"path\":\"/echo/x\",\"body\":{\"n\": 1.0}}]");
	rig_assert_has(&r.client[0], "\"body\":\"1 A b\\n\"");
	rig_assert_has(&r.client[0], "\"body\":\"none none {\\\"n\\\": 1.0}\"");
	rig_close(&r);
}
END_TEST

static void
assert_bad_entry(const char *entry, const char *reason)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "[%s,{\"path\":\"/a\"}]", entry);
	ask(buf_c(&text));
	buf_fini(&text);
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\r\n\r\n[{\"status\":4");
	rig_assert_has(&r.client[0], reason);
	rig_assert_ends(&r.client[0], "\"AAA\"}]\n");
}

START_TEST(bad_entries_are_answered_one_by_one)
{
	open_rig();
	rig_start(&r);
	assert_bad_entry("1", "\"bad_entry\"");
	assert_bad_entry("{}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":1}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"a\"}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"*\",\"method\":\"OPTIONS\"}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"http://x/a\"}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a HTTP/1.1\\r\\nX: y\"}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\\u0000\"}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a/../b\"}", "\"bad_target\"");
	assert_bad_entry("{\"path\":\"/a\",\"method\":\"G T\"}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"method\":null}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":[]}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":{\"x\":1}}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":{\"x\":[[]]}}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":{\"x y\":\"\"}}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":{\"x\":\"a\\nb: c\"}}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":{\"host\":\"y\"}}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":{\"content-length\":\"1\"}}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":{\"connection\":\"x\"}}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"headers\":{\"x-forwarded-for\":\"1.1.1.1\"}}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/a\",\"other\":1}", "\"bad_entry\"");
	assert_bad_entry("{\"path\":\"/batch\",\"method\":\"POST\",\"body\":[]}", "\"nested_batch\"");
	rig_close(&r);
}
END_TEST

START_TEST(what_is_no_batch_is_refused)
{
	setup("{}");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 ");
	rig_assert_has(&r.client[0], "\"bad_body\"");
	ask("[1");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 ");
	ask("");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 ");
	ask("[1,2,3,4,5,6]");
	rig_assert_begins(&r.client[0], "HTTP/1.1 413 ");
	rig_assert_has(&r.client[0], "\"batch_too_large\"");
	ask(" [ ] ");
	rig_assert_ends(&r.client[0], "\r\n\r\n[]\n");
	rig_close(&r);
}
END_TEST

START_TEST(streamed_answers_are_collected)
{
	setup("[{\"path\":\"/p/1\"},{\"path\":\"/p/2\"},{\"path\":\"/p/3\"}]");
	ck_assert_uint_eq(r.n_up, 2); /* parallel */
	rig_say(&r, rig_up(&r, " /p/1 "),
	    "HTTP/1.1 201 Made\r\nSet-Cookie: a\r\nX-Hop: 1\r\nConnection: X-Hop\r\nSet-Cookie: b\r\n"
	    "Content-Type: a/b+json; v=1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n");
	rig_say(&r, rig_up(&r, " /p/1 "), "2\r\n2]\r\n0\r\n\r\n");
	rig_say(&r, rig_up(&r, " /p/3 "), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
	stream_close(&rig_up(&r, " /p/3 ")->stream);
	rig_settle(&r);
	rig_say(&r, rig_up(&r, " /p/2 "), "HTTP/1.1 204 No\r\n\r\n");
	rig_assert_has(&r.client[0],
	    "\r\n\r\n[{\"status\":201,\"headers\":{\"Set-Cookie\":[\"a\",\"b\"],"
	    "\"Content-Type\":\"a/b+json; v=1\"},\"body\":[1,2]},\n"
	    "{\"status\":204,\"headers\":{},\"body\":null},\n{\"status\":502,");
	rig_assert_has(&r.client[0], "\"reset\"");
	rig_close(&r);
}
END_TEST

START_TEST(answers_have_a_limit)
{
	static char body[1100];

	setup("[{\"path\":\"/p/1\"},{\"path\":\"/a\"}]");
	memset(body, 'x', sizeof(body) - 1);
	rig_say(&r, rig_up(&r, " /p/1 "), "HTTP/1.1 200 OK\r\nContent-Length: 1099\r\n\r\n");
	rig_say(&r, rig_up(&r, " /p/1 "), body);
	rig_assert_has(&r.client[0], "\r\n\r\n[{\"status\":502,");
	rig_assert_has(&r.client[0], "\"response_too_large\"");
	ck_assert_uint_eq(r.server.n_exchanges, 0);
	rig_leave(&r, 0);
	ask("[{\"path\":\"/p/1\"}]");
	memset(body, '\001', sizeof(body) - 1);
	body[500] = '\0';
	rig_say(&r, rig_up(&r, " /p/1 "), "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
	rig_say(&r, rig_up(&r, " /p/1 "), body);
	rig_assert_has(&r.client[0], "\"response_too_large\"");
	rig_close(&r);
}
END_TEST

START_TEST(the_time_of_the_batch_ends_it)
{
	open_rig()->timeout_ns = NS_PER_SEC / 2;
	rig_start(&r);
	ask("[{\"path\":\"/a\"},{\"path\":\"/late\"},{\"path\":\"/late\"},{\"path\":\"/late\"}]");
	rig_wait(&r, NS_PER_SEC / 2 + NS_PER_MS);
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\"AAA\"},\n{\"status\":504,");
	rig_assert_ends(&r.client[0], "\"batch_timeout\"}}]\n");
	ask("[{\"path\":\"/a\"}]");
	rig_assert_ends(&r.client[0], "\"AAA\"}]\n");
	rig_close(&r);
}
END_TEST

START_TEST(a_client_that_leaves_ends_its_entries)
{
	setup("[{\"path\":\"/p/1\"},{\"path\":\"/late\"},{\"path\":\"/p/2\"}]");
	ck_assert_uint_eq(r.n_up, 1);
	rig_leave(&r, 0);
	ck_assert(r.up[0].is_ended || r.up[0].is_broken);
	ck_assert_uint_eq(r.server.n_exchanges, 0);
	rig_close(&r);
}
END_TEST

START_TEST(entries_have_permits_of_their_own)
{
	open_rig();
	limiter_slot_init(&r.admission_slot, 1, 0);
	rig_start(&r);
	ask("[{\"path\":\"/late\"},{\"path\":\"/a\"}]");
	rig_wait(&r, NS_PER_SEC + NS_PER_MS);
	rig_assert_has(&r.client[0], "\"body\":\"L\"");
	rig_assert_has(&r.client[0], "\"overloaded\"");
	rig_assert_has(&r.client[0], "\"Retry-After\":\"1\"");
	rig_close(&r);
}
END_TEST

UNIT_MAIN("batch", answers_in_the_order_of_the_entries, entries_say_what_a_request_says,
    bad_entries_are_answered_one_by_one, what_is_no_batch_is_refused,
    streamed_answers_are_collected, answers_have_a_limit, the_time_of_the_batch_ends_it,
    a_client_that_leaves_ends_its_entries, entries_have_permits_of_their_own)
