/* Compiles a route of kind `calls`. Runs once per configuration. */
#include "gather/plan.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/compiler.h"
#include "gather/answer_shape.h"
#include "gather/plan_call.h"
#include "gather/plan_graph.h"
#include "gather/zip.h"

struct compiler {
	struct arena *arena;
	const struct plan_setup *setup;
	struct plan *plan;
	struct plan_fault *fault;
};

enum err_code
plan_fault_at(struct plan_fault *fault, const struct conf_pos *where, const char *fmt, ...)
{
	va_list ap;

	fault->where = *where;
	va_start(ap, fmt);
	vsnprintf(fault->message, sizeof fault->message, fmt, ap);
	va_end(ap);
	return ERR_BAD_CONFIG;
}

enum err_code
plan_template(struct arena *arena, const struct conf_text *text, enum template_place place,
    const struct template_params *params, struct template *out, struct plan_fault *fault)
{
	struct template_error error;
	enum err_code e = template_compile(arena, text->s, place, params, out, &error);

	return e == ERR_NONE ? e : plan_fault_at(fault, &text->pos, "%s", error.message);
}

enum err_code
plan_condition(struct arena *arena, const struct conf_text *text,
    const struct template_params *params, struct condition **out, struct plan_fault *fault)
{
	struct template_error error;

	if (condition_compile(arena, text->s, params, out, &error) == ERR_NONE)
		return ERR_NONE;
	return plan_fault_at(fault, &text->pos, "%s, at character %zu of the condition", error.message,
	    error.offset + 1);
}

enum err_code
plan_json(struct arena *arena, const struct conf_json *tree, const struct template_params *params,
    struct json_template **out, struct plan_fault *fault)
{
	struct template_error error;
	struct conf_pos where;
	enum err_code e;

	if (tree->kind == CONF_JSON_NONE)
		return ERR_NONE;
	e = json_template_compile(arena, tree, params, out, &where, &error);
	return e == ERR_NONE ? e : plan_fault_at(fault, &where, "%s", error.message);
}

enum err_code
plan_fields(struct arena *arena, const struct conf_pair_list *pairs,
    const struct template_params *params, struct field_plan **out, struct plan_fault *fault)
{
	enum err_code e = ERR_NONE;

	*out = arena_calloc(arena, pairs->n, sizeof **out);
	for (size_t i = 0; i < pairs->n && e == ERR_NONE; i++) {
		(*out)[i].name = pairs->at[i].name.s;
		e = plan_template(arena, &pairs->at[i].value, TEMPLATE_HEADER, params,
		    &(*out)[i].value, fault);
	}
	return e;
}

static bool
names_equal(const struct conf_text_list *a, const struct conf_text_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(a->at[i].s, b->at[i].s))
			return false;
	return true;
}

/* Calls that pass the same fields on write them once; what a call sets itself it does not pass on. */
static bool
forwards_same(const struct call_conf *a, const struct call_conf *b)
{
	if (a->forward.headers.n == 0)
		return b->forward.headers.n == 0;
	return names_equal(&a->forward.headers, &b->forward.headers) && a->headers.n + b->headers.n == 0;
}

static uint64_t
bit_of(size_t call)
{
	return UINT64_C(1) << call;
}

/* ---- who waits for whom */

static enum err_code
find_call(struct compiler *c, const struct conf_text *name, size_t *out)
{
	for (*out = 0; *out < c->plan->n_calls; ++*out)
		if (str_eq(c->setup->conf->calls[*out].name, name->s))
			return ERR_NONE;
	return plan_fault_at(c->fault, &name->pos, "the route has no call %.*s", STR_FMT(name->s));
}

static enum err_code
add_after(struct compiler *c, struct call_plan *cp)
{
	const struct conf_text_list *after = &cp->conf->after;

	for (size_t i = 0; i < after->n; i++) {
		size_t call;
		enum err_code e = find_call(c, &after->at[i], &call);

		if (e != ERR_NONE)
			return e;
		cp->deps |= bit_of(call);
	}
	return ERR_NONE;
}

static bool
has_default(const struct call_conf *conf)
{
	return conf->default_value.kind != CONF_JSON_NONE;
}

/* When an answer is made all the same. The default of a call is a result, not an answer of its upstream. */
static bool
may_be_absent(const struct compiler *c, size_t i, const struct template_uses *uses)
{
	const struct route_conf *route = c->setup->conf;
	const struct call_conf *conf = &route->calls[i];

	if ((uses->calls_needed & bit_of(i)) == 0)
		return false;
	if (route->need != 0)
		return route->need < route->n_calls;
	if (has_default(conf))
		return (uses->calls_answer & bit_of(i)) != 0;
	return !conf->is_required || !str_is_none(conf->when.s);
}

static enum err_code
check_needed(struct compiler *c, const struct template_uses *uses, const struct conf_pos *where, const char *who)
{
	const struct call_conf *calls = c->setup->conf->calls;

	for (size_t i = 0; i < c->plan->n_calls; i++) {
		struct str name = calls[i].name;

		if (!may_be_absent(c, i, uses))
			continue;
		if (has_default(&calls[i]) && c->setup->conf->need == 0)
			return plan_fault_at(c->fault, where,
			    "%s refers to the answer of %.*s, which has a default for when there is none: refer to "
			    "{calls.%.*s.result}, or give the reference a default as well ({...|...})",
			    who, STR_FMT(name), STR_FMT(name));
		return plan_fault_at(c->fault, where,
		    "%s refers to %.*s, which may be absent: give the reference a default ({...|...})%s", who,
		    STR_FMT(name), c->setup->conf->need == 0 ? " or make that call required" : "");
	}
	return ERR_NONE;
}

/* One that may fail may refer to what may be absent: it is then absent as well, or has its default. */
static enum err_code
check_call_needed(struct compiler *c, const struct call_conf *conf, const struct template_uses *uses)
{
	if (c->setup->conf->need != 0 || !conf->is_required || has_default(conf) || !str_is_none(conf->when.s))
		return ERR_NONE;
	return check_needed(c, uses, &conf->pos, "this required call");
}

static enum err_code
check_cycles(struct compiler *c)
{
	const struct plan *plan = c->plan;
	uint64_t deps[TEMPLATE_MAX_CALLS];
	size_t cycle[TEMPLATE_MAX_CALLS], n;
	struct str text = STR("");

	for (size_t i = 0; i < plan->n_calls; i++)
		deps[i] = plan->calls[i].deps;
	if (!plan_graph_find_cycle(deps, plan->n_calls, cycle, &n))
		return ERR_NONE;
	for (size_t i = 0; i < n; i++)
		text = arena_printf(c->arena, "%.*s%.*s -> ", STR_FMT(text),
		    STR_FMT(plan->calls[cycle[i]].conf->name));
	return plan_fault_at(c->fault, &plan->calls[cycle[0]].conf->pos,
	    "the calls wait for each other: %.*s%.*s", STR_FMT(text),
	    STR_FMT(plan->calls[cycle[0]].conf->name));
}

/* ---- where the parts go */

static const struct conf_pos *
place_of(const struct call_conf *conf)
{
	return str_is_none(conf->into.s) ? &conf->pos : &conf->into.pos;
}

/* "orders[].product" of a for_each: back into the elements of another part. */
static bool
is_zip(const struct call_conf *conf, const struct json_path *into)
{
	return !str_is_none(conf->for_each.list.s) && json_path_each(into) + 1 < into->n;
}

static bool
is_prefix(const struct json_path *place, const struct json_path *into)
{
	if (place->n > json_path_each(into) || json_path_each(place) < place->n)
		return false;
	for (size_t i = 0; i < place->n; i++)
		if (!str_eq(place->steps[i].key, into->steps[i].key))
			return false;
	return true;
}

static enum err_code
compile_zip(struct compiler *c, size_t i)
{
	struct call_plan *cp = &c->plan->calls[i];
	struct json_path into;
	struct json_fault fault;
	bool is_found = false;
	const char *why;

	if (json_path_compile(c->arena, cp->conf->into.s, &into, &fault) != ERR_NONE)
		return plan_fault_at(c->fault, &cp->conf->into.pos, "%s", fault.reason);
	for (size_t k = 0; k < c->plan->n_calls; k++) {
		const struct json_path *place = &c->plan->places[k].into;

		if (k == i || c->plan->calls[k].zip.n != 0 || !is_prefix(place, &into))
			continue;
		if (is_found && place->n <= c->plan->places[cp->zip_into].into.n)
			continue;
		is_found = true;
		cp->zip_into = k;
	}
	if (!is_found)
		return plan_fault_at(c->fault, &cp->conf->into.pos,
		    "no call of the route puts an array there that the results could go into");
	cp->zip.steps = into.steps + c->plan->places[cp->zip_into].into.n;
	cp->zip.n = into.n - c->plan->places[cp->zip_into].into.n;
	why = zip_check(&cp->zip);
	return why == NULL ? ERR_NONE : plan_fault_at(c->fault, &cp->conf->into.pos, "%s", why);
}

static enum err_code
compile_place(struct compiler *c, size_t i)
{
	const struct call_conf *conf = c->plan->calls[i].conf;
	struct merge_place *place = &c->plan->places[i];
	struct json_fault fault;

	place->name = conf->name;
	if (str_is_none(conf->into.s)) {
		json_path_of_key(c->arena, conf->name, &place->into);
		return ERR_NONE;
	}
	if (json_path_compile(c->arena, conf->into.s, &place->into, &fault) == ERR_NONE &&
	    is_zip(conf, &place->into)) {
		c->plan->calls[i].zip = place->into;
		return ERR_NONE;
	}
	if (json_path_compile_into(c->arena, conf->into.s, &place->into, &fault) != ERR_NONE)
		return plan_fault_at(c->fault, &conf->into.pos, "%s", fault.reason);
	return ERR_NONE;
}

static enum err_code
compile_places(struct compiler *c)
{
	enum err_code e = ERR_NONE;

	for (size_t i = 0; i < c->plan->n_calls && e == ERR_NONE; i++)
		e = compile_place(c, i);
	for (size_t i = 0; i < c->plan->n_calls && e == ERR_NONE; i++)
		if (c->plan->calls[i].zip.n != 0)
			e = compile_zip(c, i);
	return e;
}

/* Parts that are zipped into others have no place of their own. */
static enum err_code
compile_merge(struct compiler *c)
{
	const struct route_conf *conf = c->setup->conf;
	struct plan *plan = c->plan;
	struct merge_place *places = arena_calloc(c->arena, plan->n_calls, sizeof *places);
	struct merge_spec spec = {
		.places = places,
		.policy = conf->response.on_conflict,
		.meta_key = conf->response.partial_meta.s,
		.keeps_places = conf->response.shape == ANSWER_ARRAY,
	};
	struct merge_fault fault;

	plan->merged = arena_alloc(c->arena, plan->n_calls * sizeof *plan->merged);
	for (size_t i = 0; i < plan->n_calls; i++) {
		if (plan->calls[i].zip.n != 0)
			continue;
		places[plan->n_merged] = plan->places[i];
		plan->merged[plan->n_merged++] = i;
	}
	spec.n = plan->n_merged;
	if (merge_plan_new(c->arena, &spec, &plan->merge, &fault) != ERR_NONE)
		return plan_fault_at(
		    c->fault, place_of(&conf->calls[plan->merged[fault.place]]), "%s", fault.reason);
	return ERR_NONE;
}

/* ---- the calls */

static void
note_uses(struct compiler *c, const struct template_uses *uses)
{
	c->plan->needs_body |= uses->body;
	c->plan->needs_body_json |= uses->body_json;
	for (size_t i = 0; i < c->plan->n_calls; i++) {
		c->plan->calls[i].keeps_fields |= (uses->calls_fields & bit_of(i)) != 0;
		c->plan->calls[i].keeps_body |= (uses->calls_body & bit_of(i)) != 0;
	}
}

static enum err_code
compile_call(struct compiler *c, const struct plan_call_setup *setup, size_t i)
{
	struct call_plan *cp = &c->plan->calls[i];
	const struct call_conf *conf = &c->setup->conf->calls[i];
	struct template_uses uses = { 0 };
	enum err_code e = plan_call_compile(setup, conf, cp, &uses);

	if (e != ERR_NONE)
		return e;
	cp->index = c->setup->first_call + i;
	cp->shares_forward = forwards_same(conf, &c->setup->conf->calls[0]);
	cp->deps = uses.calls;
	e = add_after(c, cp);
	if (e == ERR_NONE)
		e = check_call_needed(c, conf, &uses);
	cp->is_certain = cp->deps == 0 && cp->when == NULL && cp->list.n == 0;
	c->plan->has_waits |= !cp->is_certain;
	for (size_t k = 0; k < c->setup->conf->n_formats; k++)
		cp->keeps_type |= c->setup->conf->formats[k] == FORMAT_MULTIPART;
	note_uses(c, &uses);
	return e;
}

static enum err_code
compile_calls(struct compiler *c, const struct template_params *params)
{
	struct plan_call_setup setup = { c->arena, c->setup, params, c->fault };
	enum err_code e = ERR_NONE;

	for (size_t i = 0; i < c->plan->n_calls; i++) {
		c->plan->calls[i].conf = &c->setup->conf->calls[i];
		c->plan->calls[i].keeps_body = c->setup->conf->response.errors == ERRORS_DETAIL;
	}
	for (size_t i = 0; i < c->plan->n_calls && e == ERR_NONE; i++)
		e = compile_call(c, &setup, i);
	return e;
}

static bool
is_admitted_ahead(const struct plan *plan, size_t i)
{
	return plan->calls[i].is_certain && plan->calls[i].conf->is_required &&
	    plan->conf->need == 0;
}

/* By upstream, so that all requests take permits in one order and none wait in a circle. */
static struct admission_plan *
admission_of(struct plan *plan, uint64_t upstream)
{
	size_t at = plan->n_admission;

	while (at > 0 && plan->admission[at - 1].upstream > upstream)
		at--;
	if (at > 0 && plan->admission[at - 1].upstream == upstream)
		return &plan->admission[at - 1];
	for (size_t i = plan->n_admission++; i > at; i--)
		plan->admission[i] = plan->admission[i - 1];
	plan->admission[at] = (struct admission_plan){ .upstream = upstream };
	return &plan->admission[at];
}

static void
order_admission(struct compiler *c)
{
	struct plan *plan = c->plan;

	plan->admission = arena_alloc(c->arena, plan->n_calls * sizeof *plan->admission);
	for (size_t i = 0; i < plan->n_calls; i++)
		if (is_admitted_ahead(plan, i))
			admission_of(plan, plan->calls[i].conf->upstream)->calls |= bit_of(i);
}

static enum err_code
compile_headers(struct compiler *c, const struct template_params *params)
{
	const struct conf_pair_list *pairs = &c->setup->conf->response.set_headers;
	struct plan *plan = c->plan;
	enum err_code e = plan_fields(c->arena, pairs, params, &plan->set_headers, c->fault);

	plan->n_set_headers = pairs->n;
	for (size_t i = 0; e == ERR_NONE && i < pairs->n; i++)
		note_uses(c, &plan->set_headers[i].value.uses);
	return e;
}

/* A number in range, or something that only a request can tell. */
static bool
is_status(const struct template *t)
{
	uint64_t status;

	if (!template_is_literal(t))
		return true; /* with no text at all the key is missing, which is told already */
	return str_to_u64(t->ops[0].text, &status) && status >= 200 && status <= 599;
}

static enum err_code
compile_status(struct compiler *c, const struct template_params *params)
{
	const struct response_conf *conf = &c->setup->conf->response;
	struct plan *plan = c->plan;
	enum err_code e = ERR_NONE;

	plan->status = arena_calloc(c->arena, conf->n_status, sizeof *plan->status);
	plan->n_status = conf->n_status;
	for (size_t i = 0; i < conf->n_status && e == ERR_NONE; i++) {
		struct status_plan *rule = &plan->status[i];
		struct template_uses uses = { 0 };

		if (!str_is_none(conf->status[i].when.s))
			e = plan_condition(c->arena, &conf->status[i].when, params, &rule->when, c->fault);
		if (e == ERR_NONE)
			e = plan_template(c->arena, &conf->status[i].status, TEMPLATE_TEXT, params,
			    &rule->status, c->fault);
		if (e == ERR_NONE && !is_status(&rule->status))
			e = plan_fault_at(c->fault, &conf->status[i].status.pos,
			    "expected a status from 200 to 599, or a reference to one");
		uses = rule->status.uses;
		condition_add_uses(&uses, rule->when);
		note_uses(c, &uses);
	}
	return e;
}

static enum err_code
compile_answer_body(struct compiler *c, const struct template_params *params)
{
	const struct conf_text *text = &c->setup->conf->response.body;
	struct template *body = &c->plan->body;
	enum err_code e;

	if (str_is_none(text->s))
		return ERR_NONE;
	e = plan_template(c->arena, text, TEMPLATE_TEXT, params, body, c->fault);
	if (e == ERR_NONE)
		e = check_needed(c, &body->uses, &text->pos, "the answer's body");
	if (e != ERR_NONE)
		return e;
	note_uses(c, &body->uses);
	if (template_is_reference(body) && body->ops[0].kind == TEMPLATE_CALL_BODY)
		c->plan->calls[body->ops[0].call].keeps_type = true;
	return ERR_NONE;
}

void
plan_name_calls(struct arena *arena, const struct route_conf *conf, struct template_params *params)
{
	struct str *names = arena_calloc(arena, conf->n_calls, sizeof *names);

	params->calls = names;
	params->n_calls = conf->n_calls;
	params->calls_many = 0;
	for (size_t i = 0; i < conf->n_calls; i++) {
		names[i] = conf->calls[i].name;
		if (!str_is_none(conf->calls[i].for_each.list.s))
			params->calls_many |= bit_of(i);
	}
}

static enum err_code
compile_answer_json(struct compiler *c, const struct template_params *params)
{
	const struct conf_json *tree = &c->setup->conf->response.json;
	struct template_uses uses = { 0 };
	enum err_code e = plan_json(c->arena, tree, params, &c->plan->json, c->fault);

	if (e != ERR_NONE || c->plan->json == NULL)
		return e;
	json_template_add_uses(&uses, c->plan->json);
	note_uses(c, &uses);
	return check_needed(c, &uses, &tree->text.pos, "the answer's body");
}

static enum err_code
check_need(struct compiler *c)
{
	const struct route_conf *conf = c->setup->conf;

	if (conf->need <= conf->n_calls)
		return ERR_NONE;
	return plan_fault_at(c->fault, &conf->pos, "needs %llu calls to succeed, and has %zu",
	    (unsigned long long)conf->need, conf->n_calls);
}

static enum err_code
compile_answer_shape(struct compiler *c)
{
	struct json_fault fault;
	struct conf_pos where;

	if (answer_shape_compile(c->arena, &c->setup->conf->response, &c->plan->answer_shape, &where,
		&fault) != ERR_NONE)
		return plan_fault_at(c->fault, &where, "%s", fault.reason);
	if (c->plan->merge->is_array && c->setup->conf->response.static_json.kind != CONF_JSON_NONE)
		return plan_fault_at(c->fault, &c->setup->conf->response.static_json.text.pos,
		    "static data is merged into an object, and this answer is an array");
	return ERR_NONE;
}

enum err_code
plan_compile(
    struct arena *arena, const struct plan_setup *setup, struct plan **out, struct plan_fault *fault)
{
	struct plan *plan = arena_calloc(arena, 1, sizeof *plan);
	struct compiler c = { arena, setup, plan, fault };
	struct template_params params = *setup->params;
	enum err_code e;

	assert(setup->conf->n_calls <= TEMPLATE_MAX_CALLS); /* the file's limit is no higher */
	plan->conf = setup->conf;
	plan->n_calls = setup->conf->n_calls;
	plan->calls = arena_calloc(arena, plan->n_calls, sizeof *plan->calls);
	plan->places = arena_calloc(arena, plan->n_calls, sizeof *plan->places);
	plan->needs_body = plan->needs_body_json = setup->conf->is_body_required;
	plan_name_calls(arena, setup->conf, &params);
	e = check_need(&c);
	if (e == ERR_NONE)
		e = compile_calls(&c, &params);
	if (e == ERR_NONE)
		e = check_cycles(&c);
	if (e == ERR_NONE)
		e = compile_places(&c);
	if (e == ERR_NONE)
		e = compile_merge(&c);
	if (e == ERR_NONE)
		e = compile_answer_shape(&c);
	if (e == ERR_NONE)
		e = answer_fields_compile(arena, &setup->conf->response, plan, fault);
	if (e == ERR_NONE)
		e = compile_status(&c, &params);
	if (e == ERR_NONE)
		e = compile_answer_body(&c, &params);
	if (e == ERR_NONE)
		e = compile_answer_json(&c, &params);
	if (e == ERR_NONE)
		e = compile_headers(&c, &params);
	order_admission(&c);
	*out = plan;
	return e;
}
