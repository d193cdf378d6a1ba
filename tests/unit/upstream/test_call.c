/* Calls against a scripted server in the memory world: what an answer becomes, and what happens to connections. */
#include "upstream/call.h"

#include "net/stream.h"
#include "upstream/uconn.h"
#include "upstream_rig.h"

/* What the server does with each request, in turn; the last one repeats. */
struct script {
	const char *answer; /* NULL: closes without a byte */
	bool closes;        /* after the answer */
};

struct peer {
	struct stream *stream;
	struct peer *next;
};

struct fixture {
	struct mem_listener *listener;
	struct addr addr;
	struct arena arena;
	const struct script *script;
	size_t n_script;
	size_t n_requests; /* the server saw */
	size_t n_connections;
	struct peer *peers;
};

static struct rig r;
static struct fixture f;
static struct call call;
static int n_done;

/* ---- the server */

static void
peer_answer(struct peer *p)
{
	const struct script *s = &f.script[f.n_requests < f.n_script ? f.n_requests : f.n_script - 1];
	struct iovec v = str_iov(s->answer == NULL ? str_none() : str_c(s->answer));
	size_t put;

	f.n_requests++;
	if (s->answer == NULL || stream_writev(p->stream, &v, 1, &put) != IO_OK || s->closes)
		stream_close(&p->stream);
}

static void
peer_on_readable(void *owner)
{
	struct peer *p = owner;
	char bytes[8192];
	size_t got;
	enum io_status io = stream_read(p->stream, bytes, sizeof bytes, &got);

	if (io == IO_EOF || io == IO_ERROR)
		stream_close(&p->stream);
	else if (io == IO_OK)
		peer_answer(p);
}

static void
peer_on_writable(void *owner)
{
	(void)owner;
}

static const struct stream_events peer_events = {
	.on_readable = peer_on_readable,
	.on_writable = peer_on_writable,
};

static void
on_accept(void *owner, struct stream *stream, const struct addr *from)
{
	struct peer *p = calloc(1, sizeof *p);

	(void)owner;
	(void)from;
	f.n_connections++;
	p->stream = stream;
	p->next = f.peers;
	f.peers = p;
	stream_set_owner(stream, &peer_events, p);
	stream_want_read(stream, true);
}

static const struct mem_listener_events listener_events = { .on_accept = on_accept };

/* ---- the call */

static void
on_done(struct call *c)
{
	(void)c;
	n_done++;
}

static const struct call_events collecting = { .on_done = on_done };

static void
setup(const struct script *script, size_t n_script)
{
	memset(&f, 0, sizeof f);
	f.script = script;
	f.n_script = n_script;
	rig_open(&r);
	ck_assert_int_eq(addr_parse(STR("10.0.0.1:80"), &f.addr), ERR_NONE);
	f.listener = mem_world_listen(r.world, r.loop, &f.addr, &listener_events, &f);
	r.server.addrs = &f.addr;
	r.server.n_addrs = 1;
	rig_start(&r);
	arena_init(&f.arena, &r.loop->blocks, 0);
}

static void
teardown(void)
{
	upstream_close(&r.up);
	mem_world_unlisten(&f.listener);
	while (f.peers != NULL) {
		struct peer *p = f.peers;

		f.peers = p->next;
		stream_close(&p->stream);
		free(p);
	}
	arena_reset(&f.arena);
	rig_close(&r);
}

static void
start_request(const struct h1_request *request)
{
	n_done = 0;
	call_init(&call, &r.up, &f.arena, &collecting, NULL);
	call.max_body_bytes = 1000;
	call_start(&call, request, r.loop->now_ns + 100 * NS_PER_SEC);
	ck_assert_int_eq(n_done, 0);
}

static void
finish_request(void)
{
	while (n_done == 0)
		ck_assert(mem_world_step(r.world));
	ck_assert_int_eq(n_done, 1);
	ck_assert_int_eq(call.state, CALL_DONE);
	ck_assert_uint_eq(limiter_inflight(&r.up.limiter), 0);
	ck_assert_uint_eq(r.up.endpoints[0]->active, 0);
	ck_assert_uint_eq(r.up.endpoints[0]->pool.n_busy, 0);
}

static void
run_request(const struct h1_request *request)
{
	start_request(request);
	finish_request();
}

static const struct h1_request get = {
	.start_line = STR_INIT("GET / HTTP/1.1\r\n"),
	.fields = STR_INIT("\r\n"),
	.method = METHOD_GET,
	.is_idempotent = true,
};

static const struct h1_request post = {
	.start_line = STR_INIT("POST / HTTP/1.1\r\n"),
	.fields = STR_INIT("Content-Length: 2\r\n\r\n"),
	.body = STR_INIT("{}"),
	.method = METHOD_POST,
};

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define X8(s) s s s s s s s s
#define X64(s) X8(X8(s))

START_TEST(an_answer_becomes_what_it_is)
{
	static const struct {
		const char *answer;
		bool closes;
		enum err_code want;
		const char *body;
		bool keeps; /* the connection may serve again */
	} rows[] = {
		{ OK_HEAD "Content-Length: 2\r\n\r\nok", false, ERR_NONE, "ok", true },
		{ OK_HEAD "Content-Length: 0\r\n\r\n", false, ERR_NONE, "", true },
		{ OK_HEAD "Content-Length: 2\r\nConnection: close\r\n\r\nok", false, ERR_NONE, "ok", false },
		{ OK_HEAD "Content-Length: 2\r\n\r\nok?", false, ERR_NONE, "ok", false },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", false,
		    ERR_NONE, "ok", true },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n0\r\nA: b\r\n\r\n", false,
		    ERR_NONE, "o", true },
		{ OK_HEAD "\r\nok", true, ERR_NONE, "ok", false },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, ERR_NONE, "ok", false },
		{ "HTTP/1.1 204 No Content\r\n\r\n", false, ERR_NONE, "", true },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", false, ERR_NONE, "", false },
		{ "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_HEAD "Content-Length: 2\r\n\r\nok",
		    false, ERR_NONE, "ok", true },
		{ X8("HTTP/1.1 100 Continue\r\n\r\n") X8("HTTP/1.1 100 Continue\r\n\r\n")
		    "HTTP/1.1 100 Continue\r\n\r\n", false, ERR_INVALID_RESPONSE, "", false },
		{ "HTTP/1.1 101 Switching Protocols\r\n\r\n", false, ERR_INVALID_RESPONSE, "", false },
		{ OK_HEAD "Content-Length: 3\r\n\r\nok", true, ERR_RESET, "ok", false },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nok", true, ERR_RESET, "ok", false },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", false, ERR_INVALID_RESPONSE, "", false },
		{ OK_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", false,
		    ERR_INVALID_RESPONSE, "", false },
		{ OK_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", false,
		    ERR_INVALID_RESPONSE, "", false },
		{ "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", false, ERR_INVALID_RESPONSE, "", false },
		{ "SSH-2.0-OpenSSH\r\n", false, ERR_INVALID_RESPONSE, "", false },
		{ "HTTP/1.1 2", true, ERR_RESET, "", false },
		{ NULL, false, ERR_RESET, "", false },
		{ OK_HEAD "Content-Length: 1001\r\n\r\n", false, ERR_RESPONSE_TOO_LARGE, "", false },
		{ OK_HEAD "\r\n" X64("0123456789abcdef"), false, ERR_RESPONSE_TOO_LARGE, "", false },
		{ OK_HEAD "A: " X64(X64("x")) "x", false, ERR_RESPONSE_HEAD_TOO_LARGE, "", false },
		{ OK_HEAD X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") "\r\n", false,
		    ERR_RESPONSE_HEAD_TOO_LARGE, "", false },
		{ "", false, ERR_FIRST_BYTE_TIMEOUT, "", false },
		{ "HTTP/1.1 200", false, ERR_TIMEOUT, "", false },
		{ OK_HEAD "Content-Length: 3\r\n\r\nok", false, ERR_TIMEOUT, "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct script script = { rows[i].answer, rows[i].closes };

		setup(&script, 1);
		run_request(&get);
		ck_assert_msg(call.error == rows[i].want, "row %zu: got %s, want %s", i,
		    err_token(call.error), err_token(rows[i].want));
		if (rows[i].want == ERR_NONE)
			ck_assert_msg(str_eq(call.body, str_c(rows[i].body)), "row %zu: body \"%.*s\"",
			    i, STR_FMT(call.body));
		ck_assert_msg(r.up.endpoints[0]->pool.n_idle == (rows[i].keeps ? 1u : 0u),
		    "row %zu: %zu idle connections", i, r.up.endpoints[0]->pool.n_idle);
		teardown();
	}
}
END_TEST

static const char fine[] = OK_HEAD "Content-Length: 2\r\n\r\nok";

START_TEST(a_connection_serves_again)
{
	static const struct script script = { fine, false };

	setup(&script, 1);
	for (int i = 0; i < 5; i++) {
		run_request(&get);
		ck_assert_int_eq(call.error, ERR_NONE);
		ck_assert(call.is_reused == (i > 0));
	}
	ck_assert_uint_eq(f.n_connections, 1);
	teardown();
}
END_TEST

START_TEST(a_stale_connection_is_tried_again_once)
{
	static const struct script script[] = { { fine, false }, { NULL, false }, { fine, false } };

	setup(script, 3);
	run_request(&get);
	run_request(&get);
	ck_assert_int_eq(call.error, ERR_NONE);
	ck_assert(call.was_retried);
	ck_assert_uint_eq(f.n_requests, 3);
	ck_assert_uint_eq(f.n_connections, 2);
	teardown();
}
END_TEST

START_TEST(a_fresh_connection_is_not_tried_again)
{
	static const struct script script[] = { { NULL, false }, { fine, false } };

	setup(script, 2);
	run_request(&get);
	ck_assert_int_eq(call.error, ERR_RESET);
	ck_assert_uint_eq(f.n_requests, 1);
	teardown();
}
END_TEST

START_TEST(what_is_not_idempotent_is_sent_once)
{
	static const struct script script[] = { { fine, false }, { NULL, false }, { fine, false } };

	setup(script, 3);
	run_request(&get);
	run_request(&post);
	ck_assert_int_eq(call.error, ERR_RESET);
	ck_assert_uint_eq(f.n_requests, 2);
	teardown();
}
END_TEST

START_TEST(an_answer_that_nobody_asked_for_closes_the_connection)
{
	static const struct script script[] = { { fine, false } };
	struct iovec v = str_iov(str_of(fine, sizeof fine - 1));
	size_t put;

	setup(script, 1);
	run_request(&get);
	ck_assert_int_eq(stream_writev(f.peers->stream, &v, 1, &put), IO_OK);
	while (r.up.endpoints[0]->pool.n_idle != 0)
		ck_assert(mem_world_step(r.world));
	run_request(&get);
	ck_assert_int_eq(call.error, ERR_NONE);
	ck_assert_uint_eq(f.n_connections, 2);
	teardown();
}
END_TEST

/*
 * The bytes are readable in the very turn in which the connection is leased again, before the pool has heard
 * of them: they must not become the answer.
 */
START_TEST(an_answer_that_came_before_its_request_is_not_believed)
{
	static const struct script script[] = { { fine, false } };
	static const char evil[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
	struct iovec v = str_iov(str_of(evil, sizeof evil - 1));
	struct uconn *uc;
	size_t put;

	setup(script, 1);
	run_request(&get);
	ck_assert_int_eq(stream_writev(f.peers->stream, &v, 1, &put), IO_OK);
	uc = TAILQ_FIRST(&r.up.endpoints[0]->pool.idle);
	start_request(&get);
	ck_assert_int_eq(uc->state, UCONN_BUSY);
	uc->stream->events->on_readable(uc);
	finish_request();
	ck_assert_int_eq(call.error, ERR_NONE);
	ck_assert(call.was_retried);
	ck_assert_uint_eq(f.n_connections, 2);
	ck_assert_str_is(uconn_h1_body(&call.attempt), "ok");
	teardown();
}
END_TEST

START_TEST(idle_connections_age_out)
{
	static const struct script script[] = { { fine, false } };
	uint64_t begin;

	setup(script, 1);
	run_request(&get);
	begin = r.loop->now_ns;
	while (r.up.endpoints[0]->pool.n_idle != 0)
		ck_assert(mem_world_step(r.world));
	ck_assert_uint_ge(r.loop->now_ns - begin, r.conf.pool.idle_timeout_ns);
	teardown();
}
END_TEST

START_TEST(a_refused_connection_says_so)
{
	static const struct script script[] = { { fine, false } };

	setup(script, 1);
	mem_world_unlisten(&f.listener);
	run_request(&get);
	ck_assert_int_eq(call.error, ERR_CONNECT_REFUSED);
	teardown();
}
END_TEST

START_TEST(a_silent_connect_times_out)
{
	static const struct script script[] = { { fine, false } };

	setup(script, 1);
	r.world->faults.silent_chance = MEM_WORLD_CHANCE;
	run_request(&get);
	ck_assert_int_eq(call.error, ERR_CONNECT_TIMEOUT);
	teardown();
}
END_TEST

START_TEST(cancel_leaves_nothing_behind)
{
	static const struct script script[] = { { "", false } };

	for (int steps = 0; steps < 12; steps++) {
		setup(script, 1);
		n_done = 0;
		call_init(&call, &r.up, &f.arena, &collecting, NULL);
		call_start(&call, &get, r.loop->now_ns + NS_PER_SEC);
		for (int i = 0; i < steps && n_done == 0; i++)
			mem_world_step(r.world);
		if (n_done == 0)
			call_cancel(&call);
		call_cancel(&call);
		ck_assert_int_eq(call.state, CALL_DONE);
		ck_assert_uint_eq(limiter_inflight(&r.up.limiter), 0);
		ck_assert_uint_eq(r.up.endpoints[0]->pool.n_waiting, 0);
		ck_assert_uint_eq(r.up.endpoints[0]->pool.n_busy, 0);
		while (mem_world_step(r.world))
			;
		ck_assert_int_le(n_done, 1);
		teardown();
	}
}
END_TEST

UNIT_MAIN("call", an_answer_becomes_what_it_is, a_connection_serves_again,
    a_stale_connection_is_tried_again_once, a_fresh_connection_is_not_tried_again,
    what_is_not_idempotent_is_sent_once, an_answer_that_nobody_asked_for_closes_the_connection,
    an_answer_that_came_before_its_request_is_not_believed,
    idle_connections_age_out, a_refused_connection_says_so, a_silent_connect_times_out,
    cancel_leaves_nothing_behind)
