#include "codec/json_dedup.h"

#include "base/buf.h"
#include "codec/json_texts.h"
#include "unit.h"

static struct arena arena;

static struct json_value
dedup(struct str text)
{
	struct json_scan js;
	struct json_value root;

	json_scan_init(&js, 77);
	ck_assert_int_eq(
	    json_scan_text(&js, text, JSON_SCAN_KEEP_DUPLICATES, &root, NULL), ERR_NONE);
	root = json_dedup_last(&js, &arena, root);
	json_scan_fini(&js);
	return root;
}

START_TEST(keeps_the_last_value_at_the_first_place)
{
	static const char *const rows[][2] = {
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
		{ "{\"a\":1,\"\\u0061\":{\"x\":1.10}}", "{\"a\":{\"x\":1.10}}" },
		{ "{\"a\":1,\"a\":2,\"a\":[ 1 , {\"b\":0,\"b\":-0} ]}", "{\"a\":[1,{\"b\":-0}]}" },
		{ "[{\"a\":1,\"a\":2},{\"a\":1}]", "[{\"a\":2},{\"a\":1}]" },
		{ "{\"a\":{\"a\":1,\"a\":2},\"a\":{\"c\":{\"d\":1,\"d\":2},\"c\":[]}}",
		    "{\"a\":{\"c\":[]}}" },
		{ "[[],{},[{}],\"{\",\"\",{\"\":{},\"\":1}]", "[[],{},[{}],\"{\",\"\",{\"\":1}]" },
		{ "1", "1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str text = json_texts_tight(str_c(rows[i][0]));

		ck_assert_str_is(dedup(text).text, rows[i][1]);
		json_texts_free(text);
	}
	arena_reset(&arena);
}
END_TEST

START_TEST(copes_with_many)
{
	struct buf b = BUF_INIT;

	buf_add_c(&b, "{\"k\":0");
	for (unsigned i = 1; i <= 300000; i++)
		buf_printf(&b, ",\"k%u\":%u", i % 1000, i);
	buf_add_c(&b, "}");
	ck_assert(
	    str_has_prefix(dedup(buf_str(&b)).text, STR("{\"k\":0,\"k1\":299001,\"k2\":299002,")));
	buf_fini(&b);
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("json_dedup", keeps_the_last_value_at_the_first_place, copes_with_many)
