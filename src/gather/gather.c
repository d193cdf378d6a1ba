/*
 * The calls of one request, in flight. Runs on its worker's thread; lives in the arena of its exchange.
 *
 * A gather first has the permits of the required calls that are certain to run, one upstream after the other in their
 * order, so that no two requests wait for each other in a circle; only then does the first call leave. What cannot be
 * served is refused before any upstream has heard of it. Where an upstream has fewer permits than the
 * request has calls, the calls pass them on from one to the next; they are not given back in between.
 * From then on every call starts as soon as those that it refers to have ended.
 */
#include "gather/gather.h"

#include "base/compiler.h"
#include "codec/json_iter.h"
#include "gather/call_request.h"
#include "gather/gather_answer.h"
#include "upstream/upstream.h"

static uint64_t
bit_of(const struct gather_call *gc)
{
	return UINT64_C(1) << (gc - gc->gather->calls);
}

static struct template_call *
known_of(const struct gather_call *gc)
{
	return &gc->gather->known[gc - gc->gather->calls];
}

static bool
all_settled(const struct gather *g)
{
	return g->settled == UINT64_MAX >> (64 - g->plan->n_calls);
}

const struct call *
gather_call_of(const struct gather_call *gc)
{
	return gc->fanout == NULL ? &gc->task.call : fanout_last_call(gc->fanout);
}

/* ---- the end */

static void
cancel_call(struct gather_call *gc)
{
	if (gc->state != GATHER_CALL_SETTLED)
		gc->error = ERR_CANCELLED;
	gc->state = GATHER_CALL_SETTLED;
	if (gc->fanout != NULL)
		fanout_cancel(gc->fanout);
	task_cancel(&gc->task);
}

void
gather_cancel(struct gather *g)
{
	if (g->state == GATHER_DONE)
		return;
	g->state = GATHER_DONE;
	loop_defer_cancel(g->env->loop, &g->finish_later);
	permit_group_release(&g->group);
	for (size_t i = 0; i < g->plan->n_calls; i++)
		cancel_call(&g->calls[i]);
}

static void
finish(void *arg)
{
	struct gather *g = arg;

	gather_cancel(g);
	g->events->on_done(g);
}

/* ---- calls settle, one by one */

static void
settle(struct gather_call *gc, enum err_code e)
{
	struct template_call *known = known_of(gc);
	struct str fallback = gc->plan->default_json;

	gc->state = GATHER_CALL_SETTLED;
	gc->error = e;
	gc->gather->settled |= bit_of(gc);
	if (known->result.kind == JSON_NONE && !str_is_none(fallback))
		known->result = (struct json_value){ json_iter_kind(fallback.p[0]), fallback };
	if (e != ERR_NONE && gc->fanout == NULL && gc->task.call.state == CALL_INIT)
		call_refuse(&gc->task.call, e);
	if (gc->gather->events->on_part != NULL)
		gc->gather->events->on_part(gc->gather, gc);
}

/* A default is no success, and neither is a call that was not made. */
static bool
has_succeeded(const struct gather_call *gc)
{
	return gc->state == GATHER_CALL_SETTLED && gc->error == ERR_NONE && !gc->is_skipped;
}

/* Fewer calls are left than are needed: an answer that may pass does, else the last failure is told. */
static void
fail_quorum(struct gather *g, struct gather_call *last)
{
	for (size_t i = 0; i < g->plan->n_calls; i++)
		if (g->calls[i].is_passed) {
			gather_answer_pass(g, &g->calls[i]);
			return;
		}
	if (last->error == ERR_NONE) /* it was skipped */
		last->error = ERR_TOO_FEW_CALLS;
	gather_answer_fail(g, last);
}

/* `need`: how many calls have given their part, and how many still may. */
static bool
has_quorum_verdict(struct gather *g, struct gather_call *gc)
{
	uint64_t need = g->plan->conf->need, there = 0, open = 0;

	for (size_t i = 0; i < g->plan->n_calls; i++) {
		there += has_succeeded(&g->calls[i]);
		open += g->calls[i].state != GATHER_CALL_SETTLED;
	}
	if (there >= need) {
		gather_answer_merge(g);
		return true;
	}
	if (there + open >= need)
		return false;
	fail_quorum(g, gc);
	return true;
}

/* True when this call decides the whole answer (a failure of a required one), or all have settled. */
static bool
has_verdict(struct gather *g, struct gather_call *gc)
{
	bool is_there = known_of(gc)->result.kind != JSON_NONE;

	if (g->plan->conf->need != 0)
		return has_quorum_verdict(g, gc);
	if (gc->is_passed) {
		gather_answer_pass(g, gc);
		return true;
	}
	if (!is_there && gc->plan->conf->is_required && !gc->is_skipped) {
		gather_answer_fail(g, gc);
		return true;
	}
	if (!all_settled(g))
		return false;
	gather_answer_merge(g);
	return true;
}

/* ---- starting calls */

/* The call's own time-out, within the route's; the upstream's is the call's business. */
static uint64_t
deadline_of(const struct gather_call *gc)
{
	struct gather *g = gc->gather;
	uint64_t own = gc->plan->conf->timeout_ns;
	uint64_t begin = gc->plan->is_certain ? g->started_ns : g->env->loop->now_ns;

	return own != 0 && begin + own < g->deadline_ns ? begin + own : g->deadline_ns;
}

static struct str
shared_fields(struct gather_call *gc)
{
	const struct forward_set *forward = &gc->plan->forward_headers;
	struct gather *g = gc->gather;

	if (!gc->plan->shares_forward)
		return call_request_shared(g->request, forward, g->arena);
	if (g->shared_fields.n == 0)
		g->shared_fields = call_request_shared(g->request, forward, g->arena);
	return g->shared_fields;
}

static void on_fanout_done(struct fanout *f);

static enum err_code
start_fanout(struct gather_call *gc)
{
	struct gather *g = gc->gather;
	const struct fanout_setup setup = {
		.plan = gc->plan,
		.env = g->env,
		.arena = g->arena,
		.values = &g->values,
		.shared = shared_fields(gc),
		.deadline_ns = deadline_of(gc),
		.on_done = on_fanout_done,
		.owner = gc,
	};

	return fanout_start(&setup, &gc->fanout);
}

static void
start_task(struct gather_call *gc)
{
	gc->state = GATHER_CALL_RUNNING;
	task_start(&gc->task, deadline_of(gc));
}

/* What it waited for is there. True: it settled at once, and that decides the answer. */
static bool
launch(struct gather_call *gc)
{
	struct gather *g = gc->gather;
	enum err_code e = ERR_NONE;

	gc->task.call.times.started = g->env->loop->now_ns;
	if (gc->plan->when != NULL && !condition_holds(gc->plan->when, &g->values, g->arena)) {
		gc->is_skipped = true;
		settle(gc, ERR_NONE);
		return has_verdict(g, gc);
	}
	if (g->env->loop->now_ns >= g->deadline_ns) {
		e = ERR_TIMEOUT;
	} else if (gc->plan->list.n != 0) {
		e = start_fanout(gc);
		gc->state = GATHER_CALL_RUNNING;
	} else {
		e = task_build(&gc->task, &g->values, shared_fields(gc));
		if (e == ERR_NONE)
			start_task(gc);
	}
	if (e == ERR_NONE)
		return false;
	settle(gc, e);
	return has_verdict(g, gc);
}

static bool
is_ready(const struct gather_call *gc)
{
	return gc->state == GATHER_CALL_PENDING &&
	    (gc->plan->deps & ~gc->gather->settled) == 0;
}

/* Starts all that can start, as long as settling one lets another begin. True: the answer is decided. */
static bool
advance(struct gather *g)
{
	bool has_moved = g->plan->has_waits;

	while (has_moved) {
		has_moved = false;
		for (size_t i = 0; i < g->plan->n_calls; i++) {
			if (!is_ready(&g->calls[i]))
				continue;
			has_moved = true;
			if (launch(&g->calls[i]))
				return true;
		}
	}
	return false;
}

/* To a sibling that waits for it; the last one gives it back. */
static void
pass_permit(struct gather_call *gc)
{
	struct call *call = &gc->task.call;

	if (call->permit.state != PERMIT_HELD)
		return;
	for (size_t i = 0; i < gc->gather->plan->n_calls; i++) {
		struct call *sibling = &gc->gather->calls[i].task.call;

		if (sibling->upstream == call->upstream && sibling->shares_permit &&
		    sibling->state == CALL_WAIT_PERMIT) {
			call_hand_permit(sibling, call);
			return;
		}
	}
	permit_release(&call->permit);
}

static void
on_settled(struct gather_call *gc, enum err_code e)
{
	struct gather *g = gc->gather;

	settle(gc, e);
	if (has_verdict(g, gc)) {
		finish(g);
		return;
	}
	pass_permit(gc);
	if (advance(g))
		finish(g);
}

static void
on_task_done(struct task *t)
{
	struct gather_call *gc = t->owner;
	struct template_call *known = known_of(gc);

	known->status = t->call.status;
	known->fields = t->fields;
	known->body = t->body;
	known->result = t->result;
	gc->is_passed = t->is_passed;
	gc->content_type = t->content_type;
	on_settled(gc, t->error);
}

static void
on_fanout_done(struct fanout *f)
{
	struct gather_call *gc = fanout_owner(f);
	struct template_call *known = known_of(gc);
	enum err_code e = fanout_result(f, &known->result);

	known->status = fanout_last_call(f)->status;
	known->body = known->result;
	gc->is_passed = fanout_is_passed(f, &gc->content_type);
	gc->n_failed_items = fanout_failed_items(f, &gc->items_error);
	on_settled(gc, e);
}

/* ---- admission */

static void
start_certain(struct gather *g)
{
	g->state = GATHER_RUN;
	for (size_t i = 0; i < g->plan->n_calls; i++)
		if (g->plan->calls[i].is_certain && g->calls[i].state == GATHER_CALL_PENDING)
			start_task(&g->calls[i]);
	if (advance(g))
		loop_defer(g->env->loop, &g->finish_later);
}

/* The calls to one upstream that are to be admitted; one whose request could not be written has settled before. */
static uint64_t
pending_of(const struct gather *g, const struct admission_plan *ap)
{
	return ap->calls & ~g->settled;
}

static struct gather_call *
first_of(struct gather *g, uint64_t calls)
{
	return &g->calls[__builtin_ctzll(calls)];
}

static struct upstream *
upstream_of(const struct gather *g, const struct admission_plan *ap)
{
	return &g->env->upstreams[ap->upstream];
}

/* A permit for each call, or as many as there are. */
static uint32_t
n_permits(const struct gather *g, const struct admission_plan *ap)
{
	uint32_t n = 0, limit = limiter_limit(&upstream_of(g, ap)->limiter);

	for (uint64_t left = pending_of(g, ap); left != 0; left &= left - 1)
		n++;
	return n < limit ? n : limit;
}

/* The first of them to lose patience. */
static uint64_t
patience_of(struct gather *g, const struct admission_plan *ap)
{
	uint64_t until = g->env->loop->now_ns + upstream_of(g, ap)->conf->queue.timeout_ns;

	for (uint64_t left = pending_of(g, ap); left != 0; left &= left - 1) {
		uint64_t own = deadline_of(first_of(g, left));

		until = own < until ? own : until;
	}
	return until;
}

/* One permit for each call; where there are not enough, they share them. */
static void
hand_out(struct gather *g, uint64_t calls)
{
	uint64_t left = calls;

	for (; left != 0 && g->group.all.state == PERMIT_HELD; left &= left - 1)
		permit_hand(&first_of(g, left)->task.call.permit, &g->group.all);
	if (left == 0)
		return;
	for (; calls != 0; calls &= calls - 1)
		first_of(g, calls)->task.call.shares_permit = true;
}

/* The calls to one upstream are shed. True: that decides the answer. */
static bool
shed(struct gather *g, uint64_t calls, enum err_code e)
{
	for (; calls != 0; calls &= calls - 1) {
		struct gather_call *gc = first_of(g, calls);

		settle(gc, e);
		if (has_verdict(g, gc))
			return true;
	}
	return false;
}

/* The permits of one upstream are here, or will not come. True: that decides the answer. */
static bool
end_admission(struct gather *g, enum err_code e)
{
	uint64_t calls = pending_of(g, &g->plan->admission[g->n_admitted++]);

	if (e != ERR_NONE)
		return shed(g, calls, e);
	hand_out(g, calls);
	return false;
}

static void on_admitted(struct permit_group *group, enum err_code e);

static enum err_code
ask(struct gather *g, const struct admission_plan *ap)
{
	struct upstream *up = upstream_of(g, ap);
	uint32_t n = n_permits(g, ap);

	if (permit_group_take(&g->group, &up->limiter, &up->turn, n))
		return ERR_NONE;
	return permit_group_wait(
	    &g->group, &up->limiter, &up->turn, n, patience_of(g, ap), on_admitted);
}

/* Takes the permits of one upstream after the other, until some must be waited for; then starts all calls. */
static void
admit(struct gather *g)
{
	while (g->n_admitted < g->plan->n_admission) {
		const struct admission_plan *ap = &g->plan->admission[g->n_admitted];
		enum err_code e = ERR_NONE;

		if (pending_of(g, ap) != 0)
			e = ask(g, ap);
		if (permit_group_is_waiting(&g->group))
			return;
		if (end_admission(g, e)) {
			loop_defer(g->env->loop, &g->finish_later);
			return;
		}
	}
	start_certain(g);
}

static void
on_admitted(struct permit_group *group, enum err_code e)
{
	struct gather *g = CONTAINER_OF(group, struct gather, group);

	if (end_admission(g, e))
		finish(g);
	else
		admit(g);
}

/* A look before queueing anywhere: an upstream that has no room at all decides at once. */
static bool
shed_early(struct gather *g)
{
	for (size_t i = 0; i < g->plan->n_admission; i++) {
		const struct admission_plan *ap = &g->plan->admission[i];

		if (!limiter_has_room(&upstream_of(g, ap)->limiter, n_permits(g, ap)) &&
		    shed(g, pending_of(g, ap), ERR_QUEUE_FULL))
			return true;
	}
	return false;
}

/* ---- start */

/* The body as JSON, for references into it. */
static enum err_code
parse_client_body(struct gather *g)
{
	const struct request *r = g->request;

	if (!r->has_body || r->body.n == 0)
		return g->plan->conf->is_body_required ? ERR_BAD_BODY : ERR_NONE;
	if (!g->plan->needs_body_json)
		return ERR_NONE;
	if (json_scan_text(g->env->js, r->body, 0, &g->values.body, NULL) != ERR_NONE)
		return ERR_BAD_BODY;
	return ERR_NONE;
}

/* Writes the requests that need no other call; true when one that cannot be written decides the answer. */
static bool
build_certain(struct gather *g)
{
	for (size_t i = 0; i < g->plan->n_calls; i++) {
		struct gather_call *gc = &g->calls[i];
		enum err_code e;

		if (!gc->plan->is_certain)
			continue;
		e = task_build(&gc->task, &g->values, shared_fields(gc));
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

	if (e != ERR_NONE) {
		answer_problem(&g->answer, g->arena, e, str_none());
		return true;
	}
	return build_certain(g) || shed_early(g);
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
	task_init(&gc->task, cp, g->env, g->arena);
	gc->task.on_done = on_task_done;
	gc->task.owner = gc;
	gc->task.call.times.started = g->started_ns;
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
	g->known = arena_calloc(arena, plan->n_calls, sizeof *g->known);
	g->values = (struct template_env){ .request = request, .calls = g->known };
	g->calls = arena_calloc(arena, plan->n_calls, sizeof *g->calls);
	defer_init(&g->finish_later, finish, g);
	for (size_t i = 0; i < plan->n_calls; i++)
		init_call(g, &g->calls[i], &plan->calls[i]);
	return g;
}
