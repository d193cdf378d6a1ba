/*
 * The calls of one request, in flight. Runs on its worker's thread; lives in the arena of its exchange.
 *
 * A gather first has all permits of its required calls, taken in the order of the upstreams so that no two
 * requests wait for each other in a circle; only then does the first call leave. What cannot be served is
 * refused before any upstream has heard of it.
 */
#include "gather/gather.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/json_iter.h"
#include "gather/call_request.h"
#include "gather/meta.h"
#include "gather/part.h"
#include "upstream/upstream.h"

/* An answer that is not accepted is read to its end, to keep the connection, when it is this small. */
#define REJECTED_MAX_BYTES 65536

static const struct call_events call_events;

/* ---- the end */

static void
cancel_calls(struct gather *g)
{
	for (size_t i = 0; i < g->plan->n_calls; i++) {
		struct gather_call *gc = &g->calls[i];

		if (!gc->is_settled)
			gc->error = ERR_CANCELLED;
		gc->is_settled = true;
		call_cancel(&gc->call);
	}
	g->n_unsettled = 0;
}

void
gather_cancel(struct gather *g)
{
	if (g->state == GATHER_DONE)
		return;
	g->state = GATHER_DONE;
	loop_defer_cancel(g->env->loop, &g->finish_later);
	cancel_calls(g);
}

static void
finish(struct gather *g)
{
	gather_cancel(g);
	g->events->on_done(g);
}

static void
on_finish_later(void *arg)
{
	finish(arg);
}

/* The verdict is an error. */
static void
decide_error(struct gather *g, enum err_code e, struct str call)
{
	answer_problem(&g->answer, g->arena, e, call);
}

/* ---- the answer */

static size_t
collect_missing(const struct gather *g, struct meta_call *missing)
{
	size_t n = 0;

	for (size_t i = 0; i < g->plan->n_calls; i++) {
		const struct gather_call *gc = &g->calls[i];
		uint64_t until = gc->call.times.done != 0 ? gc->call.times.done : g->started_ns;

		if (gc->part.kind != JSON_NONE)
			continue;
		missing[n++] = (struct meta_call){ gc->plan->conf->name, gc->error,
			(until - g->started_ns) / NS_PER_MS };
	}
	return n;
}

/* RFC 9209: one member per missing call. */
static struct str
proxy_status(struct gather *g, const struct meta_call *missing, size_t n)
{
	struct str text = STR("");

	for (size_t i = 0; i < n; i++)
		text = arena_printf(g->arena, "%.*sProxy-Status: gatherd;error=%s;details=\"%.*s\"\r\n",
		    STR_FMT(text), err_token(missing[i].error), STR_FMT(missing[i].name));
	return text;
}

static struct str
set_headers(struct gather *g, struct str before)
{
	struct str text = before, value;

	for (size_t i = 0; i < g->plan->n_set_headers; i++) {
		const struct field_plan *f = &g->plan->set_headers[i];

		/* A field whose value is not there is left out: nothing is sent with a hole. */
		if (template_eval(&f->value, &g->values, g->arena, &value) != ERR_NONE)
			continue;
		text = arena_printf(g->arena, "%.*s%.*s: %.*s\r\n", STR_FMT(text), STR_FMT(f->name),
		    STR_FMT(value));
	}
	return text;
}

static void
answer_merged(struct gather *g, const struct merge_result *merged)
{
	g->answer.content_type = STR("application/json");
	g->answer.body = merged->iov;
	g->answer.n_body = merged->n;
	g->answer.body_bytes = merged->bytes;
}

static void
decide_merged(struct gather *g)
{
	const struct plan *plan = g->plan;
	struct json_value *parts = arena_alloc(g->arena, plan->n_calls * sizeof *parts);
	struct meta_call *missing = arena_alloc(g->arena, plan->n_calls * sizeof *missing);
	size_t n_missing = collect_missing(g, missing);
	struct merge_input in = { .parts = parts, .js = g->env->js, .arena = g->arena };
	struct merge_result merged;

	for (size_t i = 0; i < plan->n_calls; i++)
		parts[i] = g->calls[i].part;
	g->answer = (struct answer){ .status = 200, .fields = STR("") };
	if (n_missing != 0) {
		g->answer.status = (unsigned)plan->conf->response.partial_status;
		g->answer.is_partial = true;
		g->answer.reason = missing[0].error;
		g->answer.fields = proxy_status(g, missing, n_missing);
		if (!str_is_none(plan->conf->response.partial_meta.s))
			in.meta = meta_of_calls(g->arena, missing, n_missing);
	}
	if (merge_run(plan->merge, &in, &merged) != ERR_NONE) {
		decide_error(g, ERR_MERGE_CONFLICT, plan->calls[merged.conflict_part].conf->name);
		return;
	}
	g->answer.fields = set_headers(g, g->answer.fields);
	answer_merged(g, &merged);
}

/* pass_errors: the answer of one call, body and all. */
static void
decide_passed(struct gather *g, const struct gather_call *gc)
{
	g->answer = (struct answer){
		.status = gc->call.status,
		.reason = ERR_STATUS_NOT_ACCEPTED,
		.fields = set_headers(g, STR("")),
	};
	answer_set_body(&g->answer, g->arena, gc->content_type, gc->call.body);
}

/* ---- calls settle, one by one */

static void
settle(struct gather_call *gc, enum err_code e)
{
	gc->is_settled = true;
	gc->error = e;
	gc->gather->n_unsettled--;
	if (gc->call.state == CALL_INIT)
		call_refuse(&gc->call, e);
	if (e != ERR_NONE && !str_is_none(gc->plan->default_json))
		gc->part = (struct json_value){ json_iter_kind(gc->plan->default_json.p[0]),
			gc->plan->default_json };
}

/* True when this call decides the whole answer (a failure of a required one), or all are there. */
static bool
has_verdict(struct gather *g, const struct gather_call *gc)
{
	if (gc->is_passed) {
		decide_passed(g, gc);
		return true;
	}
	if (gc->part.kind == JSON_NONE && gc->plan->conf->is_required) {
		decide_error(g, gc->error, gc->plan->conf->name);
		return true;
	}
	if (g->n_unsettled != 0)
		return false;
	decide_merged(g);
	return true;
}

/* The part that a complete and accepted answer makes. */
static enum err_code
read_part(struct gather_call *gc)
{
	struct gather *g = gc->gather;
	struct part_rule rule = { gc->plan->conf->format, gc->plan->conf->keep_last_duplicate };
	struct part part;
	enum err_code e = part_read(&rule, gc->call.body, g->env->js, g->arena, &part);

	if (e == ERR_NONE)
		gc->part = part.value;
	return e;
}

static enum err_code
outcome_of(struct gather_call *gc)
{
	const struct call_conf *conf = gc->plan->conf;

	if (gc->call.error != ERR_NONE)
		return gc->call.error;
	if (status_set_has(&conf->pass_errors, gc->call.status)) {
		gc->is_passed = true;
		return ERR_STATUS_NOT_ACCEPTED;
	}
	if (!status_set_has(&conf->accept, gc->call.status))
		return ERR_STATUS_NOT_ACCEPTED;
	return read_part(gc);
}

static enum err_code
on_call_head(struct call *c, const struct h1_head *head, const struct h1_frame *frame)
{
	struct gather_call *gc = CONTAINER_OF(c, struct gather_call, call);
	const struct call_conf *conf = gc->plan->conf;

	if (status_set_has(&conf->pass_errors, head->status)) {
		struct str type = header_value(&head->fields, HEADER_CONTENT_TYPE);

		gc->content_type = str_is_none(type) ? type : arena_str(gc->gather->arena, type);
		return ERR_NONE;
	}
	if (status_set_has(&conf->accept, head->status))
		return ERR_NONE;
	if (frame->kind == H1_FRAME_NONE ||
	    (frame->kind == H1_FRAME_LENGTH && frame->length <= REJECTED_MAX_BYTES))
		return ERR_NONE;
	return ERR_STATUS_NOT_ACCEPTED;
}

static void
on_call_done(struct call *c)
{
	struct gather_call *gc = CONTAINER_OF(c, struct gather_call, call);
	struct gather *g = gc->gather;

	settle(gc, outcome_of(gc));
	if (has_verdict(g, gc))
		finish(g);
}

static const struct call_events call_events = {
	.on_head = on_call_head,
	.on_done = on_call_done,
};

/* ---- start */

/* The call's own time-out, within the route's; the upstream's is the call's business. */
static uint64_t
deadline_of(const struct gather_call *gc)
{
	uint64_t own = gc->plan->conf->timeout_ns;
	uint64_t until = gc->gather->started_ns + own;

	return own != 0 && until < gc->gather->deadline_ns ? until : gc->gather->deadline_ns;
}

static void
start_calls(struct gather *g)
{
	g->state = GATHER_RUN;
	for (size_t i = 0; i < g->plan->n_calls; i++) {
		struct gather_call *gc = &g->calls[i];

		if (!gc->is_settled)
			call_start(&gc->call, &gc->request, deadline_of(gc));
	}
}

/* A required call that will never have its permit decides the answer before any call has left. */
static void
refuse(struct gather *g, struct gather_call *gc, enum err_code e)
{
	settle(gc, e);
	if (!has_verdict(g, gc))
		return;
	loop_defer(g->env->loop, &g->finish_later);
}

static void on_admitted(struct permit *p, enum err_code e);

/* Takes permits one by one until one must be waited for, then starts all calls. */
static void
admit(struct gather *g)
{
	while (g->n_admitted < g->plan->n_admission) {
		struct gather_call *gc = &g->calls[g->plan->admission[g->n_admitted]];
		struct upstream *up = gc->call.upstream;
		uint64_t patience = g->env->loop->now_ns + up->conf->queue.timeout_ns;
		uint64_t until = deadline_of(gc);
		enum err_code e = ERR_NONE;

		if (!gc->is_settled)
			e = permit_acquire(&gc->call.permit, &up->limiter,
			    patience < until ? patience : until, on_admitted);
		if (e != ERR_NONE) {
			refuse(g, gc, e);
			if (defer_is_queued(&g->finish_later))
				return;
		}
		if (gc->call.permit.state == PERMIT_WAITING)
			return;
		g->n_admitted++;
	}
	start_calls(g);
}

static void
on_admitted(struct permit *p, enum err_code e)
{
	struct call *c = CONTAINER_OF(p, struct call, permit);
	struct gather_call *gc = CONTAINER_OF(c, struct gather_call, call);
	struct gather *g = gc->gather;

	if (e != ERR_NONE) {
		settle(gc, e);
		if (has_verdict(g, gc)) {
			finish(g);
			return;
		}
	}
	g->n_admitted++;
	admit(g);
}

/* How many of the required calls go to the same upstream as the one at `at`, which begins a run of them. */
static uint32_t
run_length(const struct gather *g, size_t at)
{
	const struct plan *plan = g->plan;
	size_t end = at;

	while (end < plan->n_admission &&
	    plan->calls[plan->admission[end]].conf->upstream ==
		plan->calls[plan->admission[at]].conf->upstream)
		end++;
	return (uint32_t)(end - at);
}

/* A look before queueing anywhere: an upstream that has no room at all decides at once. */
static struct gather_call *
find_full(struct gather *g)
{
	for (size_t at = 0; at < g->plan->n_admission;) {
		struct gather_call *gc = &g->calls[g->plan->admission[at]];
		uint32_t n = run_length(g, at);

		if (!limiter_has_room(&gc->call.upstream->limiter, n))
			return gc;
		at += n;
	}
	return NULL;
}

/* The body as JSON, for references into it. */
static enum err_code
parse_client_body(struct gather *g)
{
	const struct request *r = g->request;

	if (!g->plan->needs_body_json || !r->has_body || r->body.n == 0)
		return ERR_NONE;
	if (json_scan_text(g->env->js, r->body, 0, &g->values.body, NULL) != ERR_NONE)
		return ERR_BAD_BODY;
	return ERR_NONE;
}

static enum err_code
build_request(struct gather *g, struct gather_call *gc)
{
	const struct forward_conf *forward = &gc->plan->conf->forward;
	enum err_code e = call_request_build(gc->plan, &g->values, g->arena, &gc->request);

	if (!gc->plan->shares_forward)
		gc->request.shared = call_request_shared(g->request, forward, g->arena);
	else if (g->shared_fields.n == 0)
		g->shared_fields = call_request_shared(g->request, forward, g->arena);
	if (gc->plan->shares_forward)
		gc->request.shared = g->shared_fields;
	return e;
}

/* Writes all requests; true when a call that cannot be written has decided the answer. */
static bool
build_requests(struct gather *g)
{
	for (size_t i = 0; i < g->plan->n_calls; i++) {
		struct gather_call *gc = &g->calls[i];
		enum err_code e = build_request(g, gc);

		if (e == ERR_NONE)
			continue;
		settle(gc, e);
		if (has_verdict(g, gc))
			return true;
	}
	return false;
}

/* Everything that can be decided before a permit is asked for. True: decided. */
static bool
decide_early(struct gather *g)
{
	enum err_code e = parse_client_body(g);
	struct gather_call *full;

	if (e != ERR_NONE) {
		decide_error(g, e, str_none());
		return true;
	}
	if (build_requests(g))
		return true;
	full = find_full(g);
	if (full == NULL)
		return false;
	settle(full, ERR_QUEUE_FULL);
	return has_verdict(g, full);
}

void
gather_start(struct gather *g)
{
	g->state = GATHER_ADMIT;
	if (decide_early(g))
		loop_defer(g->env->loop, &g->finish_later);
	else
		admit(g);
}

static void
init_call(struct gather *g, struct gather_call *gc, const struct call_plan *cp)
{
	gc->gather = g;
	gc->plan = cp;
	call_init(&gc->call, &g->env->upstreams[cp->conf->upstream], g->arena, &call_events, g);
	gc->call.max_body_bytes = cp->conf->max_body_bytes;
	gc->call.metric_index = cp->index;
	gc->call.times.started = g->started_ns;
}

struct gather *
gather_new(struct arena *arena, const struct gather_env *env, const struct plan *plan,
    const struct request *request, uint64_t deadline_ns, const struct gather_events *events,
    void *owner)
{
	struct gather *g = arena_calloc(arena, 1, sizeof *g);

	g->plan = plan;
	g->request = request;
	g->env = env;
	g->arena = arena;
	g->events = events;
	g->owner = owner;
	g->started_ns = env->loop->now_ns;
	g->deadline_ns = deadline_ns;
	g->values.request = request;
	g->n_unsettled = plan->n_calls;
	g->calls = arena_calloc(arena, plan->n_calls, sizeof *g->calls);
	defer_init(&g->finish_later, on_finish_later, g);
	for (size_t i = 0; i < plan->n_calls; i++)
		init_call(g, &g->calls[i], &plan->calls[i]);
	return g;
}
