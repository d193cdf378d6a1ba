/* Makes the answer of a gather. Worker thread; memory is the exchange's arena. */
#include "gather/gather_answer.h"

#include "base/compiler.h"
#include "codec/json_iter.h"
#include "gather/answer_fields.h"
#include "gather/answer_shape.h"
#include "gather/gather.h"
#include "gather/meta.h"
#include "gather/values.h"
#include "gather/zip.h"

/* ---- errors */

/* response.errors: what the upstream said, for clients that may know. */
static struct meta_detail
detail_of(const struct gather *g, const struct gather_call *gc)
{
	const struct call *c = gather_call_of(gc);
	struct meta_detail detail = { .status = 0 };

	if (g->plan->conf->response.errors != ERRORS_DETAIL)
		return detail;
	detail.status = c->status;
	detail.body = str_of(c->body.p, c->body.n < META_BODY_MAX ? c->body.n : META_BODY_MAX);
	return detail;
}

/* ---- the type and the presence of the body */

/* RFC 9110 15.3.5, 15.3.6, 15.4.5 */
static bool
is_bodiless(unsigned status)
{
	return status == 204 || status == 205 || status == 304;
}

/* The route's own word on the type, by response.headers, is the only one. */
static void
settle_body(struct answer *answer)
{
	if (!str_is_none(answer_fields_value(answer->fields, STR("Content-Type"))))
		answer->content_type = str_none();
	if (!is_bodiless(answer->status))
		return;
	answer->content_type = str_none();
	answer->n_body = 0;
	answer->body_bytes = 0;
}

void
gather_answer_fail(struct gather *g, const struct gather_call *gc)
{
	struct meta_detail detail = detail_of(g, gc);

	answer_problem_of(&g->answer, g->arena, gc->error, gc->plan->conf->name, &detail);
}

void
gather_answer_pass(struct gather *g, const struct gather_call *gc)
{
	g->answer = (struct answer){
		.status = gather_call_of(gc)->status,
		.reason = ERR_STATUS_NOT_ACCEPTED,
		.fields = answer_fields_write(g, NULL, 0),
	};
	answer_set_body(&g->answer, g->arena, gc->content_type, gather_call_of(gc)->body);
	settle_body(&g->answer);
}

/* ---- what is missing */

/* Neither there, nor left out on purpose, nor not waited for because enough others were there. */
static bool
is_missing(const struct gather *g, size_t i)
{
	const struct gather_call *gc = &g->calls[i];

	return g->known[i].result.kind == JSON_NONE && gc->error != ERR_NONE &&
	    g->plan->conf->need == 0;
}

/* There, but with null where an item's call failed. */
static bool
has_gaps(const struct gather *g, size_t i)
{
	const struct gather_call *gc = &g->calls[i];

	return g->known[i].result.kind != JSON_NONE && gc->n_failed_items != 0 &&
	    str_is_none(gc->plan->default_json) && g->plan->conf->need == 0;
}

static size_t
collect_missing(const struct gather *g, struct meta_call *missing)
{
	size_t n = 0;

	for (size_t i = 0; i < g->plan->n_calls; i++) {
		const struct gather_call *gc = &g->calls[i];
		uint64_t done = gather_call_of(gc)->times.done;

		if (!is_missing(g, i) && !has_gaps(g, i))
			continue;
		missing[n++] = (struct meta_call){
			.name = gc->plan->conf->name,
			.error = gc->error != ERR_NONE ? gc->error : gc->items_error,
			.n_items = has_gaps(g, i) ? gc->n_failed_items : 0,
			.ms = done > g->started_ns ? (done - g->started_ns) / NS_PER_MS : 0,
			.detail = detail_of(g, gc),
		};
	}
	return n;
}

/* ---- parts */

/* What the elements are given that no call was made for, because `truncate` ends the list before them. */
static struct json_value
beyond_results(const struct call_plan *cp)
{
	struct json_value beyond = { .kind = JSON_NONE };

	if (!cp->conf->for_each.is_truncated)
		return beyond;
	beyond.text = str_is_none(cp->default_json) ? STR("null") : cp->default_json;
	beyond.kind = json_iter_kind(beyond.text.p[0]);
	return beyond;
}

/* The results of one for_each go back into the elements that its list came from. */
static enum err_code
zip_part(struct gather *g, size_t i, struct json_value *parts)
{
	const struct call_plan *cp = &g->plan->calls[i];
	struct json_value *target = &parts[cp->zip_into], *results;
	struct zip_input in = {
		.target = *target,
		.inside = &cp->zip,
		.beyond = beyond_results(cp),
		.policy = g->plan->conf->response.on_conflict,
		.js = g->env->js,
		.arena = g->arena,
	};

	if (parts[i].kind != JSON_ARRAY || target->kind == JSON_NONE)
		return ERR_NONE;
	in.n = values_elements(parts[i], g->arena, &results);
	in.results = results;
	return zip_apply(&in, target);
}

/* Can the answer be without the results of this for_each? */
static bool
can_be_missing(const struct gather *g, size_t i)
{
	const struct call_plan *cp = &g->plan->calls[i];

	return !cp->conf->is_required || !str_is_none(cp->default_json) || g->plan->conf->need != 0;
}

/* Results that do not fit the elements are missing like any other part. */
static enum err_code
zip_parts(struct gather *g, struct json_value *parts, size_t *at_fault)
{
	for (size_t i = 0; i < g->plan->n_calls; i++) {
		enum err_code e = g->plan->calls[i].zip.n == 0 ? ERR_NONE : zip_part(g, i, parts);

		*at_fault = i;
		if (e == ERR_SHAPE_MISMATCH && can_be_missing(g, i)) {
			g->calls[i].error = e;
			g->known[i].result.kind = JSON_NONE;
		} else if (e != ERR_NONE) {
			return e;
		}
	}
	return ERR_NONE;
}

/* The parts of all calls, by index, before they are merged. */
static enum err_code
collect_parts(struct gather *g, struct json_value **parts, size_t *at_fault)
{
	const struct plan *plan = g->plan;

	*parts = arena_alloc(g->arena, plan->n_calls * sizeof **parts);
	for (size_t i = 0; i < plan->n_calls; i++)
		(*parts)[i] = g->known[i].result;
	return plan->n_merged == plan->n_calls ? ERR_NONE : zip_parts(g, *parts, at_fault);
}

/* What the route makes of the merged answer. */
static enum err_code
reshape(struct gather *g, const struct merge_result *merged, struct str meta)
{
	struct answer_shape_input in = {
		.iov = merged->iov,
		.n = merged->n,
		.bytes = merged->bytes,
		.meta = meta,
		.is_partial = g->answer.is_partial,
		.js = g->env->js,
		.arena = g->arena,
	};
	struct str text;
	enum err_code e = answer_shape_apply(g->plan->answer_shape, &in, &text);

	if (e == ERR_NONE)
		answer_set_body(&g->answer, g->arena, STR("application/json"), text);
	return e;
}

/* `parts` are those of all calls, and stay in place; what is zipped into others has none of its own. */
static enum err_code
merge(struct gather *g, struct json_value *parts, struct str meta, size_t *at_fault)
{
	const struct plan *plan = g->plan;
	struct merge_input in = { .parts = parts, .meta = meta, .js = g->env->js, .arena = g->arena };
	struct merge_result merged;
	enum err_code e;

	if (plan->answer_shape != NULL)
		in.meta = str_none();
	for (size_t i = 0; i < plan->n_merged; i++)
		parts[i] = parts[plan->merged[i]];
	e = merge_run(plan->merge, &in, &merged);
	if (e != ERR_NONE) {
		*at_fault = plan->merged[merged.conflict_part];
		return e;
	}
	*at_fault = plan->n_calls;
	if (plan->answer_shape != NULL)
		return reshape(g, &merged, meta);
	g->answer.content_type = STR("application/json");
	g->answer.body = merged.iov;
	g->answer.n_body = merged.n;
	g->answer.body_bytes = merged.bytes;
	return ERR_NONE;
}

/* ---- response.status and response.body */

/* response.body or response.json, in place of the merged answer. */
static bool
has_own_body(const struct gather *g)
{
	return g->plan->body.n != 0 || g->plan->json != NULL;
}

/* Is there more to tell than that there is nothing? */
static bool
has_content(const struct gather *g)
{
	const struct response_conf *conf = &g->plan->conf->response;

	if (has_own_body(g))
		return g->answer.body_bytes != 0;
	if (g->answer.is_partial || conf->static_json.kind != CONF_JSON_NONE)
		return true;
	for (size_t i = 0; i < g->plan->n_calls; i++)
		if (g->known[i].result.kind != JSON_NONE && g->known[i].result.kind != JSON_NULL)
			return true;
	return false;
}

/* That one call had nothing to say does not take from the answer what others did: `own` is its status then. */
static void
keep_content(struct gather *g, unsigned own)
{
	if (is_bodiless(g->answer.status) && has_content(g))
		g->answer.status = own;
}

/*
 * The first rule that holds and gives a status; a partial answer keeps its own when none does. True when the status
 * is that of a call, not one that the file has.
 */
static bool
settle_status(struct gather *g)
{
	for (size_t i = 0; i < g->plan->n_status; i++) {
		const struct status_plan *rule = &g->plan->status[i];
		struct str text;
		uint64_t status;

		if (rule->when != NULL && !condition_holds(rule->when, &g->values, g->arena))
			continue;
		if (template_eval(&rule->status, &g->values, g->arena, &text) != ERR_NONE ||
		    !str_to_u64(text, &status) || status < 200 || status > 599)
			continue;
		g->answer.status = (unsigned)status;
		return !template_is_literal(&rule->status);
	}
	return false;
}

/* {calls.N.body} alone: the bytes of that answer, with its word for what they are. A for_each has many. */
static bool
is_whole_answer(const struct gather *g, const struct template *t)
{
	return template_is_reference(t) && t->ops[0].kind == TEMPLATE_CALL_BODY &&
	    t->ops[0].path.n == 0 && g->plan->calls[t->ops[0].call].list.n == 0 &&
	    g->known[t->ops[0].call].body.kind != JSON_NONE;
}

static enum err_code
write_body(struct gather *g)
{
	const struct template *t = &g->plan->body;
	struct json_value v;
	struct str text;
	enum err_code e;

	if (g->plan->json != NULL) {
		e = json_template_eval(g->plan->json, &g->values, g->arena, &text);
		if (e == ERR_NONE)
			answer_set_body(&g->answer, g->arena, STR("application/json"), text);
		return e;
	}
	v = template_eval_value(t, &g->values, g->arena);
	if (is_whole_answer(g, t)) {
		const struct task *task = &g->calls[t->ops[0].call].task;

		answer_set_body(&g->answer, g->arena, task->content_type, task->call.body);
		return ERR_NONE;
	}
	if (v.kind != JSON_NONE) {
		answer_set_body(&g->answer, g->arena, STR("application/json"), v.text);
		return ERR_NONE;
	}
	e = template_eval(t, &g->values, g->arena, &text);
	if (e == ERR_NONE)
		answer_set_body(&g->answer, g->arena, STR("text/plain; charset=utf-8"), text);
	return e;
}

/* ---- conditional requests, RFC 9110 13.1 */

/* The opaque part of an entity tag, for the weak comparison. */
static struct str
opaque(struct str tag)
{
	return str_has_prefix(tag, STR("W/")) ? str_of(tag.p + 2, tag.n - 2) : tag;
}

static bool
has_tag(const struct gather *g, const struct header *h)
{
	struct str tag = answer_fields_value(g->answer.fields, STR("ETag"));

	for (; h != NULL && !str_is_none(tag); h = header_next(g->request->headers, h)) {
		struct str rest = h->value, one;

		while (header_next_element(&rest, &one))
			if (str_eq(one, STR("*")) || str_eq(opaque(one), opaque(tag)))
				return true;
	}
	return false;
}

/* RFC 9110 13.1.3: without If-None-Match. A date that is another is not compared: it comes from elsewhere. */
static bool
has_date(const struct gather *g, const struct header *h)
{
	struct str date = answer_fields_value(g->answer.fields, STR("Last-Modified"));

	return !str_is_none(date) && str_eq(h->value, date);
}

/* The client has this answer already: what tells it apart, copied from a call or set by the route, is what it names. */
static void
settle_condition(struct gather *g)
{
	const struct header *none_match = header_find(g->request->headers, HEADER_IF_NONE_MATCH);
	const struct header *since = header_find(g->request->headers, HEADER_IF_MODIFIED_SINCE);
	enum http_method method = g->request->method;

	if ((none_match == NULL && since == NULL) || g->answer.is_partial || g->answer.status != 200 ||
	    (method != METHOD_GET && method != METHOD_HEAD))
		return;
	if (none_match != NULL ? !has_tag(g, none_match) : !has_date(g, since))
		return;
	g->answer.status = 304;
	settle_body(&g->answer);
}

/* What is missing decides the status, unless a rule does, and is told in the metadata. */
static struct str
note_missing(struct gather *g, const struct meta_call *missing, size_t n)
{
	const struct response_conf *conf = &g->plan->conf->response;

	g->answer = (struct answer){ .status = 200 };
	if (n == 0)
		return str_none();
	g->answer.status = (unsigned)conf->partial_status;
	g->answer.is_partial = true;
	g->answer.reason = missing[0].error;
	return str_is_none(conf->partial_meta.s) ? str_none() : meta_of_calls(g->arena, missing, n);
}

void
gather_answer_merge(struct gather *g)
{
	const struct plan *plan = g->plan;
	struct meta_call *missing = arena_alloc(g->arena, plan->n_calls * sizeof *missing);
	bool is_streamed = g->events->on_part != NULL, has_body = has_own_body(g), is_of_call;
	size_t n_missing, at_fault = plan->n_calls;
	struct json_value *parts = NULL;
	enum err_code e = ERR_NONE;
	unsigned own_status;
	struct str meta;

	if (!is_streamed && !has_body)
		e = collect_parts(g, &parts, &at_fault);
	n_missing = collect_missing(g, missing);
	meta = note_missing(g, missing, n_missing);
	if (is_streamed)
		return; /* the parts go out one by one */
	g->answer.fields = answer_fields_write(g, missing, n_missing);
	own_status = g->answer.status;
	is_of_call = settle_status(g);
	if (e == ERR_NONE)
		e = has_body ? write_body(g) : merge(g, parts, meta, &at_fault);
	if (e == ERR_NONE) {
		if (is_of_call)
			keep_content(g, own_status);
		settle_body(&g->answer);
		settle_condition(g);
	} else {
		answer_problem(&g->answer, g->arena, e,
		    at_fault < plan->n_calls ? plan->calls[at_fault].conf->name : str_none());
	}
}
