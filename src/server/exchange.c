/* The life of one request. Embedded in a stream of its connection; worker thread. */
#include "server/exchange.h"

#include "base/compiler.h"
#include "gather/forward.h"
#include "server/admin.h"
#include "server/batch.h"
#include "server/compress.h"
#include "server/observe.h"
#include "server/parts.h"
#include "server/proxy.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/tunnel.h"
#include "server/upgrade.h"

/* The first room for a body of unknown length. */
#define BODY_FIRST_BYTES ((size_t)4096)

enum step_result { STEP_MORE, STEP_WAIT };

static void run(struct exchange *x);

/* ---- from memory to memory */

static void on_timer(void *arg);

void
exchange_new(struct exchange *x)
{
	*x = (struct exchange){ .tag = EXCHANGE_TAG };
	timer_init(&x->timer, on_timer, x);
}

void
exchange_init(struct exchange *x, const struct exchange_ops *ops, struct listener *listener)
{
	x->state = EXCHANGE_HEAD;
	x->ops = ops;
	x->listener = listener;
	x->server = listener->server;
	x->site = listener->site;
	arena_init(&x->arena, &x->server->loop->blocks, 0);
	x->request = (struct request){ 0 };
	x->has_length = false;
	x->is_body_complete = true;
	x->body_bytes = NULL;
	x->body_cap = 0;
	x->route = NULL;
	x->permit = (struct permit){ 0 };
	x->deadline_ns = TIMER_NEVER;
	x->gather = NULL;
	x->parts = NULL;
	x->batch = NULL;
	x->compress = NULL;
	x->outer = NULL;
	x->proxy = NULL;
	x->is_last_piece = false;
	x->answer = (struct answer){ 0 };
	x->reason = ERR_NONE;
	x->status = 0;
	x->ended_ns = 0;
	x->bytes_in = 0;
	x->bytes_out = 0;
}

void
exchange_fini(struct exchange *x)
{
	assert(x->state == EXCHANGE_DONE || x->state == EXCHANGE_HEAD);
	arena_reset(&x->arena);
	x->state = EXCHANGE_HEAD;
}

void
exchange_free(struct exchange *x, struct loop *loop)
{
	loop_timer_drop(loop, &x->timer);
	x->tag = 0;
}

/* ---- the end */

/* The one way to DONE. */
static void
end(struct exchange *x)
{
	bool was_tunnel = x->state == EXCHANGE_TUNNEL;

	x->state = EXCHANGE_DONE;
	x->ended_ns = x->server->loop->now_ns;
	loop_timer_clear(&x->timer);
	permit_release(&x->permit);
	x->server->n_exchanges--;
	observe_end(x, was_tunnel);
}

void
exchange_be_tunnel(struct exchange *x)
{
	assert(x->state == EXCHANGE_PROXY);
	x->state = EXCHANGE_TUNNEL;
	x->status = 101;
	x->ended_ns = x->server->loop->now_ns;
	observe_tunnel(x);
}

bool
exchange_is_tunnel_cut(const struct exchange *x)
{
	return tunnel_is_cut(x->proxy->tunnel, TUNNEL_CLIENT);
}

void
exchange_on_flushed(struct exchange *x)
{
	TAG_CHECK(x, EXCHANGE_TAG);
	if (x->state != EXCHANGE_DONE)
		end(x);
}

static void
cancel_work(struct exchange *x)
{
	if (x->gather != NULL)
		gather_cancel(x->gather);
	if (x->parts != NULL)
		parts_cancel(x->parts);
	if (x->proxy != NULL)
		proxy_cancel(x->proxy);
	if (x->batch != NULL)
		batch_cancel(x->batch);
	if (x->compress != NULL)
		compress_cancel(x->compress);
}

void
exchange_abort(struct exchange *x, enum err_code why)
{
	TAG_CHECK(x, EXCHANGE_TAG);
	if (x->state == EXCHANGE_HEAD || x->state == EXCHANGE_DONE)
		return;
	cancel_work(x);
	x->reason = why;
	/* The entry of a batch is answered with the error, whatever had begun to be its answer. */
	if (why == ERR_CLIENT_GONE || x->outer != NULL)
		x->status = err_status(why);
	end(x);
}

/* ---- the steps */

static enum step_result
answer_with(struct exchange *x, enum err_code e)
{
	cancel_work(x);
	answer_problem(&x->answer, &x->arena, e, str_none());
	x->state = EXCHANGE_RESPOND;
	return STEP_MORE;
}

/* The same with a sentence of its own. */
static enum step_result
answer_because(struct exchange *x, enum err_code e, struct str why)
{
	answer_problem_because(&x->answer, &x->arena, e, why);
	x->state = EXCHANGE_RESPOND;
	return STEP_MORE;
}

static enum step_result
answer_empty(struct exchange *x, unsigned status)
{
	x->answer = (struct answer){ .status = status };
	x->state = EXCHANGE_RESPOND;
	return STEP_MORE;
}

static void
put_allow(struct exchange *x, struct str methods)
{
	if (methods.n > 0)
		x->answer.fields = arena_printf(&x->arena, "Allow: %.*s\r\n", STR_FMT(methods));
}

/* RFC 9110 9.3.7: it says what the resource takes, as a 405 would. */
static enum step_result
answer_options(struct exchange *x)
{
	answer_empty(x, 204);
	put_allow(x, router_allow(x->site->router, &x->request, &x->arena));
	return STEP_MORE;
}

static void
settle_limits(struct exchange *x)
{
	uint64_t timeout_ns = x->route->conf->timeout_ns;

	x->body_limit = route_conf_body_limit(x->route->conf, x->listener->conf->limits.body);
	if (timeout_ns != 0)
		x->deadline_ns = x->started_ns + timeout_ns;
	x->arena.budget_bytes = route_conf_arena_bytes(x->body_limit, x->route->calls_bytes);
}

static enum step_result
refuse_upgrade(struct exchange *x, enum err_code e)
{
	answer_with(x, e);
	x->answer.fields = upgrade_refusal_fields(e);
	return STEP_MORE;
}

static enum step_result
step_route(struct exchange *x)
{
	struct router_match match;
	enum err_code e;

	if (x->listener->kind == LISTENER_ADMIN) {
		if (x->request.offers_upgrade)
			return answer_with(x, ERR_UPGRADE_REFUSED);
		x->state = EXCHANGE_ADMIN;
		return STEP_MORE;
	}
	/* RFC 9110 15.6.2: not implemented for any resource. */
	if (x->request.method == METHOD_CONNECT || x->request.method == METHOD_TRACE)
		return answer_with(x, ERR_METHOD_UNKNOWN);
	if (str_eq(x->request.path, STR("*"))) /* RFC 9110 9.3.7: a ping */
		return answer_empty(x, 204);
	e = router_find(x->site->router, &x->request, &x->arena, &match);
	if (e == ERR_METHOD_NOT_ALLOWED) {
		answer_with(x, e);
		put_allow(x, match.allow);
		return STEP_MORE;
	}
	if (e != ERR_NONE)
		return answer_with(x, e);
	x->route = &x->site->routes[match.index];
	settle_limits(x);
	if (x->route->conf->kind == ROUTE_BATCH && x->outer != NULL)
		return answer_with(x, ERR_NESTED_BATCH);
	if (x->route->require != NULL) {
		struct str why;

		e = require_check(x->route->require, &x->request, &x->arena, &why);
		if (e != ERR_NONE)
			return answer_because(x, e, why);
	}
	/* A mock service answers like a server that does not want to change. */
	if (x->request.offers_upgrade && x->listener->kind == LISTENER_PUBLIC) {
		e = upgrade_check(&x->route->conf->proxy, &x->request);
		if (e != ERR_NONE)
			return refuse_upgrade(x, e);
	}
	if (x->route->conf->kind == ROUTE_PROXY && forward_is_last_hop(&x->request))
		return answer_options(x);
	if (x->route->conf->kind != ROUTE_PROXY && x->has_length && x->length > x->body_limit)
		return answer_with(x, ERR_BODY_TOO_LARGE);
	x->state = x->listener->kind == LISTENER_PUBLIC ? EXCHANGE_ADMIT : EXCHANGE_BODY;
	return STEP_MORE;
}

static void
on_permit(struct permit *permit, enum err_code e)
{
	struct exchange *x = CONTAINER_OF(permit, struct exchange, permit);

	TAG_CHECK(x, EXCHANGE_TAG);
	assert(x->state == EXCHANGE_ADMIT);
	if (e != ERR_NONE)
		exchange_fail(x, ERR_OVERLOAD_TIMEOUT);
	else
		exchange_go(x, EXCHANGE_BODY);
}

static enum step_result
step_admit(struct exchange *x)
{
	const struct server_setup *setup = &x->server->setup;
	uint64_t until_ns = x->server->loop->now_ns + setup->admission_wait_ns;
	enum err_code e;

	if (setup->admission == NULL) {
		x->state = EXCHANGE_BODY;
		return STEP_MORE;
	}
	if (until_ns > x->deadline_ns)
		until_ns = x->deadline_ns;
	e = permit_acquire(&x->permit, setup->admission, until_ns, on_permit);
	if (e != ERR_NONE)
		return answer_with(x, ERR_OVERLOADED);
	if (x->permit.state != PERMIT_HELD)
		return STEP_WAIT;
	x->state = EXCHANGE_BODY;
	return STEP_MORE;
}

/* Is the body read before anything else is done? */
static bool
needs_body(const struct exchange *x)
{
	switch (x->route->conf->kind) {
	case ROUTE_CALLS:
		return x->route->plan.calls->needs_body;
	case ROUTE_REPLY:
		return x->route->plan.reply.needs_body;
	case ROUTE_BATCH:
		return true;
	case ROUTE_PROXY:
		break;
	}
	return x->has_length && x->length <= PROXY_BUFFERED_BYTES && x->length <= x->body_limit;
}

static enum step_result
step_body(struct exchange *x)
{
	static const enum exchange_state next[] = {
		[ROUTE_CALLS] = EXCHANGE_GATHER,
		[ROUTE_PROXY] = EXCHANGE_PROXY,
		[ROUTE_REPLY] = EXCHANGE_REPLY,
		[ROUTE_BATCH] = EXCHANGE_BATCH,
	};

	if (!x->is_body_complete && needs_body(x)) {
		if (x->deadline_ns != TIMER_NEVER)
			loop_timer_set(x->server->loop, &x->timer, x->deadline_ns);
		x->ops->want_body(x, true);
		return STEP_WAIT;
	}
	loop_timer_clear(&x->timer);
	x->state = next[x->route->conf->kind];
	return STEP_MORE;
}

static void
on_gathered(struct gather *g)
{
	struct exchange *x = g->owner;

	TAG_CHECK(x, EXCHANGE_TAG);
	assert(x->state == EXCHANGE_GATHER);
	x->answer = g->answer;
	exchange_go(x, EXCHANGE_RESPOND);
}

static const struct gather_events gather_events = { .on_done = on_gathered };

static enum step_result
step_gather(struct exchange *x)
{
	enum route_format format;
	enum err_code e = parts_choose_format(x->route->conf, x->request.headers, &format);

	if (e != ERR_NONE)
		return answer_with(x, e);
	forward_trace(&x->request, &x->server->rnd);
	if (format != FORMAT_JSON) {
		parts_start(x, format);
		return STEP_WAIT;
	}
	x->gather = gather_new(&x->arena, x->server->setup.gather, x->route->plan.calls,
	    &x->request, x->deadline_ns, &gather_events, x);
	gather_start(x->gather);
	return STEP_WAIT;
}

static enum step_result
step_proxy(struct exchange *x)
{
	enum err_code e;

	forward_trace(&x->request, &x->server->rnd);
	e = proxy_start(x);
	return e == ERR_NONE ? STEP_WAIT : answer_with(x, e);
}

static enum step_result
step_reply(struct exchange *x)
{
	uint64_t due_ns = x->started_ns + x->route->conf->reply.delay_ns;
	enum err_code e;

	if (due_ns > x->server->loop->now_ns) {
		loop_timer_set(x->server->loop, &x->timer, due_ns);
		return STEP_WAIT;
	}
	e = reply_answer(&x->route->plan.reply, x->route->conf, x, &x->answer);
	if (e != ERR_NONE)
		return answer_with(x, e);
	x->state = EXCHANGE_RESPOND;
	return STEP_MORE;
}

static enum step_result
step_batch(struct exchange *x)
{
	enum err_code e = batch_start(x);

	return e == ERR_NONE ? STEP_WAIT : answer_with(x, e);
}

static enum step_result
step_admin(struct exchange *x)
{
	admin_answer(x->server->setup.admin, &x->request, &x->arena, &x->answer);
	x->state = EXCHANGE_RESPOND;
	return STEP_MORE;
}

static enum step_result
respond(struct exchange *x)
{
	if (compress_is_asked(x) && !compress_answer(x))
		return STEP_WAIT;
	x->state = EXCHANGE_FLUSH;
	x->ops->send_answer(x, &x->answer);
	return STEP_WAIT;
}

static enum step_result
step_respond(struct exchange *x)
{
	if (x->compress != NULL) /* it has come again */
		return respond(x);
	if (x->arena.is_over)
		answer_with(x, ERR_BUDGET);
	/* RFC 9110 12.5.5 */
	if (x->route != NULL && x->route->conf->n_formats > 1)
		x->answer.fields = arena_printf(
		    &x->arena, "%.*sVary: Accept\r\n", STR_FMT(x->answer.fields));
	x->status = x->answer.status;
	x->reason = x->answer.reason;
	/* RFC 9110 10.2.3: who was shed may come again in a moment. */
	if (x->answer.status == 503 && x->answer.retry_after_s == 0 && x->reason != ERR_NONE)
		x->answer.retry_after_s = ANSWER_RETRY_AFTER_S;
	return respond(x);
}

/* By state; those that are not here wait for the connection. */
static enum step_result (*const steps[])(struct exchange *x) = {
	[EXCHANGE_ROUTE] = step_route,
	[EXCHANGE_ADMIT] = step_admit,
	[EXCHANGE_BODY] = step_body,
	[EXCHANGE_GATHER] = step_gather,
	[EXCHANGE_PROXY] = step_proxy,
	[EXCHANGE_REPLY] = step_reply,
	[EXCHANGE_BATCH] = step_batch,
	[EXCHANGE_ADMIN] = step_admin,
	[EXCHANGE_RESPOND] = step_respond,
	[EXCHANGE_DONE] = NULL,
};

static void
run(struct exchange *x)
{
	while (steps[x->state] != NULL && steps[x->state](x) == STEP_MORE)
		;
}

void
exchange_go(struct exchange *x, enum exchange_state state)
{
	x->state = state;
	run(x);
}

void
exchange_fail(struct exchange *x, enum err_code e)
{
	if (x->state >= EXCHANGE_RESPOND)
		return;
	answer_with(x, e);
	run(x);
}

/* ---- events */

static void
begin(struct exchange *x)
{
	x->started_ns = x->server->loop->now_ns;
	x->server->n_exchanges++;
	observe_begin(x);
}

void
exchange_start(struct exchange *x)
{
	assert(x->state == EXCHANGE_HEAD);
	begin(x);
	exchange_go(x, EXCHANGE_ROUTE);
}

void
exchange_start_refused(struct exchange *x, enum err_code e)
{
	assert(x->state == EXCHANGE_HEAD);
	begin(x);
	exchange_fail(x, e);
}

static void
on_timer(void *arg)
{
	struct exchange *x = arg;

	TAG_CHECK(x, EXCHANGE_TAG);
	if (x->state == EXCHANGE_BODY)
		exchange_fail(x, ERR_REQUEST_TIMEOUT);
	else if (x->state == EXCHANGE_REPLY)
		exchange_go(x, EXCHANGE_REPLY);
	else if (x->state == EXCHANGE_BATCH)
		batch_on_deadline(x->batch);
	else if (x->state == EXCHANGE_RESPOND)
		exchange_go(x, EXCHANGE_RESPOND);
	else if (x->compress != NULL)
		exchange_on_writable(x);
}

/* Room for n more bytes of a body within its limit; exact when the length is known. */
static bool
reserve_body(struct exchange *x, size_t n)
{
	size_t need = x->request.body.n + n;
	size_t cap = x->has_length ? (size_t)x->length : 2 * x->body_cap;
	char *more;

	if (need > x->body_limit)
		return false;
	if (need <= x->body_cap)
		return true;
	if (cap < BODY_FIRST_BYTES && !x->has_length)
		cap = BODY_FIRST_BYTES;
	if (cap < need)
		cap = need;
	more = arena_alloc(&x->arena, cap);
	if (x->request.body.n > 0)
		memcpy(more, x->body_bytes, x->request.body.n);
	x->body_bytes = more;
	x->body_cap = cap;
	return true;
}

void
exchange_on_body(struct exchange *x, struct str piece, bool is_last)
{
	TAG_CHECK(x, EXCHANGE_TAG);
	if (x->state == EXCHANGE_PROXY) {
		proxy_on_body(x->proxy, piece, is_last);
		return;
	}
	if (x->state != EXCHANGE_BODY)
		return;
	if (!reserve_body(x, piece.n)) {
		exchange_fail(x, ERR_BODY_TOO_LARGE);
		return;
	}
	memcpy(x->body_bytes + x->request.body.n, piece.p, piece.n);
	x->request.body = str_of(x->body_bytes, x->request.body.n + piece.n);
}

void
exchange_on_body_end(struct exchange *x, enum err_code e)
{
	TAG_CHECK(x, EXCHANGE_TAG);
	x->is_body_complete = e == ERR_NONE;
	if (x->state == EXCHANGE_PROXY)
		proxy_on_body_end(x->proxy, e);
	else if (x->state == EXCHANGE_BODY && e != ERR_NONE)
		exchange_fail(x, e);
	else if (x->state == EXCHANGE_BODY)
		exchange_go(x, EXCHANGE_BODY);
}

void
exchange_on_writable(struct exchange *x)
{
	TAG_CHECK(x, EXCHANGE_TAG);
	if (x->compress != NULL && !compress_on_writable(x->compress))
		return;
	if (x->proxy != NULL && x->state == EXCHANGE_PROXY)
		proxy_on_writable(x->proxy);
	else if (x->parts != NULL && x->state == EXCHANGE_GATHER)
		parts_on_writable(x->parts);
}
