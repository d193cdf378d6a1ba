#include "conf/conf_dump.h"

#include "unit.h"

static void
assert_dump(const char *text, const char *want)
{
	struct arena a;
	struct conf_errors errors;
	struct yaml_node *root;
	struct buf got = BUF_INIT;

	arena_init(&a, NULL, 0);
	conf_error_init(&errors, &a);
	yaml_tree_parse(str_c(text), "f", &a, &errors, &root);
	ck_assert_uint_eq(errors.n, 0);
	conf_dump(root, &got);
	ck_assert_str_eq(buf_c(&got), want);
	buf_fini(&got);
	arena_reset(&a);
}

START_TEST(containers_are_blocks)
{
	assert_dump("{ a: { b: [ 1, { c: 2, d: [] }, [ x, [ y ] ] ], e: {} } }", "a:\n"
										 "  b:\n"
										 "    - 1\n"
										 "    - c: 2\n"
										 "      d: []\n"
										 "    - - x\n"
										 "      - - y\n"
										 "  e: {}\n");
}
END_TEST

START_TEST(quotes_stay_and_come_where_needed)
{
	assert_dump("a: 1", "a: 1\n");
	assert_dump("a: '1'", "a: \"1\"\n");
	assert_dump("a: -1.5e3", "a: -1.5e3\n");
	assert_dump("a: -x", "a: \"-x\"\n");
	assert_dump("a: some words", "a: some words\n");
	assert_dump("a:", "a: \"\"\n");
	assert_dump("a: é", "a: \"é\"\n");
	assert_dump("a: ${X}/y", "a: ${X}/y\n");
	assert_dump("'a b': x", "\"a b\": x\n");
	assert_dump("{ a: { b: -, c: d } }", "a:\n  b: \"-\"\n  c: d\n");
}
END_TEST

START_TEST(what_no_one_sees_is_escaped)
{
	assert_dump("a: \"\\x01\\t\\n\\x7f\\x85\\u2028\\ufeff\\\"\\\\\"",
	    "a: \"\\x01\\x09\\x0a\\x7f\\x85\\u2028\\ufeff\\\"\\\\\"\n");
}
END_TEST

UNIT_MAIN("conf_dump", containers_are_blocks, quotes_stay_and_come_where_needed,
    what_no_one_sees_is_escaped)
