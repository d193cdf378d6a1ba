/*
 * Simulated servers. Each has an address, accepts any number of connections, takes one request at a
 * time on each, and plays the script that it drew. In a storm a server dies now and then and comes
 * back later.
 */
#include "sim_server.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "net/stream_mem.h"
#include "net/stream_record.h"
#include "sim_env.h"
#include "sim_http.h"
#include "sim_oracle.h"
#include "sim_script.h"
#include "sim_tunnel.h"

#define TAG_SCONN 0x73636f6e

/*
 *     READ ──> ANSWER ──> READ       one request after the other
 *                 ├─────> DRAIN ──> READ   the answer came before the request's body, which still
 * comes ├─────> HANG       nothing more is said
 *                 └─────> TUNNEL     an upgrade was answered
 */
enum sconn_state { SCONN_READ, SCONN_ANSWER, SCONN_DRAIN, SCONN_HANG, SCONN_TUNNEL };

struct sconn {
	uint32_t tag;
	enum sconn_state state;
	struct sim_server *server;
	struct stream *stream; /* owned */
	TAILQ_ENTRY(sconn) link;
	struct sim_http http;
	struct sim_answer answer;
	struct sim_call *call; /* that is being answered; NULL: none */
	struct sim_request *upgrade; /* that is answered with 101; NULL: none */
	struct sim_tunnel tunnel;
	uint64_t deaf_at;      /* bytes that it hears of a tunnel before it leaves */
	size_t at;             /* what of the answer is out */
	size_t step;
	size_t allowed; /* bytes that the steps so far let out */
	struct timer timer;
	bool is_last;        /* closes when the answer is out */
	bool is_watched;     /* the timer says that it was idle for too long */
	bool is_early_drawn; /* whether to answer before the body is here was decided */
	unsigned n_requests;
	struct grave grave;
};

struct sim_server {
	struct sim *sim;
	unsigned upstream;
	struct addr at;
	struct mem_listener *listener;
	TAILQ_HEAD(, sconn) conns;
	struct timer fate; /* dies, or comes back */
};

static void
sconn_free(void *arg)
{
	struct sconn *c = arg;

	c->tag = 0;
	sim_http_fini(&c->http);
	buf_fini(&c->answer.bytes);
	free(c);
}

static void
close_call(struct sconn *c)
{
	if (c->call != NULL)
		c->call->is_open = false;
	c->call = NULL;
}

static void
sconn_close(struct sconn *c, bool is_reset)
{
	struct sim *s = c->server->sim;

	if (c->stream == NULL)
		return;
	close_call(c);
	sim_tunnel_leave(&c->tunnel);
	if (is_reset)
		stream_reset(&c->stream);
	else
		stream_close(&c->stream);
	loop_timer_drop(s->server_loop, &c->timer);
	TAILQ_REMOVE(&c->server->conns, c, link);
	s->n_sconns--;
	loop_bury(s->server_loop, &c->grave, sconn_free, c);
}

/* Left alone, the other side has to close it when its idle_timeout is over. */
static void
watch_idle(struct sconn *c)
{
	struct sim *s = c->server->sim;
	uint64_t idle_ns = s->env.up[c->server->upstream].idle_ms * NS_PER_MS;

	c->is_watched = true;
	loop_timer_set(
	    s->server_loop, &c->timer, s->server_loop->now_ns + idle_ns + 100 * NS_PER_MS);
}

static void
wait_for_request(struct sconn *c)
{
	struct sim *s = c->server->sim;

	if (c->http.state != SIM_HTTP_COMPLETE) {
		c->state = SCONN_DRAIN;
		return;
	}
	sim_http_go_on(&c->http);
	if (c->state == SCONN_ANSWER && sim_http_has_bytes(&c->http))
		sim_fail(s, "bytes came before the answer was out");
	c->state = SCONN_READ;
	c->is_early_drawn = false;
	if (s->env.has_idle_close || c->answer.end != SIM_END_KEEP)
		loop_timer_set(s->server_loop, &c->timer,
		    s->server_loop->now_ns + sim_between(s, 0, 100 * NS_PER_MS));
	else
		watch_idle(c);
}

/* ---- tunnels */

static const char upgrade_head[] = "HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: Sim\r\n\r\n";
static const char wrong_upgrade_head[] = "HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n";

/* Most servers do what is asked; some lie, some answer as to any other request. */
static bool
draw_upgrade(struct sconn *c, struct sim_request *r, struct sim_call *call)
{
	struct sim *s = c->server->sim;
	bool is_wrong = sim_chance(s, 50000);

	if (!r->asks_upgrade || sim_chance(s, 200000))
		return false;
	buf_clear(&c->answer.bytes);
	buf_add_c(&c->answer.bytes, is_wrong ? wrong_upgrade_head : upgrade_head);
	call->coding = NULL; /* of an answer that came before, when it was tried again */
	c->answer.steps[0].upto = c->answer.bytes.n;
	c->answer.steps[0].delay_ns = sim_between(s, 0, 50 * NS_PER_MS);
	c->answer.n_steps = 1;
	c->answer.end = SIM_END_HANG;
	c->upgrade = is_wrong ? NULL : r;
	call->script = 0;
	call->status = 101;
	call->body = str_none();
	call->reasons = SIM_REASON(is_wrong ? ERR_INVALID_UPGRADE : ERR_NONE);
	return true;
}

static void
begin_tunnel(struct sconn *c)
{
	struct sim *s = c->server->sim;

	c->state = SCONN_TUNNEL;
	c->deaf_at = sim_chance(s, 100000) ? sim_between(s, 1, 50000) : UINT64_MAX;
	sim_tunnel_begin(&c->tunnel, s, c->upgrade, SIM_TUNNEL_SERVER, c->stream);
	sim_tunnel_say(&c->tunnel);
}

static void
on_tunnel_readable(struct sconn *c)
{
	char bytes[4096];
	size_t got;
	enum io_status io = stream_read(c->stream, bytes, sizeof bytes, &got);

	if (io == IO_AGAIN)
		return;
	sim_tunnel_hear(&c->tunnel, str_of(bytes, got));
	if (c->upgrade->words[SIM_TUNNEL_SERVER].heard >= c->deaf_at) {
		sim_trace(c->server->sim, "a server has heard enough");
		sconn_close(c, sim_chance(c->server->sim, 500000));
		return;
	}
	if (io == IO_OK)
		return;
	stream_want_read(c->stream, false);
	sim_tunnel_hear_end(&c->tunnel, io);
	if (sim_tunnel_is_done(&c->tunnel))
		sconn_close(c, false);
}

/* ---- answers */

static void
end_answer(struct sconn *c)
{
	close_call(c);
	if (c->upgrade != NULL) {
		begin_tunnel(c);
		return;
	}
	switch (c->answer.end) {
	case SIM_END_CLOSE:
	case SIM_END_RESET:
		sconn_close(c, c->answer.end == SIM_END_RESET);
		break;
	case SIM_END_HANG:
		c->state = SCONN_HANG;
		break;
	case SIM_END_KEEP:
	case SIM_END_STALE:
	case SIM_END_NOISE:
		if (c->is_last)
			sconn_close(c, false);
		else
			wait_for_request(c);
		break;
	}
}

/* Sends what the steps allow, and begins the next step when all of it is out. */
static void
play(struct sconn *c)
{
	struct loop *loop = c->server->sim->server_loop;
	size_t put;

	while (c->at < c->allowed) {
		struct iovec iov = { c->answer.bytes.p + c->at, c->allowed - c->at };
		enum io_status io = stream_writev(c->stream, &iov, 1, &put);

		if (io == IO_ERROR)
			sconn_close(c, false);
		if (io != IO_OK)
			return;
		c->at += put;
	}
	if (c->at == c->answer.bytes.n) {
		end_answer(c);
		return;
	}
	loop_timer_set(loop, &c->timer, loop->now_ns + c->answer.steps[c->step].delay_ns);
}

/* Idle for long enough; but not while a request is coming in. */
static void
end_idle(struct sconn *c)
{
	struct iovec noise = { "noise\r\n", 7 };
	size_t put;

	if (sim_http_has_bytes(&c->http) || stream_record_is_coming(c->stream))
		return;
	if (c->is_watched) {
		if (c->server->sim->env.mode != SIM_STORM)
			sim_fail(c->server->sim, "an idle connection to u%u is kept for too long",
			    c->server->upstream);
		return;
	}
	if (c->answer.end != SIM_END_NOISE) {
		sconn_close(c, false);
		return;
	}
	sim_trace(c->server->sim, "a server of u%u makes noise", c->server->upstream);
	stream_writev(c->stream, &noise, 1, &put);
	c->state = SCONN_HANG;
}

static void
on_timer(void *arg)
{
	struct sconn *c = arg;

	TAG_CHECK(c, TAG_SCONN);
	if (c->state == SCONN_READ) {
		end_idle(c);
		return;
	}
	c->allowed = c->answer.steps[c->step++].upto;
	play(c);
}

static void
check_max_requests(const struct sim *s, const struct sconn *c)
{
	uint64_t max = s->env.up[c->server->upstream].max_requests;

	if (max != 0 && c->n_requests > max)
		sim_fail(
		    s, "request %u on a connection to u%u", c->n_requests, c->server->upstream);
}

static void
begin_answer(struct sconn *c)
{
	struct sim *s = c->server->sim;
	struct sim_request *r;
	struct sim_call *call;
	size_t index;

	call = sim_oracle_arrival(s, c->server->upstream, &c->http, &r, &index);
	call->is_retry_allowed = c->n_requests++ > 0;
	c->is_watched = false;
	check_max_requests(s, c);
	if (!draw_upgrade(c, r, call))
		sim_script_draw(s, r, call, index, &c->answer);
	sim_trace(s, "server of u%u has q%" PRIu64 " call %s, plays %s%s", c->server->upstream,
	    r->number, r->route->calls[index].name, sim_script_name(call->script),
	    c->http.state == SIM_HTTP_COMPLETE ? "" : " before the body is here");
	/* Closing with some of the body unread resets, and that can overtake the answer. */
	if (c->http.state != SIM_HTTP_COMPLETE)
		call->reasons |= SIM_REASON(ERR_RESET);
	c->call = call;
	call->is_open = true;
	c->is_last = str_ieq(sim_http_field(&c->http, STR("Connection"), 0), STR("close"));
	c->state = SCONN_ANSWER;
	c->at = 0;
	c->step = 0;
	c->allowed = 0;
	loop_timer_drop(s->server_loop, &c->timer);
	play(c);
}

/* Some servers do not wait for the body: they refuse it, or do not care. */
static bool
is_answered_early(struct sconn *c)
{
	if (c->is_early_drawn || c->http.state == SIM_HTTP_HEAD)
		return false;
	c->is_early_drawn = true;
	return sim_chance(c->server->sim, 100000);
}

static void
take_bytes(struct sconn *c, struct str bytes)
{
	bool is_complete;

	sim_http_add(&c->http, bytes);
	is_complete = sim_http_run(&c->http);
	if (c->http.state == SIM_HTTP_BROKEN)
		sim_fail(c->server->sim, "a broken request arrived: %s", c->http.fault);
	if (c->state == SCONN_DRAIN && is_complete) {
		wait_for_request(c);
		is_complete = sim_http_run(&c->http); /* the next request may be right behind */
	}
	if (c->state == SCONN_READ && (is_complete || is_answered_early(c)))
		begin_answer(c);
}

static void
on_readable(void *arg)
{
	struct sconn *c = arg;
	char bytes[4096];
	enum io_status io;
	size_t got;

	TAG_CHECK(c, TAG_SCONN);
	if (c->state == SCONN_TUNNEL) {
		on_tunnel_readable(c);
		return;
	}
	io = stream_read(c->stream, bytes, sizeof bytes, &got);
	if (io == IO_EOF || io == IO_ERROR) {
		sconn_close(c, false);
		return;
	}
	if (io == IO_AGAIN)
		return;
	if (c->state == SCONN_HANG && c->answer.end == SIM_END_NOISE)
		return; /* a request crossed the noise */
	if (c->state != SCONN_READ && c->http.state == SIM_HTTP_COMPLETE)
		sim_fail(c->server->sim, "bytes came while an answer is under way");
	take_bytes(c, str_of(bytes, got));
}

static void
on_writable(void *arg)
{
	struct sconn *c = arg;

	TAG_CHECK(c, TAG_SCONN);
	if (c->state == SCONN_ANSWER)
		play(c);
	if (c->state != SCONN_TUNNEL || c->tunnel.request == NULL)
		return;
	sim_tunnel_say(&c->tunnel);
	if (sim_tunnel_is_done(&c->tunnel))
		sconn_close(c, false);
}

static const struct stream_events sconn_events = {
	.on_readable = on_readable,
	.on_writable = on_writable,
};

static void
on_accept(void *owner, struct stream *stream, const struct addr *peer)
{
	struct sim_server *server = owner;
	struct sconn *c = mem_calloc(1, sizeof *c);

	(void)peer;
	c->tag = TAG_SCONN;
	c->server = server;
	c->stream = stream;
	sim_http_init(&c->http, false);
	timer_init(&c->timer, on_timer, c);
	TAILQ_INSERT_TAIL(&server->conns, c, link);
	server->sim->n_sconns++;
	stream_set_owner(stream, &sconn_events, c);
	stream_want_read(stream, true);
}

static const struct mem_listener_events listener_events = { .on_accept = on_accept };

static void
server_listen(struct sim_server *server)
{
	struct sim *s = server->sim;

	server->listener =
	    mem_world_listen(s->world, s->server_loop, &server->at, &listener_events, server);
}

static void
close_conns(struct sim_server *server)
{
	struct sconn *c;

	while ((c = TAILQ_FIRST(&server->conns)) != NULL)
		sconn_close(c, rnd_chance(&server->sim->rnd, 1, 2));
}

static void
on_fate(void *arg)
{
	struct sim_server *server = arg;
	struct sim *s = server->sim;

	if (server->listener == NULL) {
		sim_trace(s, "a server of u%u is back", server->upstream);
		server_listen(server);
	} else if (s->n_settled < s->n_requests) {
		sim_trace(s, "a server of u%u dies", server->upstream);
		mem_world_unlisten(&server->listener);
		close_conns(server);
	} else {
		return;
	}
	loop_timer_set(s->server_loop, &server->fate,
	    s->server_loop->now_ns + sim_between(s, NS_PER_MS, 500 * NS_PER_MS));
}

static void
server_start(struct sim *s, struct sim_server *server, unsigned u, unsigned i)
{
	server->sim = s;
	server->upstream = u;
	server->at = sim_env_server_addr(u, i);
	TAILQ_INIT(&server->conns);
	timer_init(&server->fate, on_fate, server);
	server_listen(server);
	if (s->env.mode == SIM_STORM && sim_chance(s, 200000))
		loop_timer_set(s->server_loop, &server->fate,
		    s->server_loop->now_ns + sim_between(s, 0, NS_PER_SEC));
}

void
sim_server_start_all(struct sim *s)
{
	s->servers = mem_calloc(SIM_UPSTREAMS * SIM_SERVERS, sizeof *s->servers);
	for (unsigned u = 0; u < SIM_UPSTREAMS; u++)
		for (unsigned i = 0; i < s->env.up[u].n_servers; i++)
			server_start(s, &s->servers[u * SIM_SERVERS + i], u, i);
}

void
sim_server_stop_all(struct sim *s)
{
	for (size_t i = 0; i < SIM_UPSTREAMS * SIM_SERVERS; i++) {
		struct sim_server *server = &s->servers[i];

		if (server->sim == NULL)
			continue;
		mem_world_unlisten(&server->listener);
		close_conns(server);
		loop_timer_drop(s->server_loop, &server->fate);
	}
	free(s->servers);
	s->servers = NULL;
}
