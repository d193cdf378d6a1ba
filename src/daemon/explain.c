/* What becomes of one request. Nothing is opened and nobody is asked; main thread. */
#include "daemon/explain.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/near.h"
#include "base/rnd.h"
#include "codec/accept.h"
#include "codec/json_scan.h"
#include "codec/uri.h"
#include "conf/conf_bound.h"
#include "conf/yaml_tree.h"
#include "daemon/canned.h"
#include "daemon/explain_call.h"
#include "daemon/explain_graph.h"
#include "daemon/explain_mocks.h"
#include "daemon/explain_place.h"
#include "daemon/explain_refusal.h"
#include "daemon/explain_stream.h"
#include "daemon/generation.h"
#include "gather/forward.h"
#include "gather/plan_call.h"
#include "server/parts.h"

#define NEAREST 3

/* An explanation under way. */
struct explain {
	const struct generation *gen;
	struct canned canned;
	const struct listener_conf *listener; /* through which it comes */
	struct arena *arena;
	struct buf *out;
};

/* ---- no route */

static void
put_route(struct explain *x, const struct route_conf *route)
{
	struct buf *out = x->out;

	buf_printf(out, "  %.*s  ", STR_FMT(route->path.s));
	for (size_t i = 0; i < route->methods.n; i++)
		buf_printf(out, "%s%.*s", i == 0 ? "" : ", ", STR_FMT(route->methods.at[i].s));
	buf_add_c(out, route->methods.n == 0 ? "any method  " : "  ");
	explain_place_at(out, &route->pos);
	buf_add_char(out, '\n');
}

/* The path of a route with the request's own segments in place of its parameters: those are never wrong. */
static struct str
as_asked(struct explain *x, struct str template)
{
	struct str asked = x->canned.request.path, mine, theirs, text = STR("");

	while (uri_next_segment(&template, &mine)) {
		bool is_param = str_has_prefix(mine, STR("{"));
		bool is_tail = str_has_suffix(mine, STR("...}"));
		struct str rest = asked;

		if (!uri_next_segment(&asked, &theirs))
			theirs = mine;
		if (is_tail && rest.n > 0)
			return arena_printf(x->arena, "%.*s%.*s", STR_FMT(text), STR_FMT(rest));
		text = arena_printf(
		    x->arena, "%.*s/%.*s", STR_FMT(text), STR_FMT(is_param ? theirs : mine));
	}
	return text;
}

/* By edits of the text; a route is told once. */
static const struct route_conf *
find_nearest(struct explain *x, bool *is_told)
{
	const struct conf *c = x->gen->conf;
	size_t best = SIZE_MAX, at = 0;

	for (size_t i = 0; i < c->n_routes; i++) {
		struct str path = as_asked(x, c->routes[i].path.s);
		size_t distance = near_distance(x->canned.request.path, path);

		if (is_told[i] || (best != SIZE_MAX && distance >= best))
			continue;
		best = distance == SIZE_MAX ? distance - 1 : distance;
		at = i;
	}
	if (best == SIZE_MAX)
		return NULL;
	is_told[at] = true;
	return &c->routes[at];
}

static void
put_nearest(struct explain *x)
{
	bool *is_told = arena_calloc(x->arena, x->gen->conf->n_routes, sizeof *is_told);

	buf_add_c(x->out, "the nearest routes:\n");
	for (size_t i = 0; i < NEAREST; i++) {
		const struct route_conf *route = find_nearest(x, is_told);

		if (route != NULL)
			put_route(x, route);
	}
}

/* Routes that take this path by another method: each is asked for by a method of its own. */
static void
put_other_methods(struct explain *x)
{
	const struct conf *c = x->gen->conf;

	for (size_t i = 0; i < c->n_routes; i++) {
		struct request r = x->canned.request;
		struct router_match match;

		if (c->routes[i].methods.n == 0)
			continue;
		r.method_text = c->routes[i].methods.at[0].s;
		r.method = http_table_method(r.method_text);
		if (router_find(x->gen->site->router, &r, x->arena, &match) == ERR_NONE &&
		    match.index == i)
			put_route(x, &c->routes[i]);
	}
}

static int
say_refused(struct explain *x, enum err_code e, struct str why)
{
	if (str_is_none(why))
		why = str_c(err_text(e));
	buf_printf(x->out, "answer: %u %s: %.*s\n", err_status(e), err_token(e), STR_FMT(why));
	return EXIT_FAILURE;
}

static int
say_no_route(struct explain *x, enum err_code e, struct str allow)
{
	say_refused(x, e, str_none());
	if (e == ERR_METHOD_NOT_ALLOWED) {
		buf_printf(x->out, "Allow: %.*s\nroutes of this path:\n", STR_FMT(allow));
		put_other_methods(x);
	} else if (e == ERR_NO_ROUTE) {
		put_nearest(x);
	}
	return EXIT_FAILURE;
}

/* ---- the route */

static void
put_parameters(struct explain *x, const struct route_conf *route)
{
	struct template_error error;
	struct route_path path;

	if (route_path_parse(x->arena, route->path.s, &path, &error) != ERR_NONE)
		return;
	for (size_t i = 0; i < path.params.n; i++)
		buf_printf(x->out, "  {%.*s} = %.*s\n", STR_FMT(path.params.names[i]),
		    STR_FMT(x->canned.request.params[i]));
}

/* What an answer would be sent as that can be compressed at all. */
static void
put_compression(struct explain *x, const struct route_conf *route)
{
	const struct compress_conf *conf = &route->compress;
	struct str coding;

	if (conf->n_codings == 0)
		return;
	coding = coding_name(
	    accept_coding(x->canned.request.headers, conf->codings, conf->n_codings));
	explain_place_line(x->out, "compress", &route->pos, "compress.encodings");
	explain_place_line(x->out, "compress from", &route->pos, "compress.min_size");
	explain_place_line(x->out, "compress types", &route->pos, "compress.types");
	buf_printf(x->out, "  this client gets %.*s\n", STR_FMT(coding));
}

static void
put_route_limits(struct explain *x, const struct route_conf *route)
{
	const struct conf *c = x->gen->conf;

	explain_place_line(x->out, "timeout", &route->pos, "timeout");
	explain_place_line(x->out, "need", &route->pos, "need");
	explain_place_line(x->out, "format", &route->pos, "format");
	put_compression(x, route);
	explain_place_line(x->out, "body", &route->pos, "request.body.max");
	for (size_t i = 0; i < c->n_listeners; i++)
		explain_place_line(x->out, "listener body", &c->listeners[i].pos, "limits.body");
	explain_place_line(x->out, "in flight", &c->effective->pos, "overload.concurrency.limit");
}

static void
put_stream(struct explain *x, const struct plan *plan, const struct explain_graph_bar *bars)
{
	enum route_format format;

	if (parts_choose_format(plan->conf, x->canned.request.headers, &format) == ERR_NONE)
		explain_stream_put(x->out, plan, format, bars, x->arena);
}

static void
put_graph(struct explain *x, const struct plan *plan)
{
	struct explain_graph_bar *bars = arena_calloc(x->arena, plan->n_calls, sizeof *bars);
	uint64_t worst_ns = explain_graph_worst(plan, bars);
	char text[CONF_ROW_VALUE_MAX];
	size_t n;

	for (size_t i = 0; i < plan->n_calls; i++) {
		const char *before = "after ";

		for (size_t k = 0; k < plan->n_calls; k++) {
			if ((plan->calls[i].deps >> k & 1) == 0)
				continue;
			bars[i].note = arena_printf(x->arena, "%.*s%s%.*s", STR_FMT(bars[i].note), before,
			    STR_FMT(plan->calls[k].conf->name));
			before = ", ";
		}
	}
	buf_add_c(x->out, "\ncalls by wave, with the time that each may take (# the critical path)\n");
	explain_graph_draw(x->out, bars, plan->n_calls);
	if (plan->conf->timeout_ns < worst_ns) {
		n = conf_row_put_duration(text, plan->conf->timeout_ns);
		buf_printf(x->out, "      the route's timeout ends it after %.*s\n", (int)n, text);
	}
	put_stream(x, plan, bars);
}

/* Requests to upstreams, of routes that are no batch. */
static uint64_t
most_of(const struct route *route)
{
	uint64_t n = 0;

	if (route->conf->kind != ROUTE_CALLS)
		return route->conf->kind == ROUTE_PROXY;
	for (size_t i = 0; i < route->plan.calls->n_calls; i++)
		n += plan_call_requests(&route->plan.calls->calls[i]);
	return n;
}

/* Every entry may be for the route that asks most. */
static uint64_t
most_of_batch(const struct explain *x, const struct route *batch)
{
	const struct site *site = x->gen->site;
	uint64_t most = 0;

	for (size_t i = 0; i < site->n_routes; i++)
		if (most_of(&site->routes[i]) > most)
			most = most_of(&site->routes[i]);
	return batch->conf->batch.max * most;
}

static void
put_worst(struct explain *x, const struct route *route)
{
	uint64_t n = route->conf->kind == ROUTE_BATCH ? most_of_batch(x, route) : most_of(route);

	buf_printf(x->out, "\nworst case\n  %llu request%s to upstreams\n  %llu bytes per exchange\n",
	    (unsigned long long)n, n == 1 ? "" : "s",
	    (unsigned long long)conf_bound_route(x->gen->conf, route->conf));
}

/* False: the client's body is no JSON, and the route needs it to be. */
static bool
parse_body(struct explain *x, const struct plan *plan, struct template_env *env)
{
	struct str body = x->canned.request.body;

	if (!plan->needs_body_json || body.n == 0)
		return true;
	return json_scan_once(body, &env->body, NULL) == ERR_NONE;
}

static int
put_calls(struct explain *x, const struct route *route)
{
	const struct plan *plan = route->plan.calls;
	struct template_env env = { .request = &x->canned.request };

	env.calls = arena_calloc(x->arena, plan->n_calls, sizeof *env.calls);
	if (!parse_body(x, plan, &env))
		return say_refused(x, ERR_BAD_BODY, str_none());
	put_graph(x, plan);
	for (size_t i = 0; i < plan->n_calls; i++)
		explain_call_put(x->out, plan, i, &env, x->arena);
	put_worst(x, route);
	return EXIT_SUCCESS;
}

static int
put_proxy(struct explain *x, const struct route *route)
{
	const struct template_env env = { .request = &x->canned.request };

	explain_call_put_proxy(x->out, route,
	    &x->gen->conf->upstreams[route->plan.proxy.upstream], &env, x->arena);
	put_worst(x, route);
	return EXIT_SUCCESS;
}

static int
put_reply(struct explain *x, const struct route *route)
{
	explain_place_line(x->out, "status", &route->conf->pos, "reply.status");
	put_worst(x, route);
	return EXIT_SUCCESS;
}

static int
put_batch(struct explain *x, const struct route *route)
{
	explain_place_line(x->out, "entries", &route->conf->pos, "batch.max");
	explain_place_line(x->out, "at once", &route->conf->pos, "batch.parallel");
	explain_place_line(x->out, "answer of one", &route->conf->pos, "batch.max_body");
	put_worst(x, route);
	return EXIT_SUCCESS;
}

static int
explain(struct explain *x)
{
	struct request *r = &x->canned.request;
	struct router_match match;
	const struct route *route;
	struct str why;
	struct rnd rnd;
	enum err_code e;

	if (!x->canned.is_routed) {
		buf_add_c(x->out, "answer: 204: it asks whether gatherd is there\n");
		return EXIT_SUCCESS;
	}
	e = router_find(x->gen->site->router, r, x->arena, &match);
	if (e != ERR_NONE)
		return say_no_route(x, e, match.allow);
	route = &x->gen->site->routes[match.index];
	rnd_init(&rnd, 1); /* the same text every time */
	forward_trace(r, &rnd);
	buf_printf(x->out, "route %.*s  ", STR_FMT(route->conf->path.s));
	explain_place_at(x->out, &route->conf->pos);
	buf_add_char(x->out, '\n');
	put_parameters(x, route->conf);
	put_route_limits(x, route->conf);
	e = explain_refusal_of(route, &x->canned, x->listener, x->arena, &why);
	if (e != ERR_NONE)
		return say_refused(x, e, why);
	switch (route->conf->kind) {
	case ROUTE_CALLS:
		return put_calls(x, route);
	case ROUTE_PROXY:
		return put_proxy(x, route);
	case ROUTE_BATCH:
		return put_batch(x, route);
	case ROUTE_REPLY:
		break;
	}
	return put_reply(x, route);
}

static void
run_mocks(struct explain *x, size_t listener)
{
	const struct explain_mocks_setup setup = {
		.gen = x->gen,
		.canned = &x->canned,
		.listener = listener,
		.arena = x->arena,
	};

	explain_mocks_put(x->out, &setup);
}

int
explain_run(const struct explain_options *options, struct buf *out)
{
	struct generation *gen = generation_read(options->file);
	struct canned_setup setup = {
		.method = options->method,
		.url = options->url,
		.fields = options->fields,
		.n_fields = options->n_fields,
		.body = options->body,
	};
	struct explain x = { .gen = gen, .out = out };
	enum err_code e;
	size_t listener;
	int status;

	if (gen == NULL)
		return EX_CONFIG;
	x.arena = &gen->arena;
	listener = canned_listener(gen->conf->listeners, gen->conf->n_listeners, options->url);
	x.listener = setup.listener = &gen->conf->listeners[listener];
	e = canned_build(x.arena, &setup, &x.canned);
	status = e != ERR_NONE ? say_no_route(&x, e, str_none()) : explain(&x);
	if (options->runs_mocks)
		run_mocks(&x, listener);
	generation_free(gen);
	return status;
}
