/* The keys of a route, its proxy, reply and answer. Constant data. */
#include "gather/route_conf.h"

#include "base/compiler.h"
#include "gather/template.h"

/* Heads, templates, the glue of an answer. */
#define ARENA_SLACK_BYTES (UINT64_C(4) << 20)

uint64_t
route_conf_arena_bytes(uint64_t body_limit, uint64_t calls_bytes)
{
	return ARENA_SLACK_BYTES + 2 * (body_limit + calls_bytes);
}

static const struct conf_row reply_rows[] = {
	{
	    .key = "status",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct route_conf, reply.status),
	    .min = 200,
	    .max = 599,
	    .fallback = "200",
	    .since = "0.1",
	    .doc = "The status of the answer.",
	},
	{
	    .key = "headers",
	    .type = CONF_PAIRS,
	    .offset = offsetof(struct route_conf, reply.headers),
	    .since = "0.1",
	    .doc = "Fields of the answer.",
	},
	{
	    .key = "body",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct route_conf, reply.body),
	    .since = "0.1",
	    .doc = "The body as text. Excludes `json`.",
	},
	{
	    .key = "json",
	    .type = CONF_JSON_TEMPLATE,
	    .offset = offsetof(struct route_conf, reply.json),
	    .since = "0.1",
	    .doc = "The body as JSON; sets Content-Type. Excludes `body`.",
	},
};
static const struct conf_section reply_section = {
	.rows = reply_rows,
	.n_rows = ARRAY_LEN(reply_rows),
	.doc = "An answer without any upstream.",
};

static const struct conf_row request_body_rows[] = {
	{
	    .key = "max",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct route_conf, max_request_body_bytes),
	    .max = 1 << 30,
	    .fallback = "0",
	    .unit = "0: only the listener's limit",
	    .since = "0.1",
	    .doc = "How large the body of a request may be; the listener's `limits.body` holds as "
		   "well. Beyond it 413.",
	},
	{
	    .key = "required",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct route_conf, is_body_required),
	    .fallback = "false",
	    .since = "0.1",
	    .doc = "Whether a request must have a body that is a JSON document. Otherwise 400. For routes "
		   "with `calls`.",
	},
};
static const struct conf_row require_rows[] = {
	{
	    .key = "query",
	    .type = CONF_TEXT_PAIRS,
	    .offset = offsetof(struct route_conf, require.query),
	    .since = "0.1",
	    .doc = "Query parameters that must be there, each with a POSIX extended regular expression that "
		   "every value must match somewhere (`^` and `$` for all of it), or `\"\"`.",
	},
	{
	    .key = "headers",
	    .type = CONF_TEXT_PAIRS,
	    .offset = offsetof(struct route_conf, require.headers),
	    .since = "0.1",
	    .doc = "Header fields that must be there, as for `query`.",
	},
};
static const struct conf_section require_section = {
	.rows = require_rows,
	.n_rows = ARRAY_LEN(require_rows),
	.doc = "What a request must have. Otherwise 400, before anything else is done.",
};
static const struct conf_section request_body_section = {
	.rows = request_body_rows,
	.n_rows = ARRAY_LEN(request_body_rows),
	.doc = "The body of the request.",
};
static const struct conf_row request_rows[] = {
	{
	    .key = "body",
	    .type = CONF_SECTION,
	    .section = &request_body_section,
	    .since = "0.1",
	    .doc = "The body of the request.",
	},
	{
	    .key = "require",
	    .type = CONF_SECTION,
	    .section = &require_section,
	    .since = "0.1",
	    .doc = "What a request must have.",
	},
};
static const struct conf_section request_section = {
	.rows = request_rows,
	.n_rows = ARRAY_LEN(request_rows),
	.doc = "What is taken from the client.",
};

static const char *
parse_need(void *base, const struct conf_text *text, struct arena *a)
{
	struct route_conf *route = base;

	(void)a;
	if (str_eq(text->s, STR("all")))
		route->need = 0;
	else if (str_eq(text->s, STR("any")))
		route->need = 1;
	else if (!str_to_u64(text->s, &route->need) || route->need == 0)
		return "expected all, any or a number of calls";
	return NULL;
}

static const struct conf_word format_words[] = {
	{ "json", FORMAT_JSON },
	{ "ndjson", FORMAT_NDJSON },
	{ "sse", FORMAT_SSE },
	{ "multipart", FORMAT_MULTIPART },
	{ NULL, 0 },
};

static const char *
parse_format(void *base, const struct conf_text *text, struct arena *a)
{
	static const struct conf_row row = { .type = CONF_WORD, .words = format_words };
	struct route_conf *route = base;
	uint64_t format = 0;
	const char *why = conf_row_parse(&row, text->s, a, &format);

	if (why != NULL)
		return why;
	for (size_t i = 0; i < route->n_formats; i++)
		if (route->formats[i] == (enum route_format)format)
			return "is in the list already";
	route->formats[route->n_formats++] = (enum route_format)format;
	return NULL;
}

static const struct conf_row rows[] = {
	{
	    .key = "name",
	    .type = CONF_STR,
	    .offset = offsetof(struct route_conf, name),
	    .since = "0.1",
	    .doc = "The name of the route in logs and metrics. Without it: its path.",
	},
	{
	    .key = "path",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct route_conf, path),
	    .is_required = true,
	    .form = "/users/{id}/files/{rest...}",
	    .since = "0.1",
	    .doc = "The paths that match: literal segments, `{name}` for one segment, `{name...}` "
		   "for the rest. Literal wins over parameter wins over tail.",
	},
	{
	    .key = "methods",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct route_conf, methods),
	    .fallback = "[ GET ]",
	    .since = "0.1",
	    .doc = "The methods that match, or `any`. HEAD comes with GET.",
	},
	{
	    .key = "timeout",
	    .type = CONF_DURATION,
	    .levels = CONF_IN_DEFAULTS,
	    .offset = offsetof(struct route_conf, timeout_ns),
	    .min = NS_PER_MS,
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "15s",
	    .since = "0.1",
	    .doc =
		"The budget of the whole request, the calls included. For proxy routes: until the "
		"head of the answer, without the time in which the request's body is streamed.",
	},
	{
	    .key = "request",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS,
	    .section = &request_section,
	    .since = "0.1",
	    .doc = "What is taken from the client.",
	},
	{
	    .key = "calls",
	    .type = CONF_NAMED,
	    .offset = offsetof(struct route_conf, calls),
	    .count_offset = offsetof(struct route_conf, n_calls),
	    .section = &call_conf_section,
	    .is_optional = true,
	    .min = 1,
	    .max = TEMPLATE_MAX_CALLS,
	    .since = "0.1",
	    .doc = "The calls, by name. Their results are merged in the order of the file. Exactly "
		   "one of `calls`, `proxy`, `reply` and `batch` must be there.",
	},
	{
	    .key = "need",
	    .type = CONF_PARSED,
	    .parse = parse_need,
	    .form = "all, any or a number",
	    .fallback = "all",
	    .since = "0.1",
	    .doc = "How many calls must succeed. `all`: those that are required. `any` or a number: as "
		   "soon as so many have given their part the others are cancelled and the answer is "
		   "made; `required` has then no meaning, a `default` is no success, and when too few are left "
		   "an answer that `pass_errors` lists becomes the client's.",
	},
	{
	    .key = "format",
	    .type = CONF_PARSED_LIST,
	    .parse = parse_format,
	    .form = "json",
	    .fallback = "json",
	    .since = "0.1",
	    .doc =
		"How the answer is written. `json`: one document, merged. The others are streams that have "
		"each part as soon as its call has ended, unmerged, and say at their end whether all were "
		"there: `ndjson` has a line per call, `{\"call\":\"orders\",\"result\":…}` or "
		"`{\"call\":\"orders\",\"error\":\"timeout\",\"ms\":400}`, and the last line "
		"`{\"complete\":true}`; `sse` has an event per call, named as it, with the result as data, or "
		"named `failure`, and the last event `end`; `multipart` (`multipart/mixed`) has a part per "
		"call, named as it, with the body as received and its content type (`as: base64` takes any), "
		"or `application/problem+json`, and the last part without a name. `into` and what `response` "
		"says of the merged answer hold for `json` only. A failure that decides the answer is an "
		"ordinary error until the first part has left; then the last record is "
		"`{\"complete\":false,\"problem\":{…}}`. A list: the client's `Accept` chooses, the first "
		"where it wants several alike, and 406 when it wants none.",
	},
	{
	    .key = "proxy",
	    .type = CONF_SECTION,
	    .section = &proxy_conf_section,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "A plain reverse proxy.",
	},
	{
	    .key = "reply",
	    .type = CONF_SECTION,
	    .section = &reply_section,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "An answer without any upstream.",
	},
	{
	    .key = "batch",
	    .type = CONF_SECTION,
	    .section = &batch_conf_section,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "Several requests as one, POST only.",
	},
	{
	    .key = "response",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS,
	    .section = &response_conf_section,
	    .since = "0.1",
	    .doc = "The merged answer of a route with `calls`. `headers.set` holds for `proxy` "
		   "as well.",
	},
	{
	    .key = "compress",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS,
	    .section = &compress_conf_section,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "Compresses the answers. Without it they are sent as they are.",
	},
};
const struct conf_section route_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.size = sizeof(struct route_conf),
	.name_offset = CONF_NOWHERE,
	.pos_offset = offsetof(struct route_conf, pos),
	.doc = "One route.",
};

struct route_conf
route_conf_of_mock(const struct mock_conf *mock)
{
	return (struct route_conf){
		.name = mock->path.s,
		.pos = mock->pos,
		.path = mock->path,
		.methods = mock->methods,
		.kind = ROUTE_REPLY,
		.reply = { .status = mock->status,
		    .headers = mock->headers,
		    .body = mock->body,
		    .json = mock->json,
		    .delay_ns = mock->delay_ns },
	};
}
