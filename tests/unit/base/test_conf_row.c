#include "base/conf_row.h"

#include "unit.h"

START_TEST(takes_durations)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "250ms", 250 * NS_PER_MS },
		{ "2s", 2 * NS_PER_SEC },
		{ "1m", 60 * NS_PER_SEC },
		{ "24h", 86400 * NS_PER_SEC },
		{ "5us", 5000 },
		{ "7ns", 7 },
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t ns = 1;

		ck_assert_msg(
		    conf_row_parse_duration(str_c(good[i].text), &ns), "%s", good[i].text);
		ck_assert_uint_eq(ns, good[i].ns);
	}
}
END_TEST

START_TEST(refuses_what_is_no_duration)
{
	static const char *const bad[] = { "", "s", "1", "1 s", "1.5s", "-1s", "+1s", "1S", "1m30s",
		"1min", "1d", "0x1s", "18446744073709551616ns", "99999999999999999h" };
	uint64_t ns;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!conf_row_parse_duration(str_c(bad[i]), &ns), "took %s", bad[i]);
}
END_TEST

START_TEST(takes_sizes)
{
	uint64_t n = 0;

	ck_assert(conf_row_parse_size(STR("0"), &n) && n == 0);
	ck_assert(conf_row_parse_size(STR("17"), &n) && n == 17);
	ck_assert(conf_row_parse_size(STR("512B"), &n) && n == 512);
	ck_assert(conf_row_parse_size(STR("64KiB"), &n) && n == 65536);
	ck_assert(conf_row_parse_size(STR("1MiB"), &n) && n == 1048576);
	ck_assert(conf_row_parse_size(STR("2GiB"), &n) && n == UINT64_C(2147483648));
	ck_assert(!conf_row_parse_size(STR("1KB"), &n));
	ck_assert(!conf_row_parse_size(STR("1kib"), &n));
	ck_assert(!conf_row_parse_size(STR(""), &n));
	ck_assert(!conf_row_parse_size(STR("99999999999GiB"), &n));
}
END_TEST

START_TEST(takes_statuses)
{
	struct status_set set = { { 0 } };

	ck_assert(conf_row_parse_status(STR("404"), &set));
	ck_assert(conf_row_parse_status(STR("5xx"), &set));
	ck_assert(
	    status_set_has(&set, 404) && status_set_has(&set, 500) && status_set_has(&set, 599));
	ck_assert(
	    !status_set_has(&set, 403) && !status_set_has(&set, 499) && !status_set_has(&set, 600));
	ck_assert(!conf_row_parse_status(STR("1xx"), &set));
	ck_assert(!conf_row_parse_status(STR("600"), &set));
	ck_assert(!conf_row_parse_status(STR("40"), &set));
	ck_assert(!conf_row_parse_status(STR("4x4"), &set));
	ck_assert(!conf_row_parse_status(STR("4XX"), &set));
	ck_assert(!conf_row_parse_status(STR("2 0"), &set));
}
END_TEST

START_TEST(writes_what_it_reads)
{
	static const uint64_t values[] = { 0, 1, 999, 1000, 1000000, 1500 * NS_PER_MS, NS_PER_SEC,
		90 * NS_PER_SEC, 3600 * NS_PER_SEC, UINT64_MAX };
	char text[CONF_ROW_VALUE_MAX];

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		uint64_t v = 1;

		ck_assert(conf_row_parse_duration(
		    str_of(text, conf_row_put_duration(text, values[i])), &v));
		ck_assert_uint_eq(v, values[i]);
		ck_assert(
		    conf_row_parse_size(str_of(text, conf_row_put_size(text, values[i])), &v));
		ck_assert_uint_eq(v, values[i]);
	}
	ck_assert_str_is(str_of(text, conf_row_put_duration(text, 90 * NS_PER_SEC)), "90s");
	ck_assert_str_is(str_of(text, conf_row_put_size(text, 3 << 20)), "3MiB");
}
END_TEST

START_TEST(keeps_values_within_their_row)
{
	static const struct conf_word words[] = { { "one", 1 }, { "two", 2 }, { NULL, 0 } };
	const struct conf_row count = { .type = CONF_COUNT, .min = 1, .max = 10 };
	const struct conf_row word = { .type = CONF_WORD, .words = words };
	const struct conf_row flag = { .type = CONF_BOOL };
	struct arena a;
	uint64_t v = 7;

	arena_init(&a, NULL, 0);
	ck_assert_ptr_null(conf_row_parse(&count, STR("10"), &a, &v));
	ck_assert_uint_eq(v, 10);
	ck_assert_str_eq(
	    conf_row_parse(&count, STR("11"), &a, &v), "out of range, must be 1 to 10");
	ck_assert_str_eq(conf_row_parse(&count, STR("ten"), &a, &v), "expected a whole number");
	ck_assert_uint_eq(v, 10);
	ck_assert_ptr_null(conf_row_parse(&word, STR("two"), &a, &v));
	ck_assert_uint_eq(v, 2);
	ck_assert_str_eq(conf_row_parse(&word, STR("Two"), &a, &v), "expected one of: one, two");
	ck_assert_ptr_null(conf_row_parse(&flag, STR("false"), &a, &v));
	ck_assert_uint_eq(v, 0);
	ck_assert_str_eq(conf_row_parse(&flag, STR("no"), &a, &v), "expected true or false");
	arena_reset(&a);
}
END_TEST

UNIT_MAIN("conf_row", takes_durations, refuses_what_is_no_duration, takes_sizes, takes_statuses,
    writes_what_it_reads, keeps_values_within_their_row)
