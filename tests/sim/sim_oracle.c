/* What the simulator knows, and the checks of single requests and answers. */
#include "sim_oracle.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/compiler.h"
#include "sim_batch.h"
#include "sim_env.h"
#include "sim_json.h"
#include "sim_script.h"

#define R(e) SIM_REASON(ERR_##e)

static const struct sim_route routes[] = {
	{ .name = "one",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .n_calls = 1,
	    .calls = { { .name = "a", .upstream = 0, .is_required = true } } },
	{ .name = "three",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .n_calls = 3,
	    .calls = { { .name = "b", .upstream = 0, .is_required = true },
		{ .name = "c", .upstream = 1, .is_required = true },
		{ .name = "d", .upstream = 2, .is_required = true } } },
	{ .name = "mixed",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .n_calls = 4,
	    .calls = { { .name = "e", .upstream = 0, .is_required = true, .passes_404 = true },
		{ .name = "f", .upstream = 1 },
		{ .name = "g", .upstream = 0, .default_json = "{\"none\":[1,2]}" },
		{ .name = "h", .upstream = 2, .is_text = true } } },
	{ .name = "post",
	    .kind = SIM_KIND_CALLS,
	    .method = "POST",
	    .n_calls = 2,
	    .calls = { { .name = "i", .upstream = 1, .is_required = true },
		{ .name = "j", .upstream = 2 } } },
	{ .name = "chain",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .n_calls = 3,
	    .calls = { { .name = "k", .upstream = 0, .is_required = true },
		{ .name = "l", .upstream = 1, .is_required = true, .refers = "ref" },
		{ .name = "o", .upstream = 2, .refers = "ref" } } },
	{ .name = "each",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .n_calls = 2,
	    .calls = { { .name = "m", .upstream = 2, .is_required = true },
		{ .name = "n", .upstream = 1, .refers = "list" } } },
	{ .name = "maybe",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .n_calls = 3,
	    .calls = { { .name = "s", .upstream = 0, .is_required = true },
		{ .name = "u", .upstream = 1, .is_required = true, .needs_x = true },
		{ .name = "x", .upstream = 2, .needs_x = true } } },
	{ .name = "lines",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .format = SIM_FORMAT_NDJSON,
	    .n_calls = 3,
	    .calls = { { .name = "t", .upstream = 0, .is_required = true },
		{ .name = "v", .upstream = 1 },
		{ .name = "w", .upstream = 2, .default_json = "[true]" } } },
	{ .name = "events",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .format = SIM_FORMAT_SSE,
	    .n_calls = 4,
	    .calls = { { .name = "a", .upstream = 1, .is_required = true },
		{ .name = "b", .upstream = 0 },
		{ .name = "c", .upstream = 2, .default_json = "[true]" },
		{ .name = "d", .upstream = 1, .is_required = true, .needs_x = true } } },
	{ .name = "parts",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .format = SIM_FORMAT_MULTIPART,
	    .n_calls = 3,
	    .calls = { { .name = "a", .upstream = 2, .is_required = true },
		{ .name = "b", .upstream = 1 },
		{ .name = "c", .upstream = 0, .default_json = "[true]" } } },
	{ .name = "race",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .need = 1,
	    .n_calls = 3,
	    .calls = { { .name = "a", .upstream = 0, .is_required = true },
		{ .name = "b", .upstream = 1, .is_required = true },
		{ .name = "c", .upstream = 2 } } },
	{ .name = "quorum",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .need = 2,
	    .n_calls = 4,
	    .calls = { { .name = "a", .upstream = 2, .is_required = true },
		{ .name = "b", .upstream = 1, .default_json = "[true]" },
		{ .name = "c", .upstream = 2, .needs_x = true },
		{ .name = "d", .upstream = 0, .is_required = true } } },
	{ .name = "firsts",
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .format = SIM_FORMAT_NDJSON,
	    .need = 2,
	    .n_calls = 3,
	    .calls = { { .name = "a", .upstream = 0, .is_required = true },
		{ .name = "b", .upstream = 1, .is_required = true },
		{ .name = "c", .upstream = 2, .default_json = "[true]" } } },
	{ .name = "crowd", /* several calls to one upstream, at times more than it has permits */
	    .kind = SIM_KIND_CALLS,
	    .method = "GET",
	    .n_calls = 6,
	    .calls = { { .name = "A", .upstream = 1, .is_required = true },
		{ .name = "B", .upstream = 0, .is_required = true },
		{ .name = "C", .upstream = 1, .is_required = true },
		{ .name = "D", .upstream = 0, .is_required = true },
		{ .name = "E", .upstream = 1, .is_required = true },
		{ .name = "F", .upstream = 1 } } },
	{ .name = "p",
	    .kind = SIM_KIND_PROXY,
	    .method = "GET",
	    .n_calls = 1,
	    .calls = { { .name = "p", .upstream = 1, .is_required = true } } },
	{ .name = "put",
	    .kind = SIM_KIND_PROXY,
	    .method = "PUT",
	    .n_calls = 1,
	    .calls = { { .name = "put", .upstream = 1, .is_required = true } } },
	{ .name = "change",
	    .kind = SIM_KIND_PROXY,
	    .method = "GET",
	    .takes_upgrade = true,
	    .n_calls = 1,
	    .calls = { { .name = "change", .upstream = 1, .is_required = true } } },
	{ .name = "hello", .kind = SIM_KIND_REPLY, .method = "GET" },
	{ .name = "batch", .kind = SIM_KIND_BATCH, .method = "POST" },
	{ .name = "nowhere", .kind = SIM_KIND_NOWHERE, .method = "GET" },
};

const struct sim_route *
sim_oracle_route(size_t i)
{
	return i < ARRAY_LEN(routes) ? &routes[i] : NULL;
}

/* ---- making requests */

static bool
has_body(const struct sim_route *r)
{
	return r->method[0] == 'P';
}

static struct str
draw_body(struct sim *s, const struct sim_request *r)
{
	struct buf b = BUF_INIT;
	struct str body;

	buf_printf(&b, "{\"v\":[\"v%" PRIu64 "\", 1.0 ],\"w\":\"", r->number);
	for (uint64_t i = !r->is_entry && sim_chance(s, 200000) ? sim_between(s, 0, 20000) : 5; i > 0; i--)
		buf_add_char(&b, 'w');
	buf_add_c(&b, "\"}");
	body = arena_str(&s->arena, buf_str(&b));
	buf_fini(&b);
	return body;
}

static const struct sim_route *
draw_route(struct sim *s, bool is_entry)
{
	const struct sim_route *route;

	do
		route = &routes[sim_between(s, 0, ARRAY_LEN(routes) - 1)];
	while (is_entry && route->kind == SIM_KIND_BATCH);
	return route;
}

/* The upgrade that it asks for. */
static void
draw_offer(struct sim *s, struct sim_request *r)
{
	static const char *const habits[] = { "h2c", "TLS/1.2", "tls/1.0, H2C", "," };
	static const char *const foreign[] = { "other", "h2c, other/2", "sim/2, TLS/1.0", "SIM" };
	size_t n_foreign = ARRAY_LEN(foreign) - (r->route->takes_upgrade ? 1 : 0);

	r->asks_upgrade = r->route->takes_upgrade && !r->is_head && sim_chance(s, 900000);
	r->must_refuse = !r->asks_upgrade && sim_chance(s, 20000);
	if (r->asks_upgrade)
		r->offers = "h2c, SIM";
	else if (r->must_refuse)
		r->offers = foreign[sim_between(s, 0, n_foreign - 1)];
	else if (sim_chance(s, 20000))
		r->offers = habits[sim_between(s, 0, ARRAY_LEN(habits) - 1)];
}

static struct sim_request *
next(struct sim *s, bool is_entry)
{
	static const char *const accepts[] = { NULL, NULL, "gzip", "br", "gzip, deflate, br" };
	struct sim_request *r;

	if (s->n_begun == s->n_requests)
		return NULL;
	r = &s->requests[s->n_begun];
	r->number = s->n_begun++;
	r->is_entry = is_entry;
	r->route = draw_route(s, is_entry);
	r->is_head = !has_body(r->route) && sim_chance(s, 50000);
	r->has_x = sim_chance(s, 500000);
	if (!is_entry)
		draw_offer(s, r);
	if (!is_entry)
		r->accepts = accepts[sim_between(s, 0, ARRAY_LEN(accepts) - 1)];
	if (r->route->kind == SIM_KIND_BATCH)
		sim_batch_draw(s, r);
	else if (has_body(r->route))
		r->body = draw_body(s, r);
	return r;
}

struct sim_request *
sim_oracle_next(struct sim *s)
{
	return next(s, false);
}

struct sim_request *
sim_oracle_next_entry(struct sim *s)
{
	return next(s, true);
}

static void
write_chunked(struct sim *s, struct str body, struct buf *out)
{
	while (body.n > 0) {
		size_t n = sim_between(s, 1, body.n);

		buf_printf(out, "%zx\r\n", n);
		buf_add(out, str_of(body.p, n));
		buf_add_c(out, "\r\n");
		body = str_of(body.p + n, body.n - n);
	}
	buf_add_c(out, "0\r\n\r\n");
}

void
sim_oracle_write(
    struct sim *s, const struct sim_request *r, bool is_last, struct buf *head, struct buf *body)
{
	buf_printf(head, "%s /%s/q%" PRIu64, r->is_head ? "HEAD" : r->route->method, r->route->name,
	    r->number);
	if (r->has_x)
		buf_printf(head, "?x=x%" PRIu64 "&y=secret", r->number);
	buf_add_c(head, r->is_http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
	buf_add_c(head, "Host: sim.example\r\nX-Secret: secret\r\n");
	buf_printf(head, "X-Fwd: q%" PRIu64 "\r\nConnection: %s%sX-Hop\r\nX-Hop: secret\r\n",
	    r->number, is_last ? "close, " : "", r->offers != NULL ? "Upgrade, " : "");
	if (r->offers != NULL)
		buf_printf(head, "Upgrade: %s\r\n", r->offers);
	if (r->accepts != NULL)
		buf_printf(head, "Accept-Encoding: %s\r\n", r->accepts);
	if (has_body(r->route) && (r->is_http10 || sim_chance(s, 500000))) {
		buf_printf(head, "Content-Length: %zu\r\n", r->body.n);
		buf_add(body, r->body);
	} else if (has_body(r->route)) {
		buf_add_c(head, "Transfer-Encoding: chunked\r\n");
		write_chunked(s, r->body, body);
	}
	/* Bytes of the other protocol that came too early. */
	if (r->must_refuse && sim_chance(s, 500000))
		buf_printf(body, "GET /p/q%" PRIu64 " HTTP/1.1\r\nHost: sim.example\r\n\r\n", r->number);
}

/* ---- what arrives at servers */

static struct str
unquoted(struct str s)
{
	return s.n >= 2 ? str_of(s.p + 1, s.n - 2) : str_none();
}

static void
expect_field(
    struct sim *s, const struct sim_http *h, const char *name, const char *value, bool is_there)
{
	struct str got = sim_http_field(h, str_c(name), 0);

	if (!is_there && !str_is_none(got))
		sim_fail(s, "field %s crossed: %.*s", name, STR_FMT(got));
	if (is_there && (str_is_none(got) || (value != NULL && !str_eq(got, str_c(value)))))
		sim_fail(s, "field %s is \"%.*s\", not \"%s\"", name, STR_FMT(got),
		    value == NULL ? "there" : value);
	if (is_there && !str_is_none(sim_http_field(h, str_c(name), 1)))
		sim_fail(s, "field %s is repeated", name);
}

static void
check_fields(struct sim *s, const struct sim_request *r, size_t index, const struct sim_http *h)
{
	bool is_proxy = r->route->kind == SIM_KIND_PROXY;
	char id[32];

	snprintf(id, sizeof id, "q%" PRIu64, r->number);
	expect_field(s, h, "X-Hop", NULL, false);
	expect_field(s, h, "Connection", "Upgrade", r->asks_upgrade);
	expect_field(s, h, "Upgrade", "sim", r->asks_upgrade);
	expect_field(s, h, "X-Secret", "secret", is_proxy);
	expect_field(s, h, "X-Fwd", id, true);
	expect_field(s, h, "Via", NULL, true);
	expect_field(s, h, "Accept-Encoding", r->accepts, is_proxy && r->accepts != NULL);
	expect_field(s, h, "X-Forwarded-For", NULL, true);
	expect_field(s, h, "Host", NULL, true);
	if (!is_proxy)
		expect_field(s, h, "X-Id", id, index == 1 && r->route->calls[1].refers == NULL);
}

/* "ref" of the answer that the first call was given. */
static void
check_reference(struct sim *s, const struct sim_request *r, struct str query)
{
	if (r->calls[0].n_seen == 0 || r->calls[0].is_open)
		sim_fail(s, "q%" PRIu64 ": a call came before what it refers to", r->number);
	if (!str_has_prefix(query, STR("ref=")) ||
	    !str_eq(str_of(query.p + 4, query.n - 4), r->ref))
		sim_fail(s, "q%" PRIu64 ": %.*s, not ref=%.*s", r->number, STR_FMT(query),
		    STR_FMT(r->ref));
}

static struct str
query_of(struct str target)
{
	struct str path;

	str_split(&target, '?', &path);
	return str_is_none(target) ? STR("") : target;
}

static void
check_target(struct sim *s, const struct sim_request *r, size_t index, struct str target)
{
	char want[200], x[32];

	snprintf(x, sizeof x, "x%" PRIu64, r->number);
	if (r->route->kind == SIM_KIND_PROXY)
		snprintf(want, sizeof want, "/%s/q%" PRIu64 "%s%s%s", r->route->name, r->number,
		    r->has_x ? "?x=" : "", r->has_x ? x : "", r->has_x ? "&y=secret" : "");
	else if (r->route->calls[index].refers != NULL)
		snprintf(want, sizeof want, "/%c/q%" PRIu64 "?%.*s", r->route->calls[index].name[0],
		    r->number, STR_FMT(query_of(target)));
	else if (index == 1)
		snprintf(want, sizeof want, "/%c/q%" PRIu64 "?id=q%" PRIu64 "&x=%s",
		    r->route->calls[1].name[0], r->number, r->number, r->has_x ? x : "none");
	else
		snprintf(
		    want, sizeof want, "/%c/q%" PRIu64, r->route->calls[index].name[0], r->number);
	if (!str_eq(target, str_c(want)))
		sim_fail(s, "target %.*s, not %s", STR_FMT(target), want);
}

static void
check_body(struct sim *s, const struct sim_request *r, size_t index, const struct sim_http *h)
{
	struct str body = buf_str(&h->body);
	char want[128];

	if (r->route->kind == SIM_KIND_PROXY || (has_body(r->route) && index == 1)) {
		if (!str_eq(body, r->body))
			sim_fail(s, "q%" PRIu64 ": a body of %zu bytes arrived, not %zu", r->number,
			    body.n, r->body.n);
		return;
	}
	want[0] = '\0';
	if (has_body(r->route))
		snprintf(want, sizeof want,
		    "{\"v\":[\"v%" PRIu64 "\", 1.0 ],\"id\":\"q%" PRIu64 "\"}", r->number,
		    r->number);
	if (!str_eq(body, str_c(want)))
		sim_fail(s, "q%" PRIu64 ": body \"%.*s\" arrived, not \"%s\"", r->number,
		    STR_FMT(body), want);
}

/* "GET /b/q17?x HTTP/1.1" */
static struct sim_request *
find_request(struct sim *s, struct str start, char *key, struct str *target)
{
	struct str rest = start, part, path;
	uint64_t number;
	const char *slash;

	if (!str_split(&rest, ' ', &part) || !str_split(&rest, ' ', target))
		sim_fail(s, "a request line of another kind: %.*s", STR_FMT(start));
	rest = *target;
	str_split(&rest, '?', &path);
	slash = memrchr(path.p, '/', path.n);
	if (slash == NULL || path.n < 3 || slash[1] != 'q' ||
	    !str_to_u64(str_of(slash + 2, (size_t)(path.p + path.n - slash) - 2), &number) ||
	    number >= s->n_begun)
		sim_fail(s, "a request that nobody made: %.*s", STR_FMT(start));
	*key = path.p[1];
	return &s->requests[number];
}

static size_t
find_call(struct sim *s, const struct sim_request *r, char key, unsigned upstream)
{
	for (size_t i = 0; r->route != NULL && i < r->route->n_calls; i++)
		if (r->route->calls[i].name[0] == key) {
			if (r->route->calls[i].upstream != upstream)
				sim_fail(s, "call %c arrived at upstream %u", key, upstream);
			return i;
		}
	sim_fail(s, "q%" PRIu64 " has no call %c", r->number, key);
}

static bool
is_skipped(const struct sim_request *r, size_t i)
{
	return r->route->calls[i].needs_x && !r->has_x;
}

/* The call for one item of the list. */
static struct sim_call *
find_item(struct sim *s, struct sim_request *r, struct str query)
{
	unsigned item = query.n == 6 ? (unsigned)(query.p[5] - '0') : SIM_ITEMS, n_open = 0;
	bool is_listed = false;

	for (unsigned i = 0; i < r->n_list; i++)
		is_listed |= r->list[i] == item;
	if (r->items == NULL || !is_listed || !str_has_prefix(query, STR("item=")))
		sim_fail(s, "q%" PRIu64 ": an item that is not in the list: %.*s", r->number,
		    STR_FMT(query));
	for (unsigned i = 0; i < SIM_ITEMS; i++)
		n_open += r->items[i].is_open;
	if (n_open >= SIM_PARALLEL && s->env.mode == SIM_EXACT && s->env.slow_chance == 0 &&
	    s->env.evil_chance == 0)
		sim_fail(s, "q%" PRIu64 ": more items at once than may be", r->number);
	return &r->items[item];
}

static void
check_repeats(const struct sim *s, const struct sim_request *r, const struct sim_call *c, char key)
{
	if (c->n_seen > 0 && !c->is_retry_allowed)
		sim_fail(s, "q%" PRIu64 ": call %c was repeated on a connection that was new",
		    r->number, key);
	if (c->n_seen > 1 || (c->n_seen > 0 && str_eq(str_c(r->route->method), STR("POST"))))
		sim_fail(s, "q%" PRIu64 ": call %c came %u times", r->number, key, c->n_seen + 1);
}

struct sim_call *
sim_oracle_arrival(struct sim *s, unsigned upstream, const struct sim_http *h,
    struct sim_request **request, size_t *index)
{
	struct str target;
	struct sim_request *r;
	struct sim_call *c;
	const char *refers;
	char key;

	r = find_request(s, sim_http_start(h), &key, &target);
	if (r->is_malformed || r->must_refuse || !r->is_sent)
		sim_fail(s, "q%" PRIu64 " must not arrive anywhere", r->number);
	*index = find_call(s, r, key, upstream);
	if (is_skipped(r, *index))
		sim_fail(s, "q%" PRIu64 ": call %c should have been skipped", r->number, key);
	*request = r;
	c = &r->calls[*index];
	refers = r->route->calls[*index].refers;
	if (refers != NULL && refers[0] == 'l')
		c = find_item(s, r, query_of(target));
	else if (refers != NULL)
		check_reference(s, r, query_of(target));
	check_repeats(s, r, c, key);
	c->n_seen++;
	s->n_calls_seen++;
	check_target(s, r, *index, target);
	check_fields(s, r, *index, h);
	if (h->state == SIM_HTTP_COMPLETE)
		check_body(s, r, *index, h);
	return c;
}

/* ---- what is told to clients */

/* How calls may end for reasons that are not in their scripts. */
static sim_reasons
ambient(const struct sim *s, const struct sim_request *r)
{
	sim_reasons reasons = 0;

	/*
	 * A connection that the server closed between two requests: retried when that is safe, else
	 * told.
	 */
	if (str_eq(str_c(r->route->method), STR("POST")) || r->route->kind == SIM_KIND_PROXY)
		reasons |= R(RESET);
	if (s->env.mode >= SIM_LIMITED)
		reasons |= R(QUEUE_FULL) | R(QUEUE_TIMEOUT) | R(OVERLOADED) | R(OVERLOAD_TIMEOUT) |
			   R(TIMEOUT) | R(FIRST_BYTE_TIMEOUT) | R(CONNECT_TIMEOUT) | R(DRAINING);
	if (s->env.mode >= SIM_STORM)
		reasons |= R(RESET) | R(CONNECT_REFUSED) | R(CONNECT_FAILED) | R(INVALID_RESPONSE);
	if (s->env.mode >= SIM_STORM && r->is_entry)
		reasons |= R(BATCH_TIMEOUT);
	return reasons;
}

_Static_assert(ERR_COUNT <= 128, "reasons are bits of a word");

static sim_reasons
reason_bit(struct str token)
{
	for (int e = 0; e < ERR_COUNT; e++)
		if (str_eq(token, str_c(err_token((enum err_code)e))))
			return SIM_REASON(e);
	return 0;
}

static sim_reasons
reasons_of(const struct sim *s, const struct sim_request *r, size_t i)
{
	sim_reasons reasons = ambient(s, r);

	/* An answer without a body, `null`, has nothing that could be referred to. */
	if (r->route->calls[i].refers != NULL &&
	    (r->calls[0].status == 204 || str_is_none(r->calls[0].body) || r->calls[0].body.n == 0))
		reasons |= R(MISSING_RESULT);
	return r->calls[i].n_seen == 0 ? reasons : reasons | r->calls[i].reasons;
}

static void
wrong(const struct sim *s, const struct sim_request *r, const struct sim_http *h, const char *why)
{
	for (size_t i = 0; i < r->route->n_calls; i++)
		sim_trace(s, "q%" PRIu64 " call %s: seen %u, script %s, status %u, %zu bytes: %.*s",
		    r->number, r->route->calls[i].name, r->calls[i].n_seen,
		    r->calls[i].n_seen == 0 ? "-" : sim_script_name(r->calls[i].script),
		    r->calls[i].status, r->calls[i].body.n,
		    (int)(r->calls[i].body.n < 300 ? r->calls[i].body.n : 300),
		    r->calls[i].body.n == 0 ? "" : r->calls[i].body.p);
	sim_fail(s, "q%" PRIu64 " (%s): %s: %.*s, %zu bytes: %.*s", r->number, r->route->name, why,
	    STR_FMT(sim_http_start(h)), h->body.n, (int)(h->body.n < 300 ? h->body.n : 300),
	    h->body.n == 0 ? "" : h->body.p);
}

/* A call that is required and certain to run: its permit comes before any call leaves. */
static bool
is_admitted_ahead(const struct sim_route *route, size_t i)
{
	return route->kind == SIM_KIND_CALLS && route->need == 0 && route->calls[i].is_required &&
	    route->calls[i].refers == NULL && !route->calls[i].needs_x;
}

static void
check_nothing_left(const struct sim *s, const struct sim_request *r, const struct sim_http *h)
{
	for (size_t i = 0; i < r->route->n_calls; i++)
		if (r->calls[i].n_seen > 0)
			wrong(s, r, h, "a request that was shed has sent a call");
}

/* A problem: its reason must be one that a call had, or one of the daemon's own. */
static void
check_problem(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	struct str body = buf_str(&h->body);
	struct str call = unquoted(sim_json_member(body, STR("call")));
	sim_reasons reason = reason_bit(unquoted(sim_json_member(body, STR("reason"))));

	if (r->is_head)
		return;
	if (reason == 0 || reason == R(NONE))
		wrong(s, r, h, "a problem without a reason");
	if (reason & (R(OVERLOADED) | R(OVERLOAD_TIMEOUT) | R(DRAINING)))
		check_nothing_left(s, r, h);
	if (str_is_none(call) || call.n == 0) {
		if (!(reason & (ambient(s, r) | (r->is_lax ? ~(sim_reasons)0 : 0))) &&
		    !(r->route->kind == SIM_KIND_PROXY && (reason & reasons_of(s, r, 0))))
			wrong(s, r, h, "a problem that has no cause");
		return;
	}
	for (size_t i = 0; i < r->route->n_calls; i++) {
		if (!str_eq(call, str_c(r->route->calls[i].name)))
			continue;
		if (!r->route->calls[i].is_required && r->route->need == 0)
			wrong(s, r, h, "an optional call decided");
		if (!(reason & reasons_of(s, r, i)))
			wrong(s, r, h, "a call did not fail like that");
		if ((reason & (R(QUEUE_FULL) | R(QUEUE_TIMEOUT))) && is_admitted_ahead(r->route, i))
			check_nothing_left(s, r, h);
		return;
	}
	wrong(s, r, h, "a call that the route has not");
}

/*
 * The part of a for_each: an element per item, each the answer of its call, or null when that
 * failed; `meta` says how many those are.
 */
static void
check_items(struct sim *s, struct sim_request *r, const struct sim_http *h, struct str part, struct str meta)
{
	uint64_t n_told = 0, n_null = 0, n_failed = 0;

	for (unsigned i = 0; i < r->n_list; i++) {
		const struct sim_call *c = &r->items[r->list[i]];
		struct str element;
		bool is_first;

		/* '[' or ',' */
		part = str_of(part.p + 1, part.n - 1);
		if (!sim_json_value(&part, &element))
			wrong(s, r, h, "a list that is too short");
		is_first = memchr(r->list, r->list[i], i) == NULL; /* equal items share a call */
		n_null += is_first && str_eq(element, STR("null"));
		if (c->n_seen > 0 && (c->reasons & R(NONE)) &&
		    (str_is_none(c->body) || str_eq(element, c->body)))
			continue;
		if (!str_eq(element, STR("null")))
			wrong(s, r, h, "an element that is not what the server sent");
		n_failed += is_first && (c->n_seen == 0 || !(c->reasons & R(NONE)));
		if (s->env.mode == SIM_EXACT && c->n_seen > 0 && c->reasons == R(NONE) &&
		    c->body.n > 0)
			wrong(s, r, h, "a good answer is left out");
	}
	if (!str_eq(part, r->n_list == 0 ? STR("[]") : STR("]")))
		wrong(s, r, h, "a list that is too long");
	if (!str_is_none(meta) && !str_to_u64(sim_json_member(meta, STR("items")), &n_told))
		wrong(s, r, h, "a list that is there and missing");
	if (n_told < n_failed || n_told > n_null)
		wrong(s, r, h, "failed items that are not told of");
}

/* One part of a merged answer; true when it is there. */
static bool
check_part(struct sim *s, struct sim_request *r, const struct sim_http *h, size_t i)
{
	struct sim_call *c = &r->calls[i];
	struct str body = buf_str(&h->body), meta, error;
	struct str part = sim_json_member(body, str_c(r->route->calls[i].name));
	const char *refers = r->route->calls[i].refers, *fallback = r->route->calls[i].default_json;

	meta = sim_json_member(sim_json_member(body, STR("_meta")), STR("calls"));
	meta = sim_json_member(meta, str_c(r->route->calls[i].name));
	if (is_skipped(r, i)) {
		if (!str_is_none(part) || !str_is_none(meta))
			wrong(s, r, h, "something is told of a call that was skipped");
		return false;
	}
	if (refers != NULL && refers[0] == 'l' && !str_is_none(part) && r->items != NULL) {
		check_items(s, r, h, part, meta);
		return true;
	}
	if (!str_is_none(part) && c->n_seen > 0 && (c->reasons & R(NONE))) {
		if (str_is_none(c->body))
			return fallback == NULL || !str_eq(part, str_c(fallback));
		if (r->route->calls[i].is_text && c->body.n > 0)
			part = unquoted(part);
		if (str_eq(part, c->body) || (c->body.n == 0 && str_eq(part, STR("null"))))
			return true;
	}
	error = unquoted(sim_json_member(meta, STR("error")));
	if (fallback != NULL && !str_is_none(part)) {
		if (!str_eq(part, str_c(fallback)))
			wrong(s, r, h, "a part that is neither the answer nor the default");
	} else if (!str_is_none(part)) {
		wrong(s, r, h, "a part that is not what the server sent");
	} else if (r->route->need != 0) {
		if (!str_is_none(meta))
			wrong(s, r, h, "something is told of a call that was not needed");
		return false;
	} else if (str_is_none(error)) {
		wrong(s, r, h, "a part is missing without a word");
	}
	if (r->route->calls[i].is_required && r->route->need == 0)
		wrong(s, r, h, "a required part is missing");
	if (!str_is_none(error) && !(reason_bit(error) & reasons_of(s, r, i)))
		wrong(s, r, h, "an optional call did not fail like that");
	if (str_is_none(error) && s->env.mode == SIM_EXACT && c->reasons == R(NONE))
		wrong(s, r, h, "a default in place of a good answer");
	return false;
}

static void
check_merged(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	unsigned n_there = 0;

	if (r->is_head)
		return;
	if (sim_json_count(buf_str(&h->body)) == SIZE_MAX)
		wrong(s, r, h, "not one JSON object");
	for (size_t i = 0; i < r->route->n_calls; i++)
		n_there += check_part(s, r, h, i);
	if (r->route->need != 0 && n_there != r->route->need)
		wrong(s, r, h, "not as many parts as are needed");
}

static size_t
find_name(struct sim *s, struct sim_request *r, const struct sim_http *h, struct str name)
{
	size_t i = 0;

	while (i < r->route->n_calls && !str_eq(name, str_c(r->route->calls[i].name)))
		i++;
	if (i == r->route->n_calls)
		wrong(s, r, h, "a record of a call that the route has not");
	return i;
}

/* Parts of a multipart answer have the body as it came; elsewhere an empty one is null. */
static bool
is_result_of(const struct sim_request *r, const struct sim_call *c, struct str result)
{
	if (c->n_seen == 0 || !(c->reasons & R(NONE)))
		return false;
	if (str_is_none(c->body))
		return true;
	if (c->body.n == 0 && r->route->format != SIM_FORMAT_MULTIPART)
		return str_eq(result, STR("null"));
	return str_eq(result, c->body);
}

enum counted { COUNTED_FAILURE, COUNTED_DEFAULT, COUNTED_RESULT };

/* The record of one call. */
static enum counted
check_record(struct sim *s, struct sim_request *r, const struct sim_http *h, const struct sim_record *rec)
{
	size_t i = find_name(s, r, h, rec->call);
	const char *fallback = r->route->calls[i].default_json;

	if (is_skipped(r, i))
		wrong(s, r, h, "something is told of a call that was skipped");
	if (rec->kind == SIM_RECORD_FAILURE) {
		if (fallback != NULL || !(reason_bit(rec->text) & reasons_of(s, r, i)))
			wrong(s, r, h, "a call did not fail like that");
		return COUNTED_FAILURE;
	}
	if (fallback != NULL && str_eq(rec->text, str_c(fallback)))
		return COUNTED_DEFAULT;
	if (!is_result_of(r, &r->calls[i], rec->text))
		wrong(s, r, h, "a result that is not what the server sent");
	return COUNTED_RESULT;
}

static unsigned
count_due(const struct sim_request *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->route->n_calls; i++)
		n += !is_skipped(r, i);
	return n;
}

/* The last record: complete, or what is missing was not required, or the problem says what was. */
static void
check_end(struct sim *s, struct sim_request *r, const struct sim_http *h, struct str end, const unsigned *n)
{
	struct str problem = sim_json_member(end, STR("problem"));
	bool is_complete = str_eq(sim_json_member(end, STR("complete")), STR("true"));
	bool is_due = r->route->need != 0 ? n[COUNTED_RESULT] == r->route->need :
					    n[COUNTED_RESULT] + n[COUNTED_DEFAULT] == count_due(r);

	if (is_complete != is_due)
		wrong(s, r, h, "a last record that does not agree with the others");
	if (is_complete && !str_is_none(problem))
		wrong(s, r, h, "a problem of an answer that is complete");
	if (str_is_none(problem) || r->route->need != 0)
		return;
	if (!r->route->calls[find_name(s, r, h, unquoted(sim_json_member(problem, STR("call"))))].is_required)
		wrong(s, r, h, "an optional call decided");
}

static void
check_stream(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	struct str rest = buf_str(&h->body);
	unsigned seen = 0, n[3] = { 0, 0, 0 };
	struct sim_record rec;

	if (r->is_head)
		return;
	for (;;) {
		unsigned bit;

		if (!sim_stream_next(r->route->format, h, &rest, &rec))
			wrong(s, r, h, "a record that cannot be read");
		if (rec.kind == SIM_RECORD_END)
			break;
		bit = 1u << find_name(s, r, h, rec.call);
		if (seen & bit)
			wrong(s, r, h, "two records of one call");
		seen |= bit;
		n[check_record(s, r, h, &rec)]++;
	}
	if (rest.n != 0)
		wrong(s, r, h, "something behind the last record");
	check_end(s, r, h, rec.text, n);
}

static void
check_calls_answer(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	if (h->status == 200 && r->route->format != SIM_FORMAT_JSON) {
		check_stream(s, r, h);
	} else if (h->status == 200) {
		check_merged(s, r, h);
	} else if (h->status == 404 && r->calls[0].n_seen > 0 && r->route->calls[0].passes_404 &&
		   r->calls[0].status == 404) {
		if (!r->is_head && !str_eq(buf_str(&h->body), r->calls[0].body))
			wrong(s, r, h, "an error was not passed as it came");
	} else if (h->status >= 502 && h->status <= 504) {
		check_problem(s, r, h);
	} else if (!r->is_lax) {
		wrong(s, r, h, "an answer that has no cause");
	}
}

static void
check_proxy_answer(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	struct sim_call *c = &r->calls[0];
	bool is_theirs = c->n_seen > 0 && (c->reasons & R(NONE)) && h->status == c->status;

	if (is_theirs && c->coding != NULL &&
	    !str_eq(sim_http_field(h, STR("Content-Encoding"), 0), str_c(c->coding)))
		wrong(s, r, h, "the server's coding is not told");
	if (is_theirs && (r->is_head || str_is_none(c->body) || str_eq(buf_str(&h->body), c->body)))
		return;
	if (h->status >= 502 && h->status <= 504)
		check_problem(s, r, h);
	else if (!r->is_lax)
		wrong(s, r, h, "not the answer that the server gave");
}

static void
check_reply(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	char want[64];

	if (h->status == 503 && s->env.mode >= SIM_LIMITED)
		return;
	snprintf(want, sizeof want, "{\"reply\":\"q%" PRIu64 "\"}", r->number);
	if (h->status == 200 && (r->is_head || str_eq(buf_str(&h->body), str_c(want))))
		return;
	if (!r->is_lax)
		wrong(s, r, h, "not the static reply");
}

/* All entries are answered, or none has begun. */
static void
check_batch(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	if (h->status == 200) {
		sim_batch_check(s, r, h);
		return;
	}
	if (h->status >= 502 && h->status <= 504)
		check_problem(s, r, h);
	else if (!r->is_lax)
		wrong(s, r, h, "not the answers of a batch");
	for (unsigned i = 0; i < r->n_entries; i++)
		check_nothing_left(s, r->entries[i], h);
	sim_batch_dropped(s, r, true);
}

static void
check_refused_offer(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	if (h->status != 403 && !r->is_lax)
		wrong(s, r, h, "an upgrade that nobody takes is not refused");
	for (unsigned i = 0; i < r->n_entries; i++)
		check_nothing_left(s, r->entries[i], h);
	sim_batch_dropped(s, r, true);
}

static void
settle(struct sim *s, struct sim_request *r)
{
	if (r->is_settled)
		sim_fail(s, "q%" PRIu64 " was settled twice", r->number);
	r->is_settled = true;
	s->n_settled++;
}

void
sim_oracle_check(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	sim_trace(s, "q%" PRIu64 " (%s) is answered: %.*s", r->number,
	    r->route == NULL ? "nonsense" : r->route->name, STR_FMT(sim_http_start(h)));
	settle(s, r);
	r->status = h->status;
	s->n_by_status[h->status % 600]++;
	if (h->body.n > 0 && memmem(h->body.p, h->body.n, "evil", 4) != NULL && !r->is_malformed &&
	    r->route->kind != SIM_KIND_PROXY && r->route->kind != SIM_KIND_BATCH && !r->route->calls[3].is_text)
		wrong(s, r, h, "bytes that should never pass");
	if (r->is_malformed) {
		if (h->status < 400 || h->status > 505)
			sim_fail(
			    s, "nonsense q%" PRIu64 " is answered with %u", r->number, h->status);
		sim_batch_dropped(s, r, true);
		return;
	}
	if (h->status != 101 && (r->asks_upgrade || r->must_refuse) && !h->is_closing)
		wrong(s, r, h, "what is behind an offer may be taken for a request");
	if (r->must_refuse && r->route->kind != SIM_KIND_NOWHERE) {
		check_refused_offer(s, r, h);
		return;
	}
	switch (r->route->kind) {
	case SIM_KIND_CALLS:
		check_calls_answer(s, r, h);
		break;
	case SIM_KIND_PROXY:
		check_proxy_answer(s, r, h);
		break;
	case SIM_KIND_REPLY:
		check_reply(s, r, h);
		break;
	case SIM_KIND_BATCH:
		check_batch(s, r, h);
		break;
	case SIM_KIND_NOWHERE:
		if (h->status != 404 && !r->is_lax)
			wrong(s, r, h, "not 404");
		break;
	}
}

bool
sim_oracle_may_be_cut(const struct sim *s, const struct sim_request *r)
{
	return r->route != NULL && r->route->kind == SIM_KIND_PROXY && r->calls[0].n_seen > 0 &&
	       (s->env.mode == SIM_STORM || (r->calls[0].reasons & ~R(NONE)) != 0);
}

void
sim_oracle_dropped(struct sim *s, struct sim_request *r, bool is_excused)
{
	sim_trace(s, "q%" PRIu64 " is dropped", r->number);
	settle(s, r);
	sim_batch_dropped(s, r, is_excused);
	s->n_dropped++;
	if (!is_excused && !r->is_lax)
		sim_fail(s, "q%" PRIu64 " (%s) got no answer", r->number, r->route->name);
}
