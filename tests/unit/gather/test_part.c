#include "gather/part.h"

#include "unit.h"

static struct arena arena;
static struct part part;

static enum err_code
part_of(enum part_format format, bool keep_last, struct str body)
{
	struct part_rule rule = { format, keep_last, NULL };
	struct json_scan js;
	enum err_code e;

	json_scan_init(&js, 8);
	e = part_read(&rule, body, &js, &arena, &part);
	json_scan_fini(&js);
	return e;
}

START_TEST(reads_json)
{
	ck_assert_int_eq(part_of(PART_JSON, false, STR(" {\"a\": 1.10}\n")), ERR_NONE);
	ck_assert_int_eq(part.value.kind, JSON_OBJECT);
	ck_assert_str_is(part.value.text, "{\"a\": 1.10}");
	ck_assert_int_eq(part_of(PART_JSON, false, STR("{\"a\":1} x")), ERR_INVALID_BODY);
	ck_assert_uint_eq(part.fault.offset, 8);
	ck_assert_str_eq(part.fault.reason, "bytes after the value");
	ck_assert_int_eq(part_of(PART_JSON, false, STR("  ")), ERR_INVALID_BODY);
	arena_reset(&arena);
}
END_TEST

START_TEST(decides_on_duplicates)
{
	ck_assert_int_eq(part_of(PART_JSON, false, STR("{\"a\":1,\"a\":2}")), ERR_INVALID_BODY);
	ck_assert_int_eq(part_of(PART_JSON, true, STR("{\"a\":1,\"a\":2}")), ERR_NONE);
	ck_assert_str_is(part.value.text, "{\"a\":2}");
	ck_assert_int_eq(part_of(PART_JSON, true, STR("{ \"a\" : 1 }")), ERR_NONE);
	ck_assert_str_is(part.value.text, "{ \"a\" : 1 }");
	arena_reset(&arena);
}
END_TEST

START_TEST(reads_text)
{
	ck_assert_int_eq(part_of(PART_TEXT, false, STR("two\n\"lines\" <\xc3\xa9>")), ERR_NONE);
	ck_assert_int_eq(part.value.kind, JSON_STRING);
	ck_assert_str_is(part.value.text, "\"two\\n\\\"lines\\\" <\xc3\xa9>\"");
	ck_assert_int_eq(part_of(PART_TEXT, false, STR("caf\xe9")), ERR_INVALID_BODY);
	ck_assert_str_eq(part.fault.reason, "invalid UTF-8");
	arena_reset(&arena);
}
END_TEST

START_TEST(reads_bytes)
{
	ck_assert_int_eq(part_of(PART_BASE64, false, STR("\xff\0\x01")), ERR_NONE);
	ck_assert_str_is(part.value.text, "\"/wAB\"");
	arena_reset(&arena);
}
END_TEST

START_TEST(makes_nothing_null)
{
	for (enum part_format format = PART_JSON; format <= PART_BASE64; format++) {
		ck_assert_int_eq(part_of(format, false, str_none()), ERR_NONE);
		ck_assert_int_eq(part.value.kind, JSON_NULL);
		ck_assert_str_is(part.value.text, "null");
	}
}
END_TEST

UNIT_MAIN("part", reads_json, decides_on_duplicates, reads_text, reads_bytes, makes_nothing_null)
