#include "server/exchange.h"

#include "server/server_rig.h"

static struct rig r;
static struct call_conf calls[4];

static void
open_rig(void)
{
	struct route_conf *route;

	rig_open(&r);
	route = rig_route(&r, "/u/{id}", "GET,POST");
	route->kind = ROUTE_CALLS;
	calls[0] = rig_call("user", "/users/{id}");
	calls[1] = rig_call("orders", "/orders");
	calls[1].is_required = false;
	route->calls = calls;
	route->n_calls = 2;
	route->response.partial_status = 200;
	route->response.partial_meta.s = STR("_meta");
	rig_reply(&r, "/a", "GET", "AAA");
	rig_reply(&r, "/late", "GET", "L")->reply.delay_ns = NS_PER_SEC;
}

static void
setup(void)
{
	open_rig();
	rig_start(&r);
}

/* The page's line with this beginning is there. */
static void
assert_metric(const char *line)
{
	struct answer out;
	struct request request = { .method = METHOD_GET, .path = STR("/metrics") };
	struct arena arena;

	arena_init(&arena, NULL, 0);
	admin_answer(&r.admin, &request, &arena, &out);
	ck_assert_uint_eq(out.status, 200);
	ck_assert_msg(memmem(out.body->iov_base, out.body->iov_len, line, strlen(line)) != NULL,
	    "no %s in\n%.*s", line, (int)out.body->iov_len, (char *)out.body->iov_base);
	arena_reset(&arena);
}

START_TEST(gathers)
{
	setup();
	rig_ask(&r, "GET /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_eq(r.n_up, 2);
	rig_assert_begins(rig_up(&r, " /users/7 "), "GET /users/7 HTTP/1.1\r\nHost: up\r\n");
	rig_assert_begins(rig_up(&r, " /orders "), "GET /orders HTTP/1.1\r\nHost: up\r\n");
	rig_answer(&r, rig_up(&r, " /orders "), "application/json", "[1.10]");
	ck_assert_uint_eq(r.client[0].in.n, 0);
	rig_answer(&r, rig_up(&r, " /users/7 "), "application/json", "{\"id\": 7}");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Type: application/json\r\n");
	rig_assert_has(&r.client[0], "\r\nVia: 1.1 gatherd\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n{\"user\":{\"id\": 7},\"orders\":[1.10]}");
	assert_metric("gatherd_requests_total{route=\"/u/{id}\",status=\"200\"} 1\n");
	assert_metric("gatherd_calls_total{route=\"/u/"
		      "{id}\",call=\"orders\",upstream=\"up\",reason=\"none\"} 1\n");
	assert_metric("gatherd_client_connections{listener=\"public\"} 1\n");
	rig_close(&r);
}
END_TEST

START_TEST(partial_answers_say_so)
{
	setup();
	rig_ask(&r, "GET /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_answer(&r, rig_up(&r, " /users/7 "), "application/json", "{}");
	rig_say(&r, rig_up(&r, " /orders "), "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 OK\r\n");
	rig_assert_has(&r.client[0], "\"complete\":false");
	rig_assert_has(&r.client[0], "status_not_accepted");
	rig_close(&r);
}
END_TEST

START_TEST(required_failures_cancel_the_others)
{
	setup();
	rig_ask(&r, "GET /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, rig_up(&r, " /users/7 "), "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 502 ");
	rig_assert_lacks(&r.client[0], "Via:");
	rig_assert_has(&r.client[0], "\"call\":\"user\"");
	ck_assert(rig_up(&r, " /orders ")->is_ended || rig_up(&r, " /orders ")->is_broken);
	assert_metric(
	    "gatherd_request_failures_total{route=\"/u/{id}\",reason=\"status_not_accepted\"} 1\n");
	rig_close(&r);
}
END_TEST

START_TEST(the_routes_time_bounds_everything)
{
	open_rig();
	r.routes[0].timeout_ns = NS_PER_SEC;
	rig_start(&r);
	rig_ask(&r, "GET /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_wait(&r, NS_PER_SEC + NS_PER_MS);
	rig_assert_begins(&r.client[0], "HTTP/1.1 504 ");
	ck_assert(!r.client[0].is_ended);
	rig_close(&r);
}
END_TEST

START_TEST(client_gone_is_499_and_cancels)
{
	setup();
	rig_ask(&r, "GET /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	stream_shutdown_write(r.client[0].stream);
	rig_settle(&r);
	ck_assert(r.up[0].is_ended || r.up[0].is_broken);
	ck_assert(r.up[1].is_ended || r.up[1].is_broken);
	assert_metric("gatherd_requests_total{route=\"/u/{id}\",status=\"499\"} 1\n");
	assert_metric(
	    "gatherd_request_failures_total{route=\"/u/{id}\",reason=\"client_gone\"} 1\n");
	assert_metric("gatherd_requests_in_flight 0\n");
	rig_close(&r);
}
END_TEST

START_TEST(sheds_beyond_the_daemons_limit)
{
	open_rig();
	limiter_slot_init(&r.admission_slot, 1, 1);
	r.routes[2].reply.delay_ns = NS_PER_SEC / 2;
	rig_start(&r);
	for (size_t i = 0; i < 3; i++)
		rig_connect(&r, i);
	rig_say(&r, &r.client[0], "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.client[1], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.client[2], "GET /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[2], "HTTP/1.1 503 ");
	rig_assert_has(&r.client[2], "\r\nRetry-After: ");
	rig_assert_has(&r.client[2], "\"overloaded\"");
	ck_assert_uint_eq(r.n_up, 0);
	ck_assert_uint_eq(r.client[1].in.n, 0);
	rig_wait(&r, NS_PER_SEC);
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 ");
	rig_assert_begins(&r.client[1], "HTTP/1.1 200 ");
	rig_close(&r);
}
END_TEST

START_TEST(waits_for_admission_only_so_long)
{
	open_rig();
	limiter_slot_init(&r.admission_slot, 1, 5);
	r.routes[2].reply.delay_ns = 5 * NS_PER_SEC;
	rig_start(&r);
	rig_connect(&r, 1);
	rig_ask(&r, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.client[1], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_wait(&r, NS_PER_SEC + NS_PER_MS);
	rig_assert_begins(&r.client[1], "HTTP/1.1 503 ");
	rig_assert_has(&r.client[1], "overload_timeout");
	rig_close(&r);
}
END_TEST

START_TEST(routing_failures)
{
	setup();
	rig_ask(&r, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 404 ");
	rig_assert_has(&r.client[0], "no_route");
	rig_ask(&r, "DELETE /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 405 ");
	rig_assert_has(&r.client[0], "\r\nAllow: GET, HEAD, POST\r\n");
	rig_ask(&r, "TRACE /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 501 ");
	rig_ask(&r, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 204 ");
	rig_assert_lacks(&r.client[0], "Content-Length");
	rig_ask(&r, "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 501 ");
	assert_metric("gatherd_requests_total{route=\"\",status=\"404\"} 1\n");
	rig_close(&r);
}
END_TEST

START_TEST(bodies_reach_the_calls)
{
	open_rig();
	calls[0].method.s = STR("POST");
	calls[0].json =
	    (struct conf_json){ .kind = CONF_JSON_STRING, .text = { .s = STR("{body.n}") } };
	rig_start(&r);
	rig_ask(&r, "POST /u/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{\"n\": 1.0}");
	rig_assert_begins(rig_up(&r, " /users/7 "), "POST /users/7 HTTP/1.1\r\n");
	rig_assert_ends(rig_up(&r, " /users/7 "), "\r\n\r\n1.0");
	rig_leave(&r, 0);
	rig_ask(&r, "POST /u/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{x}");
	rig_assert_begins(&r.client[0], "HTTP/1.1 400 ");
	rig_assert_has(&r.client[0], "bad_body");
	rig_close(&r);
}
END_TEST

START_TEST(admin_listeners_answer)
{
	open_rig();
	r.kind = LISTENER_ADMIN;
	limiter_slot_init(&r.admission_slot, 1, 0);
	rig_start(&r);
	rig_ask(&r, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\nok\n");
	rig_ask(&r, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 503 ");
	atomic_store(&r.admin.is_ready, true);
	rig_ask(&r, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 200 ");
	rig_ask(&r, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_has(&r.client[0], "# TYPE gatherd_requests_total counter\n");
	rig_ask(&r, "GET /upstreams HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_has(
	    &r.client[0], "{\"name\":\"up\",\"in_flight\":0,\"queued\":0,\"limit\":null,");
	rig_ask(&r, "GET /u/7 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 404 ");
	rig_ask(&r, "PUT /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 405 ");
	assert_metric("gatherd_client_connections{listener=\"public\"} 0\n");
	rig_close(&r);
}
END_TEST

START_TEST(mock_listeners_skip_admission)
{
	open_rig();
	r.kind = LISTENER_MOCK;
	limiter_slot_init(&r.admission_slot, 1, 0);
	rig_start(&r);
	rig_connect(&r, 1);
	rig_ask(&r, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_say(&r, &r.client[1], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[1], "HTTP/1.1 200 ");
	rig_close(&r);
}
END_TEST

START_TEST(replies_evaluate_their_templates)
{
	static struct conf_pair headers[2];
	struct route_conf *route;

	rig_open(&r);
	route = rig_reply(&r, "/old/{rest...}", "", "gone to {rest}");
	route->reply.status = 301;
	headers[0] = (struct conf_pair){ { .s = STR("Location") }, { .s = STR("/new/{rest}") } };
	headers[1] = (struct conf_pair){ { .s = STR("Content-Type") }, { .s = STR("text/x") } };
	route->reply.headers.at = headers;
	route->reply.headers.n = 2;
	rig_start(&r);
	rig_ask(&r, "GET /old/a/b HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_begins(&r.client[0], "HTTP/1.1 301 Moved Permanently\r\n");
	rig_assert_has(&r.client[0], "\r\nLocation: /new/a/b\r\n");
	rig_assert_has(&r.client[0], "\r\nContent-Type: text/x\r\n");
	rig_assert_ends(&r.client[0], "gone to a/b");
	rig_close(&r);
}
END_TEST

START_TEST(believes_trusted_proxies_only)
{
	static struct cidr trusted;

	rig_open(&r);
	ck_assert_int_eq(cidr_parse(STR("192.0.2.0/24"), &trusted), ERR_NONE);
	r.listener_conf.trusted_proxies = &trusted;
	r.listener_conf.n_trusted_proxies = 1;
	rig_reply(&r, "/ip", "GET", "{client.ip}");
	rig_start(&r);
	rig_ask(&r, "GET /ip HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n192.0.2.7");
	rig_ask(&r, "GET /ip HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n"
		    "X-Forwarded-For: 192.0.2.9\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n1.2.3.4");
	rig_ask(&r, "GET /ip HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ::1, nonsense\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n192.0.2.7");
	rig_ask(&r, "GET /ip HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 2001:db8::1\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n2001:db8::1");
	rig_ask(&r, "GET /ip HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4:5678, 192.0.2.9:80\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n1.2.3.4");
	rig_ask(&r, "GET /ip HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: [2001:db8::1]:5678, ::ffff:192.0.2.9\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n2001:db8::1");
	rig_ask(&r, "GET /ip HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4, unknown\r\n\r\n");
	rig_assert_ends(&r.client[0], "\r\n\r\n192.0.2.7");
	rig_close(&r);
}
END_TEST

UNIT_MAIN("exchange", gathers, partial_answers_say_so, required_failures_cancel_the_others,
    the_routes_time_bounds_everything, client_gone_is_499_and_cancels,
    sheds_beyond_the_daemons_limit, waits_for_admission_only_so_long, routing_failures,
    bodies_reach_the_calls, admin_listeners_answer, mock_listeners_skip_admission,
    replies_evaluate_their_templates, believes_trusted_proxies_only)
