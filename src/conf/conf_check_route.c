/* Rules of routes and calls. Start-up and reload only; one thread. */
#include "conf/conf_check_route.h"

#include "conf/conf_near.h"
#include "conf/yaml_tree.h"

/* Exactly one of calls, proxy and reply says what the route does. */
static void
check_kind(const struct conf_check *check, struct route_conf *route)
{
	bool has_calls = conf_check_has(route->pos, "calls");
	bool has_proxy = conf_check_has(route->pos, "proxy");
	bool has_reply = conf_check_has(route->pos, "reply");

	if (has_calls + has_proxy + has_reply != 1)
		conf_error_add(
		    check->errors, route->pos, "needs exactly one of `calls`, `proxy` and `reply`");
	route->kind = has_proxy ? ROUTE_PROXY : has_reply ? ROUTE_REPLY : ROUTE_CALLS;
}

static void
check_upstream(const struct conf_check *check, const struct conf_text *name, size_t *index)
{
	const struct conf *c = check->conf;
	struct conf_near near;
	struct str hint;

	if (str_is_none(name->s))
		return;
	conf_near_init(&near, name->s, check->arena);
	for (size_t i = 0; i < c->n_upstreams; i++) {
		if (str_eq(c->upstreams[i].name, name->s)) {
			*index = i;
			return;
		}
		conf_near_add(&near, c->upstreams[i].name);
	}
	hint = conf_near_hint(&near);
	conf_error_add(check->errors, name->pos, "there is no upstream \"%.*s\"; %.*s",
	    STR_FMT(name->s), STR_FMT(hint));
}

/* `methods: any` is the empty list. */
static void
settle_methods(struct route_conf *route)
{
	if (route->methods.n == 1 && str_eq(route->methods.at[0].s, STR("any")))
		route->methods.n = 0;
}

static void
settle_name(struct route_conf *route)
{
	if (str_is_none(route->name))
		route->name = route->path.s;
}

/* `meta: ""` is none. */
static void
settle_meta(struct route_conf *route)
{
	if (route->response.partial_meta.s.n == 0)
		route->response.partial_meta.s = str_none();
}

static void
check_call(const struct conf_check *check, struct call_conf *call)
{
	check_upstream(check, &call->upstream_name, &call->upstream);
}

void
conf_check_route(const struct conf_check *check, struct route_conf *route)
{
	check_kind(check, route);
	settle_name(route);
	settle_methods(route);
	settle_meta(route);
	for (size_t i = 0; i < route->n_calls; i++)
		check_call(check, &route->calls[i]);
	if (route->kind == ROUTE_PROXY)
		check_upstream(check, &route->proxy.upstream_name, &route->proxy.upstream);
}
