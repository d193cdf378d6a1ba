#include "server/proxy.h"

#include <stdio.h>

#include "server/server_rig.h"

static struct rig r;

static void
setup(void)
{
	rig_open(&r);
	rig_proxy(&r, "/p/{rest...}");
	rig_route(&r, "/s/{rest...}", "")->kind = ROUTE_PROXY;
	r.routes[1].proxy.path.s = STR("/new/{rest}");
	rig_start(&r);
}

START_TEST(writes_the_request_anew)
{
	setup();
	rig_ask(&r,
	    "GET /p/a%2Fb?x=1&y HTTP/1.1\r\nhost: shop.example\r\nUser-Agent:  t \r\n"
	    "Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nX-Other: 2\r\nUpgrade: h2c\r\n"
	    "TE: trailers\r\nVia: 1.1 front\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1\r\n"
	    "Proxy-Connection: close\r\n\r\n");
	rig_assert_begins(&r.up[0], "GET /p/a%2Fb?x=1&y HTTP/1.1\r\nHost: up\r\n");
	rig_assert_has(&r.up[0], "\r\nUser-Agent: t\r\n");
	rig_assert_has(&r.up[0], "\r\nX-Other: 2\r\n");
	rig_assert_has(&r.up[0], "\r\nVia: 1.1 front, 1.1 gatherd\r\n");
	rig_assert_has(&r.up[0], "\r\nX-Forwarded-For: 192.0.2.7\r\n");
	rig_assert_has(&r.up[0], "\r\nX-Forwarded-Host: shop.example\r\n");
	rig_assert_has(&r.up[0], "\r\nX-Forwarded-Proto: http\r\n");
	rig_assert_has(&r.up[0], "\r\ntraceparent: 00-");
	rig_assert_lacks(&r.up[0], "X-Mine");
	rig_assert_lacks(&r.up[0], "Upgrade");
	rig_assert_lacks(&r.up[0], "TE:");
	rig_assert_lacks(&r.up[0], "Forwarded: for");
	rig_assert_lacks(&r.up[0], "1.2.3.4");
	rig_assert_lacks(&r.up[0], "Connection");
	rig_assert_lacks(&r.up[0], "Content-Length");
	rig_close(&r);
}
END_TEST

static void
setup_with_headers(struct conf_pair *pairs, size_t n)
{
	rig_open(&r);
	rig_proxy(&r, "/p/{rest...}");
	r.routes[0].proxy.headers = (struct conf_pair_list){ pairs, n };
	rig_start(&r);
}

START_TEST(fields_of_the_route_replace_those_of_the_client)
{
	struct conf_pair pairs[] = {
		{ .name = { .s = STR("X-User") }, .value = { .s = STR("u {rest}") } },
		{ .name = { .s = STR("X-Query") }, .value = { .s = STR("{query.q}") } },
		{ .name = { .s = STR("X-Empty") }, .value = { .s = STR("{header.x-none|}") } },
	};

	setup_with_headers(pairs, ARRAY_LEN(pairs));
	rig_ask(&r,
	    "GET /p/a?q=1 HTTP/1.1\r\nHost: x\r\nX-USER: root\r\nx_user: root\r\nx-empty: root\r\nX-Mine: 1\r\n"
	    "Connection: X-User\r\n\r\n");
	rig_assert_has(&r.up[0], "\r\nX-User: u a\r\nX-Query: 1\r\nX-Empty: \r\nX-Mine: 1\r\n\r\n");
	rig_assert_lacks(&r.up[0], "root");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	/* of a body that is still under way nothing is waited for */
	rig_ask(&r, "POST /p/a HTTP/1.1\r\nHost: x\r\nX-Query: 1\r\nContent-Length: 100000\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 Bad Request\r\n");
	rig_assert_has(&r.client[0], "missing_reference");
	rig_assert_lacks(&r.up[0], "POST");
	rig_close(&r);
}
END_TEST

START_TEST(a_key_of_the_route_makes_a_post_repeatable)
{
	struct conf_pair pairs[] = {
		{ .name = { .s = STR("idempotency-key") }, .value = { .s = STR("{rest}") } },
	};

	setup_with_headers(pairs, ARRAY_LEN(pairs));
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	rig_ask(&r, "POST /p/b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
	rig_assert_has(&r.up[0], "\r\nidempotency-key: b\r\n");
	stream_close(&r.up[0].stream);
	rig_settle(&r);
	ck_assert_uint_eq(r.n_up, 2);
	rig_assert_begins(&r.up[1], "POST /p/b HTTP/1.1\r\n");
	rig_assert_has(&r.up[1], "\r\nidempotency-key: b\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(answers_are_framed_anew)
{
	setup();
	rig_ask(&r, "GET /s/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.up[0], "GET /new/a HTTP/1.1\r\n");
	rig_say(&r, &r.up[0],
	    "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
	    "X-Keep: 2\r\nDate: then\r\nVia: 1.0 back\r\nUpgrade: h2c\r\n\r\nhello");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\r\nX-Keep: 2\r\n");
	rig_assert_has(&r.client[0], "\r\nDate: then\r\n");
	rig_assert_has(&r.client[0], "\r\nVia: 1.0 back\r\n");
	rig_assert_has(&r.client[0], "\r\nVia: 1.1 gatherd\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Length: 5\r\n");
	rig_assert_lacks(&r.client[0], "X-Hop");
	rig_assert_lacks(&r.client[0], "Upgrade");
	rig_assert_lacks(&r.client[0], "Connection");
	rig_assert_ends(&r.client[0], "\r\n\r\nhello");
	rig_close(&r);
}
END_TEST

START_TEST(chunks_become_chunks)
{
	setup();
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(
	    &r, &r.up[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext\r\nabc\r\n");
	rig_assert_has(&r.client[0], "\r\nTransfer-Encoding: chunked\r\n");
	rig_assert_has(&r.client[0], "\r\nDate: ");
	rig_assert_ends(&r.client[0], "\r\n\r\n3\r\nabc\r\n");
	rig_say(&r, &r.up[0], "2\r\nde\r\n0\r\nTrailer: x\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	rig_ask(&r, "GET /p/b HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 1);
	rig_close(&r);
}
END_TEST

START_TEST(close_delimited_answers_become_chunks)
{
	setup();
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.0 200 OK\r\n\r\nabc");
	rig_assert_ends(&r.client[0], "\r\n\r\n3\r\nabc\r\n");
	stream_close(&r.up[0].stream);
	rig_settle(&r);
	rig_assert_ends(&r.client[0], "0\r\n\r\n");
	ck_assert(!r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(http_1_0_clients_get_the_close)
{
	setup();
	rig_ask(&r, "GET /p/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	rig_say(&r, &r.up[0],
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nConnection: close\r\n");
	rig_assert_lacks(&r.client[0], "Transfer-Encoding");
	rig_assert_ends(&r.client[0], "\r\n\r\nabc");
	ck_assert(r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(answers_without_a_body)
{
	setup();
	rig_ask(&r, "HEAD /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Length: 77\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n");
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(
	    &r, &r.up[0], "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 77\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 304 Not Modified\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n");
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 204 No Content\r\n\r\n");
	rig_assert_lacks(&r.client[0], "Content-Length");
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Length: 0\r\n");
	ck_assert_uint_eq(r.n_up, 1);
	rig_close(&r);
}
END_TEST

START_TEST(small_bodies_go_up_whole)
{
	setup();
	rig_ask(&r,
	    "POST /p/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Type: t/x\r\n\r\nhel");
	ck_assert_uint_eq(r.n_up, 0);
	rig_say(&r, &r.client[0], "lo");
	rig_assert_has(&r.up[0], "\r\nContent-Length: 5\r\n");
	rig_assert_has(&r.up[0], "\r\nContent-Type: t/x\r\n");
	rig_assert_ends(&r.up[0], "\r\n\r\nhello");
	rig_close(&r);
}
END_TEST

START_TEST(chunked_bodies_are_streamed_up)
{
	setup();
	rig_ask(
	    &r, "POST /p/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	rig_assert_has(&r.up[0], "\r\nTransfer-Encoding: chunked\r\n");
	rig_assert_ends(&r.up[0], "\r\n\r\n3\r\nabc\r\n");
	rig_say(&r, &r.client[0], "2;a=b\r\nde\r\n0\r\nX: 1\r\n\r\n");
	rig_assert_ends(&r.up[0], "\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	ck_assert(!r.client[0].is_ended);
	/* the same over the connection that is ready now: no event tells that the head has left */
	rig_ask(&r, "POST /p/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n");
	rig_assert_ends(&r.up[0], "\r\n\r\n3\r\nxyz\r\n0\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 1);
	rig_close(&r);
}
END_TEST

/* Each would otherwise be a write of its own, and nothing bounds how many a client makes of its body. */
START_TEST(tiny_chunks_of_one_read_become_one)
{
	setup();
	rig_ask(&r, "POST /p/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	rig_say(&r, &r.client[0], "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n");
	rig_assert_ends(&r.up[0], "\r\n\r\n3\r\nabc\r\n");
	rig_say(&r, &r.client[0], "1\r\nd\r\n1\r\ne\r\n0\r\n\r\n");
	rig_assert_ends(&r.up[0], "\r\n2\r\nde\r\n0\r\n\r\n");
	rig_say(&r, &r.up[0],
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n1\r\ny\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n2\r\nxy\r\n");
	rig_say(&r, &r.up[0], "1\r\nz\r\n1\r\n!\r\n0\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n2\r\nxy\r\n2\r\nz!\r\n0\r\n\r\n");
	rig_ask(&r, "GET /p/b HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 1);
	rig_close(&r);
}
END_TEST

/* A piece that is sent from where it lies takes the end of the answer with it. */
START_TEST(a_large_last_chunk_leaves_with_the_end)
{
	struct buf answer = BUF_INIT;

	setup();
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	buf_add_c(&answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n");
	memset(buf_reserve(&answer, 3000), 'x', 3000);
	buf_commit(&answer, 3000);
	buf_add_c(&answer, "\r\n0\r\n\r\n");
	rig_put(&r.up[0], buf_str(&answer));
	rig_settle(&r);
	rig_assert_ends(&r.client[0], "xxx\r\n0\r\n\r\n");
	rig_assert_lacks(&r.client[0], "0\r\n\r\n0\r\n");
	rig_ask(&r, "GET /p/b HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 1);
	buf_fini(&answer);
	rig_close(&r);
}
END_TEST

START_TEST(large_bodies_of_known_length)
{
	static char big[200000];
	char head[100];

	setup();
	memset(big, 'x', sizeof(big) - 1);
	snprintf(head, sizeof(head), "PUT /p/a HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
	    sizeof(big) - 1);
	rig_ask(&r, head);
	rig_assert_ends(&r.up[0], "\r\n\r\n");
	for (size_t at = 0; at < sizeof(big) - 1;) {
		struct iovec iov = { big + at, sizeof(big) - 1 - at };
		size_t put = 0;

		ck_assert_int_eq(stream_writev(r.client[0].stream, &iov, 1, &put), IO_OK);
		at += put;
		rig_settle(&r);
	}
	rig_assert_ends(&r.up[0], "xxxx");
	ck_assert_uint_gt(r.up[0].in.n, sizeof(big) - 1);
	rig_say(&r, &r.up[0], "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 201 Created\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(continue_is_said_when_the_upstream_is_there)
{
	setup();
	r.upstream_conf.concurrency.limit = 1;
	rig_ask(&r, "POST /p/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 100 Continue\r\n\r\n");
	rig_assert_lacks(&r.up[0], "Expect");
	rig_say(&r, &r.client[0], "0\r\n\r\n");
	rig_assert_ends(&r.up[0], "\r\n\r\n0\r\n\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(slow_readers_slow_the_upstream)
{
	static char piece[60000];
	size_t sum = 0;

	setup();
	memset(piece, 'x', sizeof(piece));
	r.client[0].is_deaf = true;
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	for (int i = 0; i < 100; i++) {
		struct iovec iov = { piece, sizeof(piece) };
		size_t put = 0;

		if (stream_writev(r.up[0].stream, &iov, 1, &put) == IO_AGAIN)
			break;
		sum += put;
		rig_settle(&r);
	}
	ck_assert_uint_lt(sum, 400000); /* two windows of the world and one buffer of the daemon */
	stream_want_read(r.client[0].stream, true);
	rig_settle(&r);
	ck_assert_uint_gt(r.client[0].in.n, sum);
	rig_close(&r);
}
END_TEST

/* The end of the answer is known while the client cannot take its last piece: it is told once, and behind it. */
START_TEST(a_refused_last_piece_takes_the_end_with_it_later)
{
	static char piece[9000];
	size_t put;

	setup();
	memset(piece, 'x', sizeof(piece));
	r.client[0].is_deaf = true;
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	/* Eight fill the window of the client, and some of them waits: the ninth is refused. */
	for (int i = 0; i < 9; i++) {
		rig_say(&r, &r.up[0], "2328\r\n");
		ck_assert_int_eq(
		    stream_push(r.up[0].stream, str_of(piece, sizeof(piece)), &put), IO_OK);
		rig_say(&r, &r.up[0], i < 8 ? "\r\n" : "\r\n1\r\n!\r\n0\r\n\r\n");
	}
	rig_settle(&r);
	ck_assert_uint_eq(r.server.n_exchanges, 1);
	stream_want_read(r.client[0].stream, true);
	rig_settle(&r);
	rig_assert_ends(&r.client[0], "!\r\n0\r\n\r\n");
	rig_assert_lacks(&r.client[0], "0\r\n\r\n0\r\n");
	ck_assert_uint_gt(r.client[0].in.n, 9 * sizeof(piece));
	r.client[0].is_deaf = false;
	rig_ask(&r, "GET /p/b HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 1);
	rig_close(&r);
}
END_TEST

START_TEST(a_cut_answer_is_never_a_clean_end)
{
	setup();
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	stream_close(&r.up[0].stream);
	rig_settle(&r);
	ck_assert(r.client[0].is_ended || r.client[0].is_broken);
	rig_assert_lacks(&r.client[0], "0\r\n\r\n");
	rig_leave(&r, 0);
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[1], "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
	stream_close(&r.up[1].stream);
	rig_settle(&r);
	ck_assert(r.client[0].is_ended || r.client[0].is_broken);
	rig_assert_ends(&r.client[0], "abc");
	rig_leave(&r, 0);
	rig_ask(&r, "GET /p/a HTTP/1.0\r\n\r\n");
	rig_say(&r, &r.up[2], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	stream_close(&r.up[2].stream);
	rig_settle(&r);
	ck_assert(r.client[0].is_broken);
	rig_close(&r);
}
END_TEST

START_TEST(a_stop_is_never_a_clean_end)
{
	setup();
	rig_ask(&r, "GET /p/a HTTP/1.0\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	rig_assert_ends(&r.client[0], "abc");
	server_close(&r.server);
	rig_settle(&r);
	ck_assert(r.client[0].is_broken);
	rig_close(&r);
}
END_TEST

START_TEST(an_upload_waits_for_its_permit)
{
	rig_open(&r);
	rig_proxy(&r, "/p/{rest...}");
	r.upstream_conf.concurrency.limit = 1;
	r.upstream_conf.queue.size = 1;
	rig_start(&r);
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_connect(&r, 1);
	rig_say(&r, &r.client[1],
	    "PUT /p/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	rig_assert_lacks(&r.up[0], "PUT");
	/* The permit comes with a connection that is ready: the head leaves at once, and the body follows. */
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	rig_assert_ends(&r.up[0], "\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 1);
	rig_close(&r);
}
END_TEST

START_TEST(upstream_failures_have_their_status)
{
	setup();
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 nonsense\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 502 ");
	rig_assert_has(&r.client[0], "invalid_response");
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_wait(&r, 4 * NS_PER_SEC);
	rig_assert_begins(&r.client[0], "HTTP/1.1 504 ");
	mem_world_unlisten(&r.upstream_listener);
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 502 ");
	rig_assert_has(&r.client[0], "connect_refused");
	ck_assert(!r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(leaving_clients_cancel_the_call)
{
	setup();
	rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert(!r.up[0].is_ended);
	rig_leave(&r, 0);
	ck_assert(r.up[0].is_ended || r.up[0].is_broken);
	rig_ask(&r, "POST /p/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
	rig_leave(&r, 0);
	ck_assert(r.up[1].is_ended || r.up[1].is_broken);
	rig_close(&r);
}
END_TEST

/* It left just when the last piece of its answer came: what it had sent ahead is not served. */
START_TEST(nothing_is_done_for_one_who_is_gone)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		setup();
		rig_ask(&r, "GET /p/a HTTP/1.1\r\nHost: x\r\n\r\nGET /p/b HTTP/1.1\r\nHost: x\r\n\r\n");
		rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
		buf_clear(&r.up[0].in);
		rnd_init(&r.world->rnd, seed);
		r.world->faults.late_chance = MEM_WORLD_CHANCE / 2;
		rig_put(&r.up[0], STR("2\r\nde\r\n0\r\n\r\n"));
		stream_reset(&r.client[0].stream);
		rig_settle(&r);
		ck_assert_uint_eq(r.n_up, 1);
		rig_assert_lacks(&r.up[0], "GET /p/b");
		rig_close(&r);
	}
}
END_TEST

START_TEST(a_broken_upload_ends_the_call)
{
	setup();
	rig_ask(&r, "POST /p/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 ");
	rig_assert_has(&r.client[0], "bad_chunk");
	ck_assert(r.up[0].is_ended || r.up[0].is_broken);
	rig_close(&r);
}
END_TEST

START_TEST(an_early_answer_ends_a_long_upload)
{
	setup();
	rig_ask(
	    &r, "POST /p/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
	rig_assert_begins(&r.client[0], "HTTP/1.1 413 ");
	rig_assert_has(&r.client[0], "Connection: close\r\n");
	rig_assert_ends(&r.client[0], "no");
	ck_assert(r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(a_slow_client_is_no_slow_upstream)
{
	setup();
	rig_ask(&r, "POST /p/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	rig_wait(&r, 5 * NS_PER_SEC);
	ck_assert_uint_eq(r.client[0].in.n, 0);
	rig_say(&r, &r.client[0], "3\r\nabc\r\n");
	rig_wait(&r, 5 * NS_PER_SEC);
	ck_assert_uint_eq(r.client[0].in.n, 0);
	rig_wait(&r, 30 * NS_PER_SEC);
	rig_assert_begins(&r.client[0], "HTTP/1.1 408 ");
	rig_close(&r);
}
END_TEST

START_TEST(endless_answers_outlive_the_routes_time)
{
	setup();
	rig_ask(&r, "GET /p/sse HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
	for (int i = 0; i < 10; i++) {
		rig_wait(&r, 2 * NS_PER_SEC);
		buf_clear(&r.client[0].in);
		rig_say(&r, &r.up[0], "data: 1\n\n");
		ck_assert_str_eq(buf_c(&r.client[0].in), "9\r\ndata: 1\n\n\r\n");
	}
	rig_close(&r);
}
END_TEST

UNIT_MAIN("proxy", writes_the_request_anew, fields_of_the_route_replace_those_of_the_client,
    a_key_of_the_route_makes_a_post_repeatable, answers_are_framed_anew, chunks_become_chunks,
    close_delimited_answers_become_chunks, http_1_0_clients_get_the_close, answers_without_a_body,
    small_bodies_go_up_whole, chunked_bodies_are_streamed_up, tiny_chunks_of_one_read_become_one,
    a_large_last_chunk_leaves_with_the_end, large_bodies_of_known_length,
    continue_is_said_when_the_upstream_is_there, slow_readers_slow_the_upstream,
    a_refused_last_piece_takes_the_end_with_it_later, a_cut_answer_is_never_a_clean_end, a_stop_is_never_a_clean_end,
    an_upload_waits_for_its_permit, upstream_failures_have_their_status,
    leaving_clients_cancel_the_call,
    nothing_is_done_for_one_who_is_gone, a_broken_upload_ends_the_call,
    an_early_answer_ends_a_long_upload, a_slow_client_is_no_slow_upstream,
    endless_answers_outlive_the_routes_time)
