/* Rules of tests. Start-up and reload only; one thread. */
#include "conf/conf_check_test.h"

#include "base/near.h"
#include "conf/conf_check_call.h"
#include "conf/conf_check_text.h"

/* A line end in a field would begin another. */
static void
check_fields(const struct conf_check *check, const struct conf_pair_list *fields)
{
	for (size_t i = 0; i < fields->n; i++) {
		const struct conf_pair *f = &fields->at[i];

		if (!header_is_token(f->name.s))
			conf_error_add(check->errors, f->name.pos, "not a name of a field");
		if (!header_is_value(f->value.s))
			conf_error_add(check->errors, f->value.pos, "not a value of a field");
	}
}

static void
check_name(const struct conf_check *check, size_t index)
{
	const struct test_conf *tests = check->conf->tests;

	for (size_t i = 0; i < index; i++)
		if (tests[index].name.n != 0 && str_eq(tests[i].name, tests[index].name))
			conf_error_add(check->errors, conf_check_place(tests[index].pos, "name"),
			    "another test has this name");
}

/* Names of calls come from any route: which one the request finds is what the test may be about. */
static void
check_call_name(const struct conf_check *check, const struct test_conf_call *call)
{
	const struct conf *c = check->conf;
	struct near near;
	struct str hint;

	near_init(&near, call->name, check->arena);
	for (size_t i = 0; i < c->n_routes; i++) {
		const struct route_conf *route = &c->routes[i];

		if (route->kind == ROUTE_PROXY && str_eq(call->name, STR("proxy")))
			return;
		for (size_t k = 0; k < route->n_calls; k++) {
			if (str_eq(call->name, route->calls[k].name))
				return;
			near_add(&near, route->calls[k].name);
		}
	}
	hint = near_hint(&near);
	conf_error_add(check->errors, call->pos,
	    "no route has such a call, and no `upstream` is named; %.*s", STR_FMT(hint));
}

static void
check_call(const struct conf_check *check, struct test_conf_call *call)
{
	if (str_is_none(call->upstream_name.s))
		check_call_name(check, call);
	else
		conf_check_call_upstream(check, &call->upstream_name, &call->upstream);
	conf_check_text_body(check, &call->body, &call->json);
	check_fields(check, &call->headers);
}

static void
check_reason(const struct conf_check *check, const struct conf_text *reason)
{
	struct near near;
	struct str hint;

	if (str_is_none(reason->s))
		return;
	near_init(&near, reason->s, check->arena);
	for (enum err_code e = ERR_NONE; e < ERR_COUNT; e++) {
		if (str_eq(reason->s, str_c(err_token(e))))
			return;
		near_add(&near, str_c(err_token(e)));
	}
	hint = near_hint(&near);
	conf_error_add(check->errors, reason->pos, "not a reason; %.*s", STR_FMT(hint));
}

void
conf_check_test_all(const struct conf_check *check)
{
	for (size_t i = 0; i < check->conf->n_tests; i++) {
		struct test_conf *test = &check->conf->tests[i];

		check_name(check, i);
		conf_check_text_body(check, &test->request.body, &test->request.json);
		check_fields(check, &test->request.headers);
		for (size_t k = 0; k < test->n_calls; k++)
			check_call(check, &test->calls[k]);
		conf_check_text_body(check, &test->expect.body, &test->expect.json);
		check_fields(check, &test->expect.headers);
		check_reason(check, &test->expect.reason);
	}
}
