#include "gather/merge.h"

#include "merge_case.h"
#include "unit.h"

static struct arena arena;

START_TEST(puts_parts_under_their_names)
{
	static const struct merge_case cases[] = {
		{ CONFLICT_ERROR,
		    { { "user", NULL, "{ \"id\": 1234567890123456789 }" }, { "n", NULL, "1.10" } },
		    NULL, "{\"user\":{ \"id\": 1234567890123456789 },\"n\":1.10}" },
		{ CONFLICT_ERROR, { { "a", NULL, NULL }, { "b", NULL, "-0" }, { "c", NULL, NULL } },
		    NULL, "{\"b\":-0}" },
		{ CONFLICT_ERROR, { { "a", NULL, NULL }, { "b", NULL, NULL } }, NULL, "{}" },
		{ CONFLICT_ERROR, { { "a", NULL, NULL } }, "{\"complete\":false}",
		    "{\"_meta\":{\"complete\":false}}" },
		{ CONFLICT_ERROR, { { "a", NULL, "1" }, { "b", NULL, NULL } },
		    "{\"complete\":false}", "{\"a\":1,\"_meta\":{\"complete\":false}}" },
		{ CONFLICT_ERROR, { { "a\"b", NULL, "1" }, { "x", "\"x.y\"", "2" } }, NULL,
		    "{\"a\\\"b\":1,\"x.y\":2}" },
	};
	static const struct merge_case kept = { CONFLICT_ERROR,
		{ { "a", NULL, NULL }, { "b", NULL, "1" }, { "c", NULL, NULL } }, NULL,
		"{\"a\":null,\"b\":1,\"c\":null}" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_str_is(merge_case_run(&arena, &cases[i], false), cases[i].want);
	ck_assert_str_is(merge_case_run(&arena, &kept, true), kept.want);
	arena_reset(&arena);
}
END_TEST

/* The usual answer is two slices per part, in memory that one allocation takes. */
START_TEST(needs_only_glue_in_the_usual_case)
{
	struct merge_place places[3];
	struct json_value parts[3];
	struct merge_spec spec = { .places = places, .n = 3, .policy = CONFLICT_ERROR };
	struct merge_input in = { .parts = parts, .arena = &arena };
	struct merge_plan *plan;
	struct merge_result result;

	for (size_t i = 0; i < 3; i++) {
		places[i].name = arena_printf(&arena, "part%zu", i);
		json_path_of_key(&arena, places[i].name, &places[i].into);
		parts[i] = (struct json_value){ JSON_TRUE, STR("true") };
	}
	ck_assert_int_eq(merge_plan_new(&arena, &spec, &plan, NULL), ERR_NONE);
	ck_assert(plan->is_flat);
	ck_assert_int_eq(merge_run(plan, &in, &result), ERR_NONE);
	ck_assert_uint_eq(result.n, 7);
	ck_assert_uint_eq(
	    result.bytes, sizeof "{\"part0\":true,\"part1\":true,\"part2\":true}" - 1);
	ck_assert_ptr_eq(result.iov[1].iov_base, parts[0].text.p);
	arena_reset(&arena);
}
END_TEST

static enum err_code
plan_of(
    enum conflict_policy policy, const char *first, const char *second, struct merge_fault *fault)
{
	struct merge_case c = { .policy = policy,
		.parts = { { "n0", first, NULL }, { "n1", second, NULL } } };
	struct merge_place places[MERGE_CASE_PARTS];
	struct merge_spec spec = { places, 2, policy, STR("_meta"), false };
	struct merge_plan *plan;

	merge_case_places(&arena, &c, places);
	return merge_plan_new(&arena, &spec, &plan, fault);
}

START_TEST(refuses_plans_that_cannot_work)
{
	struct merge_fault fault;

	ck_assert_int_eq(plan_of(CONFLICT_ERROR, "a.b", "a.b", &fault), ERR_BAD_CONFIG);
	ck_assert_uint_eq(fault.place, 1);
	ck_assert_str_eq(fault.reason, "another call has the same place, and on_conflict is error");
	ck_assert_int_eq(plan_of(CONFLICT_ERROR, NULL, "n0", &fault), ERR_BAD_CONFIG);
	ck_assert_int_eq(plan_of(CONFLICT_ERROR, "a.b", "a.\"\\u0062\"", &fault), ERR_BAD_CONFIG);
	ck_assert_int_eq(plan_of(CONFLICT_LAST, "_meta.x", "b", &fault), ERR_BAD_CONFIG);
	ck_assert_uint_eq(fault.place, 0);
	ck_assert_str_eq(fault.reason, "the place belongs to the metadata object");
	ck_assert_int_eq(plan_of(CONFLICT_LAST, "[]", "a", &fault), ERR_BAD_CONFIG);
	ck_assert_uint_eq(fault.place, 1);
	ck_assert_str_eq(fault.reason, "an answer that is an array takes all its parts into \"[]\"");
	ck_assert_int_eq(plan_of(CONFLICT_LAST, ".", "[]", &fault), ERR_BAD_CONFIG);
	ck_assert_int_eq(plan_of(CONFLICT_ERROR, "[]", "[]", &fault), ERR_NONE);
	ck_assert_int_eq(plan_of(CONFLICT_LAST, "a.b", "a.b", &fault), ERR_NONE);
	ck_assert_int_eq(plan_of(CONFLICT_ERROR, "a[]", "a[]", &fault), ERR_NONE);
	ck_assert_int_eq(plan_of(CONFLICT_ERROR, ".", ".", &fault), ERR_NONE);
	ck_assert_int_eq(plan_of(CONFLICT_ERROR, "a.b", "a.c", &fault), ERR_NONE);
	ck_assert_int_eq(plan_of(CONFLICT_ERROR, "a", "a.c", &fault), ERR_NONE);
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("merge", puts_parts_under_their_names, needs_only_glue_in_the_usual_case,
    refuses_plans_that_cannot_work)
