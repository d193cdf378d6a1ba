#include "gather/meta.h"

#include "unit.h"

START_TEST(tells_what_is_missing)
{
	static const struct meta_call calls[] = {
		{ .name = STR_INIT("orders"), .error = ERR_TIMEOUT, .ms = 400 },
		{ .name = STR_INIT("a\"b"), .error = ERR_QUEUE_FULL },
	};
	static const struct meta_call gaps = {
		.name = STR_INIT("products"), .error = ERR_TIMEOUT, .n_items = 2, .ms = 7 };
	struct arena a;

	arena_init(&a, NULL, 0);
	ck_assert_str_is(meta_of_calls(&a, calls, 1),
	    "{\"complete\":false,\"calls\":{\"orders\":{\"error\":\"timeout\",\"ms\":400}}}");
	ck_assert_str_is(meta_of_calls(&a, calls, 2),
	    "{\"complete\":false,\"calls\":{\"orders\":{\"error\":\"timeout\",\"ms\":400},"
	    "\"a\\\"b\":{\"error\":\"queue_full\",\"ms\":0}}}");
	ck_assert_str_is(meta_of_calls(&a, &gaps, 1),
	    "{\"complete\":false,\"calls\":{\"products\":{\"error\":\"timeout\",\"ms\":7,\"items\":2}}}");
	ck_assert_str_is(meta_of_calls(&a, NULL, 0), "{\"complete\":true}");
	arena_reset(&a);
}
END_TEST

START_TEST(describes_problems)
{
	struct meta_problem problem = { .status = 504, .call = STR("orders"), .error = ERR_TIMEOUT };
	struct arena a;

	arena_init(&a, NULL, 0);
	ck_assert_str_is(meta_of_problem(&a, &problem),
	    "{\"status\":504,\"title\":\"Gateway Timeout\",\"detail\":\"the upstream did not "
	    "finish its answer in time\","
	    "\"call\":\"orders\",\"reason\":\"timeout\"}");
	problem = (struct meta_problem){ .status = 404, .detail = STR("no \"such\" thing"), .error = ERR_NO_ROUTE };
	ck_assert_str_is(meta_of_problem(&a, &problem),
	    "{\"status\":404,\"title\":\"Not Found\",\"detail\":\"no \\\"such\\\" "
	    "thing\",\"reason\":\"no_route\"}");
	arena_reset(&a);
}
END_TEST

UNIT_MAIN("meta", tells_what_is_missing, describes_problems)
