#include "server/cconn_h1.h"

#include "server/iobuf.h"
#include "server/server_rig.h"

static struct rig r;

static void
setup(void)
{
	rig_open(&r);
	rig_reply(&r, "/a", "GET", "AAA");
	rig_reply(&r, "/b", "GET", "BBBB");
	rig_reply(&r, "/echo", "POST", "<{body}>");
	rig_reply(&r, "/late", "GET", "L")->reply.delay_ns = NS_PER_SEC;
	rig_start(&r);
}

START_TEST(answers_and_keeps_the_connection)
{
	setup();
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\nDate: ");
	rig_assert_has(&r.client[0], "\r\nContent-Length: 3\r\n");
	rig_assert_lacks(&r.client[0], "Connection:");
	rig_assert_ends(&r.client[0], "\r\n\r\nAAA");
	rig_ask(&r, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\nBBBB");
	ck_assert(!r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(idle_connections_hold_nothing)
{
	setup();
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.loop->blocks.n_used, 0);
	ck_assert_ptr_null(TAILQ_FIRST(&r.listener->conns[CCONN_KEEPALIVE])->in);
	ck_assert_ptr_null(TAILQ_FIRST(&r.listener->conns[CCONN_KEEPALIVE])->h1);
	rig_close(&r);
}
END_TEST

START_TEST(takes_heads_byte_by_byte)
{
	static const char text[] =
	    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n";

	setup();
	rig_connect(&r, 0);
	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		rig_put(&r.client[0], str_of(text + i, 1));
		rig_settle(&r);
	}
	rig_assert_ends(&r.client[0], "\r\n\r\n<abcde>");
	rig_close(&r);
}
END_TEST

START_TEST(answers_pipelined_requests_in_order)
{
	setup();
	rig_ask(&r, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n"
		    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
		    "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HT");
	ck_assert_uint_eq(r.client[0].in.n, 0);
	rig_wait(&r, 2 * NS_PER_SEC);
	rig_assert_has(&r.client[0], "\r\n\r\nLHTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\r\n\r\n<hi>HTTP/1.1 200 OK\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\nAAA");
	rig_say(&r, &r.client[0], "TP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\nBBBB");
	rig_close(&r);
}
END_TEST

/* In a pipeline of short answers: one that takes its time, and one that is not whole. */
START_TEST(answers_wait_only_for_what_comes_in_this_turn)
{
	setup();
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
		    "GET /late HTTP/1.1\r\nHost: x\r\n\r\n"
		    "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HT");
	rig_assert_has(&r.client[0], "\r\n\r\nAAAHTTP/1.1 200 OK\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\nBBBB");
	rig_wait(&r, 2 * NS_PER_SEC);
	rig_assert_has(&r.client[0], "\r\n\r\nBBBBHTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\r\n\r\nLHTTP/1.1 200 OK\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\nAAA");
	rig_close(&r);
}
END_TEST

START_TEST(answers_to_bodies_leave_when_nothing_follows)
{
	setup();
	rig_ask(&r, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
		    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "2\r\nho\r\n0\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\n\r\n<hi>HTTP/1.1 200 OK\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n<ho>");
	ck_assert(!r.client[0].is_ended);
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
		    "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\n\r\nAAAHTTP/1.1 200 OK\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\nBBBB");
	ck_assert(r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

/* What was held for an answer that fills the stream is first, and nothing is lost or sent twice. */
START_TEST(short_and_long_answers_keep_their_order)
{
	static const char ask[] =
	    "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /big HTTP/1.1\r\nHost: x\r\n\r\n";
	static char big[300000];
	size_t one;

	rig_open(&r);
	memset(big, 'x', sizeof(big) - 1);
	rig_reply(&r, "/big", "GET", big);
	rig_reply(&r, "/a", "GET", "AAA");
	rig_start(&r);
	rig_ask(&r, ask);
	rig_assert_has(&r.client[0], "\r\n\r\nAAAHTTP/1.1 200 OK\r\n");
	one = r.client[0].in.n;
	r.client[0].is_deaf = true;
	stream_want_read(r.client[0].stream, false);
	buf_clear(&r.client[0].in);
	for (int i = 0; i < 20; i++)
		rig_say(&r, &r.client[0], ask);
	stream_want_read(r.client[0].stream, true);
	rig_wait(&r, NS_PER_SEC);
	ck_assert_uint_eq(r.client[0].in.n, 20 * one);
	ck_assert_uint_eq(r.server.n_exchanges, 0);
	rig_assert_ends(&r.client[0], "xxx");
	rig_close(&r);
}
END_TEST

/* A client that reads nothing: what is held for it waits as well, and is forgotten with it. */
START_TEST(what_is_held_ends_with_its_client)
{
	struct buf all = BUF_INIT;

	setup();
	for (int i = 0; i < 20000; i++)
		buf_add_c(&all, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	r.client[0].is_deaf = true;
	rig_connect(&r, 0);
	for (size_t at = 0, put; at < all.n; at += put) {
		struct iovec iov = str_iov(str_of(all.p + at, all.n - at));

		if (stream_writev(r.client[0].stream, &iov, 1, &put) != IO_OK)
			break;
		rig_settle(&r);
	}
	ck_assert_ptr_nonnull(TAILQ_FIRST(&r.listener->conns[CCONN_ACTIVE]));
	ck_assert(cconn_is_sending(TAILQ_FIRST(&r.listener->conns[CCONN_ACTIVE])));
	rig_wait(&r, 11 * NS_PER_SEC);
	ck_assert_uint_eq(r.listener->n_conns, 0);
	buf_fini(&all);
	rig_close(&r);
}
END_TEST

START_TEST(thousand_pipelined_requests)
{
	struct buf all = BUF_INIT;

	setup();
	for (int i = 0; i < 1000; i++)
		buf_add_c(&all, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_connect(&r, 0);
	rig_put(&r.client[0], buf_str(&all));
	rig_settle(&r);
	rig_settle(&r);
	ck_assert_uint_gt(r.client[0].in.n, 1000 * 100);
	ck_assert_uint_eq(r.client[0].in.n % 1000, 0);
	buf_fini(&all);
	rig_close(&r);
}
END_TEST

START_TEST(closes_when_asked)
{
	setup();
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nConnection: close\r\n");
	rig_assert_ends(&r.client[0], "AAA");
	ck_assert(r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(http_1_0_closes_unless_told)
{
	setup();
	rig_ask(&r, "GET /a HTTP/1.0\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nConnection: close\r\n");
	ck_assert(r.client[0].is_ended);
	rig_leave(&r, 0);
	rig_ask(&r, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nConnection: keep-alive\r\n");
	ck_assert(!r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(head_has_no_body)
{
	setup();
	rig_ask(&r, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Length: 3\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(refuses_and_lingers)
{
	setup();
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\nBad Field: 1\r\n\r\nand more");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 Bad Request\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Type: application/problem+json\r\n");
	rig_assert_has(&r.client[0], "\r\nConnection: close\r\n");
	rig_assert_has(&r.client[0], "bad_field");
	ck_assert(r.client[0].is_ended);
	ck_assert(!TAILQ_EMPTY(&r.listener->conns[CCONN_LINGER]));
	rig_say(&r, &r.client[0], "what nobody reads");
	rig_wait(&r, 6 * NS_PER_SEC);
	ck_assert(TAILQ_EMPTY(&r.listener->conns[CCONN_LINGER]));
	ck_assert_uint_eq(r.listener->n_conns, 0);
	rig_close(&r);
}
END_TEST

START_TEST(lingering_ends_with_the_client)
{
	setup();
	rig_ask(&r, "GET /a HTTP/2.5\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 505 ");
	ck_assert_uint_eq(r.listener->n_conns, 1);
	rig_leave(&r, 0);
	ck_assert_uint_eq(r.listener->n_conns, 0);
	rig_close(&r);
}
END_TEST

START_TEST(slow_heads_time_out)
{
	setup();
	rig_ask(&r, "GET /a HTT");
	rig_wait(&r, 4 * NS_PER_SEC);
	ck_assert_uint_eq(r.client[0].in.n, 0);
	rig_wait(&r, 2 * NS_PER_SEC);
	rig_assert_begins(&r.client[0], "HTTP/1.1 408 ");
	rig_assert_has(&r.client[0], "request_timeout");
	ck_assert(r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(silent_connections_close_silently)
{
	setup();
	rig_connect(&r, 0);
	rig_say(&r, &r.client[0], "\r\n");
	rig_wait(&r, 6 * NS_PER_SEC);
	ck_assert(r.client[0].is_ended);
	ck_assert_uint_eq(r.client[0].in.n, 0);
	rig_leave(&r, 0);
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_wait(&r, 59 * NS_PER_SEC);
	ck_assert(!r.client[0].is_ended);
	rig_wait(&r, 2 * NS_PER_SEC);
	ck_assert(r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(slow_bodies_time_out)
{
	setup();
	rig_ask(&r, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab");
	rig_wait(&r, 9 * NS_PER_SEC);
	ck_assert_uint_eq(r.client[0].in.n, 0);
	rig_wait(&r, 2 * NS_PER_SEC); /* the route's time is over before that between two pieces */
	rig_assert_begins(&r.client[0], "HTTP/1.1 408 ");
	ck_assert(r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

/* Never silent for long, and yet it does not hold its place for days. */
START_TEST(dripping_bodies_time_out)
{
	int seconds = 0;

	rig_open(&r);
	r.upstream_conf.timeouts.total_ns = 3600 * NS_PER_SEC;
	rig_proxy(&r, "/up");
	rig_start(&r);
	rig_ask(&r, "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
	for (; seconds < 100 && r.client[0].in.n == 0; seconds++) {
		rig_put(&r.client[0], STR("abc"));
		rig_wait(&r, NS_PER_SEC);
	}
	rig_assert_begins(&r.client[0], "HTTP/1.1 408 ");
	ck_assert_int_ge(seconds, 29);
	ck_assert_int_le(seconds, 33);
	rig_close(&r);
}
END_TEST

START_TEST(bodies_of_a_steady_pace_may_take_their_time)
{
	char piece[1024];

	memset(piece, 'x', sizeof(piece));
	rig_open(&r);
	r.upstream_conf.timeouts.total_ns = 3600 * NS_PER_SEC;
	rig_proxy(&r, "/up");
	rig_start(&r);
	rig_ask(&r, "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
	for (int i = 0; i < 100; i++) {
		rig_put(&r.client[0], str_of(piece, sizeof(piece)));
		rig_wait(&r, 2 * NS_PER_SEC);
	}
	ck_assert_uint_eq(r.client[0].in.n, 0);
	ck_assert(!r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(says_continue_only_when_the_body_is_wanted)
{
	setup();
	rig_ask(&r,
	    "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 100 Continue\r\n\r\n");
	ck_assert_uint_eq(r.client[0].in.n, 25);
	rig_say(&r, &r.client[0], "ok");
	rig_assert_ends(&r.client[0], "<ok>");
	rig_ask(
	    &r, "GET /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "Connection: close\r\n");
	rig_leave(&r, 0);
	rig_ask(&r, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
		    "9999999\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 413 ");
	rig_close(&r);
}
END_TEST

START_TEST(bodies_nobody_wants_are_dropped)
{
	setup();
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345"
		    "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_ends(&r.client[0], "BBBB");
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n123");
	rig_assert_has(&r.client[0], "Connection: close\r\n");
	ck_assert(r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(bounds_bodies)
{
	struct buf big = BUF_INIT;

	r.n_routes = 0;
	rig_open(&r);
	r.listener_conf.limits.body = 1000;
	rig_reply(&r, "/echo", "POST", "<{body}>")->max_request_body_bytes = 100;
	rig_start(&r);
	rig_ask(&r, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 413 ");
	rig_leave(&r, 0);
	buf_add_c(&big, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 11; i++)
		buf_add_c(&big, "a\r\n0123456789\r\n");
	rig_ask(&r, buf_c(&big));
	rig_assert_begins(&r.client[0], "HTTP/1.1 413 ");
	rig_assert_has(&r.client[0], "body_too_large");
	buf_fini(&big);
	rig_close(&r);
}
END_TEST

START_TEST(broken_chunks_are_refused)
{
	setup();
	rig_ask(
	    &r, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 ");
	rig_assert_has(&r.client[0], "bad_chunk");
	ck_assert(r.client[0].is_ended);
	rig_leave(&r, 0);
	rig_ask(&r, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 ");
	rig_close(&r);
}
END_TEST

START_TEST(a_client_that_takes_nothing_is_cut_off)
{
	static char big[300000];

	rig_open(&r);
	memset(big, 'x', sizeof(big) - 1);
	rig_reply(&r, "/big", "GET", big);
	rig_start(&r);
	r.client[0].is_deaf = true;
	rig_ask(&r, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_wait(&r, 9 * NS_PER_SEC);
	ck_assert_uint_eq(r.listener->n_conns, 1);
	rig_wait(&r, 2 * NS_PER_SEC);
	ck_assert_uint_eq(r.listener->n_conns, 0);
	rig_close(&r);
}
END_TEST

START_TEST(large_answers_arrive_whole)
{
	static char big[300000];

	rig_open(&r);
	memset(big, 'x', sizeof(big) - 1);
	rig_reply(&r, "/big", "GET", big);
	rig_start(&r);
	rig_ask(&r, "GET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /big HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_gt(r.client[0].in.n, 2 * sizeof(big) - 2);
	rig_close(&r);
}
END_TEST

START_TEST(limits_connections)
{
	rig_open(&r);
	r.listener_conf.limits.connections = 2;
	rig_reply(&r, "/a", "GET", "AAA");
	rig_start(&r);
	rig_connect(&r, 1);
	rig_connect(&r, 2);
	rig_connect(&r, 3);
	ck_assert(r.client[3].is_ended);
	rig_leave(&r, 1);
	rig_connect(&r, 4);
	ck_assert(!r.client[4].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(draining_closes_after_the_answer)
{
	setup();
	rig_ask(&r, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	server_drain(&r.server);
	ck_assert(!server_is_idle(&r.server));
	rig_wait(&r, 2 * NS_PER_SEC);
	rig_assert_has(&r.client[0], "Connection: close\r\n");
	ck_assert(r.client[0].is_ended);
	/* It may have asked for more before it saw that: closed now, its answer could be lost by a
	 * reset. */
	ck_assert(!server_is_idle(&r.server));
	rig_leave(&r, 0);
	ck_assert(server_is_idle(&r.server));
	rig_close(&r);
}
END_TEST

START_TEST(draining_gives_idle_connections_a_second)
{
	setup();
	rig_connect(&r, 1);
	rig_connect(&r, 2);
	rig_ask(&r, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	server_drain(&r.server);
	rig_wait(&r, 900 * NS_PER_MS);
	ck_assert(!r.client[0].is_ended && !r.client[1].is_ended && !r.client[2].is_ended);
	rig_say(&r, &r.client[1], "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_has(&r.client[1], "Connection: close\r\n");
	rig_assert_ends(&r.client[1], "BBBB");
	ck_assert(r.client[1].is_ended);
	rig_leave(&r, 1);
	rig_wait(&r, 200 * NS_PER_MS);
	ck_assert(r.client[0].is_ended && r.client[2].is_ended);
	ck_assert(server_is_idle(&r.server));
	rig_close(&r);
}
END_TEST

static void
on_drain(struct msg *m)
{
	(void)m;
	server_drain(&r.server);
}

/* The answer is out but the exchange ends only later in the turn in which the drain begins. */
START_TEST(draining_right_after_an_answer_closes)
{
	struct msg drain = { .fn = on_drain };

	setup();
	rig_connect(&r, 0);
	rig_put(&r.client[0], STR("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"));
	loop_post(r.loop, &drain);
	rig_settle(&r);
	rig_assert_ends(&r.client[0], "AAA");
	rig_wait(&r, 2 * NS_PER_SEC);
	ck_assert(r.client[0].is_ended);
	ck_assert(server_is_idle(&r.server));
	rig_close(&r);
}
END_TEST

START_TEST(closing_cancels_what_is_under_way)
{
	setup();
	rig_ask(&r, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(leaving_clients_end_their_exchange)
{
	setup();
	rig_ask(&r, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.server.n_exchanges, 1);
	rig_leave(&r, 0);
	ck_assert_uint_eq(r.server.n_exchanges, 0);
	ck_assert_uint_eq(r.listener->n_conns, 0);
	rig_close(&r);
}
END_TEST

/* What a crowd has used and nobody needs any more; a few are kept. */
START_TEST(free_buffers_are_given_back_in_time)
{
	struct iobuf *in[100] = { NULL };

	rig_open(&r);
	rig_start(&r);
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		iobuf_add(&r.server, &in[i], STR("x"));
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		iobuf_drop(&r.server, &in[i]);
	rig_wait(&r, NS_PER_SEC + NS_PER_MS); /* they have just been in use */
	ck_assert_uint_eq(r.server.n_free_iobufs, 100);
	iobuf_add(&r.server, &in[0], STR("x"));
	iobuf_add(&r.server, &in[1], STR("x"));
	iobuf_drop(&r.server, &in[0]);
	iobuf_drop(&r.server, &in[1]);
	rig_wait(&r, NS_PER_SEC); /* half of the 98 that have lain there all the time */
	ck_assert_uint_eq(r.server.n_free_iobufs, 51);
	ck_assert(!timer_is_set(&r.server.trim));
	server_close(&r.server);
	rig_settle(&r);
	rig_close(&r);
}
END_TEST

UNIT_MAIN("cconn_h1", answers_and_keeps_the_connection, idle_connections_hold_nothing,
    takes_heads_byte_by_byte, answers_pipelined_requests_in_order,
    answers_wait_only_for_what_comes_in_this_turn, answers_to_bodies_leave_when_nothing_follows,
    short_and_long_answers_keep_their_order, what_is_held_ends_with_its_client,
    thousand_pipelined_requests, closes_when_asked, http_1_0_closes_unless_told, head_has_no_body,
    refuses_and_lingers, lingering_ends_with_the_client, slow_heads_time_out,
    silent_connections_close_silently, slow_bodies_time_out, dripping_bodies_time_out,
    bodies_of_a_steady_pace_may_take_their_time, says_continue_only_when_the_body_is_wanted,
    bodies_nobody_wants_are_dropped, bounds_bodies, broken_chunks_are_refused,
    a_client_that_takes_nothing_is_cut_off, large_answers_arrive_whole, limits_connections,
    draining_closes_after_the_answer, draining_gives_idle_connections_a_second,
    draining_right_after_an_answer_closes, closing_cancels_what_is_under_way,
    leaving_clients_end_their_exchange, free_buffers_are_given_back_in_time)
