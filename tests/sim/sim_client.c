/*
 * Simulated clients. Each draws a manner for a connection, sends some requests on it (one at a time
 * or pipelined), checks the answers in order, and goes on with another connection while there are
 * requests.
 */
#include "sim_client.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "sim_batch.h"
#include "sim_coding.h"
#include "sim_http.h"
#include "sim_nonsense.h"
#include "sim_oracle.h"
#include "sim_tls.h"
#include "sim_tunnel.h"

#define TAG_CLIENT 0x73636c69
#define MAX_PIPELINE 6

enum manner {
	MANNER_GOOD,
	MANNER_DRIPS,    /* sends a few bytes at a time, perhaps too slowly */
	MANNER_SLEEPS,   /* does not read for a while */
	MANNER_LEAVES,   /* closes midway */
	MANNER_RESETS,   /* the same without manners */
	MANNER_HALF,     /* ends its direction after the last request */
	MANNER_NONSENSE, /* its last request is one that must be refused */
	MANNERS,
};

/*
 *     IDLE ──> CONNECT ──> OPEN ──> IDLE       the last step when the connection has ended
 */
enum client_state { CLIENT_IDLE, CLIENT_CONNECT, CLIENT_OPEN };

struct sim_client {
	uint32_t tag;
	enum client_state state;
	enum manner manner;
	struct sim *sim;
	struct stream *stream; /* owned */
	struct sim_http http;
	struct sim_tunnel tunnel; /* that the connection has become */
	struct sim_request *waiting[MAX_PIPELINE]; /* sent and not answered, oldest first */
	size_t n_waiting;
	unsigned n_left;       /* requests still to send on this connection */
	unsigned depth;        /* how many may wait */
	unsigned n_answers;    /* on this connection */
	bool is_told_to_close; /* an answer said so */
	struct buf out;
	size_t out_at;
	size_t n_drip;     /* bytes that one who drips has offered and not got rid of */
	bool cannot_write; /* a write failed; what can be read still is */
	size_t out_hold;   /* bytes up to here may go; the rest waits for 100 (Continue) */
	struct timer pace; /* drips, wakes up, connects anew */
	struct timer leave;
	struct timer patience; /* no answer for so long is a lost one */
	struct grave grave;
};

static void client_connect(struct sim_client *c);

static struct loop *
loop_of(const struct sim_client *c)
{
	return c->sim->client_loop;
}

static void
set_in(struct sim_client *c, struct timer *t, uint64_t ns)
{
	loop_timer_set(loop_of(c), t, loop_of(c)->now_ns + ns);
}

static bool
is_rude(const struct sim_client *c)
{
	return c->manner != MANNER_GOOD;
}

/* Anyone may be taken for slow who is not. */
static bool
is_time_strange(const struct sim *s)
{
	return s->world->faults.stall_chance != 0 || s->env.has_jumps;
}

static void
client_free(void *arg)
{
	struct sim_client *c = arg;

	c->tag = 0;
	sim_http_fini(&c->http);
	buf_fini(&c->out);
	free(c);
}

static void
client_done(struct sim_client *c)
{
	loop_timer_drop(loop_of(c), &c->pace);
	loop_timer_drop(loop_of(c), &c->leave);
	loop_timer_drop(loop_of(c), &c->patience);
	c->sim->n_clients--;
	loop_bury(loop_of(c), &c->grave, client_free, c);
}

/* What waits gets no answer any more. */
static void
drop_waiting(struct sim_client *c, bool is_excused)
{
	/* What is pipelined with an answer that is cut off goes with it. */
	for (size_t i = 0; i < c->n_waiting; i++)
		is_excused = is_excused || sim_oracle_may_be_cut(c->sim, c->waiting[i]);
	for (size_t i = 0; i < c->n_waiting; i++)
		sim_oracle_dropped(c->sim, c->waiting[i], is_excused);
	c->n_waiting = 0;
}

/* The connection is over, whoever ended it; the next begins a little later. */
static void
client_end(struct sim_client *c, bool is_excused)
{
	sim_tunnel_leave(&c->tunnel);
	stream_close(&c->stream);
	drop_waiting(c, is_excused);
	loop_timer_clear(&c->leave);
	loop_timer_clear(&c->patience);
	c->state = CLIENT_IDLE;
	if (c->sim->n_begun == c->sim->n_requests)
		client_done(c);
	else
		set_in(c, &c->pace, sim_between(c->sim, 0, 20 * NS_PER_MS));
}

/* ---- sending */

static bool
is_drip_due(const struct sim_client *c)
{
	return c->manner == MANNER_DRIPS;
}

/* Bytes leave when the stream takes them; one who drips waits between them. */
static void
flush(struct sim_client *c)
{
	size_t put;

	while (c->out_at < c->out_hold && !c->cannot_write) {
		size_t n = c->out_hold - c->out_at;
		struct iovec iov = { c->out.p + c->out_at, n };
		enum io_status io;

		if (is_drip_due(c)) {
			if (timer_is_set(&c->pace))
				return;
			/* What was refused is offered again as it was. */
			if (c->n_drip == 0)
				c->n_drip = sim_between(c->sim, 1, n < 200 ? n : 200);
			iov.iov_len = c->n_drip;
			set_in(c, &c->pace, sim_between(c->sim, 0, 300 * NS_PER_MS));
		}
		io = stream_writev(c->stream, &iov, 1, &put);
		c->cannot_write = io == IO_ERROR;
		if (io != IO_OK)
			return; /* an error is told by reading, too */
		c->out_at += put;
		c->n_drip = 0;
	}
	if (c->manner == MANNER_HALF && c->n_left == 0 && c->out_at == c->out.n &&
	    c->tunnel.request == NULL)
		stream_shutdown_write(c->stream);
}

static void
expect_answer(struct sim_client *c)
{
	c->http.is_bodiless = c->waiting[0]->is_head;
	c->http.is_http10 = c->waiting[0]->is_http10;
	c->http.takes_upgrade = c->waiting[0]->asks_upgrade;
}

static void
push(struct sim_client *c, struct sim_request *r)
{
	assert(c->n_waiting < MAX_PIPELINE);
	r->is_lax = is_rude(c) || is_time_strange(c->sim);
	r->is_sent = true;
	sim_batch_sent(r);
	sim_trace(c->sim, "q%" PRIu64 " (%s) goes out behind %zu others, %zu bytes of body",
	    r->number, r->route == NULL ? "nonsense" : r->route->name, c->n_waiting, r->body.n);
	c->waiting[c->n_waiting++] = r;
	if (c->n_waiting == 1)
		expect_answer(c);
	set_in(c, &c->patience, 120 * NS_PER_SEC);
}

static void
send_one(struct sim_client *c, struct sim_request *r)
{
	struct buf body = BUF_INIT;
	bool expects;

	r->is_http10 = c->n_waiting == 0 && sim_chance(c->sim, 20000);
	if (r->is_http10)
		r->asks_upgrade = r->must_refuse = false;
	if (r->is_http10 || r->asks_upgrade || r->must_refuse)
		c->n_left = 0; /* nothing follows it */
	sim_oracle_write(c->sim, r,
	    c->n_left == 0 && !r->asks_upgrade && sim_chance(c->sim, 500000), &c->out, &body);
	expects = body.n > 0 && c->n_waiting == 0 && !r->is_http10 && c->out_hold == c->out_at &&
		  sim_chance(c->sim, 200000);
	buf_add_c(&c->out, expects ? "Expect: 100-continue\r\n\r\n" : "\r\n");
	c->out_hold = c->out.n + (expects ? 0 : body.n);
	buf_add(&c->out, buf_str(&body));
	buf_fini(&body);
	push(c, r);
}

static void
send_more(struct sim_client *c)
{
	while (c->n_left > 0 && c->n_waiting < c->depth && !c->is_told_to_close &&
	       c->out_hold == c->out.n) {
		struct sim_request *r = sim_oracle_next(c->sim);

		if (r == NULL) {
			c->n_left = 0;
			break;
		}
		c->n_left--;
		if (c->n_left == 0 && c->manner == MANNER_NONSENSE) {
			sim_nonsense_write(c->sim, r, &c->out);
			c->out_hold = c->out.n;
			push(c, r);
		} else {
			send_one(c, r);
		}
	}
	if (c->out_at == c->out.n) {
		buf_clear(&c->out);
		c->out_at = 0;
		c->out_hold = 0;
	}
	flush(c);
}

/* ---- receiving */

static void
pop(struct sim_client *c)
{
	c->n_waiting--;
	for (size_t i = 0; i < c->n_waiting; i++)
		c->waiting[i] = c->waiting[i + 1];
	if (c->n_waiting > 0)
		expect_answer(c);
}

/* An answer that says close is the last; what was sent behind it is not served. */
static void
take_answer(struct sim_client *c)
{
	bool is_closing = c->http.is_closing;

	if (c->n_waiting == 0) {
		/* The one thing a server may say unasked: it was too long until a request came. */
		if (c->http.status != 408 || !is_closing)
			sim_fail(c->sim, "an answer that nobody asked for: %u", c->http.status);
	} else {
		sim_coding_decompress(c->sim, c->waiting[0], &c->http);
		sim_oracle_check(c->sim, c->waiting[0], &c->http);
		c->n_answers++;
	}
	sim_http_go_on(&c->http);
	if (c->n_waiting > 0)
		pop(c);
	c->out_hold = c->out.n;
	if (is_closing) {
		c->is_told_to_close = true;
		drop_waiting(c, true);
		c->n_left = 0;
	}
}

/* The end of the request may have arrived and not be told as written. */
static void
speak(struct sim_client *c)
{
	flush(c);
	if (c->out_at == c->out.n || c->cannot_write)
		sim_tunnel_say(&c->tunnel);
}

/* The other protocol begins with what has come behind the head of the answer. */
static void
begin_tunnel(struct sim_client *c)
{
	struct sim_request *r = c->waiting[0];

	sim_oracle_check(c->sim, r, &c->http);
	pop(c);
	sim_tunnel_begin(&c->tunnel, c->sim, r, SIM_TUNNEL_CLIENT, c->stream);
	sim_tunnel_hear(&c->tunnel, sim_http_rest(&c->http));
	sim_http_fini(&c->http);
	sim_http_init(&c->http, true);
	speak(c);
	set_in(c, &c->patience, 120 * NS_PER_SEC);
}

/* It can write, or may. */
static void
go_on(struct sim_client *c)
{
	if (c->tunnel.request == NULL) {
		flush(c);
		return;
	}
	speak(c);
	if (sim_tunnel_is_done(&c->tunnel))
		client_end(c, true);
}

static void
on_tunnel_readable(struct sim_client *c)
{
	char bytes[8192];
	size_t got;
	enum io_status io = stream_read(c->stream, bytes, sizeof bytes, &got);

	if (io == IO_AGAIN)
		return;
	sim_tunnel_hear(&c->tunnel, str_of(bytes, got));
	set_in(c, &c->patience, 120 * NS_PER_SEC);
	if (c->manner == MANNER_SLEEPS && sim_chance(c->sim, 300000)) {
		stream_want_read(c->stream, false);
		set_in(c, &c->pace, sim_between(c->sim, 0, 4 * NS_PER_SEC));
	}
	if (io == IO_OK)
		return;
	stream_want_read(c->stream, false);
	sim_tunnel_hear_end(&c->tunnel, io);
	if (sim_tunnel_is_done(&c->tunnel))
		client_end(c, true);
}

static void
decide_next(struct sim_client *c)
{
	if (c->n_waiting == 0 && c->n_left == 0 && !c->is_told_to_close &&
	    sim_chance(c->sim, 800000)) {
		client_end(c, true);
		return;
	}
	/* Else the server ends it: at once when it said so, or when it has been idle. */
	send_more(c);
}

/* Not answered although the connection has ended: when is that nobody's fault? */
static bool
is_end_excused(const struct sim_client *c, enum io_status io)
{
	if (is_rude(c) || c->is_told_to_close)
		return true;
	/* Reset, or taken for one who reads nothing because the network held back the answer. */
	if (c->sim->env.mode == SIM_STORM && (io == IO_ERROR || is_time_strange(c->sim)))
		return true;
	if (c->sim->is_stopped)
		return true;
	/* It had just been accepted; where the network is quick, its request comes before the drain gives it up. */
	if (c->sim->env.mode == SIM_STORM && c->sim->has_drained && c->n_answers == 0 &&
	    !sim_http_has_bytes(&c->http))
		return true;
	/* It was idle, and closed just when the request was on its way. */
	return c->n_answers > 0 && c->n_waiting > 0 && !sim_http_has_bytes(&c->http);
}

static void
on_end(struct sim_client *c, enum io_status io)
{
	if (c->n_waiting > 0)
		sim_trace(c->sim,
		    "the connection that q%" PRIu64 " waits on %s, with %zu bytes behind it",
		    c->waiting[0]->number, io == IO_EOF ? "ends" : "is reset", c->http.in.n);
	if (io == IO_EOF && sim_http_end(&c->http)) {
		if (c->n_waiting == 0)
			sim_fail(c->sim, "an answer that nobody asked for");
		sim_coding_decompress(c->sim, c->waiting[0], &c->http);
		sim_oracle_check(c->sim, c->waiting[0], &c->http);
		pop(c);
		drop_waiting(c, true);
	}
	client_end(c, is_end_excused(c, io));
}

static void
on_readable(void *arg)
{
	struct sim_client *c = arg;
	char bytes[8192];
	enum io_status io;
	size_t got;

	TAG_CHECK(c, TAG_CLIENT);
	if (c->tunnel.request != NULL) {
		on_tunnel_readable(c);
		return;
	}
	io = stream_read(c->stream, bytes, sizeof bytes, &got);
	if (io == IO_EOF || io == IO_ERROR) {
		on_end(c, io);
		return;
	}
	if (io == IO_AGAIN)
		return;
	sim_http_add(&c->http, str_of(bytes, got));
	c->http.is_interim_seen = false;
	while (sim_http_run(&c->http)) {
		if (c->http.status == 101) {
			begin_tunnel(c);
			return;
		}
		take_answer(c);
	}
	if (c->http.state == SIM_HTTP_BROKEN)
		sim_fail(c->sim, "a broken answer: %s", c->http.fault);
	if (c->http.is_interim_seen)
		c->out_hold = c->out.n;
	if (c->manner == MANNER_SLEEPS && sim_chance(c->sim, 300000)) {
		stream_want_read(c->stream, false);
		set_in(c, &c->pace, sim_between(c->sim, 0, 4 * NS_PER_SEC));
	}
	decide_next(c);
}

static void
on_writable(void *arg)
{
	struct sim_client *c = arg;

	TAG_CHECK(c, TAG_CLIENT);
	go_on(c);
}

static void
on_connected(void *arg, enum err_code e)
{
	struct sim_client *c = arg;

	TAG_CHECK(c, TAG_CLIENT);
	if (e != ERR_NONE) {
		client_end(c, true);
		return;
	}
	c->state = CLIENT_OPEN;
	stream_want_read(c->stream, true);
	if (c->manner == MANNER_LEAVES || c->manner == MANNER_RESETS)
		set_in(c, &c->leave, sim_between(c->sim, 0, 200 * NS_PER_MS));
	set_in(c, &c->patience, 120 * NS_PER_SEC);
	send_more(c);
}

static const struct stream_events client_events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

/* ---- time */

static void
on_pace(void *arg)
{
	struct sim_client *c = arg;

	TAG_CHECK(c, TAG_CLIENT);
	switch (c->state) {
	case CLIENT_IDLE:
		client_connect(c);
		break;
	case CLIENT_OPEN:
		stream_want_read(c->stream, !c->tunnel.is_over);
		go_on(c);
		break;
	case CLIENT_CONNECT:
		break;
	}
}

static void
on_leave(void *arg)
{
	struct sim_client *c = arg;

	TAG_CHECK(c, TAG_CLIENT);
	sim_trace(c->sim, "a client leaves, %zu requests behind", c->n_waiting);
	sim_tunnel_leave(&c->tunnel);
	if (c->manner == MANNER_RESETS)
		stream_reset(&c->stream);
	client_end(c, true);
}

static void
on_patience(void *arg)
{
	struct sim_client *c = arg;

	TAG_CHECK(c, TAG_CLIENT);
	if (c->n_waiting == 0 && c->state == CLIENT_OPEN && !is_time_strange(c->sim))
		sim_fail(c->sim, "an idle connection is never closed");
	if (c->n_waiting > 0 && c->sim->env.mode != SIM_STORM)
		sim_fail(c->sim, "q%" PRIu64 " waits for ever", c->waiting[0]->number);
	/* In a storm a connection may hang because of the network. */
	client_end(c, true);
}

static void
draw_manner(struct sim_client *c)
{
	struct sim *s = c->sim;

	c->manner = MANNER_GOOD;
	if (sim_chance(s, s->env.rude_chance))
		c->manner = (enum manner)sim_between(s, 1, MANNERS - 1);
	c->n_left = (unsigned)(sim_chance(s, 300000) ? 1 : sim_between(s, 1, 20));
	c->depth = (unsigned)(sim_chance(s, 600000) ? 1 : sim_between(s, 1, MAX_PIPELINE));
}

static void
client_connect(struct sim_client *c)
{
	if (c->sim->n_begun == c->sim->n_requests) {
		client_done(c);
		return;
	}
	draw_manner(c);
	sim_http_fini(&c->http);
	sim_http_init(&c->http, true);
	buf_clear(&c->out);
	c->out_at = 0;
	c->out_hold = 0;
	c->n_drip = 0;
	c->cannot_write = false;
	c->n_answers = 0;
	c->is_told_to_close = false;
	c->tunnel = (struct sim_tunnel){ 0 };
	c->state = CLIENT_CONNECT;
	c->stream = sim_tls_connect(c->sim, &client_events, c);
	set_in(c, &c->patience, 120 * NS_PER_SEC);
}

void
sim_client_start_all(struct sim *s)
{
	for (unsigned i = 0; i < s->env.n_clients; i++) {
		struct sim_client *c = mem_calloc(1, sizeof *c);

		c->tag = TAG_CLIENT;
		c->sim = s;
		timer_init(&c->pace, on_pace, c);
		timer_init(&c->leave, on_leave, c);
		timer_init(&c->patience, on_patience, c);
		s->n_clients++;
		set_in(c, &c->pace, sim_between(s, 0, 50 * NS_PER_MS));
	}
}
