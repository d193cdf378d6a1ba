/* Runs the tests of a configuration. Main thread; each test has an arena of its own. */
#include "daemon/selftest.h"

#include <stdlib.h>
#include <sysexits.h>

#include "daemon/canned.h"
#include "daemon/json_diff.h"
#include "daemon/selftest_answer.h"
#include "daemon/selftest_report.h"

/* A test under way. */
struct trial {
	const struct generation *gen;
	const struct test_conf *test;
	struct arena arena; /* owned */
	struct rehearsal_result result;
	struct buf differences; /* owned */
};

/* ---- the request */

static enum err_code
build_request(struct trial *t, size_t listener, struct canned *canned)
{
	const struct test_conf *test = t->test;
	size_t n = test->request.headers.n;
	struct str *fields = arena_calloc(&t->arena, n, sizeof *fields);
	struct canned_setup setup = {
		.method = test->request.method.s,
		.url = test->request.path.s,
		.fields = fields,
		.n_fields = n,
		.body = test->request.body.s,
		.listener = &t->gen->conf->listeners[listener],
	};

	for (size_t i = 0; i < n; i++)
		fields[i] = arena_printf(&t->arena, "%.*s: %.*s",
		    STR_FMT(test->request.headers.at[i].name.s),
		    STR_FMT(test->request.headers.at[i].value.s));
	if (test->request.json.kind != CONF_JSON_NONE) {
		setup.body = json_template_literal(&t->arena, &test->request.json);
		setup.type = STR("application/json");
	}
	return canned_build(&t->arena, &setup, canned);
}

/* A request that is refused by its syntax is sent all the same: the refusal may be what is tested. */
static void
run(struct trial *t)
{
	struct canned *canned = arena_calloc(&t->arena, 1, sizeof *canned);
	struct selftest_answer answers = {
		.conf = t->gen->conf, .test = t->test, .arena = &t->arena };
	struct rehearsal_setup setup = {
		.gen = t->gen,
		.method = http_table_method(t->test->request.method.s),
		.events = &selftest_answer_events,
		.owner = &answers,
		.arena = &t->arena,
	};
	const struct conf *c = t->gen->conf;
	struct router_match match;

	setup.listener = canned_listener(c->listeners, c->n_listeners, t->test->request.path.s);
	if (build_request(t, setup.listener, canned) == ERR_NONE && canned->is_routed &&
	    router_find(t->gen->site->router, &canned->request, &t->arena, &match) == ERR_NONE)
		answers.route = &t->gen->conf->routes[match.index];
	setup.bytes = canned->bytes;
	rehearsal_run(&setup, &t->result);
}

/* ---- the verdict */

static void
check_status(struct trial *t)
{
	uint64_t expected = t->test->expect.status;

	if (expected != 0 && expected != t->result.status)
		buf_printf(&t->differences, "status: expected %u, got %u\n", (unsigned)expected,
		    t->result.status);
}

static void
check_reason(struct trial *t)
{
	struct str expected = t->test->expect.reason.s;
	const char *got = err_token(t->result.reason);

	if (!str_is_none(expected) && !str_eq(expected, str_c(got)))
		buf_printf(&t->differences, "reason: expected %.*s, got %s\n", STR_FMT(expected), got);
}

/* True when some field of the name has the value. */
static bool
has_value(const struct header_list *fields, struct str name, struct str value)
{
	for (size_t i = 0; i < fields->n; i++)
		if (str_ieq(fields->at[i].name, name) && str_eq(fields->at[i].value, value))
			return true;
	return false;
}

static void
check_field(struct trial *t, struct str name, struct str value)
{
	const struct header *first = header_find_name(&t->result.fields, name);

	if (value.n == 0 ? first == NULL : has_value(&t->result.fields, name, value))
		return;
	buf_printf(&t->differences, "header %.*s: expected ", STR_FMT(name));
	if (value.n == 0)
		buf_add_c(&t->differences, "none");
	else
		buf_printf(&t->differences, "\"%.*s\"", STR_FMT(value));
	if (first == NULL)
		buf_add_c(&t->differences, ", got none\n");
	else
		buf_printf(&t->differences, ", got \"%.*s\"\n", STR_FMT(first->value));
}

static void
check_json(struct trial *t)
{
	const struct conf_json *tree = &t->test->expect.json;
	struct json_value expected, got;
	struct json_fault fault;
	struct json_scan js;

	if (tree->kind == CONF_JSON_NONE)
		return;
	json_scan_init(&js, 0);
	if (json_scan_text(&js, t->result.body, JSON_SCAN_KEEP_DUPLICATES, &got, &fault) != ERR_NONE)
		buf_printf(&t->differences, "body: not JSON: %s at byte %zu\n", fault.reason,
		    fault.offset);
	else if (json_scan_text(&js, json_template_literal(&t->arena, tree), 0, &expected, &fault) ==
	    ERR_NONE)
		json_diff_put(&t->differences, STR("body"), expected, got);
	json_scan_fini(&js);
}

static void
check_body(struct trial *t)
{
	struct str expected = t->test->expect.body.s, got = t->result.body;
	size_t at = 0;

	if (str_is_none(expected) || str_eq(expected, got))
		return;
	while (at < expected.n && at < got.n && expected.p[at] == got.p[at])
		at++;
	buf_printf(&t->differences, "body: differs at byte %zu\n  expected %.*s\n  got      %.*s\n", at,
	    STR_FMT(expected), STR_FMT(got));
}

static void
check_time(struct trial *t)
{
	uint64_t max_ns = t->test->expect.max_time_ns;

	if (max_ns != 0 && t->result.took_ns > max_ns)
		buf_printf(&t->differences, "time: expected at most %.3f ms, took %.3f ms\n",
		    (double)max_ns / 1e6, (double)t->result.took_ns / 1e6);
}

static void
check_foreseen(struct trial *t)
{
	const struct rehearsal_request *r;

	STAILQ_FOREACH (r, &t->result.requests, link)
		if (r->is_unforeseen)
			buf_printf(&t->differences,
			    "call %.*s: %.*s %.*s has no answer: neither in `calls` nor by a mock\n",
			    STR_FMT(r->call), STR_FMT(r->method), STR_FMT(r->target));
}

static void
judge(struct trial *t)
{
	const struct conf_pair_list *headers = &t->test->expect.headers;

	if (!t->result.is_answered)
		buf_add_c(&t->differences, "the connection ended before the answer was complete\n");
	check_status(t);
	check_reason(t);
	for (size_t i = 0; i < headers->n; i++)
		check_field(t, headers->at[i].name.s, headers->at[i].value.s);
	check_json(t);
	check_body(t);
	check_time(t);
	check_foreseen(t);
}

/* ---- all of them */

/* True when it passed. */
static bool
try_one(const struct selftest_options *options, const struct generation *gen, size_t i)
{
	struct trial t = { .gen = gen, .test = &gen->conf->tests[i], .differences = BUF_INIT };
	struct selftest_report report = { .conf = gen->conf, .test = t.test };
	bool is_fine;

	arena_init(&t.arena, NULL, 0);
	run(&t);
	judge(&t);
	report.result = &t.result;
	report.differences = buf_str(&t.differences);
	is_fine = t.differences.n == 0;
	selftest_report_tap(options->tap, i + 1, &report);
	if (options->junit != NULL)
		selftest_report_junit(options->junit, &report);
	buf_fini(&t.differences);
	arena_reset(&t.arena);
	return is_fine;
}

int
selftest_run(const struct selftest_options *options)
{
	struct generation *gen = generation_read(options->file);
	size_t n, n_failed = 0;

	if (gen == NULL)
		return EX_CONFIG;
	n = gen->conf->n_tests;
	buf_printf(options->tap, "TAP version 13\n1..%zu\n", n);
	if (options->junit != NULL)
		selftest_report_junit_begin(options->junit, options->file, n);
	for (size_t i = 0; i < n; i++)
		n_failed += !try_one(options, gen, i);
	if (options->junit != NULL)
		selftest_report_junit_end(options->junit);
	buf_printf(options->tap, "# %zu passed, %zu failed\n", n - n_failed, n_failed);
	generation_free(gen);
	return n_failed == 0 && n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
