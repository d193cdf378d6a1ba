/* The rows of `tests`. Constant data; any thread. */
#include "conf/test_conf.h"

#include <stddef.h>

#include "base/compiler.h"

static const struct conf_row request_rows[] = {
	{
	    .key = "method",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct test_conf, request.method),
	    .fallback = "GET",
	    .since = "0.1",
	    .doc = "The method.",
	},
	{
	    .key = "path",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct test_conf, request.path),
	    .is_required = true,
	    .form = "/users/7?lang=de",
	    .since = "0.1",
	    .doc = "The path with its query, or an absolute URL.",
	},
	{
	    .key = "headers",
	    .type = CONF_TEXT_PAIRS,
	    .offset = offsetof(struct test_conf, request.headers),
	    .since = "0.1",
	    .doc = "Fields of the request. Host is `localhost` unless it is here.",
	},
	{
	    .key = "body",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct test_conf, request.body),
	    .since = "0.1",
	    .doc = "The body as text. Excludes `json`.",
	},
	{
	    .key = "json",
	    .type = CONF_JSON,
	    .offset = offsetof(struct test_conf, request.json),
	    .since = "0.1",
	    .doc = "The body as JSON; sets Content-Type. Excludes `body`.",
	},
};
static const struct conf_section request_section = {
	.rows = request_rows,
	.n_rows = ARRAY_LEN(request_rows),
	.doc = "What a client sends.",
};

static const struct conf_word faults[] = {
	{ "none", TEST_CONF_NO_FAULT },
	{ "refuse", TEST_CONF_REFUSE },
	{ "reset", TEST_CONF_RESET },
	{ "timeout", TEST_CONF_TIMEOUT },
	{ "truncate", TEST_CONF_TRUNCATE },
	{ "garbage", TEST_CONF_GARBAGE },
	{ NULL, 0 },
};
static const struct conf_row call_rows[] = {
	{
	    .key = "upstream",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct test_conf_call, upstream_name),
	    .since = "0.1",
	    .doc = "Answers all requests to this upstream, whatever call makes them; the entry's "
		   "own name then means nothing. Without it: those of the call that the entry is "
		   "named after (`proxy` for proxy routes).",
	},
	{
	    .key = "path",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct test_conf_call, path),
	    .form = "/users/{id}",
	    .since = "0.1",
	    .doc = "Answers only requests for this path, and this query when it has one; `{x}` "
		   "stands for any text without a slash. The first entry that fits answers.",
	},
	{
	    .key = "status",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct test_conf_call, status),
	    .min = 200,
	    .max = 599,
	    .fallback = "200",
	    .since = "0.1",
	    .doc = "The status of the answer.",
	},
	{
	    .key = "headers",
	    .type = CONF_TEXT_PAIRS,
	    .offset = offsetof(struct test_conf_call, headers),
	    .since = "0.1",
	    .doc = "Fields of the answer.",
	},
	{
	    .key = "json",
	    .type = CONF_JSON,
	    .offset = offsetof(struct test_conf_call, json),
	    .since = "0.1",
	    .doc = "The body as JSON; sets Content-Type. Excludes `body`.",
	},
	{
	    .key = "body",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct test_conf_call, body),
	    .since = "0.1",
	    .doc = "The body as text. Excludes `json`.",
	},
	{
	    .key = "delay",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct test_conf_call, delay_ns),
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "0",
	    .since = "0.1",
	    .doc = "How long the answer takes.",
	},
	{
	    .key = "fault",
	    .type = CONF_WORD,
	    .offset = offsetof(struct test_conf_call, fault),
	    .words = faults,
	    .fallback = "none",
	    .since = "0.1",
	    .doc = "What goes wrong: `refuse`, the upstream takes no connections at all; `reset`, "
		   "the connection is reset when the request has come; `timeout`, no answer ever "
		   "comes; `truncate`, the connection ends in the middle of the answer; "
		   "`garbage`, the answer is not HTTP.",
	},
};
const struct conf_section test_conf_call_section = {
	.rows = call_rows,
	.n_rows = ARRAY_LEN(call_rows),
	.size = sizeof(struct test_conf_call),
	.name_offset = offsetof(struct test_conf_call, name),
	.pos_offset = offsetof(struct test_conf_call, pos),
	.doc = "What requests are answered.",
};

static const struct conf_row expect_rows[] = {
	{
	    .key = "status",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct test_conf, expect.status),
	    .max = 599,
	    .fallback = "0",
	    .unit = "0: any",
	    .since = "0.1",
	    .doc = "The status.",
	},
	{
	    .key = "headers",
	    .type = CONF_TEXT_PAIRS,
	    .offset = offsetof(struct test_conf, expect.headers),
	    .since = "0.1",
	    .doc = "Fields that must be there with these values. The empty value: the field must "
		   "not be there.",
	},
	{
	    .key = "json",
	    .type = CONF_JSON,
	    .offset = offsetof(struct test_conf, expect.json),
	    .since = "0.1",
	    .doc = "The body as JSON: the same members in any order, the same elements in this "
		   "order, the same text of numbers. Excludes `body`.",
	},
	{
	    .key = "body",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct test_conf, expect.body),
	    .since = "0.1",
	    .doc = "The body, byte by byte.",
	},
	{
	    .key = "reason",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct test_conf, expect.reason),
	    .since = "0.1",
	    .doc = "The reason token of an answer that is a problem or lacks a part, such as "
		   "`timeout`; `none` for a full answer.",
	},
	{
	    .key = "max_time",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct test_conf, expect.max_time_ns),
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "0",
	    .unit = "0: any",
	    .since = "0.1",
	    .doc = "How long the answer may take, on the clock of the test.",
	},
};
static const struct conf_section expect_section = {
	.rows = expect_rows,
	.n_rows = ARRAY_LEN(expect_rows),
	.doc = "What must come of it.",
};

static const struct conf_row test_conf_rows[] = {
	{
	    .key = "name",
	    .type = CONF_STR,
	    .offset = offsetof(struct test_conf, name),
	    .is_required = true,
	    .since = "0.1",
	    .doc = "What is tested, in words.",
	},
	{
	    .key = "request",
	    .type = CONF_SECTION,
	    .section = &request_section,
	    .is_required = true,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "What a client sends.",
	},
	{
	    .key = "calls",
	    .type = CONF_NAMED,
	    .offset = offsetof(struct test_conf, calls),
	    .count_offset = offsetof(struct test_conf, n_calls),
	    .section = &test_conf_call_section,
	    .since = "0.1",
	    .doc = "What the calls are answered, by the name of the call. A request that no entry "
		   "fits goes to the `mock` of its upstream; without one the test fails.",
	},
	{
	    .key = "expect",
	    .type = CONF_SECTION,
	    .section = &expect_section,
	    .is_required = true,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "What must come of it.",
	},
};
const struct conf_section test_conf_section = {
	.rows = test_conf_rows,
	.n_rows = ARRAY_LEN(test_conf_rows),
	.size = sizeof(struct test_conf),
	.name_offset = CONF_NOWHERE,
	.pos_offset = offsetof(struct test_conf, pos),
	.doc = "One test.",
};
