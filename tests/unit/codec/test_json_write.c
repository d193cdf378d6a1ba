#include "codec/json_write.h"

#include "codec/json_texts.h"
#include "unit.h"

static const struct {
	struct str in;
	const char *out;
} rows[] = {
	{ STR_INIT(""), "\"\"" },
	{ STR_INIT("plain </> text"), "\"plain </> text\"" },
	{ STR_INIT("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
	{ STR_INIT("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"" },
	{ STR_INIT("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
	{ STR_INIT("a\xff"
		   "b"),
	    "\"a\xef\xbf\xbd"
	    "b\"" },
	{ STR_INIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ STR_INIT("cut \xe3\x81"), "\"cut \xef\xbf\xbd\xef\xbf\xbd\"" },
};

START_TEST(escapes_what_must_be)
{
	struct arena a;
	struct buf b = BUF_INIT;

	arena_init(&a, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str in = json_texts_tight(rows[i].in);
		char *room = mem_alloc(json_write_bound(in));

		ck_assert_str_is(str_of(room, json_write_to(room, in)), rows[i].out);
		ck_assert_str_is(json_write_str(&a, in), rows[i].out);
		buf_clear(&b);
		json_write_buf(&b, in);
		ck_assert_str_is(buf_str(&b), rows[i].out);
		free(room);
		json_texts_free(in);
	}
	buf_fini(&b);
	arena_reset(&a);
}
END_TEST

START_TEST(stays_within_its_bound)
{
	char controls[100];

	memset(controls, 1, sizeof controls);
	ck_assert_uint_eq(json_write_bound(str_of(controls, sizeof controls)), 602);
	ck_assert_uint_eq(json_write_bound(str_of(controls, SIZE_MAX / 2)), SIZE_MAX);
}
END_TEST

/* RFC 4648 10 */
START_TEST(writes_base64)
{
	static const char *const vectors[][2] = { { "", "\"\"" }, { "f", "\"Zg==\"" },
		{ "fo", "\"Zm8=\"" }, { "foo", "\"Zm9v\"" }, { "foob", "\"Zm9vYg==\"" },
		{ "fooba", "\"Zm9vYmE=\"" }, { "foobar", "\"Zm9vYmFy\"" },
		{ "\xfb\xff\xfe", "\"+//+\"" } };
	struct arena a;

	arena_init(&a, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct str in = json_texts_tight(str_c(vectors[i][0]));

		ck_assert_str_is(json_write_base64(&a, in), vectors[i][1]);
		json_texts_free(in);
	}
	arena_reset(&a);
}
END_TEST

UNIT_MAIN("json_write", escapes_what_must_be, stays_within_its_bound, writes_base64)
