/* The keys of a call. Constant data. */
#include "gather/call_conf.h"

#include <stddef.h>

#include "base/compiler.h"

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
		"`\"!Cookie\"` leaves one out, and so does a name in the call's own `headers`, also where "
		"the client writes `_` for `-`. `\"X-Old: X-New\"` passes a field on under another name.",
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
	    .doc = "The key of the answer's elements, as shaped, that holds their item. Without it the answer must "
		   "have one element for each item, in their order.",
	},
};
static const struct conf_section batch_section = {
	.rows = batch_rows,
	.n_rows = ARRAY_LEN(batch_rows),
	.doc = "How the items of a `for_each` are folded into fewer calls.",
};

static const char *
parse_accept_encoding(void *base, const struct conf_text *text, struct arena *a)
{
	struct call_conf *call = base;
	enum coding coding;

	(void)a;
	if (!coding_find(text->s, &coding) || coding == CODING_IDENTITY ||
	    !str_eq(text->s, coding_name(coding)))
		return "expected gzip, br or deflate";
	for (size_t i = 0; i < call->n_asked_codings; i++)
		if (call->asked_codings[i] == coding)
			return "is in the list already";
	call->asked_codings[call->n_asked_codings++] = coding;
	return NULL;
}

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
	    .doc = "The part that stands in when the call fails; `{calls.N.result}` sees it, `{calls.N.body}` "
		   "does not.",
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
	    .key = "accept_encoding",
	    .type = CONF_PARSED_LIST,
	    .levels = CALL_LEVELS,
	    .parse = parse_accept_encoding,
	    .form = "[ gzip, br ]",
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "The codings that the upstream is asked for, in `Accept-Encoding`: `gzip`, `br`, `deflate`. "
		   "Empty: no such field is sent. An answer that comes compressed by one of them is decompressed "
		   "whether it was asked for or not; any other coding, or several at once, fails the call with "
		   "`content_coding_unknown`, and what is damaged, cut short or followed by other bytes with "
		   "`content_coding_invalid`. On the way between machines that are near each other it costs "
		   "more time than it saves.",
	},
	{
	    .key = "max_ratio",
	    .type = CONF_COUNT,
	    .levels = CALL_LEVELS,
	    .offset = offsetof(struct call_conf, max_ratio),
	    .min = 1,
	    .max = 1000000,
	    .fallback = "200",
	    .unit = "times",
	    .since = "0.1",
	    .doc = "How much larger an answer that comes compressed may become. Beyond it, once it is over "
		   "64 KiB, the call fails with `decoded_ratio`; beyond `max_body`, which also bounds the "
		   "compressed bytes, with `decoded_too_large`.",
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
		   "`false`, `null` and, on the right of `in`, a list. What is not there is null, and "
		   "text of the request that reads as a number or a boolean counts as one. A call whose "
		   "condition does not hold is skipped: it is absent, which is no failure.",
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
		   "result is null. So is that of an item whose call failed, when the call is not "
		   "required and has no default; the answer is then partial, and `_meta` says for how many "
		   "`items` (of equal ones that share a call, one). "
		   "`{body.ids|[]}`: no list is an empty one. "
		   "`into: \"orders[].product\"` puts each result into the element that its item came from.",
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
const struct conf_section call_conf_section = {
	.rows = call_rows,
	.n_rows = ARRAY_LEN(call_rows),
	.size = sizeof(struct call_conf),
	.name_offset = offsetof(struct call_conf, name),
	.pos_offset = offsetof(struct call_conf, pos),
	.doc = "One request to one upstream. All calls of a route start together.",
};
