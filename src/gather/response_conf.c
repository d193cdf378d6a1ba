/* The rows of what a configuration says of merged answers. */
#include "gather/response_conf.h"

#include <stddef.h>

#include "base/compiler.h"
#include "gather/route_conf.h"

static const struct conf_word policies[] = {
	{ "error", CONFLICT_ERROR },
	{ "first", CONFLICT_FIRST },
	{ "last", CONFLICT_LAST },
	{ "deep", CONFLICT_DEEP },
	{ "append", CONFLICT_APPEND },
	{ NULL, 0 },
};

static const struct conf_row partial_rows[] = {
	{
	    .key = "status",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct route_conf, response.partial_status),
	    .min = 200,
	    .max = 599,
	    .fallback = "200",
	    .since = "0.1",
	    .doc = "The status of an answer that lacks a part.",
	},
	{
	    .key = "meta",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct route_conf, response.partial_meta),
	    .fallback = "_meta",
	    .since = "0.1",
	    .doc =
		"The key under which an answer says which parts are missing, and why. `\"\"`: it "
		"does not say.",
	},
};
static const struct conf_section partial_section = {
	.rows = partial_rows,
	.n_rows = ARRAY_LEN(partial_rows),
	.doc = "An answer that lacks a part.",
};
static const struct conf_row response_header_rows[] = {
	{
	    .key = "set",
	    .type = CONF_PAIRS,
	    .offset = offsetof(struct route_conf, response.set_headers),
	    .since = "0.1",
	    .doc = "Fields of the answer, by name.",
	},
	{
	    .key = "copy",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct route_conf, response.copy_headers),
	    .fallback = "[]",
	    .form = "user: ETag",
	    .since = "0.1",
	    .doc = "Fields of calls' answers that become the client's: `\"user: ETag\"`, or "
		   "`\"user: *\"` for "
		   "all that do not describe the body. Every Set-Cookie is copied, of "
		   "Cache-Control the "
		   "strictest of all calls it is copied from (a call without it counts as "
		   "`no-cache`), of "
		   "any other field the first call's. What `set` sets is not copied, nor what an answer has that "
		   "is neither a part nor passed on. With an ETag the answer to a matching If-None-Match is 304, "
		   "with a Last-Modified that to an If-Modified-Since of the same date. While a call has failed "
		   "there is neither field, and a Cache-Control that is copied is `no-cache`.",
	},
	{
	    .key = "remove",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct route_conf, response.remove_headers),
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "Fields that are not copied, and `Proxy-Status` of partial answers when it is "
		   "listed.",
	},
};
static const struct conf_section response_headers_section = {
	.rows = response_header_rows,
	.n_rows = ARRAY_LEN(response_header_rows),
	.doc = "The fields of the answer.",
};
static const struct conf_word occasions[] = {
	{ "always", STATIC_ALWAYS },
	{ "complete", STATIC_COMPLETE },
	{ "partial", STATIC_PARTIAL },
	{ NULL, 0 },
};
static const struct conf_row static_rows[] = {
	{
	    .key = "when",
	    .type = CONF_WORD,
	    .offset = offsetof(struct route_conf, response.static_when),
	    .words = occasions,
	    .fallback = "always",
	    .since = "0.1",
	    .doc =
		"In which answers: `always`, only in those with every part (`complete`), or only "
		"in those that lack one (`partial`).",
	},
	{
	    .key = "json",
	    .type = CONF_JSON,
	    .is_required = true,
	    .offset = offsetof(struct route_conf, response.static_json),
	    .since = "0.1",
	    .doc = "The object.",
	},
};
static const struct conf_section static_section = {
	.rows = static_rows,
	.n_rows = ARRAY_LEN(static_rows),
	.doc = "Data that no call gives.",
};

static const struct conf_word shapes[] = {
	{ "object", ANSWER_OBJECT },
	{ "array", ANSWER_ARRAY },
	{ NULL, 0 },
};

static const struct conf_word error_words[] = {
	{ "plain", ERRORS_PLAIN },
	{ "detail", ERRORS_DETAIL },
	{ NULL, 0 },
};

static const struct conf_row status_rows[] = {
	{
	    .key = "status",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct status_conf, status),
	    .is_required = true,
	    .form = "404 or {calls.order.status}",
	    .since = "0.1",
	    .doc = "The status, 200 to 599.",
	},
	{
	    .key = "when",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct status_conf, when),
	    .since = "0.1",
	    .doc = "The condition; without it the rule always holds.",
	},
};
static const struct conf_section status_section = {
	.rows = status_rows,
	.n_rows = ARRAY_LEN(status_rows),
	.size = sizeof(struct status_conf),
	.name_offset = CONF_NOWHERE,
	.pos_offset = offsetof(struct status_conf, pos),
	.short_key = "status",
	.doc = "A rule for the status of the answer.",
};

static const struct conf_row response_rows[] = {
	{
	    .key = "status",
	    .type = CONF_ITEMS,
	    .offset = offsetof(struct route_conf, response.status),
	    .count_offset = offsetof(struct route_conf, response.n_status),
	    .section = &status_section,
	    .fallback = "[]",
	    .max = 32,
	    .since = "0.1",
	    .doc = "The status of the answer: a number, a call's (`\"{calls.order.status}\"`), or "
		   "a list of "
		   "rules of which the first that holds counts. Without one that holds: 200, or "
		   "`partial.status`; so too when a call's 204, 205 or 304 would leave out what others gave.",
	},
	{
	    .key = "body",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct route_conf, response.body),
	    .form = "{calls.order.body}",
	    .since = "0.1",
	    .doc = "The body of the answer in place of the merged one. `{calls.N.body}` alone is "
		   "the answer of "
		   "that call byte by byte, with its Content-Type; any other single reference to "
		   "JSON is "
		   "sent as JSON, and anything else as text.",
	},
	{
	    .key = "json",
	    .type = CONF_JSON_TEMPLATE,
	    .offset = offsetof(struct route_conf, response.json),
	    .since = "0.1",
	    .doc = "The body of the answer in place of the merged one, as JSON: a text in it that is exactly one "
		   "reference keeps the JSON type of what it refers to. Excludes `body`.",
	},
	{
	    .key = "errors",
	    .type = CONF_WORD,
	    .offset = offsetof(struct route_conf, response.errors),
	    .words = error_words,
	    .fallback = "plain",
	    .since = "0.1",
	    .doc =
		"What is told of a call that failed: `plain` its reason; `detail` also the status "
		"of its "
		"answer and the first 1024 bytes of the body. Not for clients that are strangers.",
	},
	{
	    .key = "on_conflict",
	    .type = CONF_WORD,
	    .offset = offsetof(struct route_conf, response.on_conflict),
	    .words = policies,
	    .fallback = "error",
	    .since = "0.1",
	    .doc = "What happens when two parts claim the same key: `error` fails the answer, "
		   "`first` and `last` keep one (in the order of the file), `deep` merges objects, "
		   "`append` makes one array of two. What `deep` and `append` do not join, the "
		   "last one has. For a list of whatever comes there is `into: \"name[]\"`.",
	},
	{
	    .key = "partial",
	    .type = CONF_SECTION,
	    .section = &partial_section,
	    .since = "0.1",
	    .doc = "An answer that lacks a part.",
	},
	{
	    .key = "headers",
	    .type = CONF_SECTION,
	    .section = &response_headers_section,
	    .since = "0.1",
	    .doc = "The fields of the answer.",
	},
	{
	    .key = "static",
	    .type = CONF_SECTION,
	    .section = &static_section,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "An object that belongs to the answer whatever the calls say: it is merged at "
		   "the root as if it were the part of a first call.",
	},
	{
	    .key = "move",
	    .type = CONF_TEXT_PAIRS,
	    .offset = offsetof(struct route_conf, response.move),
	    .since = "0.1",
	    .doc = "What is moved in the merged answer, `from.path: to.path`, one after the other. "
		   "What is not there is not moved; what is in the way meets `on_conflict`.",
	},
	{
	    .key = "append",
	    .type = CONF_TEXT_PAIRS,
	    .offset = offsetof(struct route_conf, response.append),
	    .since = "0.1",
	    .doc = "Arrays whose elements are appended to another, `from.path: to.path`, after "
		   "`move`. A value that is no array counts as one element, null as none; an array "
		   "that is not there is made. What is appended stays where it was, unless `drop` lists it.",
	},
	{
	    .key = "drop",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct route_conf, response.drop),
	    .form = "[ orders.internal, \"orders.list[].secret\" ]",
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "What is left out of the merged answer in the end, after `move` and `append`.",
	},
	{
	    .key = "shape",
	    .type = CONF_WORD,
	    .offset = offsetof(struct route_conf, response.shape),
	    .words = shapes,
	    .fallback = "object",
	    .since = "0.1",
	    .doc = "`array`: the answer is the list of its members' values, in their order, "
		   "without the keys and without `partial.meta`. A part that is not there is null, "
		   "so that every part has its place.",
	},
};
const struct conf_section response_conf_section = {
	.rows = response_rows,
	.n_rows = ARRAY_LEN(response_rows),
	.doc = "The merged answer.",
};
