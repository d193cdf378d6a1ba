/* Rules of routes. Start-up and reload only; one thread. */
#include "conf/conf_check_route.h"

#include "conf/conf_check_call.h"
#include "conf/conf_check_coding.h"
#include "conf/conf_check_text.h"
#include "gather/answer_shape.h"
#include "gather/fanout.h"
#include "gather/plan.h"
#include "server/router.h"

#define NAME_MAX_BYTES 200

/* ---- what a route is */

/* Exactly one of calls, proxy, reply and batch says what the route does. */
static void
check_kind(const struct conf_check *check, struct route_conf *route)
{
	bool has_calls = conf_check_has(route->pos, "calls");
	bool has_proxy = conf_check_has(route->pos, "proxy");
	bool has_reply = conf_check_has(route->pos, "reply");
	bool has_batch = conf_check_has(route->pos, "batch");

	if (has_calls + has_proxy + has_reply + has_batch != 1)
		conf_error_add(check->errors, route->pos,
		    "needs exactly one of `calls`, `proxy`, `reply` and `batch`");
	route->kind = has_proxy	   ? ROUTE_PROXY
			: has_reply ? ROUTE_REPLY
			: has_batch ? ROUTE_BATCH
				    : ROUTE_CALLS;
}

/* `any` is the empty list, and stands alone. */
static void
settle_methods(const struct conf_check *check, struct conf_text_list *methods)
{
	for (size_t i = 0; i < methods->n; i++) {
		if (!str_eq(methods->at[i].s, STR("any")))
			conf_check_text_method(check, &methods->at[i]);
		else if (methods->n != 1)
			conf_error_add(check->errors, methods->at[i].pos,
			    "`any` is all methods; nothing else can be in the list");
	}
	if (methods->n != 0 && str_eq(methods->at[0].s, STR("any")))
		methods->n = 0;
}

/* `methods: []` would match nothing; the empty list means any further down. */
static void
check_methods_not_empty(
    const struct conf_check *check, const struct conf_text_list *methods, struct conf_pos item)
{
	if (methods->n == 0 && conf_check_has(item, "methods"))
		conf_error_add(check->errors, conf_check_place(item, "methods"),
		    "no method is listed; `any` is all of them");
}

/* A batch comes in a body: its methods are POST, written or not. */
static void
settle_batch_methods(const struct conf_check *check, struct route_conf *route)
{
	static struct conf_text post = { .s = STR_INIT("POST") };
	const struct conf_text_list *methods = &route->methods;

	if (route->kind != ROUTE_BATCH)
		return;
	if (!conf_check_has(route->pos, "methods"))
		route->methods = (struct conf_text_list){ &post, 1 };
	else if (methods->n != 1 || !str_eq(methods->at[0].s, STR("POST")))
		conf_error_add(check->errors, conf_check_place(route->pos, "methods"),
		    "a route with `batch` takes POST and nothing else");
}

/* `meta: ""` is none. */
static void
settle_meta(struct route_conf *route)
{
	if (route->response.partial_meta.s.n == 0)
		route->response.partial_meta.s = str_none();
}

/* ---- names, which are labels of metrics and fields of the log */

static void
check_name(const struct conf_check *check, const struct route_conf *route)
{
	struct str name = route->name;
	bool is_fine = name.n != 0 && name.n <= NAME_MAX_BYTES;

	for (size_t i = 0; i < name.n; i++)
		is_fine &= name.p[i] >= ' ' && name.p[i] <= '~';
	if (!is_fine && !str_is_none(name))
		conf_error_add(check->errors, conf_check_place(route->pos, "name"),
		    "a name is 1 to %d printable ASCII characters", NAME_MAX_BYTES);
}

static const struct route_conf *
find_named(const struct conf *c, size_t before, struct str name)
{
	for (size_t i = 0; i < before; i++)
		if (str_eq(c->routes[i].name, name))
			return &c->routes[i];
	return NULL;
}

static void
check_name_once(const struct conf_check *check, size_t index)
{
	const struct route_conf *route = &check->conf->routes[index];
	const struct route_conf *first = find_named(check->conf, index, route->name);

	if (!str_is_none(route->name) && first != NULL)
		conf_error_add(check->errors, conf_check_place(route->pos, "name"),
		    "defined twice, first at %s:%u", first->pos.file, first->pos.line);
}

/* The path, with the methods before it when another route has that name. */
static void
make_name(const struct conf_check *check, size_t index)
{
	struct route_conf *route = &check->conf->routes[index];
	struct str methods = STR("");

	if (!str_is_none(route->name))
		return;
	route->name = route->path.s;
	if (find_named(check->conf, index, route->name) == NULL)
		return;
	for (size_t i = 0; i < route->methods.n; i++)
		methods = arena_printf(check->arena, "%.*s%s%.*s", STR_FMT(methods),
		    i == 0 ? "" : ",", STR_FMT(route->methods.at[i].s));
	route->name = arena_printf(check->arena, "%s%.*s %.*s", route->methods.n == 0 ? "any" : "",
	    STR_FMT(methods), STR_FMT(route->path.s));
}

/* ---- what a route answers */

static void
check_reply(const struct conf_check *check, const struct reply_conf *reply, struct conf_pos pos,
    const struct template_params *params)
{
	bool has_body = !str_is_none(reply->body.s), has_json = reply->json.kind != CONF_JSON_NONE;

	conf_check_text_body(check, &reply->body, &reply->json);
	/* RFC 9110 15.3.5, 15.3.6 and 15.4.5 */
	if ((has_body || has_json) &&
	    (reply->status == 204 || reply->status == 205 || reply->status == 304))
		conf_error_add(check->errors, conf_check_place(pos, "status"),
		    "an answer with this status has no body");
	if (params == NULL)
		return;
	conf_check_text_fields(check, &reply->headers, CONF_CHECK_RESPONSE, params, NULL);
	conf_check_text_template(check, &reply->body, TEMPLATE_TEXT, params, NULL);
	conf_check_text_json(check, &reply->json, params, NULL);
}

static bool
takes_get(const struct route_conf *route)
{
	for (size_t i = 0; i < route->methods.n; i++)
		if (str_eq(route->methods.at[i].s, STR("GET")))
			return true;
	return route->methods.n == 0;
}

static void
check_upgrade(const struct conf_check *check, const struct route_conf *route)
{
	const struct proxy_conf *proxy = &route->proxy;

	/* RFC 6455 4.1, 2 */
	for (size_t i = 0; i < proxy->n_upgrades; i++)
		if (str_ieq(proxy->upgrades[i], STR("websocket")) && !takes_get(route))
			conf_error_add(check->errors, conf_check_place(route->pos, "proxy.upgrade"),
			    "websocket is asked for with GET, which is not among `methods`");
}

static void
check_proxy(
    const struct conf_check *check, struct route_conf *route, const struct template_params *params)
{
	bool uses_body = false;

	conf_check_call_upstream(check, &route->proxy.upstream_name, &route->proxy.upstream);
	check_upgrade(check, route);
	if (params == NULL)
		return;
	conf_check_text_template(check, &route->proxy.path, TEMPLATE_PATH, params, &uses_body);
	if (uses_body)
		conf_error_add(check->errors, route->proxy.path.pos,
		    "the body is streamed and cannot be referred to");
	uses_body = false;
	conf_check_text_fields(
	    check, &route->proxy.headers, CONF_CHECK_REQUEST, params, &uses_body);
	if (uses_body)
		conf_error_add(check->errors, conf_check_place(route->pos, "proxy.headers"),
		    "the body is streamed and cannot be referred to");
}

/* What only the whole route can tell: calls that wait for each other, parts that cannot be merged. */
static void
check_plan(
    const struct conf_check *check, struct route_conf *route, const struct template_params *params)
{
	/* Calls whose upstream is missing were reported; their index is 0, which must be there. */
	static const struct upstream_conf missing = { .n_servers = 0 };
	const struct conf *c = check->conf;
	const struct plan_setup setup = { route, c->n_upstreams == 0 ? &missing : c->upstreams,
		params, 0 };
	struct plan_fault fault;
	struct plan *plan;

	if (plan_compile(check->arena, &setup, &plan, &fault) != ERR_NONE)
		conf_error_add(check->errors, fault.where, "%s", fault.message);
}

static void
check_answer_shape(const struct conf_check *check, const struct route_conf *route)
{
	struct answer_shape *shape;
	struct json_fault fault;
	struct conf_pos where;

	if (answer_shape_compile(check->arena, &route->response, &shape, &where, &fault) !=
	    ERR_NONE)
		conf_check_text_fault(check, where, &fault);
}

static bool
has_format(const struct route_conf *route, enum route_format format)
{
	for (size_t i = 0; i < route->n_formats; i++)
		if (route->formats[i] == format)
			return true;
	return false;
}

static void
check_events(const struct conf_check *check, const struct route_conf *route)
{
	for (size_t i = 0; i < route->n_calls && has_format(route, FORMAT_SSE); i++) {
		struct str name = route->calls[i].name;

		if (str_eq(name, STR("end")) || str_eq(name, STR("failure")))
			conf_error_add(check->errors, route->calls[i].pos,
			    "the event of this name says something else in `format: sse`");
	}
}

/* NULL: they are. */
static const char *
why_parts_are_not_merged(const struct route_conf *route)
{
	if (route->n_formats != 0 && !has_format(route, FORMAT_JSON))
		return "has no effect: the route's `format` does not merge its parts";
	if (!str_is_none(route->response.body.s))
		return "has no effect: `body` stands in place of the merged answer";
	if (route->response.json.kind != CONF_JSON_NONE)
		return "has no effect: `json` stands in place of the merged answer";
	return NULL;
}

static void
check_parts_are_merged(const struct conf_check *check, const struct route_conf *route)
{
	const char *why = why_parts_are_not_merged(route);

	for (size_t i = 0; i < route->n_calls && why != NULL; i++)
		if (!str_is_none(route->calls[i].into.s))
			conf_error_add(check->errors, route->calls[i].into.pos, "%s", why);
}

/* A status that stands there as it is, without a condition, is always the answer's. */
static void
check_rules_are_reached(const struct conf_check *check, const struct response_conf *response)
{
	for (size_t i = 0; i + 1 < response->n_status; i++) {
		const struct status_conf *rule = &response->status[i];

		if (!str_is_none(rule->when.s) || str_find(rule->status.s, '{') != rule->status.s.n)
			continue;
		conf_error_warn(check->errors, response->status[i + 1].pos,
		    "is never looked at: the rule before it always holds");
		return;
	}
}

static bool
is_copied(const struct response_conf *response, struct str name)
{
	for (size_t i = 0; i < response->copy_headers.n; i++) {
		struct str field = response->copy_headers.at[i].s, call;

		str_split(&field, ':', &call);
		field = str_trim(field);
		if (str_eq(field, STR("*")) || str_ieq(field, name))
			return true;
	}
	return false;
}

static void
check_removes_something(const struct conf_check *check, const struct response_conf *response)
{
	for (size_t i = 0; i < response->remove_headers.n; i++) {
		const struct conf_text *name = &response->remove_headers.at[i];

		if (!str_ieq(name->s, STR("Proxy-Status")) && !is_copied(response, name->s) &&
		    !conf_check_is_default(name->pos))
			conf_error_warn(check->errors, name->pos,
			    "has no effect: `copy` does not list it, so it would not be there");
	}
}

static void
check_calls(
    const struct conf_check *check, struct route_conf *route, const struct template_params *params)
{
	struct template_params with_calls = { 0 };
	size_t before = check->errors->n_errors;

	if (params != NULL)
		with_calls = *params;
	plan_name_calls(check->arena, route, &with_calls);
	for (size_t i = 0; i < route->n_calls; i++)
		conf_check_call(
		    check, route, &route->calls[i], params == NULL ? NULL : &with_calls);
	conf_check_text_body(check, &route->response.body, &route->response.json);
	if (params != NULL) {
		conf_check_text_fields(
		    check, &route->response.set_headers, CONF_CHECK_RESPONSE, &with_calls, NULL);
		conf_check_text_json(check, &route->response.json, &with_calls, NULL);
	}
	check_answer_shape(check, route);
	check_events(check, route);
	check_parts_are_merged(check, route);
	check_rules_are_reached(check, &route->response);
	check_removes_something(check, &route->response);
	if (params != NULL && check->errors->n_errors == before)
		check_plan(check, route, params);
}

static void
check_require(const struct conf_check *check, const struct route_conf *route)
{
	struct require *require;
	struct conf_pos where;
	struct str why;

	if (require_compile(check->arena, &route->require, &require, &where, &why) != ERR_NONE)
		conf_error_add(check->errors, where, "%.*s", STR_FMT(why));
}

/* A limit on bodies that no listener lets through says less than it seems to. */
static void
check_body_limit(const struct conf_check *check, const struct route_conf *route)
{
	const struct conf *c = check->conf;

	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listeners[i].limits.body >= route->max_request_body_bytes)
			return;
	if (c->n_listeners != 0)
		conf_error_warn(check->errors, conf_check_place(route->pos, "request.body.max"),
		    "is over limits.body of every listener");
}

/* What max_items lets in must fit into what the request may have. */
static void
check_items_fit(const struct conf_check *check, const struct route_conf *route)
{
	const struct conf *c = check->conf;
	uint64_t body = 0, bodies = 0;

	for (size_t i = 0; i < c->n_listeners; i++)
		body = c->listeners[i].limits.body > body ? c->listeners[i].limits.body : body;
	body = route_conf_body_limit(route, body);
	for (size_t i = 0; i < route->n_calls; i++)
		bodies += route->calls[i].max_body_bytes; /* at most 64 times 1 GiB */
	for (size_t i = 0; i < route->n_calls; i++) {
		const struct call_conf *call = &route->calls[i];
		uint64_t need = call->for_each.max_items * FANOUT_ITEM_BYTES;

		if (str_is_none(call->for_each.list.s) || need <= route_conf_arena_bytes(body, bodies))
			continue;
		conf_error_warn(check->errors, conf_check_place(call->pos, "max_items"),
		    "so many items take %llu MiB and the request may have %llu: a larger max_body of the call gives it "
		    "more, or else it fails with budget",
		    (unsigned long long)(need >> 20), (unsigned long long)(route_conf_arena_bytes(body, bodies) >> 20));
	}
}

static void
check_route(
    const struct conf_check *check, struct route_conf *route, const struct template_params *params)
{
	if (route->kind == ROUTE_CALLS) {
		check_calls(check, route, params);
		check_items_fit(check, route);
	}
	if (route->kind == ROUTE_PROXY)
		check_proxy(check, route, params);
	if (route->kind == ROUTE_REPLY)
		check_reply(check, &route->reply, conf_check_place(route->pos, "reply"), params);
	conf_check_coding_route(check, route);
	check_body_limit(check, route);
	check_require(check, route);
	if (params != NULL && route->kind != ROUTE_CALLS)
		conf_check_text_fields(
		    check, &route->response.set_headers, CONF_CHECK_RESPONSE, params, NULL);
}

/* ---- which route a request takes */

static void
on_router_fault(
    void *arg, const struct conf_pos *where, const struct conf_pos *other, const char *message)
{
	const struct conf_check *check = arg;

	if (other == NULL)
		conf_error_add(check->errors, *where, "%s", message);
	else
		conf_error_add(
		    check->errors, *where, "%s at %s:%u", message, other->file, other->line);
}

void
conf_check_route_all(const struct conf_check *check)
{
	struct conf *c = check->conf;
	struct conf_check sink = *check;
	struct router *router = router_new(check->arena, on_router_fault, &sink);

	for (size_t i = 0; i < c->n_routes; i++) {
		struct route_conf *route = &c->routes[i];
		struct route_path path = { .segments = NULL };

		check_kind(check, route);
		check_methods_not_empty(check, &route->methods, route->pos);
		settle_methods(check, &route->methods);
		settle_batch_methods(check, route);
		settle_meta(route);
		check_name(check, route);
		check_name_once(check, i);
		make_name(check, i);
		if (!str_is_none(route->path.s))
			router_add(router, route, i, &path);
		check_route(check, route, path.segments == NULL ? NULL : &path.params);
	}
}

void
conf_check_route_mocks(const struct conf_check *check, struct upstream_conf *up)
{
	struct conf_check sink = *check;
	struct router *router = router_new(check->arena, on_router_fault, &sink);

	for (size_t i = 0; i < up->n_mocks; i++) {
		struct route_path path = { .segments = NULL };
		struct route_conf *route;

		check_methods_not_empty(check, &up->mocks[i].methods, up->mocks[i].pos);
		settle_methods(check, &up->mocks[i].methods);
		if (str_is_none(up->mocks[i].path.s))
			continue;
		route = arena_alloc(check->arena, sizeof *route);
		*route = route_conf_of_mock(&up->mocks[i]);
		router_add(router, route, i, &path);
		check_reply(
		    check, &route->reply, route->pos, path.segments == NULL ? NULL : &path.params);
	}
}
