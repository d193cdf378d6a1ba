/* Answers as tests say. Memory is the test's arena; main thread. */
#include "daemon/selftest_answer.h"

#include "gather/json_template.h"

/* `{x}` stands for any bytes but "/" and "?". */
static bool
fits(struct str pattern, struct str text)
{
	while (pattern.n > 0) {
		size_t n = 0;

		if (pattern.p[0] == '{') {
			size_t end = str_find(pattern, '}');

			while (n < text.n && text.p[n] != '/' && text.p[n] != '?')
				n++;
			end += end < pattern.n;
			pattern = str_of(pattern.p + end, pattern.n - end);
			text = str_of(text.p + n, text.n - n);
			continue;
		}
		if (text.n == 0 || text.p[0] != pattern.p[0])
			return false;
		pattern = str_of(pattern.p + 1, pattern.n - 1);
		text = str_of(text.p + 1, text.n - 1);
	}
	return text.n == 0;
}

static bool
fits_path(const struct test_conf_call *entry, struct str target)
{
	struct str path = entry->path.s;

	if (str_is_none(path))
		return true;
	if (str_find(path, '?') == path.n)
		target.n = str_find(target, '?');
	return fits(path, target);
}

static const struct test_conf_call *
find(const struct selftest_answer *a, const struct rehearsal_request *request)
{
	for (size_t i = 0; i < a->test->n_calls; i++) {
		const struct test_conf_call *entry = &a->test->calls[i];
		bool is_mine = str_is_none(entry->upstream_name.s) ? str_eq(entry->name, request->call)
		                                                   : entry->upstream == request->upstream;

		if (is_mine && fits_path(entry, request->target))
			return entry;
	}
	return NULL;
}

static bool
has_field(const struct test_conf_call *entry, struct str name)
{
	for (size_t i = 0; i < entry->headers.n; i++)
		if (str_ieq(entry->headers.at[i].name.s, name))
			return true;
	return false;
}

static struct str
body_of(const struct selftest_answer *a, const struct test_conf_call *entry)
{
	if (entry->json.kind != CONF_JSON_NONE)
		return json_template_literal(a->arena, &entry->json);
	return str_is_none(entry->body.s) ? STR("") : entry->body.s;
}

/* RFC 9110 15.3.5, 15.4.5: neither 204 nor 304 has a body. */
static bool
is_bodiless(uint64_t status)
{
	return status == 204 || status == 304;
}

/* is_cut: half of the body is missing. */
static struct str
write_answer(const struct selftest_answer *a, const struct test_conf_call *entry, bool is_head, bool is_cut)
{
	struct str body = body_of(a, entry);
	struct str reason = http_table_reason((unsigned)entry->status);
	struct str text = arena_printf(
	    a->arena, "HTTP/1.1 %u %.*s\r\n", (unsigned)entry->status, STR_FMT(reason));

	for (size_t i = 0; i < entry->headers.n; i++)
		text = arena_printf(a->arena, "%.*s%.*s: %.*s\r\n", STR_FMT(text),
		    STR_FMT(entry->headers.at[i].name.s), STR_FMT(entry->headers.at[i].value.s));
	if (entry->json.kind != CONF_JSON_NONE && !has_field(entry, STR("Content-Type")))
		text = arena_printf(
		    a->arena, "%.*sContent-Type: application/json\r\n", STR_FMT(text));
	if (!is_bodiless(entry->status) && !has_field(entry, STR("Content-Length")))
		text = arena_printf(a->arena, "%.*sContent-Length: %zu\r\n", STR_FMT(text),
		    body.n + (is_cut && body.n == 0));
	if (is_cut)
		body.n /= 2;
	if (is_head || is_bodiless(entry->status))
		body.n = 0;
	return arena_printf(a->arena, "%.*s\r\n%.*s", STR_FMT(text), STR_FMT(body));
}

static bool
on_request(void *owner, const struct rehearsal_request *request, struct rehearsal_answer *out)
{
	static const enum rehearsal_end ends[] = {
		[TEST_CONF_NO_FAULT] = REHEARSAL_KEEP,
		[TEST_CONF_REFUSE] = REHEARSAL_RESET,
		[TEST_CONF_RESET] = REHEARSAL_RESET,
		[TEST_CONF_TIMEOUT] = REHEARSAL_NEVER,
		[TEST_CONF_TRUNCATE] = REHEARSAL_CLOSE,
		[TEST_CONF_GARBAGE] = REHEARSAL_CLOSE,
	};
	const struct selftest_answer *a = owner;
	const struct test_conf_call *entry = find(a, request);

	if (entry == NULL)
		return false;
	*out = (struct rehearsal_answer){ .delay_ns = entry->delay_ns, .end = ends[entry->fault] };
	if (entry->fault == TEST_CONF_GARBAGE)
		out->bytes = STR("this is not HTTP\r\n\r\n");
	else
		out->bytes = write_answer(a, entry, str_eq(request->method, STR("HEAD")),
		    entry->fault == TEST_CONF_TRUNCATE);
	if (entry->fault == TEST_CONF_NO_FAULT || entry->fault == TEST_CONF_TRUNCATE)
		out->status = (unsigned)entry->status;
	return true;
}

/* Does a call of this name, or the route as a proxy, ask the upstream? */
static bool
asks(const struct route_conf *route, struct str name, size_t upstream)
{
	if (route->kind == ROUTE_PROXY)
		return str_eq(name, STR("proxy")) && route->proxy.upstream == upstream;
	for (size_t i = 0; i < route->n_calls; i++)
		if (str_eq(name, route->calls[i].name) && route->calls[i].upstream == upstream)
			return true;
	return false;
}

/* The upstream that an entry is about, within the route of the request; of a batch within any route. */
static bool
is_about(const struct selftest_answer *a, const struct test_conf_call *entry, size_t upstream)
{
	if (!str_is_none(entry->upstream_name.s))
		return entry->upstream == upstream;
	if (a->route == NULL || a->route->kind != ROUTE_BATCH)
		return a->route != NULL && asks(a->route, entry->name, upstream);
	for (size_t i = 0; i < a->conf->n_routes; i++)
		if (asks(&a->conf->routes[i], entry->name, upstream))
			return true;
	return false;
}

static bool
is_refusing(void *owner, size_t upstream)
{
	const struct selftest_answer *a = owner;

	for (size_t i = 0; i < a->test->n_calls; i++)
		if (a->test->calls[i].fault == TEST_CONF_REFUSE &&
		    is_about(a, &a->test->calls[i], upstream))
			return true;
	return false;
}

const struct rehearsal_events selftest_answer_events = { on_request, is_refusing };
