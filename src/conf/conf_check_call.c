/* Rules of calls. Start-up and reload only; one thread. */
#include "conf/conf_check_call.h"

#include "base/near.h"
#include "codec/json_path.h"
#include "conf/conf_check_coding.h"
#include "conf/conf_check_text.h"
#include "conf/yaml_tree.h"
#include "gather/forward_set.h"
#include "gather/plan_call.h"

static void
say_no_upstream(const struct conf_check *check, const struct conf_text *name)
{
	const struct conf *c = check->conf;
	struct str raw = conf_check_raw(name), hint;
	struct near near;

	near_init(&near, name->s, check->arena);
	for (size_t i = 0; i < c->n_upstreams; i++)
		near_add(&near, c->upstreams[i].name);
	hint = near_hint(&near);
	conf_error_add(check->errors, name->pos, "there is no upstream \"%.*s\"; %.*s",
	    STR_FMT(raw), STR_FMT(hint));
}

void
conf_check_call_upstream(
    const struct conf_check *check, const struct conf_text *name, size_t *index)
{
	const struct conf *c = check->conf;

	if (str_is_none(name->s))
		return;
	for (size_t i = 0; i < c->n_upstreams; i++) {
		if (str_eq(c->upstreams[i].name, name->s)) {
			*index = i;
			return;
		}
	}
	say_no_upstream(check, name);
}

/* Calls are made with methods whose meaning is known: what may be repeated, what has a body. */
static void
check_method(const struct conf_check *check, const struct call_conf *call)
{
	enum http_method m = http_table_method(call->method.s);
	struct near near;
	struct str hint;

	if (str_is_none(call->method.s) ||
	    (m != METHOD_OTHER && m != METHOD_CONNECT && m != METHOD_TRACE))
		return;
	near_init(&near, call->method.s, check->arena);
	for (unsigned i = METHOD_OTHER + 1; i < METHOD_COUNT; i++)
		if (i != METHOD_CONNECT && i != METHOD_TRACE)
			near_add(&near, http_table_method_name((enum http_method)i));
	hint = near_hint(&near);
	conf_error_add(
	    check->errors, call->method.pos, "a call cannot have this method; %.*s", STR_FMT(hint));
}

/* RFC 9110 9.3.1: content in GET and HEAD has no meaning, and servers refuse or misread it. */
static void
check_method_takes_body(const struct conf_check *check, const struct call_conf *call)
{
	enum http_method m = http_table_method(call->method.s);
	bool has_json = call->json.kind != CONF_JSON_NONE;

	if ((m != METHOD_GET && m != METHOD_HEAD) || (str_is_none(call->body.s) && !has_json))
		return;
	conf_error_add(check->errors, has_json ? call->json.text.pos : call->body.pos,
	    "a %.*s request has no body; the key `method` changes it", STR_FMT(call->method.s));
}

static void
check_templates(const struct conf_check *check, const struct call_conf *call,
    const struct template_params *params)
{
	struct conf_text path = call->path, query = call->path;

	if (!str_is_none(call->path.s))
		plan_call_split_path(call->path.s, &path.s, &query.s);
	conf_check_text_template(check, &path, TEMPLATE_PATH, params, NULL);
	conf_check_text_template(check, &query, TEMPLATE_QUERY, params, NULL);
	for (size_t i = 0; i < call->query.n; i++)
		conf_check_text_template(
		    check, &call->query.at[i].value, TEMPLATE_QUERY, params, NULL);
	conf_check_text_fields(check, &call->headers, CONF_CHECK_REQUEST, params, NULL);
	conf_check_text_template(check, &call->body, TEMPLATE_TEXT, params, NULL);
	conf_check_text_json(check, &call->json, params, NULL);
}

static void
check_query_names(const struct conf_check *check, const struct call_conf *call)
{
	for (size_t i = 0; i < call->query.n; i++) {
		const struct conf_text *name = &call->query.at[i].name;

		if (name->s.n == 0)
			conf_error_add(check->errors, name->pos, "a query parameter needs a name");
		conf_check_text_literal(check, name->s, name->pos);
	}
}

static void
check_forward_name(const struct conf_check *check, const struct conf_text *entry, struct str name,
    bool is_header)
{
	struct conf_text text = { .s = name, .pos = entry->pos };

	if (is_header)
		conf_check_text_field_name(check, &text, CONF_CHECK_REQUEST);
	else if (name.n == 0)
		conf_error_add(check->errors, entry->pos, "a query parameter needs a name");
}

/* "*" is all but those that stand beside it with a "!"; only listed names can have another one. */
static void
check_forward_list(
    const struct conf_check *check, const struct conf_text_list *list, bool is_headers)
{
	bool has_star = false, has_plain = false;
	struct str name, as;

	for (size_t i = 0; i < list->n; i++) {
		bool is_passed = forward_set_split(list->at[i].s, &name, &as);
		bool is_star = is_passed && str_eq(name, STR("*"));

		has_star |= is_star;
		has_plain |= is_passed && !is_star && str_is_none(as);
		if (!is_star)
			check_forward_name(check, &list->at[i], name, is_headers);
		if (is_passed && !str_is_none(as))
			check_forward_name(check, &list->at[i], as, is_headers);
	}
	if (has_star && has_plain)
		conf_error_add(check->errors, list->at[0].pos,
		    "\"*\" is all; beside it only \"!NAME\" and \"NAME: OTHER\" make a difference");
	for (size_t i = 0; i < list->n && !has_star; i++)
		if (!forward_set_split(list->at[i].s, &name, &as))
			conf_error_add(check->errors, list->at[i].pos,
			    "without \"*\" nothing leaves that is not listed, so nothing is to be left out");
}

static void
check_into(const struct conf_check *check, const struct call_conf *call)
{
	struct json_path path;
	struct json_fault fault;
	struct str raw = conf_check_raw(&call->into);

	/* Results that go back into the elements of another part: the plan knows more of that. */
	if (str_is_none(call->into.s) || !str_is_none(call->for_each.list.s))
		return;
	if (json_path_compile_into(check->arena, call->into.s, &path, &fault) != ERR_NONE)
		conf_error_add(check->errors, call->into.pos, "\"%.*s\": %s at character %zu",
		    STR_FMT(raw), fault.reason, fault.offset + 1);
}

static void
check_shape(const struct conf_check *check, const struct call_conf *call)
{
	struct json_fault fault;
	struct conf_pos where;
	struct shape *shape;

	if (shape_compile(check->arena, &call->shape, &shape, &where, &fault) != ERR_NONE)
		conf_check_text_fault(check, where, &fault);
	else if (shape != NULL && call->format != PART_JSON)
		conf_error_add(check->errors, conf_check_place(call->pos, "as"),
		    "a part that is no JSON cannot be shaped");
}

/* Only an object can be merged at the root when there are other parts. */
static void
check_root_is_object(
    const struct conf_check *check, const struct route_conf *route, const struct call_conf *call)
{
	if (str_eq(call->into.s, STR(".")) && call->format != PART_JSON && route->n_calls > 1)
		conf_error_add(check->errors, call->into.pos,
		    "a text cannot be merged at the root with other parts");
}

static void
check_timeout_fits(
    const struct conf_check *check, const struct route_conf *route, const struct call_conf *call)
{
	if (route->timeout_ns != 0 && call->timeout_ns > route->timeout_ns)
		conf_error_warn(check->errors, conf_check_place(call->pos, "timeout"),
		    "is longer than the route's timeout, which ends the call first");
}

/* What `defaults` give to all calls may be more than one upstream takes. */
static void
check_timeout_fits_upstream(const struct conf_check *check, const struct call_conf *call)
{
	const struct conf *c = check->conf;
	struct conf_pos at = conf_check_place(call->pos, "timeout");

	if (call->upstream < c->n_upstreams &&
	    str_eq(c->upstreams[call->upstream].name, call->upstream_name.s) &&
	    call->timeout_ns > c->upstreams[call->upstream].timeouts.total_ns && !conf_check_is_default(at))
		conf_error_warn(check->errors, at,
		    "is longer than `timeouts.total` of the upstream, which ends the call first");
}

static void
check_accepts_something(const struct conf_check *check, const struct call_conf *call)
{
	const struct yaml_node *list = conf_check_place(call->pos, "accept").node;

	if (list->kind == YAML_LIST && list->n == 0)
		conf_error_add(
		    check->errors, list->pos, "no status is accepted: the call could only fail");
}

static void
check_accepts_what_is_passed(const struct conf_check *check, const struct call_conf *call)
{
	const char *key = conf_check_has(call->pos, "accept") ? "accept" : "pass_errors";

	for (unsigned status = 200; status < 600; status++) {
		if (!status_set_has(&call->accept, status) || !status_set_has(&call->pass_errors, status))
			continue;
		conf_error_warn(check->errors, conf_check_place(call->pos, key),
		    "%u is in both `accept` and `pass_errors`: it is passed on, and never gives a part", status);
		return;
	}
}

void
conf_check_call(const struct conf_check *check, const struct route_conf *route,
    struct call_conf *call, const struct template_params *params)
{
	conf_check_call_upstream(check, &call->upstream_name, &call->upstream);
	check_method(check, call);
	conf_check_text_body(check, &call->body, &call->json);
	check_method_takes_body(check, call);
	check_query_names(check, call);
	check_forward_list(check, &call->forward.headers, true);
	check_forward_list(check, &call->forward.query, false);
	check_into(check, call);
	check_shape(check, call);
	check_root_is_object(check, route, call);
	check_timeout_fits(check, route, call);
	check_timeout_fits_upstream(check, call);
	check_accepts_something(check, call);
	check_accepts_what_is_passed(check, call);
	conf_check_coding_call(check, call);
	if (params != NULL) {
		struct template_params own = *params;

		own.has_item = !str_is_none(call->for_each.list.s) && call->batch.max == 0;
		own.has_items = !str_is_none(call->for_each.list.s) && call->batch.max != 0;
		check_templates(check, call, &own);
	}
}
