/* Compiles routes. Owns nothing but arena memory; at load. */
#include "server/site.h"

#include "base/compiler.h"
#include "codec/websocket.h"

/* A build under way. */
struct build {
	struct arena *arena;
	const struct site_conf *conf;
	struct site *site;
	struct plan_fault *fault;
};

static void
on_router_report(
    void *arg, const struct conf_pos *where, const struct conf_pos *other, const char *message)
{
	(void)other;
	plan_fault_at(arg, where, "%s", message);
}

static void
add_call(struct build *b, const struct route_conf *route, struct str name, size_t upstream)
{
	b->site->calls[b->site->n_calls++] =
	    (struct site_call){ .route = route->name, .call = name, .upstream = upstream };
}

static enum err_code
compile_calls(struct build *b, struct route *route, const struct template_params *params)
{
	const struct route_conf *conf = route->conf;
	const struct plan_setup setup = {
		.conf = conf,
		.upstreams = b->conf->upstreams,
		.params = params,
		.first_call = b->site->n_calls,
	};

	for (size_t i = 0; i < conf->n_calls; i++) {
		add_call(b, conf, conf->calls[i].name, conf->calls[i].upstream);
		route->calls_bytes += conf->calls[i].max_body_bytes;
	}
	return plan_compile(b->arena, &setup, &route->plan.calls, b->fault);
}

static enum err_code
compile_request_fields(
    struct build *b, const struct conf_pair_list *headers, const struct template_params *params,
    struct proxy_plan *plan)
{
	if (headers->n == 0)
		return ERR_NONE;
	plan->n_request_fields = headers->n;
	plan->forward = arena_alloc(b->arena, sizeof *plan->forward);
	forward_set_all_but(b->arena, headers, plan->forward);
	return plan_fields(b->arena, headers, params, &plan->request_fields, b->fault);
}

static enum err_code
compile_proxy(struct build *b, struct route *route, const struct template_params *params)
{
	const struct route_conf *conf = route->conf;
	struct proxy_plan *plan = &route->plan.proxy;
	enum err_code e = compile_request_fields(b, &conf->proxy.headers, params, plan);

	if (e != ERR_NONE)
		return e;
	plan->upstream = conf->proxy.upstream;
	plan->call_index = b->site->n_calls;
	add_call(b, conf, STR("proxy"), conf->proxy.upstream);
	plan->n_fields = conf->response.set_headers.n;
	if (conf->proxy.n_upgrades > 0)
		websocket_init();
	plan->has_path = !str_is_none(conf->proxy.path.s);
	if (plan->has_path) {
		e = plan_template(
		    b->arena, &conf->proxy.path, TEMPLATE_PATH, params, &plan->path, b->fault);
		if (e != ERR_NONE)
			return e;
	}
	return plan_fields(b->arena, &conf->response.set_headers, params, &plan->fields, b->fault);
}

static struct template_uses
uses_of(const struct reply_plan *plan)
{
	struct template_uses uses = plan->body.uses;

	for (size_t i = 0; i < plan->n_fields; i++)
		template_add_uses(&uses, &plan->fields[i].value.uses);
	if (plan->json != NULL)
		json_template_add_uses(&uses, plan->json);
	return uses;
}

static enum err_code
compile_reply(struct build *b, struct route *route, const struct template_params *params)
{
	const struct reply_conf *conf = &route->conf->reply;
	struct reply_plan *plan = &route->plan.reply;
	enum err_code e;

	plan->n_fields = conf->headers.n;
	e = plan_fields(b->arena, &conf->headers, params, &plan->fields, b->fault);
	if (e == ERR_NONE && !str_is_none(conf->body.s))
		e = plan_template(
		    b->arena, &conf->body, TEMPLATE_TEXT, params, &plan->body, b->fault);
	if (e == ERR_NONE)
		e = plan_json(b->arena, &conf->json, params, &plan->json, b->fault);
	plan->needs_body = uses_of(plan).body;
	plan->needs_body_json = uses_of(plan).body_json;
	return e;
}

static enum err_code
compile_require(struct build *b, struct route *route)
{
	struct str why;
	struct conf_pos where;
	enum err_code e =
	    require_compile(b->arena, &route->conf->require, &route->require, &where, &why);

	return e == ERR_NONE ? e : plan_fault_at(b->fault, &where, "%.*s", STR_FMT(why));
}

static enum err_code
compile(struct build *b, size_t index)
{
	struct route *route = &b->site->routes[index];
	struct route_path path;
	enum err_code e;

	route->conf = &b->conf->routes[index];
	route->index = index;
	e = router_add(b->site->router, route->conf, index, &path);
	if (e == ERR_NONE)
		e = compile_require(b, route);
	if (e != ERR_NONE)
		return e;
	switch (route->conf->kind) {
	case ROUTE_CALLS:
		return compile_calls(b, route, &path.params);
	case ROUTE_PROXY:
		return compile_proxy(b, route, &path.params);
	case ROUTE_BATCH:
		return ERR_NONE;
	case ROUTE_REPLY:
		break;
	}
	return compile_reply(b, route, &path.params);
}

enum err_code
site_build(
    struct arena *arena, const struct site_conf *conf, struct site **out, struct plan_fault *fault)
{
	struct site *site = arena_calloc(arena, 1, sizeof(*site));
	struct build b = { arena, conf, site, fault };
	size_t n_calls = 0;

	*fault = (struct plan_fault){ 0 };
	for (size_t i = 0; i < conf->n_routes; i++)
		n_calls += conf->routes[i].kind == ROUTE_CALLS ? conf->routes[i].n_calls : 1;
	site->router = router_new(arena, on_router_report, fault);
	site->n_routes = conf->n_routes;
	site->routes = arena_calloc(arena, conf->n_routes, sizeof(*site->routes));
	site->calls = arena_calloc(arena, n_calls, sizeof(*site->calls));
	for (size_t i = 0; i < conf->n_routes; i++) {
		enum err_code e = compile(&b, i);

		if (e != ERR_NONE)
			return e;
	}
	*out = site;
	return ERR_NONE;
}
