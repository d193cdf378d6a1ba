/* Handshakes of upgrades, through a whole server: what crosses, what is refused, what becomes a
 * tunnel. */
#include "server/upgrade.h"

#include "server/server_rig.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define OFFER "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define ASK(fields) "GET /ws HTTP/1.1\r\nHost: x\r\n" fields "\r\n"
#define GET "GET /reply HTTP/1.1\r\nHost: x\r\n\r\n"
#define HANDSHAKE ASK(OFFER KEY VERSION)
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define ANSWER(fields) "HTTP/1.1 101 Yes\r\n" fields "\r\n"
#define GOOD OFFER ACCEPT

static struct rig r;

static void
setup(void)
{
	struct proxy_conf *proxy;

	rig_open(&r);
	proxy = &rig_proxy(&r, "/ws")->proxy;
	proxy->upgrades[proxy->n_upgrades++] = STR("websocket");
	proxy->upgrades[proxy->n_upgrades++] = STR("tcp");
	proxy->tunnel.idle_ns = 60 * NS_PER_SEC;
	rig_proxy(&r, "/plain");
	rig_reply(&r, "/reply", "GET,POST", "mine");
	rig_start(&r);
}

/* What the last connection to the upstream got is looked at. */
static struct rig_end *
up(void)
{
	return &r.up[r.n_up - 1];
}

static void
be_tunnel(void)
{
	setup();
	rig_ask(&r, HANDSHAKE);
	rig_say(&r, up(), ANSWER(GOOD));
	rig_assert_begins(&r.client[0], "HTTP/1.1 101 Switching Protocols\r\n");
	buf_clear(&r.client[0].in);
	buf_clear(&up()->in);
}

START_TEST(the_offer_and_its_answer_cross)
{
	setup();
	rig_ask(&r, ASK("Connection: keep-alive, UPGRADE, X-Hop\r\nUpgrade: h2c, WebSocket, "
			"tcp\r\nX-Hop: 1\r\n"
			"Sec-WebSocket-Protocol: chat, super\r\nSec-WebSocket-Extensions: "
			"permessage-deflate; "
			"client_max_window_bits, x\r\n" KEY VERSION));
	rig_assert_has(up(), "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
	rig_assert_has(up(), "\r\n" KEY);
	rig_assert_has(up(), "\r\n" VERSION);
	rig_assert_lacks(up(), "h2c");
	rig_assert_lacks(up(), "X-Hop");
	rig_say(&r, up(),
	    ANSWER("Upgrade: WebSocket\r\nConnection: x-hop, upgrade\r\nX-Hop: 1\r\nX-Two: 2\r\n"
		   "Sec-WebSocket-Protocol: super\r\n"
		   "Sec-WebSocket-Extensions: permessage-deflate; a=b\r\n" ACCEPT));
	rig_assert_begins(&r.client[0],
	    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
	rig_assert_has(&r.client[0], "\r\n" ACCEPT);
	rig_assert_has(&r.client[0], "\r\nSec-WebSocket-Protocol: super\r\n");
	rig_assert_has(&r.client[0], "\r\nX-Two: 2\r\n");
	rig_assert_lacks(&r.client[0], "X-Hop");
	rig_assert_lacks(&r.client[0], "Content-Length");
	rig_assert_lacks(&r.client[0], "Transfer-Encoding");
	rig_close(&r);
}
END_TEST

/* Answers to requests before the offer have to wait for a client that reads nothing. */
START_TEST(answers_before_the_offer_come_first)
{
	struct cconn *c;
	size_t answer;

	setup();
	answer = rig_fill(&r, GET, 2);
	answer = stream_mem_unread(r.client[0].stream) + 3 * answer;
	rig_say(&r, &r.client[0], GET GET GET HANDSHAKE);
	c = TAILQ_FIRST(&r.listener->conns[CCONN_ACTIVE]);
	ck_assert_ptr_nonnull(c->held);
	rig_say(&r, up(), ANSWER(GOOD) "hello");
	rig_take_all(&r);
	rig_assert_ends(&r.client[0], "\r\n\r\nhello");
	ck_assert(str_has_prefix(str_of(r.client[0].in.p + answer, 64), STR("HTTP/1.1 101 ")));
	rig_say(&r, &r.client[0], "there");
	rig_assert_ends(up(), "there");
	rig_close(&r);
}
END_TEST

static void
assert_refused(const char *request, const char *reason)
{
	setup();
	rig_ask(&r, request);
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 ");
	rig_assert_has(&r.client[0], reason);
	ck_assert_uint_eq(r.n_up, 0);
	rig_close(&r);
}

START_TEST(a_malformed_handshake_is_refused)
{
	static const char *const bad[] = {
		ASK(OFFER VERSION),
		ASK(OFFER VERSION KEY KEY),
		ASK(OFFER VERSION "Sec-WebSocket-Key: short==\r\n"),
		ASK("Connection: Upgrade, Sec-WebSocket-Key\r\nUpgrade: websocket\r\n" VERSION KEY),
		ASK(OFFER VERSION KEY "Content-Length: 2\r\n") "ab",
		"POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" OFFER VERSION KEY "\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(bad[i], err_token(ERR_BAD_UPGRADE));
}
END_TEST

START_TEST(another_version_is_told_the_right_one)
{
	setup();
	rig_ask(&r, ASK(OFFER KEY "Sec-WebSocket-Version: 8\r\n"));
	rig_assert_begins(&r.client[0], "HTTP/1.1 426 Upgrade Required\r\n");
	rig_assert_has(&r.client[0], "\r\nUpgrade: websocket\r\n");
	rig_assert_has(&r.client[0], "\r\n" VERSION);
	rig_assert_has(&r.client[0], err_token(ERR_WEBSOCKET_VERSION));
	rig_leave(&r, 0);
	rig_ask(&r, ASK(OFFER KEY));
	rig_assert_begins(&r.client[0], "HTTP/1.1 426 Upgrade Required\r\n");
	rig_close(&r);
}
END_TEST

static void
assert_ordinary(const char *request)
{
	setup();
	rig_ask(&r, request);
	ck_assert_uint_eq(r.n_up, 1);
	rig_assert_lacks(up(), "pgrade");
	rig_say(&r, up(), ANSWER(GOOD));
	rig_assert_begins(&r.client[0], "HTTP/1.1 502 ");
	rig_assert_has(&r.client[0], "\"invalid_response\"");
	rig_close(&r);
}

/* It stays behind, and a 101 that nobody asked for is no answer. */
START_TEST(an_offer_that_need_not_be_taken_is_ignored)
{
	static const char *const requests[] = {
		ASK(""),
		ASK("Upgrade: websocket\r\n" KEY VERSION),
		ASK("Connection: Upgraded\r\nUpgrade: websocket\r\n" KEY VERSION),
		ASK("Connection: Upgrade\r\nUpgrade: ,\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: tls/1.3, H2C\r\nUpgrade: TLS\r\n"),
		"GET /plain HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"GET /ws HTTP/1.0\r\nHost: x\r\n" OFFER KEY VERSION "\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		assert_ordinary(requests[i]);
}
END_TEST

/* The daemon has one permit, and somebody else has it. */
static void
setup_full(void)
{
	setup();
	limiter_slot_init(&r.admission_slot, 1, 0);
	rig_connect(&r, 1);
	rig_say(&r, &r.client[1], "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 1);
	buf_clear(&up()->in);
}

/* Nothing is done for it: no permit is asked for, and what is behind it may be of the other
 * protocol. */
START_TEST(what_was_not_asked_for_is_refused)
{
	static const char *const requests[] = {
		"GET /plain HTTP/1.1\r\nHost: x\r\n" OFFER KEY VERSION "\r\n",
		"GET /plain HTTP/1.1\r\nHost: x\r\n" OFFER "\r\n",
		"GET /reply HTTP/1.1\r\nHost: x\r\n" OFFER KEY VERSION "\r\n",
		"POST /plain HTTP/1.1\r\nHost: x\r\n" OFFER "Content-Length: 20000\r\n\r\n",
		"POST /reply HTTP/1.1\r\nHost: x\r\n" OFFER
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		ASK("Connection: Upgrade\r\nUpgrade: foo\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: h2c, foo\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: TLS/1.2, foo\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: tlsx/1.0\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: h2c/1\r\n"),
		ASK("Connection: Upgrade\r\nUpgrade: websocket/13\r\n" KEY VERSION),
		ASK("Connection: Upgrade\r\nUpgrade: foo\r\n") ASK(""),
		ASK("Connection: close, Upgrade\r\nUpgrade: foo\r\n"),
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		setup_full();
		rig_ask(&r, requests[i]);
		rig_assert_begins(&r.client[0], "HTTP/1.1 403 Forbidden\r\n");
		rig_assert_has(&r.client[0], "\r\nConnection: close\r\n");
		rig_assert_has(&r.client[0], err_token(ERR_UPGRADE_REFUSED));
		rig_assert_ends(&r.client[0], "}");
		ck_assert(r.client[0].is_ended);
		/* more may come, and no reset overtakes the answer */
		ck_assert(!TAILQ_EMPTY(&r.listener->conns[CCONN_LINGER]));
		ck_assert_uint_eq(r.n_up, 1);
		ck_assert_uint_eq(up()->in.n, 0);
		rig_close(&r);
	}
}
END_TEST

/* It has one answer for everybody, and no protocol but its own. */
START_TEST(the_admin_listener_refuses_all)
{
	rig_open(&r);
	r.kind = LISTENER_ADMIN;
	rig_start(&r);
	rig_ask(&r, "GET /metrics HTTP/1.1\r\nHost: x\r\n" OFFER KEY VERSION "\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 403 Forbidden\r\n");
	ck_assert(r.client[0].is_ended);
	rig_leave(&r, 0);
	rig_ask(
	    &r, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	ck_assert(!r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(an_answer_to_something_else_is_none)
{
	static const char *const bad[] = {
		ANSWER("Connection: Upgrade\r\n" ACCEPT),
		ANSWER("Upgrade: websocket\r\n" ACCEPT),
		ANSWER("Connection: close\r\nUpgrade: websocket\r\n" ACCEPT),
		ANSWER("Connection: Upgrade\r\nUpgrade: tcp\r\n" ACCEPT),
		ANSWER("Connection: Upgrade\r\nUpgrade: websocket, tcp\r\n" ACCEPT),
		ANSWER(
		    "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n" ACCEPT),
		"HTTP/1.0 101 Yes\r\n" GOOD "\r\n",
		ANSWER(OFFER),
		ANSWER(OFFER "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n"),
		ANSWER(GOOD ACCEPT),
		ANSWER(GOOD "Content-Length: 0\r\n"),
		ANSWER(GOOD "Transfer-Encoding: chunked\r\n"),
		ANSWER(GOOD "Sec-WebSocket-Protocol: chat\r\n"),
		ANSWER(GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
		ANSWER(GOOD "Sec-WebSocket-Extensions: ; a=b\r\n"),
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		setup();
		rig_ask(&r, HANDSHAKE);
		rig_say(&r, up(), bad[i]);
		rig_assert_begins(&r.client[0], "HTTP/1.1 502 ");
		rig_assert_has(&r.client[0], err_token(ERR_INVALID_UPGRADE));
		ck_assert(up()->is_ended || up()->is_broken);
		rig_close(&r);
	}
}
END_TEST

/* But for what is behind it, which need not be HTTP: the connection to the server goes on, the
 * client's does not. */
START_TEST(a_refused_upgrade_is_an_ordinary_answer)
{
	setup();
	rig_ask(&r, HANDSHAKE ASK(""));
	rig_say(&r, up(),
	    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
	rig_assert_begins(&r.client[0], "HTTP/1.1 403 Forbidden\r\n");
	rig_assert_has(&r.client[0], "\r\nConnection: close\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\nno");
	rig_say(&r, &r.client[0], ASK(""));
	ck_assert(r.client[0].is_ended);
	rig_leave(&r, 0);
	buf_clear(&up()->in);
	rig_ask(&r, HANDSHAKE);
	rig_assert_has(up(), "\r\nUpgrade: websocket\r\n");
	rig_say(&r, up(), ANSWER(GOOD));
	rig_assert_begins(&r.client[0], "HTTP/1.1 101 ");
	ck_assert_uint_eq(r.n_up, 1);
	rig_close(&r);
}
END_TEST

START_TEST(bytes_behind_either_head_are_the_tunnels)
{
	setup();
	rig_ask(&r, HANDSHAKE "early from the client");
	rig_assert_lacks(up(), "early");
	rig_say(&r, up(), ANSWER(GOOD) "early from the server");
	rig_assert_ends(up(), "\r\n\r\nearly from the client");
	rig_assert_ends(&r.client[0], "\r\n\r\nearly from the server");
	rig_say(&r, &r.client[0], ", more");
	rig_say(&r, up(), ", more");
	rig_assert_ends(up(), "early from the client, more");
	rig_assert_ends(&r.client[0], "early from the server, more");
	rig_close(&r);
}
END_TEST

START_TEST(a_head_in_single_bytes)
{
	const char *answer = ANSWER(GOOD) "xyz";

	setup();
	rig_ask(&r, HANDSHAKE);
	for (size_t i = 0; answer[i] != '\0'; i++) {
		rig_put(up(), str_of(answer + i, 1));
		rig_settle(&r);
	}
	rig_assert_ends(&r.client[0], "\r\n\r\nxyz");
	rig_close(&r);
}
END_TEST

/* Docker's way: a POST with a body, whose connection then carries what the command says. */
START_TEST(another_protocol_after_a_body)
{
	setup();
	rig_ask(&r, "POST /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
		    "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 100 Continue\r\n\r\n");
	rig_say(&r, &r.client[0], "bodyraw");
	rig_assert_has(up(), "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n");
	rig_assert_ends(up(), "\r\n\r\nbody");
	rig_say(&r, up(), ANSWER("Connection: Upgrade\r\nUpgrade: tcp\r\n"));
	rig_assert_has(&r.client[0], "\r\n\r\nHTTP/1.1 101 ");
	rig_assert_ends(up(), "\r\n\r\nbodyraw");
	rig_close(&r);
}
END_TEST

/* Where the request ends must be known before the new protocol can begin. */
START_TEST(a_streamed_body_keeps_it_from_that)
{
	setup();
	rig_ask(&r, "POST /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n");
	rig_assert_lacks(up(), "pgrade");
	rig_say(&r, &r.client[0], "0\r\n\r\n");
	rig_say(&r, up(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 ");
	rig_close(&r);
}
END_TEST

START_TEST(a_tunnel_keeps_its_permits)
{
	be_tunnel();
	ck_assert_uint_eq(atomic_load(&r.upstream_slots.permits.inflight), 1);
	ck_assert_uint_eq(atomic_load(&r.admission_slot.inflight), 1);
	ck_assert_uint_eq(r.server.n_exchanges, 1);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_TUNNELS, 1, 0), 1);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_REQUESTS, 1, 1), 1);
	rig_say(&r, up(), "12345");
	rig_say(&r, &r.client[0], "123");
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_TUNNEL_SENT, 1, 0), 5);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_TUNNEL_RECEIVED, 1, 0), 3);
	/* Far beyond every time-out of listener and upstream. */
	rig_wait(&r, 59 * NS_PER_SEC);
	rig_say(&r, up(), "6");
	rig_assert_ends(&r.client[0], "123456");
	rig_leave(&r, 0);
	ck_assert_uint_eq(atomic_load(&r.upstream_slots.permits.inflight), 1);
	ck_assert(up()->is_ended);
	stream_close(&up()->stream);
	rig_settle(&r);
	ck_assert_uint_eq(atomic_load(&r.upstream_slots.permits.inflight), 0);
	ck_assert_uint_eq(atomic_load(&r.admission_slot.inflight), 0);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_TUNNELS, 1, 0), 0);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_REQUESTS, 1, 1), 1);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_REQUEST_REASONS, 1, ERR_CLIENT_GONE), 0);
	rig_close(&r);
}
END_TEST

START_TEST(an_idle_tunnel_is_closed)
{
	be_tunnel();
	rig_wait(&r, 59 * NS_PER_SEC);
	ck_assert(!r.client[0].is_ended && !up()->is_ended);
	rig_wait(&r, 2 * NS_PER_SEC);
	ck_assert(r.client[0].is_ended && up()->is_ended);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_REQUEST_REASONS, 1, ERR_TUNNEL_IDLE), 1);
	rig_close(&r);
}
END_TEST

START_TEST(a_drain_leaves_it_alone_and_takes_no_new_one)
{
	be_tunnel();
	rig_connect(&r, 1);
	rig_say(&r, &r.client[1], "GET /plain HTTP/1.1\r\nHo");
	server_drain(&r.server);
	rig_settle(&r);
	rig_say(&r, up(), "still");
	rig_assert_ends(&r.client[0], "still");
	ck_assert(!server_is_idle(&r.server));
	rig_leave(&r, 1);
	server_close(&r.server);
	rig_settle(&r);
	ck_assert(r.client[0].is_ended && up()->is_ended);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_REQUEST_REASONS, 1, ERR_DRAINING), 1);
	rig_close(&r);
}
END_TEST

START_TEST(no_new_one_during_a_drain)
{
	setup();
	rig_connect(&r, 0);
	rig_put(&r.client[0], STR("GET /w"));
	rig_settle(&r);
	server_drain(&r.server);
	rig_say(&r, &r.client[0], "s HTTP/1.1\r\nHost: x\r\n" OFFER KEY VERSION "\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 503 ");
	rig_assert_has(&r.client[0], "\"draining\"");
	ck_assert_uint_eq(r.n_up, 0);
	rig_close(&r);
}
END_TEST

START_TEST(a_client_that_goes_before_the_answer)
{
	setup();
	rig_ask(&r, HANDSHAKE);
	rig_leave(&r, 0);
	ck_assert(up()->is_ended || up()->is_broken);
	ck_assert_uint_eq(atomic_load(&r.upstream_slots.permits.inflight), 0);
	rig_close(&r);
}
END_TEST

/* The end of what a client has to say must not look like one when it was cut off. */
START_TEST(a_client_that_resets)
{
	be_tunnel();
	stream_reset(&r.client[0].stream);
	rig_settle(&r);
	ck_assert(up()->is_broken);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_REQUEST_REASONS, 1, ERR_CLIENT_GONE), 1);
	rig_close(&r);
}
END_TEST

START_TEST(a_server_that_resets)
{
	be_tunnel();
	stream_reset(&up()->stream);
	rig_settle(&r);
	ck_assert(r.client[0].is_broken);
	ck_assert_uint_eq(metric_get(&r.metrics, METRIC_REQUEST_REASONS, 1, ERR_RESET), 1);
	rig_close(&r);
}
END_TEST

UNIT_MAIN("upgrade", the_offer_and_its_answer_cross, answers_before_the_offer_come_first,
    a_malformed_handshake_is_refused, another_version_is_told_the_right_one,
    an_offer_that_need_not_be_taken_is_ignored, what_was_not_asked_for_is_refused,
    the_admin_listener_refuses_all, an_answer_to_something_else_is_none,
    a_refused_upgrade_is_an_ordinary_answer, bytes_behind_either_head_are_the_tunnels,
    a_head_in_single_bytes, another_protocol_after_a_body, a_streamed_body_keeps_it_from_that,
    a_tunnel_keeps_its_permits, an_idle_tunnel_is_closed,
    a_drain_leaves_it_alone_and_takes_no_new_one, no_new_one_during_a_drain,
    a_client_that_goes_before_the_answer, a_client_that_resets, a_server_that_resets)
