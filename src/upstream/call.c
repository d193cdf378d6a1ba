/*
 * A call: its permit, its attempts, its deadlines. Runs on its worker's thread; memory is the owner's.
 */
#include "upstream/call.h"

#include "upstream/balance.h"
#include "upstream/uconn.h"
#include "upstream/upstream.h"

#define CALL_TAG 0x63616c6cu
#define REDISPATCH_MAX 3 /* other servers that a call tries when it cannot connect */

static const struct uconn_h1_events attempt_events;
static const struct uconn_h1_events streamed_events;

static struct loop *
loop_of(const struct call *c)
{
	return c->upstream->loop;
}

/* An endpoint outlives the calls on it, and that of a name not by much: its own text is kept. */
static void
leave_endpoint(struct call *c)
{
	struct endpoint *ep = c->endpoint;

	if (!c->is_counted)
		return;
	c->is_counted = false;
	ep->active--;
	if (ep->is_named)
		c->server = arena_str(c->arena, c->server);
	if (ep->is_leaving)
		upstream_sweep_later(c->upstream);
}

/* Gives everything back; nothing can call back into c after this. */
static void
settle(struct call *c, enum err_code e)
{
	struct loop *loop = loop_of(c);

	c->state = CALL_DONE;
	c->error = e;
	c->times.done = loop->now_ns;
	c->bytes_in = c->attempt.bytes_in;
	c->bytes_out = c->attempt.bytes_out;
	leave_endpoint(c);
	loop_timer_drop(loop, &c->timer);
	loop_defer_cancel(loop, &c->finish_later);
	if (!c->shares_permit)
		permit_release(&c->permit);
}

static void
count_outcome(const struct call *c)
{
	struct metric_shard *m = c->upstream->metrics;
	const struct call_times *t = &c->times;
	uint64_t until = t->permitted != 0 ? t->permitted : t->done;

	metric_add(m, METRIC_CALLS, c->metric_index, c->error, 1);
	metric_observe_ns(m, METRIC_CALL_SECONDS, c->metric_index, t->done - t->started);
	metric_observe_ns(m, METRIC_CALL_QUEUE_SECONDS, c->metric_index, until - t->started);
}

static void
finish(struct call *c, enum err_code e)
{
	settle(c, e);
	count_outcome(c);
	c->events->on_done(c);
}

static void
on_finish_later(void *arg)
{
	struct call *c = arg;

	TAG_CHECK(c, CALL_TAG);
	finish(c, c->error);
}

/* For failures inside call_start(): told at the end of the turn. */
static void
fail_later(struct call *c, enum err_code e)
{
	c->error = e;
	loop_defer(loop_of(c), &c->finish_later);
}

void
call_cancel(struct call *c)
{
	enum call_state was = c->state;

	if (was != CALL_DONE) {
		uconn_h1_cancel(&c->attempt);
		settle(c, was == CALL_TUNNEL ? ERR_NONE : ERR_CANCELLED);
	}
	permit_release(&c->permit);
	if (was != CALL_INIT && was != CALL_TUNNEL && was != CALL_DONE)
		count_outcome(c);
}

void
call_leave(struct call *c, bool is_cut)
{
	assert(c->state == CALL_TUNNEL);
	uconn_h1_leave(&c->attempt, is_cut);
	settle(c, ERR_NONE);
}

struct stream *
call_stream(struct call *c)
{
	return c->attempt.lease.uconn->stream;
}

void
call_refuse(struct call *c, enum err_code e)
{
	assert(c->state == CALL_INIT);
	settle(c, e);
	count_outcome(c);
}

/* ---- deadlines */

static void
set_deadline(struct call *c, uint64_t limit_ns)
{
	uint64_t at = loop_of(c)->now_ns + limit_ns;

	loop_timer_set(loop_of(c), &c->timer, at < c->deadline_ns ? at : c->deadline_ns);
}

static bool
is_streamed(const struct call *c)
{
	return c->events->on_body != NULL;
}

/* The reader was ready and nothing came, or something just did. */
static void
push_stream_deadline(struct call *c)
{
	loop_timer_set(loop_of(c), &c->timer,
	    loop_of(c)->now_ns + c->upstream->conf->timeouts.total_ns);
}

static enum err_code
timeout_reason(const struct call *c)
{
	bool is_total = loop_of(c)->now_ns >= c->deadline_ns;

	if (c->state == CALL_READING || is_total || c->state == CALL_WAIT_STREAM)
		return ERR_TIMEOUT;
	return ERR_FIRST_BYTE_TIMEOUT;
}

static void
on_timer(void *arg)
{
	struct call *c = arg;
	enum err_code e;

	TAG_CHECK(c, CALL_TAG);
	e = timeout_reason(c);
	uconn_h1_cancel(&c->attempt);
	finish(c, e);
}

/*
 * While a request is uploaded, the time that counts is the upstream's: how long it takes nothing. Waiting for
 * the client is bounded by the listener's body time-out.
 */
static void
watch_upload(struct call *c)
{
	struct uconn_h1 *x = &c->attempt;

	c->deadline_ns = loop_of(c)->now_ns + c->upstream->conf->timeouts.total_ns;
	if (x->is_request_out)
		set_deadline(c, c->upstream->conf->timeouts.first_byte_ns);
	else if (x->is_blocked)
		loop_timer_set(loop_of(c), &c->timer, c->deadline_ns);
	else
		loop_timer_clear(&c->timer);
}

/* ---- attempts */

static void
begin_attempt(struct call *c, const struct endpoint *avoid)
{
	leave_endpoint(c);
	c->endpoint = balance_pick(c->upstream, avoid);
	c->endpoint->active++;
	c->is_counted = true;
	c->server = c->endpoint->name;
	c->state = CALL_WAIT_STREAM;
	uconn_h1_start(&c->attempt, &c->endpoint->pool, c->request,
	    upstream_expected_bytes(c->upstream));
}

/*
 * RFC 9112 9.3.1: a server may close an idle connection just when a request is sent on it. Where not a byte
 * of an answer has come and repeating is safe, the request goes out once more on a fresh connection.
 */
static bool
is_stale(const struct call *c, enum err_code e)
{
	return e == ERR_RESET && c->is_reused && !c->attempt.has_begun && !c->was_retried &&
	    c->request->is_idempotent && !c->request->is_streamed;
}

/* No connection came about, so nothing was sent. */
static bool
is_unreachable(enum err_code e)
{
	return e == ERR_CONNECT_REFUSED || e == ERR_CONNECT_FAILED || e == ERR_CONNECT_TIMEOUT;
}

/* Another server may do. Each is tried once at most. */
static bool
may_redispatch(const struct call *c, enum err_code e)
{
	if (!is_unreachable(e))
		return false;
	/* What one call finds out of reach others leave alone, so it may go through all of a priority. */
	if (c->n_redispatches >= REDISPATCH_MAX && !balance_has_next(c->upstream))
		return false;
	/* One that is leaving is not among the upstream's any more. */
	return c->n_redispatches + 1u < c->upstream->n_endpoints + c->endpoint->is_leaving;
}

/* It went to the server's other address. */
static void
name_other(struct call *c)
{
	char *text = arena_alloc(c->arena, ADDR_TEXT_MAX);

	c->server = str_of(text, addr_format(c->attempt.lease.uconn->other, text));
}

static void
on_leased(void *owner)
{
	struct call *c = owner;
	struct upstream *up = c->upstream;

	TAG_CHECK(c, CALL_TAG);
	c->state = CALL_SENDING;
	c->times.leased = up->loop->now_ns;
	c->is_reused = uconn_is_reused(c->attempt.lease.uconn);
	if (c->attempt.lease.uconn->other != NULL)
		name_other(c);
	if (c->request->is_streamed)
		watch_upload(c);
	else
		set_deadline(c, up->conf->timeouts.first_byte_ns);
}

static void
on_first_byte(void *owner)
{
	struct call *c = owner;
	uint64_t now = loop_of(c)->now_ns;

	TAG_CHECK(c, CALL_TAG);
	c->state = CALL_WAIT_HEAD;
	c->times.first_byte = now;
	endpoint_note_latency(c->endpoint, now - c->times.leased);
	loop_timer_set(loop_of(c), &c->timer, c->deadline_ns);
}

static enum err_code
on_head(void *owner, const struct h1_head *head, const struct h1_frame *frame)
{
	struct call *c = owner;

	TAG_CHECK(c, CALL_TAG);
	c->state = CALL_READING;
	c->status = head->status;
	if (is_streamed(c))
		push_stream_deadline(c);
	return c->events->on_head == NULL ? ERR_NONE : c->events->on_head(c, head, frame);
}

static enum err_code
on_upgrade(void *owner, const struct h1_head *head, struct str early)
{
	struct call *c = owner;
	enum err_code e;

	TAG_CHECK(c, CALL_TAG);
	c->status = head->status;
	e = c->events->on_upgrade(c, head, early);
	if (e != ERR_NONE)
		return e;
	c->state = CALL_TUNNEL;
	c->times.done = loop_of(c)->now_ns;
	loop_timer_clear(&c->timer);
	count_outcome(c);
	return ERR_NONE;
}

static size_t
on_body(void *owner, struct str piece)
{
	struct call *c = owner;
	size_t taken;

	TAG_CHECK(c, CALL_TAG);
	push_stream_deadline(c);
	taken = c->events->on_body(c, piece);
	/* While the reader is slow it is the reader's own time-out that runs. */
	if (c->state == CALL_READING && taken < piece.n)
		loop_timer_clear(&c->timer);
	return taken;
}

static void
on_sent(void *owner)
{
	struct call *c = owner;

	TAG_CHECK(c, CALL_TAG);
	if (c->events->on_sent != NULL)
		c->events->on_sent(c);
}

/* On a connection that was ready the head has left by now: the owner waits for its turn to go on. */
static void
tell_sent(struct call *c)
{
	if (c->state == CALL_SENDING && c->request->is_streamed && !c->attempt.is_blocked)
		on_sent(c);
}

static void
on_end(void *owner, enum err_code e)
{
	struct call *c = owner;

	TAG_CHECK(c, CALL_TAG);
	if (is_stale(c, e)) {
		c->was_retried = true;
		c->attempt.lease.is_fresh_wanted = true;
		metric_add(c->upstream->metrics, METRIC_UPSTREAM_RETRIES, c->upstream->index, 0, 1);
		begin_attempt(c, NULL);
		return;
	}
	if (is_unreachable(e))
		endpoint_note_unreachable(c->endpoint);
	if (may_redispatch(c, e)) {
		c->n_redispatches++;
		metric_add(
		    c->upstream->metrics, METRIC_UPSTREAM_REDISPATCHES, c->upstream->index, 0, 1);
		begin_attempt(c, c->endpoint);
		tell_sent(c);
		return;
	}
	c->body = uconn_h1_body(&c->attempt);
	if (!is_streamed(c) && c->attempt.decode == NULL)
		upstream_note_bytes(c->upstream, c->attempt.in_n);
	finish(c, e);
}

static const struct uconn_h1_events attempt_events = {
	.on_leased = on_leased,
	.on_first_byte = on_first_byte,
	.on_head = on_head,
	.on_sent = on_sent,
	.on_end = on_end,
};

static const struct uconn_h1_events streamed_events = {
	.on_leased = on_leased,
	.on_first_byte = on_first_byte,
	.on_head = on_head,
	.on_body = on_body,
	.on_sent = on_sent,
	.on_upgrade = on_upgrade,
	.on_end = on_end,
};

/* ---- start */

static void
begin_permitted(struct call *c)
{
	c->times.permitted = loop_of(c)->now_ns;
	loop_timer_set(loop_of(c), &c->timer, c->deadline_ns);
	begin_attempt(c, NULL);
}

static void
on_permit(struct permit *p, enum err_code e)
{
	struct call *c = CONTAINER_OF(p, struct call, permit);

	TAG_CHECK(c, CALL_TAG);
	if (e != ERR_NONE) {
		finish(c, e);
		return;
	}
	begin_permitted(c);
	tell_sent(c);
}

void
call_init(struct call *c, struct upstream *up, struct arena *arena,
    const struct call_events *events, void *owner)
{
	*c = (struct call){ .tag = CALL_TAG, .upstream = up, .events = events, .owner = owner };
	c->arena = arena;
	c->attempt.events = events->on_body == NULL ? &attempt_events : &streamed_events;
	c->attempt.owner = c;
	c->attempt.arena = arena;
	timer_init(&c->timer, on_timer, c);
	defer_init(&c->finish_later, on_finish_later, c);
}

void
call_start(struct call *c, const struct h1_request *request, uint64_t deadline_ns)
{
	const struct upstream_conf *conf = c->upstream->conf;
	uint64_t now = loop_of(c)->now_ns;
	uint64_t total = now + conf->timeouts.total_ns;
	uint64_t queue = now + conf->queue.timeout_ns;
	enum err_code e = ERR_NONE;

	c->request = request;
	c->attempt.max_body_bytes = c->max_body_bytes;
	c->attempt.max_ratio = c->max_ratio;
	if (c->times.started == 0)
		c->times.started = now;
	c->deadline_ns = total < deadline_ns ? total : deadline_ns;
	c->state = CALL_WAIT_PERMIT;
	if (c->upstream->n_endpoints == 0) {
		/* Never later on: the last address that was known stays. */
		e = c->upstream->absence;
	} else if (c->permit.state == PERMIT_NONE && c->shares_permit) {
		loop_timer_set(loop_of(c), &c->timer, c->deadline_ns);
	} else if (c->permit.state == PERMIT_NONE) {
		/* The permit's own timer bounds the wait for it. */
		e = permit_acquire(&c->permit, &c->upstream->limiter,
		    queue < c->deadline_ns ? queue : c->deadline_ns, on_permit);
	}
	if (e != ERR_NONE)
		fail_later(c, e);
	else if (c->permit.state == PERMIT_HELD)
		begin_permitted(c);
}

void
call_hand_permit(struct call *to, struct call *from)
{
	assert(from->state == CALL_DONE && to->state == CALL_WAIT_PERMIT);
	permit_hand(&to->permit, &from->permit);
	on_permit(&to->permit, ERR_NONE);
}

void
call_resume(struct call *c)
{
	if (c->state != CALL_READING)
		return;
	push_stream_deadline(c);
	uconn_h1_resume(&c->attempt);
}

size_t
call_send_body(struct call *c, struct str piece, bool is_last)
{
	size_t taken = uconn_h1_send_body(&c->attempt, piece, is_last);

	if (c->state == CALL_SENDING && (taken != 0 || is_last))
		watch_upload(c);
	return taken;
}
