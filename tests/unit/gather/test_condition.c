#include "gather/condition.h"

#include "unit.h"

static struct arena arena;
static struct header slots[8];
static struct header_list headers;
static struct request request;
static struct template_call calls[1];
static struct template_env env = { .request = &request, .calls = calls };
static const struct str names[] = { STR_INIT("id") };
static const struct str call_names[] = { STR_INIT("user") };
static const struct template_params params = { .names = names, .n = 1, .calls = call_names,
	.n_calls = 1 };
static struct template_error error;

static void
setup(void)
{
	struct str body = STR("{\"n\":10,\"f\":1.0,\"s\":\"a\\u0062c\",\"t\":true,\"z\":null,\"l\":[1,\"x\"]}");

	arena_init(&arena, NULL, 0);
	header_list_init(&headers, slots, ARRAY_LEN(slots));
	header_list_add(&headers, STR("X-Tier"), STR("gold"));
	header_list_add(&headers, STR("Cookie"), STR("a=1; beta=yes"));
	request = (struct request){ .headers = &headers,
		.query = STR("n=9&word=abc&nan=nan&hex=0x10&inf=inf&tab=%099&yes=true&no=false") };
	request.params[0] = STR("7");
	calls[0] = (struct template_call){ .body = { JSON_OBJECT, body },
		.result = { JSON_OBJECT, body }, .status = 200 };
}

START_TEST(holds_what_it_says)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "{header.x-tier} in [gold, silver]", true },
		{ "{header.x-tier} in ['gold']", true },
		{ "{header.x-tier} in [silver]", false },
		{ "{header.x-tier} in []", false },
		{ "{query.n} < 10", true }, /* as a number: as text 9 would be more */
		{ "{query.n} < {calls.user.body.n}", true },
		{ "{query.n} == 9.0", true },
		{ "{query.n} == '9.0'", false },
		{ "{query.word} < 10", false },
		{ "{query.nan} == 10", false }, /* what strtod(3) takes and JSON does not */
		{ "{query.nan} >= 10", false },
		{ "{query.hex} > 10", false },
		{ "{query.inf} > 10", false },
		{ "{query.tab} < 10", false },
		{ "{query.word} > 10", false },
		{ "{query.word} >= \"abb\"", true },
		{ "{calls.user.body.n} == 10 and {calls.user.body.f} == 1", true },
		{ "{calls.user.body.n} == \"10\"", false },
		{ "{calls.user.body.s} == abc", true },
		{ "{calls.user.body.t}", true },
		{ "not {calls.user.body.t}", false },
		{ "{calls.user.body.n}", false },
		{ "{calls.user.body.z} == null", true },
		{ "{calls.user.body.none} == null", true },
		{ "{calls.user.body.none} != null", false },
		{ "{calls.user.body.none} < 5", false },
		{ "exists {calls.user.body.none}", false },
		{ "exists {calls.user.body.z}", true },
		{ "exists {cookie.beta} and exists {cookie.a}", true },
		{ "exists {cookie.b}", false },
		{ "1 in {calls.user.body.l} and x in {calls.user.body.l}", true },
		{ "\"1\" in {calls.user.body.l}", false },
		{ "{calls.user.status} == 200", true },
		{ "{calls.user.status} >= 500", false },
		{ "{id} == 7", true },
		{ "false or true and false", false },
		{ "true or false and false", true },
		{ "(true or false) and false", false },
		{ "not not true", true },
		{ "not (1 < 2 and 2 < 3)", false },
		{ "notable == notable", true },
		{ "-1.5e1 == -15", true },
		{ "9007199254740993 == 9007199254740992", false },
		{ "9007199254740993 > 9007199254740992", true },
		{ "-9007199254740993 < -9007199254740992", true },
		{ "-0 == 0", true },
		{ "{id} == 007", false }, /* 007 is no number, so it is a text */
		{ "2 > -10 and -10 < 2 and 10 > 9", true },
		{ "{query.yes} and {query.yes} == true and {query.no} == false", true },
		{ "{query.no} or {query.word}", false },
		{ "{query.no} != true and {query.none|true}", true },
		{ "{query.yes} in [true]", true },
		{ "\"true\" == true", false },
		{ "{calls.user.body.none|7} == 7 and {calls.user.body.none|x} == x", true },
		{ "{calls.user.body.none|true}", true },
	};

	setup();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct condition *c;

		ck_assert_msg(condition_compile(&arena, str_c(rows[i].text), &params, &c, &error) ==
			ERR_NONE,
		    "%s: %zu: %s", rows[i].text, error.offset, error.message);
		ck_assert_msg(condition_holds(c, &env, &arena) == rows[i].want, "%s", rows[i].text);
	}
	arena_reset(&arena);
}
END_TEST

START_TEST(says_where_it_is_wrong)
{
	static const struct {
		const char *text;
		size_t offset;
	} rows[] = {
		{ "", 0 },
		{ "1 ==", 4 },
		{ "1 == 1 2", 7 },
		{ "(1 == 1", 7 },
		{ "exists 5", 7 },
		{ "{nope} == 1", 1 },
		{ "{calls.nobody.body.x} == 1", 7 },
		{ "{id == 1", 0 },
		{ "'abc == 1", 0 },
		{ "1 in [1, 2", 10 },
		{ "[1] == 1", 8 },
		{ "1 == [1]", 8 },
		{ "true < 1", 8 },
		{ "1 < abc", 7 },
		{ "a & b", 2 },
	};

	setup();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct condition *c;

		ck_assert_msg(condition_compile(&arena, str_c(rows[i].text), &params, &c, &error) ==
			ERR_BAD_CONFIG,
		    "took %s", rows[i].text);
		ck_assert_msg(error.offset == rows[i].offset, "%s: at %zu: %s", rows[i].text,
		    error.offset, error.message);
	}
	arena_reset(&arena);
}
END_TEST

START_TEST(knows_what_it_refers_to)
{
	struct template_uses uses = { 0 };
	struct condition *c;

	setup();
	ck_assert_int_eq(condition_compile(&arena, STR("not ({calls.user.body.n} in [1])"), &params,
			     &c, &error),
	    ERR_NONE);
	condition_add_uses(&uses, c);
	ck_assert(uses.calls == 1 && uses.calls_needed == 0 && !uses.body_json);
	ck_assert_int_eq(
	    condition_compile(&arena, STR("{body.a} == 1"), &params, &c, &error), ERR_NONE);
	uses = (struct template_uses){ 0 };
	condition_add_uses(&uses, c);
	ck_assert(uses.calls == 0 && uses.body_json);
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("condition", holds_what_it_says, says_where_it_is_wrong, knows_what_it_refers_to)
