#include "codec/octet.h"

#include "unit.h"

START_TEST(classes_follow_the_grammars)
{
	static const char token[] = "!#$%&'*+-.^_`|~";
	static const char not_token[] = "\"(),/:;<=>?@[\\]{} \t\x7f\x80";
	static const char pchar[] = "-._~!$&'()*+,;=:@/";
	static const char not_path[] = "\"#<>?[\\]^`{|} %\x7f\x80";

	for (const char *c = token; *c != '\0'; c++)
		ck_assert(octet_is(*c, OCTET_TOKEN));
	for (const char *c = not_token; *c != '\0'; c++)
		ck_assert(!octet_is(*c, OCTET_TOKEN));
	for (const char *c = pchar; *c != '\0'; c++)
		ck_assert(octet_is(*c, OCTET_PATH) && octet_is(*c, OCTET_QUERY));
	for (const char *c = not_path; *c != '\0'; c++)
		ck_assert(!octet_is(*c, OCTET_PATH));
	ck_assert(octet_is('?', OCTET_QUERY) && !octet_is('#', OCTET_LOOSE_QUERY));
	ck_assert(!octet_is('[', OCTET_QUERY) && octet_is('[', OCTET_LOOSE_QUERY));
	ck_assert(!octet_is('\0', 0xff) && !octet_is(' ', OCTET_TARGET));
	ck_assert(octet_is(' ', OCTET_QUOTED) && octet_is('\t', OCTET_QUOTED));
	ck_assert(octet_is('\x80', OCTET_QUOTED) && !octet_is('"', OCTET_QUOTED));
}
END_TEST

START_TEST(hex_digits_have_values)
{
	ck_assert_uint_eq(octet_hex('0'), 0);
	ck_assert_uint_eq(octet_hex('a'), 10);
	ck_assert_uint_eq(octet_hex('F'), 15);
	ck_assert_uint_eq(octet_hex('g'), OCTET_NOT_HEX);
	ck_assert_uint_eq(octet_hex('G'), OCTET_NOT_HEX);
	ck_assert_uint_eq(octet_hex('/'), OCTET_NOT_HEX);
	ck_assert_uint_eq(octet_hex(':'), 0xff);
}
END_TEST

/* Every byte value at every place of pieces longer than two vectors. */
START_TEST(both_searches_agree)
{
	char b[48];

	for (unsigned c = 0; c < 256; c++) {
		for (size_t n = 0; n <= sizeof(b); n++) {
			for (size_t at = 0; at < n; at++) {
				size_t want = octet_is_control((char)c) ? at : n;

				memset(b, 'x', sizeof(b));
				b[at] = (char)c;
				ck_assert_uint_eq(octet_find_control(b, n), want);
				ck_assert_uint_eq(octet_find_control_portable(b, n), want);
				want = octet_is((char)c, OCTET_TARGET) ? n : at;
				ck_assert_uint_eq(octet_find_not_target(b, n), want);
				ck_assert_uint_eq(octet_find_not_target_portable(b, n), want);
			}
		}
	}
}
END_TEST

START_TEST(finds_the_first_of_its_kind)
{
	char b[48];

	for (size_t n = 0; n <= sizeof b; n++) {
		memset(b, 'x', sizeof b);
		ck_assert_uint_eq(octet_find(b, n, ':'), n);
		for (size_t at = n; at-- > 0;) {
			b[at] = ':';
			ck_assert_uint_eq(octet_find(b, n, ':'), at);
		}
	}
}
END_TEST

/* It may stop too early, but never goes beyond a byte that needs a look. */
START_TEST(skips_nothing_but_what_is_common_in_paths)
{
	static const char common[] =
	    "/-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char b[40];

	for (unsigned c = 0; c < 256; c++) {
		bool is_common = c != 0 && strchr(common, (int)c) != NULL;

		for (size_t at = 0; at < sizeof b; at++) {
			memset(b, 'a', sizeof b);
			b[at] = (char)c;
			if (!is_common)
				ck_assert_uint_le(octet_skip_common_in_paths(b, sizeof b), at);
			ck_assert_uint_le(octet_skip_common_in_paths(b, sizeof b), sizeof b);
			ck_assert_uint_eq(octet_skip_common_in_paths(b, 0), 0);
		}
	}
}
END_TEST

UNIT_MAIN("octet", classes_follow_the_grammars, hex_digits_have_values, both_searches_agree,
    finds_the_first_of_its_kind, skips_nothing_but_what_is_common_in_paths)
