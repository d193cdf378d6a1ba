/* Differences of JSON values. */
#include "daemon/json_diff.h"

#include <string.h>

#include "codec/json_scan.h"
#include "unit.h"

/* What the two texts differ in. */
static void
expect(const char *a, const char *b, size_t n, const char *lines)
{
	struct json_value expected, got;
	struct buf out = BUF_INIT;

	ck_assert_int_eq(json_scan_once(str_c(a), &expected, NULL), ERR_NONE);
	ck_assert_int_eq(json_scan_once(str_c(b), &got, NULL), ERR_NONE);
	ck_assert_uint_eq(json_diff_put(&out, STR("x"), expected, got), n);
	if (lines != NULL)
		ck_assert_str_eq(buf_c(&out), lines);
	buf_fini(&out);
}

START_TEST(equal_values_do_not_differ)
{
	expect("{\"a\":1,\"b\":[true,null]}", " { \"b\" : [ true , null ] , \"a\" : 1 } ", 0, "");
	expect("\"\\u0061\"", "\"a\"", 0, "");
	expect("{\"\\u0061\":{}}", "{\"a\":{}}", 0, "");
	expect("[]", "[]", 0, "");
}
END_TEST

START_TEST(each_difference_is_a_line)
{
	expect("1.0", "1", 1, "x: expected 1.0, got 1\n");
	expect("true", "false", 1, "x: expected true, got false\n");
	expect("[]", "{}", 1, "x: expected [], got {}\n");
	expect("{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":3,\"c\":4}],\"d\":5}", 3,
	    "x.a[1].b: expected 2, got 3\nx.a[1].c: expected nothing, got 4\n"
	    "x.d: expected nothing, got 5\n");
	expect("[1,2]", "[1]", 1, "x[1]: expected 2, got nothing\n");
	expect("[]", "[[]]", 1, "x[0]: expected nothing, got []\n");
}
END_TEST

START_TEST(many_differences_and_long_values_are_cut)
{
	char a[400], b[400], text[300];
	size_t n = 0;

	for (size_t i = 0; i < 30; i++, n += 2) {
		memcpy(a + n, i == 0 ? "[1" : ",1", 2);
		memcpy(b + n, i == 0 ? "[2" : ",2", 2);
	}
	memcpy(a + n, "]", 2);
	memcpy(b + n, "]", 2);
	expect(a, b, 30, NULL);
	memset(text, 'y', sizeof text);
	text[0] = text[sizeof text - 2] = '"';
	text[sizeof text - 1] = '\0';
	expect(text, "0", 1, NULL);
}
END_TEST

UNIT_MAIN("json_diff", equal_values_do_not_differ, each_difference_is_a_line,
    many_differences_and_long_values_are_cut)
