/* Compiles one call: its texts become templates, its words become numbers. At load. */
#include "gather/plan_call.h"

#include "base/compiler.h"
#include "codec/uri.h"
#include "gather/shape.h"

/* One call under way. */
struct compiler {
	const struct plan_call_setup *setup;
	const struct call_conf *conf;
	struct call_plan *cp;
	struct template_params params; /* with {item} or {items} where it has them */
	struct template_uses *uses;
};

static enum err_code
compile_text(struct compiler *c, const struct conf_text *text, enum template_place place,
    struct template *out)
{
	enum err_code e =
	    plan_template(c->setup->arena, text, place, &c->params, out, c->setup->fault);

	template_add_uses(c->uses, &out->uses);
	return e;
}

/* A question mark that is not within a reference. */
void
plan_call_split_path(struct str text, struct str *path, struct str *query)
{
	bool is_inside = false;

	*path = text;
	*query = str_none();
	for (size_t i = 0; i < text.n; i++) {
		is_inside = text.p[i] == '{' || (is_inside && text.p[i] != '}');
		if (text.p[i] != '?' || is_inside)
			continue;
		path->n = i;
		*query = str_of(text.p + i + 1, text.n - i - 1);
		return;
	}
}

static enum err_code
compile_path(struct compiler *c)
{
	struct conf_text path = c->conf->path, query = c->conf->path;
	enum err_code e;

	plan_call_split_path(c->conf->path.s, &path.s, &query.s);
	e = compile_text(c, &path, TEMPLATE_PATH, &c->cp->path);
	if (e == ERR_NONE && !str_is_none(query.s))
		e = compile_text(c, &query, TEMPLATE_QUERY, &c->cp->path_query);
	return e;
}

static enum err_code
compile_query(struct compiler *c)
{
	const struct conf_pair_list *pairs = &c->conf->query;
	struct arena *arena = c->setup->arena;
	enum err_code e = ERR_NONE;

	c->cp->query = arena_calloc(arena, pairs->n, sizeof *c->cp->query);
	c->cp->n_query = pairs->n;
	for (size_t i = 0; i < pairs->n && e == ERR_NONE; i++) {
		struct str name = pairs->at[i].name.s;
		char *to = arena_alloc(arena, URI_PUT_MAX(name.n));

		c->cp->query[i].name = str_of(to, uri_put_query_value(to, name));
		e = compile_text(c, &pairs->at[i].value, TEMPLATE_QUERY, &c->cp->query[i].value);
	}
	return e;
}

static enum err_code
compile_fields(struct compiler *c)
{
	struct call_plan *cp = c->cp;
	enum err_code e = plan_fields(c->setup->arena, &c->conf->headers, &c->params, &cp->fields,
	    c->setup->fault);

	cp->n_fields = c->conf->headers.n;
	for (size_t i = 0; i < cp->n_fields; i++) {
		template_add_uses(c->uses, &cp->fields[i].value.uses);
		cp->has_content_type |= str_ieq(cp->fields[i].name, STR("Content-Type"));
	}
	return e;
}

static enum err_code
compile_body(struct compiler *c)
{
	const struct call_conf *conf = c->conf;
	enum err_code e = ERR_NONE;

	if (!str_is_none(conf->body.s))
		e = compile_text(c, &conf->body, TEMPLATE_TEXT, &c->cp->body);
	if (e == ERR_NONE)
		e = plan_json(c->setup->arena, &conf->json, &c->params, &c->cp->json, c->setup->fault);
	if (e == ERR_NONE && c->cp->json != NULL)
		json_template_add_uses(c->uses, c->cp->json);
	return e;
}

/* `when` and the list of for_each are settled once, before there is an item. */
static enum err_code
compile_when(struct compiler *c)
{
	const struct conf_text *when = &c->conf->when;
	enum err_code e;

	if (str_is_none(when->s))
		return ERR_NONE;
	e = plan_condition(
	    c->setup->arena, when, c->setup->params, &c->cp->when, c->setup->fault);
	if (e == ERR_NONE)
		condition_add_uses(c->uses, c->cp->when);
	return e;
}

static enum err_code
compile_for_each(struct compiler *c)
{
	const struct conf_text *list = &c->conf->for_each.list;
	const struct conf_text *match = &c->conf->batch.match;
	struct json_fault fault;
	enum err_code e;

	if (str_is_none(list->s))
		return c->conf->batch.max == 0 ?
		    ERR_NONE :
		    plan_fault_at(c->setup->fault, &c->conf->pos, "a batch needs a for_each");
	e = plan_template(c->setup->arena, list, TEMPLATE_TEXT, c->setup->params, &c->cp->list,
	    c->setup->fault);
	if (e != ERR_NONE)
		return e;
	if (!template_is_reference(&c->cp->list))
		return plan_fault_at(c->setup->fault, &list->pos,
		    "for_each takes exactly one reference to a list");
	if (c->cp->list.ops[0].has_fallback && c->cp->list.ops[0].fallback_value.kind != JSON_ARRAY)
		return plan_fault_at(c->setup->fault, &list->pos,
		    "the default of a list is a list, such as {body.ids|[]}");
	template_add_uses(c->uses, &c->cp->list.uses);
	c->uses->body_json |= c->cp->list.uses.body;
	if (!str_is_none(match->s) && json_path_compile_ref(c->setup->arena, match->s, &c->cp->match,
					  &fault) != ERR_NONE)
		return plan_fault_at(c->setup->fault, &match->pos, "%s", fault.reason);
	return ERR_NONE;
}

static enum err_code
compile_shape(struct compiler *c)
{
	const struct conf_text *match = &c->conf->batch.match;
	struct call_plan *cp = c->cp;
	struct json_fault fault;
	struct conf_pos where;
	enum err_code e = shape_compile(c->setup->arena, &c->conf->shape, &cp->shape, &where, &fault);

	if (e != ERR_NONE)
		plan_fault_at(c->setup->fault, &where, "%s", fault.reason);
	else if (!str_is_none(match->s) && cp->shape != NULL && !shape_keeps_in_elements(cp->shape, &cp->match))
		e = plan_fault_at(c->setup->fault, &match->pos,
		    "`select`, `drop` or `rename` takes this key from the elements before they are matched");
	return e;
}

static struct str
accept_encoding_line(struct compiler *c)
{
	struct str line = STR("");

	for (size_t i = 0; i < c->conf->n_asked_codings; i++)
		line = arena_printf(c->setup->arena, "%.*s%s%.*s", STR_FMT(line),
		    i == 0 ? "Accept-Encoding: " : ", ",
		    STR_FMT(coding_name(c->conf->asked_codings[i])));
	return line.n == 0 ? line : arena_printf(c->setup->arena, "%.*s\r\n", STR_FMT(line));
}

enum err_code
plan_call_compile(const struct plan_call_setup *setup, const struct call_conf *conf,
    struct call_plan *cp, struct template_uses *uses)
{
	struct compiler c = { setup, conf, cp, *setup->params, uses };
	bool has_list = !str_is_none(conf->for_each.list.s);
	enum err_code e;

	c.params.has_item = has_list && conf->batch.max == 0;
	c.params.has_items = has_list && conf->batch.max != 0;
	cp->conf = conf;
	cp->upstream = &setup->route->upstreams[conf->upstream];
	cp->method = http_table_method(conf->method.s);
	cp->accept_encoding = accept_encoding_line(&c);
	forward_set_compile(
	    setup->arena, &conf->forward.headers, &conf->headers, &cp->forward_headers);
	forward_set_compile(setup->arena, &conf->forward.query, &conf->query, &cp->forward_query);
	e = compile_path(&c);
	if (e == ERR_NONE)
		e = compile_query(&c);
	if (e == ERR_NONE)
		e = compile_fields(&c);
	if (e == ERR_NONE)
		e = compile_body(&c);
	if (e == ERR_NONE)
		e = compile_when(&c);
	if (e == ERR_NONE)
		e = compile_for_each(&c);
	if (e == ERR_NONE)
		e = compile_shape(&c);
	if (e == ERR_NONE && conf->default_value.kind != CONF_JSON_NONE)
		cp->default_json = json_template_literal(setup->arena, &conf->default_value);
	return e;
}

uint64_t
plan_call_requests(const struct call_plan *cp)
{
	uint64_t n = cp->conf->for_each.max_items, batch = cp->conf->batch.max;

	if (cp->list.n == 0)
		return 1;
	return batch == 0 ? n : (n + batch - 1) / batch;
}
