/* One call, for people. No state; memory is the caller's arena. */
#include "daemon/explain_call.h"

#include "codec/h1_write.h"
#include "daemon/explain_graph.h"
#include "daemon/explain_place.h"
#include "daemon/explain_request.h"
#include "gather/call_request.h"
#include "gather/forward.h"
#include "gather/plan_call.h"

#define MARGIN "  >"

static void
put_title(struct buf *out, struct str name, struct str upstream, const struct conf_pos *pos)
{
	buf_printf(out, "\ncall %.*s -> upstream %.*s  ", STR_FMT(name), STR_FMT(upstream));
	explain_place_at(out, pos);
	buf_add_char(out, '\n');
}

static void
put_order(struct buf *out, const struct plan *plan, const struct call_plan *cp)
{
	const char *before = "  waits for ";

	for (size_t i = 0; i < plan->n_calls; i++) {
		if ((cp->deps >> i & 1) == 0)
			continue;
		buf_printf(out, "%s%.*s", before, STR_FMT(plan->calls[i].conf->name));
		before = ", ";
	}
	if (cp->deps != 0)
		buf_add_char(out, '\n');
}

/* What a condition says of this request, when no answer is needed to know. */
static void
put_when(struct buf *out, const struct call_plan *cp, const struct template_env *env,
    struct arena *arena)
{
	struct template_uses uses = { 0 };
	const char *word;

	if (cp->when == NULL)
		return;
	condition_add_uses(&uses, cp->when);
	if (uses.calls != 0)
		word = "known when those calls have ended";
	else
		word = condition_holds(cp->when, env, arena) ? "holds" : "does not hold: it is skipped";
	buf_printf(out, "  only when %.*s: %s\n", STR_FMT(cp->conf->when.s), word);
}

static void
put_fate(struct buf *out, const struct plan *plan, const struct call_plan *cp)
{
	if (plan->conf->need != 0)
		buf_printf(out, "  one of %zu calls, of which %llu must succeed\n", plan->n_calls,
		    (unsigned long long)plan->conf->need);
	else if (!str_is_none(cp->default_json))
		buf_printf(out, "  when it fails: %.*s\n", STR_FMT(cp->default_json));
	else if (cp->conf->is_required)
		buf_add_c(out, "  when it fails, so does the answer\n");
	else
		buf_add_c(out, "  when it fails, its part is left out\n");
}

/* The least of all time-outs decides; each is shown with its place below. */
static void
put_timeout(struct buf *out, const struct plan *plan, size_t call)
{
	char text[CONF_ROW_VALUE_MAX];
	size_t n = conf_row_put_duration(text, explain_graph_timeout_ns(plan, call));

	buf_printf(out, "  ends within %.*s of its begin\n", (int)n, text);
}

static void
put_upstream_limits(struct buf *out, const struct conf_pos *up)
{
	explain_place_line(out, "total", up, "timeouts.total");
	explain_place_line(out, "connect", up, "timeouts.connect");
	explain_place_line(out, "first byte", up, "timeouts.first_byte");
	explain_place_line(out, "at once", up, "concurrency.limit");
	explain_place_line(out, "queue", up, "queue.size");
	explain_place_line(out, "queue timeout", up, "queue.timeout");
	explain_place_line(out, "connections", up, "pool.max_connections");
	explain_place_line(out, "answer's head", up, "limits.header_bytes");
	explain_place_line(out, "servers", up, "servers");
}

static void
put_limits(struct buf *out, const struct call_plan *cp)
{
	const struct conf_pos *call = &cp->conf->pos;

	explain_place_line(out, "timeout", call, "timeout");
	put_upstream_limits(out, &cp->upstream->pos);
	explain_place_line(out, "max_body", call, "max_body");
	explain_place_line(out, "encodings", call, "accept_encoding");
	explain_place_line(out, "max_ratio", call, "max_ratio");
	explain_place_line(out, "accept", call, "accept");
	explain_place_line(out, "pass_errors", call, "pass_errors");
	explain_place_line(out, "forward", call, "forward.headers");
	explain_place_line(out, "forward query", call, "forward.query");
	if (cp->list.n == 0)
		return;
	explain_place_line(out, "for_each", call, "for_each");
	explain_place_line(out, "max_items", call, "max_items");
	explain_place_line(out, "parallel", call, "parallel");
	explain_place_line(out, "batch", call, "batch.max");
}

void
explain_call_put(struct buf *out, const struct plan *plan, size_t call,
    const struct template_env *env, struct arena *arena)
{
	const struct call_plan *cp = &plan->calls[call];

	put_title(out, cp->conf->name, cp->upstream->name, &cp->conf->pos);
	put_order(out, plan, cp);
	put_when(out, cp, env, arena);
	put_fate(out, plan, cp);
	put_timeout(out, plan, call);
	put_limits(out, cp);
	if (cp->list.n != 0)
		buf_printf(out, "  at most %llu requests such as\n",
		    (unsigned long long)plan_call_requests(cp));
	explain_request_put(out, MARGIN, cp, env, arena);
}

/* The fields of the client that cross, as proxy routes send them. */
static struct str
crossing_fields(const struct request *r, const struct forward_set *set, struct arena *arena)
{
	size_t room = forward_bound(r);
	struct h1_write w;

	h1_write_init(&w, arena_alloc(arena, room), room);
	forward_all(&w, r, set);
	return h1_write_str(&w);
}

static void
put_tunnel(struct buf *out, const struct route_conf *conf)
{
	if (conf->proxy.n_upgrades == 0)
		return;
	explain_place_line(out, "upgrade", &conf->pos, "proxy.upgrade");
	explain_place_line(out, "tunnel idle", &conf->pos, "proxy.tunnel.idle_timeout");
	explain_place_line(out, "tunnel in all", &conf->pos, "proxy.tunnel.max_duration");
}

void
explain_call_put_proxy(struct buf *out, const struct route *route, const struct upstream_conf *up,
    const struct template_env *env, struct arena *arena)
{
	const struct proxy_plan *plan = &route->plan.proxy;
	const struct request *r = env->request;
	struct buf text = BUF_INIT;
	struct str path = r->path, own = STR("");
	enum err_code e = ERR_NONE;

	put_title(out, STR("proxy"), up->name, &route->conf->pos);
	put_upstream_limits(out, &up->pos);
	put_tunnel(out, route->conf);
	if (plan->has_path)
		e = template_eval(&plan->path, env, arena, &path);
	if (e == ERR_NONE)
		e = call_request_fields(
		    plan->request_fields, plan->n_request_fields, env, arena, &own);
	if (e != ERR_NONE) {
		buf_printf(out, "  is not sent: %s: %s\n", err_token(e), err_text(e));
		return;
	}
	buf_printf(&text, "%.*s %.*s", STR_FMT(r->method_text), STR_FMT(path));
	if (!str_is_none(r->query))
		buf_printf(&text, "?%.*s", STR_FMT(r->query));
	buf_printf(&text, " HTTP/1.1\nHost: %.*s\n", STR_FMT(explain_request_host(up)));
	buf_add(&text, forward_own_fields(r, true, arena));
	buf_add(&text, own);
	buf_add(&text, crossing_fields(r, plan->forward, arena));
	if (r->has_body)
		buf_printf(&text, "\n%.*s\n", STR_FMT(r->body));
	explain_request_put_lines(out, MARGIN, buf_str(&text));
	buf_fini(&text);
}
