#include "gather/merge_json.h"

#include "merge_case.h"
#include "unit.h"

static struct arena arena;

static void
check(const struct merge_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_str_is(merge_case_run(&arena, &cases[i], false), cases[i].want);
	arena_reset(&arena);
}

START_TEST(merges_at_the_root)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_ERROR, { { "a", ".", " { \"x\" : 1 , \"y\":[ ] } " } }, NULL,
		    "{ \"x\" : 1 , \"y\":[ ] }" },
		{ CONFLICT_ERROR, { { "a", ".", "{ \"x\" : 1 }" }, { "b", NULL, "2" } }, NULL,
		    "{\"x\" : 1,\"b\":2}" },
		{ CONFLICT_ERROR,
		    { { "a", ".", "{}" }, { "b", ".", "{ }" }, { "c", ".", "{\"x\":1}" } }, NULL,
		    "{\"x\":1}" },
		{ CONFLICT_ERROR, { { "a", ".", "{}" }, { "b", ".", NULL } }, NULL, "{}" },
		{ CONFLICT_ERROR, { { "a", ".", NULL } }, NULL, "{}" },
		{ CONFLICT_ERROR,
		    { { "a", ".", "{\"x\":1}" }, { "b", ".", "{\"y\":2,\"\\u0078\":3}" } }, NULL,
		    "!x" },
		{ CONFLICT_FIRST,
		    { { "a", ".", "{\"x\":1}" }, { "b", ".", "{\"y\":2,\"\\u0078\":3}" } }, NULL,
		    "{\"x\":1,\"y\":2}" },
		{ CONFLICT_LAST,
		    { { "a", ".", "{\"x\":1}" }, { "b", ".", "{\"y\":2,\"\\u0078\":3}" } }, NULL,
		    "{\"x\":3,\"y\":2}" },
		{ CONFLICT_LAST,
		    { { "a", ".", "{\"a\":1,\"b\":2,\"c\":3}" }, { "b", ".", "{\"b\":4,\"d\":5}" },
			{ "c", NULL, "6" } },
		    NULL, "{\"a\":1,\"b\":4,\"c\":6,\"d\":5}" },
	};

	check(cases, ARRAY_LEN(cases));
}
END_TEST

/* What is no object can be the answer only when nothing else can ever be in it. */
START_TEST(takes_other_kinds_at_the_root_only_alone)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_ERROR, { { "a", ".", " [ 1, 2 ] " } }, NULL, "[ 1, 2 ]" },
		{ CONFLICT_ERROR, { { "a", ".", "null" } }, "{}", "null" },
		{ CONFLICT_ERROR, { { "a", ".", "{}" } }, "{}", "{\"_meta\":{}}" },
		{ CONFLICT_LAST, { { "a", ".", "[1]" }, { "b", NULL, NULL } }, NULL, "!." },
		{ CONFLICT_APPEND, { { "a", NULL, "1" }, { "b", ".", "2" } }, NULL, "!." },
	};

	check(cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(nests)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_ERROR,
		    { { "a", "x.y", "1" }, { "b", "x.z", "2" }, { "c", "x.w.v", "3" } }, NULL,
		    "{\"x\":{\"y\":1,\"z\":2,\"w\":{\"v\":3}}}" },
		/* into the object that another call brought, in whatever order */
		{ CONFLICT_ERROR, { { "user", NULL, "{\"id\":7}" }, { "b", "user.orders", "[]" } },
		    NULL, "{\"user\":{\"id\":7,\"orders\":[]}}" },
		{ CONFLICT_ERROR, { { "b", "user.orders", "[]" }, { "user", NULL, "{\"id\":7}" } },
		    NULL, "{\"user\":{\"orders\":[],\"id\":7}}" },
		{ CONFLICT_ERROR,
		    { { "user", NULL, "{\"orders\":7}" }, { "b", "user.orders", "[]" } }, NULL,
		    "!user.orders" },
		{ CONFLICT_ERROR, { { "user", NULL, "[7]" }, { "b", "user.orders", "[]" } }, NULL,
		    "!user" },
		{ CONFLICT_FIRST, { { "user", NULL, "[7]" }, { "b", "user.orders", "[]" } }, NULL,
		    "{\"user\":[7]}" },
		{ CONFLICT_DEEP, { { "user", NULL, "[7]" }, { "b", "user.orders", "[]" } }, NULL,
		    "{\"user\":{\"orders\":[]}}" },
		{ CONFLICT_ERROR, { { "a", ".", "{\"m\":{\"n\":1}}" }, { "b", "m.\"x.y\"", "2" } },
		    NULL, "{\"m\":{\"n\":1,\"x.y\":2}}" },
		{ CONFLICT_ERROR,
		    { { "a", ".", "{\"m\":{\"x.y\":1}}" }, { "b", "m.\"x.y\"", "2" } }, NULL,
		    "!m.\"x.y\"" },
	};

	check(cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(appends)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_ERROR,
		    { { "a", "l[]", "[ 1 , 2 ]" }, { "b", "l[]", "{}" }, { "c", "l[]", "[]" },
			{ "d", "l[]", "[[3]]" } },
		    NULL, "{\"l\":[1 , 2,{},[3]]}" },
		{ CONFLICT_ERROR, { { "a", "l[]", NULL }, { "b", "l[]", "[]" } }, NULL,
		    "{\"l\":[]}" },
		{ CONFLICT_ERROR, { { "a", "l[]", NULL }, { "b", "l[]", NULL } }, NULL, "{}" },
		{ CONFLICT_ERROR, { { "a", "l[]", "[ 1 ]" } }, NULL, "{\"l\":[ 1 ]}" },
		{ CONFLICT_ERROR, { { "a", "l[]", "7" } }, NULL, "{\"l\":[7]}" },
		{ CONFLICT_ERROR, { { "l", NULL, "[1]" }, { "b", "l[]", "2" } }, NULL,
		    "{\"l\":[1,2]}" },
		{ CONFLICT_ERROR, { { "b", "l[]", "2" }, { "l", NULL, "[1]" } }, NULL,
		    "{\"l\":[2,1]}" },
		{ CONFLICT_ERROR, { { "l", NULL, "1" }, { "b", "l[]", "2" } }, NULL, "!l" },
		{ CONFLICT_LAST, { { "l", NULL, "1" }, { "b", "l[]", "2" } }, NULL, "{\"l\":[2]}" },
		{ CONFLICT_FIRST, { { "l", NULL, "1" }, { "b", "l[]", "2" } }, NULL, "{\"l\":1}" },
		{ CONFLICT_ERROR, { { "a", "x.l[]", "1" }, { "x", NULL, "{\"l\":[2],\"k\":0}" } },
		    NULL, "{\"x\":{\"l\":[1,2],\"k\":0}}" },
	};

	check(cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(an_answer_may_be_an_array)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_ERROR, { { "a", "[]", "[ 1 , 2 ]" }, { "b", "[]", "{\"_meta\":1}" } },
		    "{\"complete\":false}", "[1 , 2,{\"_meta\":1}]" },
		{ CONFLICT_ERROR, { { "a", "[]", NULL }, { "b", "[]", "[ ]" } }, NULL, "[ ]" },
		{ CONFLICT_ERROR, { { "a", "[]", NULL }, { "b", "[]", NULL } }, "{}", "[]" },
		{ CONFLICT_ERROR, { { "a", "[]", "5" } }, NULL, "[5]" },
	};

	check(cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(settles_by_policy)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_DEEP,
		    { { "a", "x", "{\"p\":1,\"q\":{\"r\":1,\"s\":[1]}}" },
			{ "b", "x", "{\"q\":{\"s\":[2],\"t\":3},\"u\":4}" } },
		    NULL, "{\"x\":{\"p\":1,\"q\":{\"r\":1,\"s\":[2],\"t\":3},\"u\":4}}" },
		{ CONFLICT_DEEP,
		    { { "a", "x", "{\"p\":1}" }, { "b", "x", "5" }, { "c", "x", "{\"q\":1}" } },
		    NULL, "{\"x\":{\"q\":1}}" },
		{ CONFLICT_APPEND,
		    { { "a", "x", "1" }, { "b", "x", "{}" }, { "c", "x", "[ ]" },
			{ "d", "x", "[2,3]" } },
		    NULL, "{\"x\":[2,3]}" },
		{ CONFLICT_APPEND, { { "a", "x", "[1]" }, { "b", "x", "2" } }, NULL, "{\"x\":2}" },
		{ CONFLICT_APPEND, { { "a", "x", "[1]" }, { "b", "x", "[2]" } }, NULL,
		    "{\"x\":[1,2]}" },
		{ CONFLICT_APPEND,
		    { { "a", "x", "{\"p\":1}" }, { "b", "x.q", "2" }, { "c", "x", "{\"r\":3}" } },
		    NULL, "{\"x\":{\"r\":3}}" },
		{ CONFLICT_LAST,
		    { { "a", "x", "{\"p\":1}" }, { "b", "x.q", "2" }, { "c", "x", "{\"r\":3}" } },
		    NULL, "{\"x\":{\"r\":3}}" },
		{ CONFLICT_FIRST,
		    { { "a", "x", "{\"p\":1}" }, { "b", "x.q", "2" }, { "c", "x", "{\"r\":3}" } },
		    NULL, "{\"x\":{\"p\":1,\"q\":2}}" },
	};

	check(cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(gives_the_metadata_its_place)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_ERROR, { { "a", ".", "{\"x\":1}" }, { "b", ".", NULL } }, "{\"c\":0}",
		    "{\"x\":1,\"_meta\":{\"c\":0}}" },
		{ CONFLICT_ERROR,
		    { { "a", ".", "{\"x\":1,\"_meta\":2,\"y\":3}" },
			{ "b", ".", "{\"_met\\u0061\":4}" } },
		    "{\"c\":0}", "{\"x\":1,\"y\":3,\"_meta\":{\"c\":0}}" },
		{ CONFLICT_APPEND, { { "a", ".", "{\"_meta\":2}" } }, NULL, "{\"_meta\":2}" },
		{ CONFLICT_APPEND, { { "a", ".", "{\"_meta\":2}" } }, "{\"c\":0}",
		    "{\"_meta\":{\"c\":0}}" },
	};

	check(cases, ARRAY_LEN(cases));
}
END_TEST

START_TEST(keeps_the_places_of_absent_parts)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_ERROR,
		    { { "a", "x.y", NULL }, { "b", "x.z", "1" }, { "c", "l[]", NULL },
			{ "d", "w.v", NULL }, { "e", "w.u", NULL } },
		    NULL, "{\"x\":{\"z\":1},\"l\":null,\"w\":null}" },
		{ CONFLICT_LAST, { { "a", NULL, "1" }, { "b", "a", NULL } }, NULL, "{\"a\":1}" },
		{ CONFLICT_ERROR, { { "a", NULL, NULL }, { "b", ".", "{\"c\":2,\"a\":1}" } }, NULL,
		    "{\"a\":1,\"c\":2}" },
		{ CONFLICT_ERROR, { { "a", ".", NULL }, { "b", NULL, "1" } }, NULL, "{\"b\":1}" },
		{ CONFLICT_ERROR, { { "a", "[]", NULL }, { "b", "[]", "1" } }, NULL, "[1]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_str_is(merge_case_run(&arena, &cases[i], true), cases[i].want);
	arena_reset(&arena);
}
END_TEST

/* Numbers, escapes and the white space in values are the upstream's, whichever way they go. */
START_TEST(keeps_bytes)
{
	static const char value[] =
	    "{\"id\": 1234567890123456789,\"p\":1.10 ,\"e\":1E400,\"z\":-0,\"s\":\"\\u003c<\\/\"}";
	static const struct merge_case cases[] = {
		{ CONFLICT_DEEP, { { "a", "x", value }, { "b", "x", "{\"n\":0}" } }, NULL,
		    "{\"x\":{\"id\": 1234567890123456789,\"p\":1.10 "
		    ",\"e\":1E400,\"z\":-0,\"s\":\"\\u003c<\\/\",\"n\":0}}" },
		{ CONFLICT_LAST, { { "a", ".", value }, { "b", ".", "{\"p\":1}" } }, NULL,
		    "{\"id\": "
		    "1234567890123456789,\"p\":1,\"e\":1E400,\"z\":-0,\"s\":\"\\u003c<\\/\"}" },
	};

	check(cases, ARRAY_LEN(cases));
}
END_TEST

/* {"k0":{...}...}: n members, each `value`; keys from `first` on. */
static void
large_object(struct buf *b, unsigned first, unsigned n, const char *value)
{
	buf_add_c(b, "{\"own\":null");
	b->p[2] = (char)('a' + first % 26);
	for (unsigned i = first; i < first + n; i++)
		buf_printf(b, ",\"k%u\":%s", i, value);
	buf_add_c(b, "}");
}

/* Returns the bytes taken from the arena and the heap for the merge of two parts. */
static size_t
cost_of(enum conflict_policy policy, struct str a, struct str b, struct merge_result *result)
{
	struct merge_place places[2] = { { STR("a"), { NULL, 0 } }, { STR("b"), { NULL, 0 } } };
	struct json_value parts[2];
	struct merge_spec spec = { places, 2, policy, str_none(), false };
	struct json_scan js;
	struct merge_input in = { parts, str_none(), &js, &arena };
	struct merge_plan *plan;
	size_t before;

	json_scan_init(&js, 1);
	ck_assert_int_eq(json_scan_text(&js, a, 0, &parts[0], NULL), ERR_NONE);
	ck_assert_int_eq(json_scan_text(&js, b, 0, &parts[1], NULL), ERR_NONE);
	ck_assert_int_eq(merge_plan_new(&arena, &spec, &plan, NULL), ERR_NONE);
	before = arena.used_bytes;
	ck_assert_int_eq(merge_run(plan, &in, result), ERR_NONE);
	json_scan_fini(&js);
	return arena.used_bytes - before;
}

/* The stack of keys, eight bytes per member, is given back; the answer itself costs nothing. */
START_TEST(needs_little_memory_for_large_parts)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct merge_result result;
	size_t cost;

	large_object(&a, 0, 1000000, "12345");
	buf_add_c(&b, "{\"own\":1,\"other\":[]}");
	ck_assert_uint_gt(a.n, 15 << 20);
	cost = cost_of(CONFLICT_ERROR, buf_str(&a), buf_str(&b), &result);
	ck_assert_uint_lt(cost, 4096);
	ck_assert_uint_eq(result.bytes, a.n + b.n - 1);
	buf_fini(&a);
	buf_fini(&b);
	arena_reset(&arena);
}
END_TEST

START_TEST(merges_many_keys_with_many)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct merge_result result;

	large_object(&a, 0, 200000, "{\"x\":1}");
	large_object(&b, 1, 200000, "{\"y\":2}");
	ck_assert_uint_lt(
	    cost_of(CONFLICT_DEEP, buf_str(&a), buf_str(&b), &result), 2 * (a.n + b.n));
	/* the merged members are {"x":1,"y":2} */
	ck_assert_uint_lt(result.bytes, a.n + 200000 * sizeof ",\"y\":2");
	buf_fini(&a);
	buf_fini(&b);
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("merge_json", merges_at_the_root, takes_other_kinds_at_the_root_only_alone, nests,
    appends, an_answer_may_be_an_array, settles_by_policy,
    keeps_the_places_of_absent_parts, gives_the_metadata_its_place,
    keeps_bytes, needs_little_memory_for_large_parts, merges_many_keys_with_many)
