/* The keys of a route, its calls, proxy, reply and answer. Constant data. */
#include "gather/route_conf.h"

#include "base/compiler.h"

/* Heads, templates, the glue of an answer. */
#define ARENA_SLACK_BYTES (UINT64_C(4) << 20)

uint64_t
route_conf_arena_bytes(uint64_t body_limit, uint64_t calls_bytes)
{
	return ARENA_SLACK_BYTES + 2 * (body_limit + calls_bytes);
}

static const struct conf_row forward_rows[] = {
	{
	    .key = "headers",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct call_conf, forward.headers),
	    .fallback = "[]",
	    .since = "0.1",
	    .doc =
		"Names of request fields that are passed on. `\"*\"` is all but hop-by-hop fields and "
		"those that make no sense in a call (Accept-Encoding, Range, If-*, Content-*); beside it "
		"`\"!Cookie\"` leaves one out. `\"X-Old: X-New\"` passes a field on under another name.",
	},
	{
	    .key = "query",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct call_conf, forward.query),
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "Names of query parameters that are passed on; `\"*\"`, `\"!name\"` and "
		   "`\"old: new\"` as for `headers`.",
	},
};
static const struct conf_section forward_section = {
	.rows = forward_rows,
	.n_rows = ARRAY_LEN(forward_rows),
	.doc = "What of the client's request leaves. Nothing does unless it is listed here.",
};

static const struct conf_word part_formats[] = {
	{ "json", PART_JSON },
	{ "text", PART_TEXT },
	{ "base64", PART_BASE64 },
	{ NULL, 0 },
};

static const struct conf_word duplicate_words[] = { { "error", false }, { "last", true },
	{ NULL, 0 } };

static const char *
parse_duplicate_keys(void *base, const struct conf_text *text, struct arena *a)
{
	static const struct conf_row row = { .type = CONF_WORD, .words = duplicate_words };
	struct call_conf *call = base;
	uint64_t v = 0;
	const char *why = conf_row_parse(&row, text->s, a, &v);

	call->keep_last_duplicate = v != 0;
	return why;
}

static const struct conf_row batch_rows[] = {
	{
	    .key = "max",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct call_conf, batch.max),
	    .min = 1,
	    .max = 10000,
	    .fallback = "50",
	    .since = "0.1",
	    .doc = "How many items one call takes. `{items}` is all of them: joined by commas in paths, "
		   "queries and fields, an array in `json`.",
	},
	{
	    .key = "match",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct call_conf, batch.match),
	    .form = "id",
	    .since = "0.1",
	    .doc = "The key of the answer's elements that holds their item. Without it the answer must "
		   "have one element for each item, in their order.",
	},
};
static const struct conf_section batch_section = {
	.rows = batch_rows,
	.n_rows = ARRAY_LEN(batch_rows),
	.doc = "How the items of a `for_each` are folded into fewer calls.",
};

#define CALL_LEVELS (CONF_IN_DEFAULTS | CONF_IN_UPSTREAM | CONF_IN_ROUTE)

static const struct conf_row call_rows[] = {
	{
	    .key = "upstream",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct call_conf, upstream_name),
	    .is_required = true,
	    .since = "0.1",
	    .doc = "The name of the upstream that is asked.",
	},
	{
	    .key = "method",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct call_conf, method),
	    .fallback = "GET",
	    .since = "0.1",
	    .doc = "The method of the call.",
	},
	{
	    .key = "path",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct call_conf, path),
	    .is_required = true,
	    .form = "/users/{id}",
	    .since = "0.1",
	    .doc =
		"The path of the call. What a reference brings in is encoded and stays within its "
		"segment.",
	},
	{
	    .key = "query",
	    .type = CONF_PAIRS,
	    .offset = offsetof(struct call_conf, query),
	    .since = "0.1",
	    .doc = "Query parameters of the call, in this order. A parameter listed here is not "
		   "forwarded.",
	},
	{
	    .key = "headers",
	    .type = CONF_PAIRS,
	    .offset = offsetof(struct call_conf, headers),
	    .since = "0.1",
	    .doc = "Fields of the call. A field listed here is not forwarded.",
	},
	{
	    .key = "body",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct call_conf, body),
	    .form = "{body}",
	    .since = "0.1",
	    .doc = "The body of the call as text; `{body}` alone passes the client's on. Excludes "
		   "`json`.",
	},
	{
	    .key = "json",
	    .type = CONF_JSON_TEMPLATE,
	    .offset = offsetof(struct call_conf, json),
	    .since = "0.1",
	    .doc = "The body of the call as JSON. A text that is exactly one reference keeps the "
		   "JSON type of what it refers to. Excludes `body`.",
	},
	{
	    .key = "forward",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS | CONF_IN_ROUTE,
	    .section = &forward_section,
	    .since = "0.1",
	    .doc = "What of the client's request leaves.",
	},
	{
	    .key = "timeout",
	    .type = CONF_DURATION,
	    .levels = CONF_IN_DEFAULTS,
	    .offset = offsetof(struct call_conf, timeout_ns),
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "0",
	    .unit = "0: none of its own",
	    .since = "0.1",
	    .doc = "For the whole call. What counts is the least of this, the upstream's "
		   "`timeouts.total` and what is left of the route's `timeout`.",
	},
	{
	    .key = "required",
	    .type = CONF_BOOL,
	    .levels = CALL_LEVELS,
	    .offset = offsetof(struct call_conf, is_required),
	    .fallback = "true",
	    .since = "0.1",
	    .doc = "Whether its failure fails the whole answer, at once. If not, its part is left "
		   "out and `_meta` says so.",
	},
	{
	    .key = "default",
	    .type = CONF_JSON,
	    .offset = offsetof(struct call_conf, default_value),
	    .since = "0.1",
	    .doc = "The part that stands in when the call fails.",
	},
	{
	    .key = "accept",
	    .type = CONF_STATUSES,
	    .levels = CALL_LEVELS,
	    .offset = offsetof(struct call_conf, accept),
	    .fallback = "2xx",
	    .since = "0.1",
	    .doc = "Statuses that are success.",
	},
	{
	    .key = "pass_errors",
	    .type = CONF_STATUSES,
	    .levels = CALL_LEVELS,
	    .offset = offsetof(struct call_conf, pass_errors),
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "Statuses that become the client's answer, body and all.",
	},
	{
	    .key = "max_body",
	    .type = CONF_SIZE,
	    .levels = CALL_LEVELS,
	    .offset = offsetof(struct call_conf, max_body_bytes),
	    .max = 1 << 30,
	    .fallback = "4MiB",
	    .since = "0.1",
	    .doc = "How large the body of the answer may be. Beyond it the call fails with "
		   "`response_too_large`.",
	},
	{
	    .key = "as",
	    .type = CONF_WORD,
	    .offset = offsetof(struct call_conf, format),
	    .words = part_formats,
	    .fallback = "json",
	    .since = "0.1",
	    .doc =
		"What the body becomes in the merged answer: its JSON value, a JSON string, or a "
		"JSON string of base64.",
	},
	{
	    .key = "from",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct call_conf, shape.from),
	    .form = "data.items",
	    .since = "0.1",
	    .doc = "What of the answer the part is made of: `data.items`, `[0]`. When it is not "
		   "there the call fails with `shape_mismatch`.",
	},
	{
	    .key = "select",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct call_conf, shape.select),
	    .form = "[ id, address.city, \"orders[].id\" ]",
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "Only these members are kept; `[]` goes through all elements of an array. A "
		   "path that is not there selects nothing. Empty: all are kept.",
	},
	{
	    .key = "drop",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct call_conf, shape.drop),
	    .form = "[ internal, \"orders[].secret\" ]",
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "These members are left out.",
	},
	{
	    .key = "rename",
	    .type = CONF_TEXT_PAIRS,
	    .offset = offsetof(struct call_conf, shape.rename),
	    .form = "{ \"orders[].ts\": created_at }",
	    .since = "0.1",
	    .doc = "The keys that members get, by path. Paths here, in `select` and in `drop` have "
		   "the keys as received. Two members that come to the same key fail the call with "
		   "`shape_mismatch`.",
	},
	{
	    .key = "into",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct call_conf, into),
	    .form = "., a.b, a[] or []",
	    .since = "0.1",
	    .doc =
		"Where the part lands: `.` is the root, `a.b` nested, `a[]` appended to an array; "
		"`[]` in all calls of a route makes the answer an array, which has no `partial.meta`. "
		"Without it: under the name of the call. A key with a dot in it is quoted: "
		"`a.\"b.c\"`.",
	},
	{
	    .key = "when",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct call_conf, when),
	    .form = "{header.x-tier} in [gold, silver]",
	    .since = "0.1",
	    .doc = "A condition: `==` `!=` `<` `<=` `>` `>=` `in`, `and` `or` `not`, `exists {ref}`, "
		   "parentheses; operands are references, texts (quoted or a word), numbers, `true`, "
		   "`false`, `null` and, on the right of `in`, a list. What is not there is null. A call "
		   "whose condition does not hold is skipped: it is absent, which is no failure.",
	},
	{
	    .key = "after",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct call_conf, after),
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "Calls that must have ended before this one starts. A reference to a call orders "
		   "the two by itself.",
	},
	{
	    .key = "for_each",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct call_conf, for_each.list),
	    .form = "{calls.orders.result[].product_id}",
	    .since = "0.1",
	    .doc = "One reference to a list: the call is made once for each of its items, which "
		   "`{item}` and `{item.x}` refer to. Its part is the array of the results, in the "
		   "order of the items; no call is made for an item that is null or not there, and the "
		   "result is null. `into: \"orders[].product\"` puts each result into the element "
		   "that its item came from.",
	},
	{
	    .key = "distinct",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct call_conf, for_each.is_distinct),
	    .fallback = "false",
	    .since = "0.1",
	    .doc = "Equal items of a `for_each` share one call.",
	},
	{
	    .key = "max_items",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct call_conf, for_each.max_items),
	    .min = 1,
	    .max = 1000000,
	    .fallback = "100",
	    .since = "0.1",
	    .doc = "How long the list of a `for_each` may be. Beyond it the call fails with "
		   "`too_many_items`, unless `truncate` is true.",
	},
	{
	    .key = "truncate",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct call_conf, for_each.is_truncated),
	    .fallback = "false",
	    .since = "0.1",
	    .doc = "Of a list over `max_items` only the first ones count. With `into: \"orders[].product\"` "
		   "the elements beyond get null, or the call's `default`.",
	},
	{
	    .key = "parallel",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct call_conf, for_each.parallel),
	    .min = 1,
	    .max = 1000,
	    .fallback = "8",
	    .since = "0.1",
	    .doc = "How many calls of a `for_each` are under way at once.",
	},
	{
	    .key = "batch",
	    .type = CONF_SECTION,
	    .section = &batch_section,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "Folds the items of a `for_each` into fewer calls.",
	},
	{
	    .key = "duplicate_keys",
	    .type = CONF_PARSED,
	    .levels = CALL_LEVELS,
	    .parse = parse_duplicate_keys,
	    .words = duplicate_words,
	    .fallback = "error",
	    .since = "0.1",
	    .doc =
		"What a key that occurs twice in an object means: `error` makes the body invalid, "
		"`last` keeps the last.",
	},
};
const struct conf_section route_conf_call_section = {
	.rows = call_rows,
	.n_rows = ARRAY_LEN(call_rows),
	.size = sizeof(struct call_conf),
	.name_offset = offsetof(struct call_conf, name),
	.pos_offset = offsetof(struct call_conf, pos),
	.doc = "One request to one upstream. All calls of a route start together.",
};

static const struct conf_row proxy_rows[] = {
	{
	    .key = "upstream",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct route_conf, proxy.upstream_name),
	    .is_required = true,
	    .since = "0.1",
	    .doc = "The name of the upstream that is asked.",
	},
	{
	    .key = "path",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct route_conf, proxy.path),
	    .form = "/files/{rest}",
	    .since = "0.1",
	    .doc =
		"The path that the upstream sees; the query is kept. Without it: the client's, as "
		"it came.",
	},
};
static const struct conf_section proxy_section = {
	.rows = proxy_rows,
	.n_rows = ARRAY_LEN(proxy_rows),
	.doc = "A plain reverse proxy: request and answer are streamed, all but hop-by-hop fields "
	       "are passed on.",
};

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
		"head of the answer.",
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
	    .section = &route_conf_call_section,
	    .is_optional = true,
	    .min = 1,
	    .max = 64,
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
		   "made; `required` has then no meaning.",
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
	    .section = &proxy_section,
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
};
const struct conf_section route_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.size = sizeof(struct route_conf),
	.name_offset = CONF_NOWHERE,
	.pos_offset = offsetof(struct route_conf, pos),
	.doc = "One route.",
};
