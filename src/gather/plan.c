/* Compiles a route of kind `calls`. Runs once per configuration. */
#include "gather/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/json_write.h"
#include "codec/uri.h"

struct compiler {
	struct arena *arena;
	const struct plan_setup *setup;
	struct plan *plan;
	struct plan_fault *fault;
};

static enum err_code
fault_at(struct plan_fault *fault, const struct conf_pos *where, const char *message)
{
	fault->where = *where;
	snprintf(fault->message, sizeof fault->message, "%s", message);
	return ERR_BAD_CONFIG;
}

enum err_code
plan_template(struct arena *arena, const struct conf_text *text, enum template_place place,
    const struct template_params *params, struct template *out, struct plan_fault *fault)
{
	struct template_error error;
	enum err_code e = template_compile(arena, text->s, place, params, out, &error);

	return e == ERR_NONE ? e : fault_at(fault, &text->pos, error.message);
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

static enum err_code
compile_query(struct compiler *c, struct call_plan *cp)
{
	const struct conf_pair_list *pairs = &cp->conf->query;
	enum err_code e = ERR_NONE;

	cp->query = arena_calloc(c->arena, pairs->n, sizeof *cp->query);
	cp->n_query = pairs->n;
	for (size_t i = 0; i < pairs->n && e == ERR_NONE; i++) {
		struct str name = pairs->at[i].name.s;
		char *to = arena_alloc(c->arena, URI_PUT_MAX(name.n));

		cp->query[i].name = str_of(to, uri_put_query_value(to, name));
		e = plan_template(c->arena, &pairs->at[i].value, TEMPLATE_QUERY, c->setup->params,
		    &cp->query[i].value, c->fault);
	}
	return e;
}

static bool
sets_content_type(const struct call_plan *cp)
{
	for (size_t i = 0; i < cp->n_fields; i++)
		if (str_ieq(cp->fields[i].name, STR("Content-Type")))
			return true;
	return false;
}

static enum err_code
compile_body(struct compiler *c, struct call_plan *cp)
{
	const struct call_conf *conf = cp->conf;
	struct template_error error;
	enum err_code e = ERR_NONE;

	if (!str_is_none(conf->body.s))
		e = plan_template(c->arena, &conf->body, TEMPLATE_TEXT, c->setup->params, &cp->body,
		    c->fault);
	if (e == ERR_NONE && conf->json.kind != CONF_JSON_NONE) {
		e = json_template_compile(c->arena, &conf->json, c->setup->params, &cp->json,
		    &c->fault->where, &error);
		if (e != ERR_NONE)
			snprintf(c->fault->message, sizeof c->fault->message, "%s", error.message);
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

static void
note_body_use(struct plan *plan, const struct template *t)
{
	plan->needs_body |= t->uses_body;
	plan->needs_body_json |= t->uses_body_json;
}

static void
note_uses(struct plan *plan, const struct call_plan *cp)
{
	note_body_use(plan, &cp->path);
	note_body_use(plan, &cp->body);
	for (size_t i = 0; i < cp->n_query; i++)
		note_body_use(plan, &cp->query[i].value);
	for (size_t i = 0; i < cp->n_fields; i++)
		note_body_use(plan, &cp->fields[i].value);
	if (cp->json != NULL) {
		plan->needs_body |= json_template_uses_body(cp->json);
		plan->needs_body_json |= json_template_uses_body_json(cp->json);
	}
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
	if (json_path_compile_into(c->arena, conf->into.s, &place->into, &fault) != ERR_NONE)
		return fault_at(c->fault, &conf->into.pos, fault.reason);
	return ERR_NONE;
}

static enum err_code
compile_call(struct compiler *c, size_t i)
{
	struct call_plan *cp = &c->plan->calls[i];
	const struct call_conf *conf = &c->setup->conf->calls[i];
	enum err_code e;

	cp->conf = conf;
	cp->upstream = &c->setup->upstreams[conf->upstream];
	cp->method = http_table_method(conf->method.s);
	cp->index = c->setup->first_call + i;
	e = plan_template(c->arena, &conf->path, TEMPLATE_PATH, c->setup->params, &cp->path, c->fault);
	if (e == ERR_NONE)
		e = compile_query(c, cp);
	if (e == ERR_NONE)
		e = plan_fields(c->arena, &conf->headers, c->setup->params, &cp->fields, c->fault);
	cp->n_fields = conf->headers.n;
	if (e == ERR_NONE)
		e = compile_body(c, cp);
	if (e == ERR_NONE)
		e = compile_place(c, i);
	if (e != ERR_NONE)
		return e;
	cp->has_content_type = sets_content_type(cp);
	cp->shares_forward = names_equal(
	    &conf->forward.headers, &c->setup->conf->calls[0].forward.headers);
	if (conf->default_value.kind != CONF_JSON_NONE)
		cp->default_json = json_template_literal(c->arena, &conf->default_value);
	note_uses(c->plan, cp);
	return ERR_NONE;
}

/* Required calls by upstream, so that all requests take permits in one order and none wait in a circle. */
static void
order_admission(struct compiler *c)
{
	struct plan *plan = c->plan;

	plan->admission = arena_alloc(c->arena, plan->n_calls * sizeof *plan->admission);
	for (size_t i = 0; i < plan->n_calls; i++) {
		size_t at = plan->n_admission;

		if (!plan->calls[i].conf->is_required)
			continue;
		for (; at > 0 &&
		     plan->calls[plan->admission[at - 1]].conf->upstream >
			 plan->calls[i].conf->upstream;
		     at--)
			plan->admission[at] = plan->admission[at - 1];
		plan->admission[at] = i;
		plan->n_admission++;
	}
}

static enum err_code
compile_merge(struct compiler *c)
{
	const struct route_conf *conf = c->setup->conf;
	struct merge_spec spec = {
		.places = c->plan->places,
		.n = c->plan->n_calls,
		.policy = conf->response.on_conflict,
		.meta_key = conf->response.partial_meta.s,
	};
	struct merge_fault fault;

	if (merge_plan_new(c->arena, &spec, &c->plan->merge, &fault) != ERR_NONE)
		return fault_at(c->fault, &conf->calls[fault.place].pos, fault.reason);
	return ERR_NONE;
}

enum err_code
plan_compile(
    struct arena *arena, const struct plan_setup *setup, struct plan **out, struct plan_fault *fault)
{
	struct plan *plan = arena_calloc(arena, 1, sizeof *plan);
	struct compiler c = { arena, setup, plan, fault };
	enum err_code e = ERR_NONE;

	plan->conf = setup->conf;
	plan->n_calls = setup->conf->n_calls;
	plan->calls = arena_calloc(arena, plan->n_calls, sizeof *plan->calls);
	plan->places = arena_calloc(arena, plan->n_calls, sizeof *plan->places);
	for (size_t i = 0; i < plan->n_calls && e == ERR_NONE; i++)
		e = compile_call(&c, i);
	if (e == ERR_NONE)
		e = plan_fields(arena, &setup->conf->response.set_headers, setup->params,
		    &plan->set_headers, fault);
	plan->n_set_headers = setup->conf->response.set_headers.n;
	for (size_t i = 0; i < plan->n_set_headers && e == ERR_NONE; i++)
		note_body_use(plan, &plan->set_headers[i].value);
	if (e == ERR_NONE)
		e = compile_merge(&c);
	order_admission(&c);
	*out = plan;
	return e;
}
