#include "codec/json_str.h"

#include "codec/json_texts.h"
#include "unit.h"

static const struct {
	const char *raw;
	const char *text;
} rows[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
	{ "\\u0041x\\u00e9\\u3042", "Ax\xc3\xa9\xe3\x81\x82" },
	{ "\\u00E9", "\xc3\xa9" },
	{ "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
	{ "\\uD83D\\uDE00.", "\xf0\x9f\x98\x80." },
	{ "\\udbff\\udfff", "\xf4\x8f\xbf\xbf" },
	{ "\\ud83d", "\xed\xa0\xbd" },
	{ "\\ude00\\ud83d", "\xed\xb8\x80\xed\xa0\xbd" },
	{ "\\ud83d\\ud83d\\ude00", "\xed\xa0\xbd\xf0\x9f\x98\x80" },
	{ "\\ud83d\\n", "\xed\xa0\xbd\n" },
	{ "\\ud83dx", "\xed\xa0\xbdx" },
	{ "\\uffff", "\xef\xbf\xbf" },
};

START_TEST(unescapes)
{
	struct arena a;

	arena_init(&a, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str raw = json_texts_tight(str_c(rows[i].raw));
		struct str room = json_texts_tight(raw);
		size_t n = json_str_unescape((char *)(uintptr_t)room.p, raw);

		ck_assert_str_is(str_of(room.p, n), rows[i].text);
		ck_assert_str_is(json_str_text(&a, raw), rows[i].text);
		json_texts_free(room);
		json_texts_free(raw);
	}
	ck_assert_ptr_eq(json_str_text(&a, STR("plain")).p, STR("plain").p);
	arena_reset(&a);
}
END_TEST

START_TEST(compares_and_hashes_what_is_meant)
{
	const uint64_t seed = UINT64_C(0x2545f4914f6cdd1d);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str a = str_c(rows[i].raw);

		for (size_t j = 0; j < ARRAY_LEN(rows); j++) {
			struct str b = str_c(rows[j].raw);
			bool same = str_eq(str_c(rows[i].text), str_c(rows[j].text));

			ck_assert_int_eq(json_str_eq(a, b), same);
			ck_assert_int_eq(json_str_hash(a, seed) == json_str_hash(b, seed), same);
		}
	}
	ck_assert(json_str_eq(STR("a\\u0062c"), STR("abc")));
	ck_assert(!json_str_eq(STR("a\\u0062"), STR("abc")));
	ck_assert(!json_str_eq(STR("abc"), STR("abcd")));
}
END_TEST

/* A hash must not depend on what may be read behind the key, nor on how the key is escaped. */
START_TEST(hashes_every_length_alike)
{
	char text[64], escaped[64 + 5];

	memset(text, 'k', sizeof text);
	memset(escaped, 'k', sizeof escaped);
	memcpy(escaped, "\\u006b", 6);
	for (size_t n = 1; n <= 40; n++) {
		struct str tight = json_texts_tight(str_of(text, n));
		uint32_t hash = json_str_hash(tight, 1234);

		ck_assert_uint_eq(
		    json_str_hash_plain(str_of(text, n), text + sizeof text, 1234), hash);
		ck_assert_uint_eq(json_str_hash(str_of(escaped, n + 5), 1234), hash);
		ck_assert_uint_ne(json_str_hash(tight, 1235), hash);
		ck_assert_uint_ne(json_str_hash(str_of(text, n + 1), 1234), hash);
		json_texts_free(tight);
	}
}
END_TEST

START_TEST(hashes_long_escaped_keys)
{
	size_t n = 1000;
	char *text = mem_alloc(n);
	char *escaped = mem_alloc(6 * n);

	memset(text, 'A', n);
	for (size_t i = 0; i < n; i++)
		memcpy(escaped + 6 * i, "\\u0041", 6);
	ck_assert_uint_eq(
	    json_str_hash(str_of(text, n), 5), json_str_hash(str_of(escaped, 6 * n), 5));
	ck_assert(json_str_eq(str_of(text, n), str_of(escaped, 6 * n)));
	free(text);
	free(escaped);
}
END_TEST

UNIT_MAIN("json_str", unescapes, compares_and_hashes_what_is_meant, hashes_every_length_alike,
    hashes_long_escaped_keys)
