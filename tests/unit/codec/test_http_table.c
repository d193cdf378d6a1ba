#include "codec/http_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

START_TEST(methods_are_found_by_name)
{
	ck_assert_uint_eq(http_table_method(STR("GET")), METHOD_GET);
	ck_assert_uint_eq(http_table_method(STR("QUERY")), METHOD_QUERY);
	ck_assert_uint_eq(http_table_method(STR("get")), METHOD_OTHER);
	ck_assert_uint_eq(http_table_method(STR("GETS")), METHOD_OTHER);
	ck_assert_uint_eq(http_table_method(STR("")), METHOD_OTHER);
	ck_assert_str_is(http_table_method_name(METHOD_PATCH), "PATCH");
	ck_assert_uint_eq(http_table_method_flags(METHOD_OTHER), 0);
	ck_assert_uint_eq(http_table_method_flags(METHOD_PUT), METHOD_IDEMPOTENT | METHOD_HAS_BODY);
}
END_TEST

START_TEST(every_row_is_in_its_slot)
{
	bool is_right = true;

#define X(id, slot, name, flags) \
	if (http_table_slot(STR(name)) != (slot)) { \
		printf("%s belongs into slot %u, not %u\n", name, http_table_slot(STR(name)), slot); \
		is_right = false; \
	}
	HEADER_TABLE(X)
#undef X
	ck_assert(is_right);
}
END_TEST

static void
check_row(enum header_id id, const char *name)
{
	char text[64];
	size_t n = strlen(name);

	ck_assert_uint_lt(n, sizeof(text));
	ck_assert_uint_eq(http_table_header(str_c(name)), id);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)toupper((unsigned char)name[i]);
	ck_assert_uint_eq(http_table_header(str_of(text, n)), id);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)tolower((unsigned char)name[i]);
	ck_assert_uint_eq(http_table_header(str_of(text, n)), id);
	ck_assert_uint_ne(http_table_header(str_of(text, n - 1)), id);
	/* one character off, at every place */
	for (size_t i = 0; i < n; i++) {
		char was = text[i];

		text[i] = was == 'x' ? 'y' : 'x';
		ck_assert_uint_ne(http_table_header(str_of(text, n)), id);
		text[i] = (char)(was ^ 0x40);
		ck_assert_uint_ne(http_table_header(str_of(text, n)), id);
		text[i] = was;
	}
}

START_TEST(every_field_is_found_whatever_its_case)
{
#define X(id, slot, name, flags) check_row(HEADER_##id, name);
	HEADER_TABLE(X)
#undef X
	ck_assert_uint_eq(http_table_header(STR("X-Unheard-Of")), HEADER_OTHER);
	ck_assert_uint_eq(http_table_header(STR("a")), HEADER_OTHER);
	ck_assert_uint_eq(http_table_header(STR("")), HEADER_OTHER);
	ck_assert_str_is(http_table_header_name(HEADER_CONTENT_LENGTH), "Content-Length");
	ck_assert_uint_eq(http_table_header_flags(HEADER_TE), FIELD_HOP);
}
END_TEST

START_TEST(statuses_have_reasons)
{
	ck_assert_str_is(http_table_reason(200), "OK");
	ck_assert_str_is(http_table_reason(431), "Request Header Fields Too Large");
	ck_assert_str_is(http_table_reason(299), "");
}
END_TEST

UNIT_MAIN("http_table", methods_are_found_by_name, every_row_is_in_its_slot,
    every_field_is_found_whatever_its_case, statuses_have_reasons)
