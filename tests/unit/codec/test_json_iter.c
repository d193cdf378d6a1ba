#include "codec/json_iter.h"

#include <stdio.h>

#include "codec/json_texts.h"
#include "codec/json_scan.h"
#include "unit.h"

static struct json_value
scan(struct str text)
{
	struct json_value root;

	ck_assert_int_eq(json_scan_once(text, &root, NULL), ERR_NONE);
	return root;
}

START_TEST(walks_objects)
{
	struct str text = json_texts_tight(
	    STR("{ \"a\" : 1 ,\"b\\\"\":\"}\\\\\",\n\"c\":{\"d\":[\"]\",{}]} , \"e\":null\t}"));
	struct json_iter it;
	struct json_member m;

	json_iter_init(&it, scan(text));
	ck_assert(json_iter_next(&it, &m));
	ck_assert_str_is(m.key, "a");
	ck_assert_int_eq(m.value.kind, JSON_NUMBER);
	ck_assert_str_is(m.value.text, "1");
	ck_assert(json_iter_next(&it, &m));
	ck_assert_str_is(m.key, "b\\\"");
	ck_assert_int_eq(m.value.kind, JSON_STRING);
	ck_assert_str_is(m.value.text, "\"}\\\\\"");
	ck_assert(json_iter_next(&it, &m));
	ck_assert_str_is(m.key, "c");
	ck_assert_int_eq(m.value.kind, JSON_OBJECT);
	ck_assert_str_is(m.value.text, "{\"d\":[\"]\",{}]}");
	ck_assert(json_iter_next(&it, &m));
	ck_assert_str_is(m.key, "e");
	ck_assert_int_eq(m.value.kind, JSON_NULL);
	ck_assert(!json_iter_next(&it, &m));
	ck_assert(!json_iter_next(&it, &m));
	json_texts_free(text);
}
END_TEST

START_TEST(walks_arrays)
{
	static const char *const want[] = { "1.10", "true", "[ [ ] ]", "\"\"", "{}", "-0" };
	struct str text = json_texts_tight(STR("[1.10, true ,[ [ ] ],\"\",{}\n,-0]"));
	struct json_iter it;
	struct json_member m;
	size_t n = 0;

	json_iter_init(&it, scan(text));
	while (json_iter_next(&it, &m)) {
		ck_assert(str_is_none(m.key));
		ck_assert_str_is(m.value.text, want[n]);
		n++;
	}
	ck_assert_uint_eq(n, ARRAY_LEN(want));
	json_texts_free(text);
}
END_TEST

START_TEST(has_nothing_to_walk)
{
	static const char *const empty[] = { "{}", "[]", "{ \n}", "[ ]", "1", "\"{1}\"", "null" };
	struct json_iter it;
	struct json_member m;

	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		json_iter_init(&it, scan(str_c(empty[i])));
		ck_assert(!json_iter_next(&it, &m));
	}
}
END_TEST

START_TEST(sees_inside)
{
	ck_assert_str_is(json_iter_inside(scan(STR(" [ 1 , 2\n] "))), "1 , 2");
	ck_assert_str_is(json_iter_inside(scan(STR("{\"a\":{ }}"))), "\"a\":{ }");
	ck_assert_str_is(json_iter_inside(scan(STR("[  ]"))), "");
	ck_assert_str_is(json_iter_inside(scan(STR("{}"))), "");
}
END_TEST

START_TEST(begins_in_the_middle)
{
	struct json_value root = scan(STR("{\"a\":1,\"b\":[2]}"));
	struct json_iter it;
	struct json_member m;

	json_iter_init_at(&it, root, 7);
	ck_assert(json_iter_next(&it, &m));
	ck_assert_str_is(m.key, "b");
	ck_assert_str_is(m.value.text, "[2]");
	ck_assert(!json_iter_next(&it, &m));
}
END_TEST

/* Values of every length between brackets and quotes, across the edges of vectors. */
START_TEST(finds_the_ends_of_values)
{
	char text[256];

	for (size_t n = 0; n < 80; n++) {
		struct json_iter it;
		struct json_member m;
		struct str tight;
		int length = snprintf(text, sizeof text, "[{\"%*s\\\\\":[\"%*s\\\"]\",[{}]]},7]",
		    (int)n, "", (int)(80 - n), "");

		tight = json_texts_tight(str_of(text, (size_t)length));
		json_iter_init(&it, scan(tight));
		ck_assert(json_iter_next(&it, &m));
		ck_assert_uint_eq(m.value.text.n, tight.n - 4);
		ck_assert(json_iter_next(&it, &m));
		ck_assert_str_is(m.value.text, "7");
		ck_assert(!json_iter_next(&it, &m));
		json_texts_free(tight);
	}
}
END_TEST

/* Into every container that has a "w" before it as key, or that is in an array; over the others. */
static const char *
walk_once(const char *bracket, const char *end, size_t *n_passed)
{
	struct json_iter it;
	struct json_member m;

	json_iter_open(&it, bracket, end);
	while (json_iter_enter(&it, &m)) {
		bool is_container = m.value.kind == JSON_OBJECT || m.value.kind == JSON_ARRAY;

		if (is_container && (!it.is_object || str_eq(m.key, STR("w")))) {
			json_iter_leave(&it, walk_once(m.value.text.p, end, n_passed));
			continue;
		}
		json_iter_pass(&it, &m);
		ck_assert_int_eq(m.value.kind, scan(m.value.text).kind);
		++*n_passed;
	}
	return json_iter_close(&it);
}

START_TEST(passes_each_byte_once)
{
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {
		{ "{}", 0 },
		{ "[ ]", 0 },
		{ "[1]", 1 },
		{ "{ \"a\" : 1 , \"w\" : [ true,{\"w\":{ } , \"b\":[ [ ] ] } ] , \"c\":\"}\" }", 4 },
		{ "[[[]],[ {\"w\":[null , -0]} ],\"]\\\"\"]", 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str text = json_texts_tight(str_c(rows[i].text));
		size_t n = 0;

		scan(text);
		ck_assert_ptr_eq(walk_once(text.p, text.p + text.n, &n), text.p + text.n);
		ck_assert_uint_eq(n, rows[i].n);
		json_texts_free(text);
	}
}
END_TEST

UNIT_MAIN("json_iter", passes_each_byte_once, walks_objects, walks_arrays, has_nothing_to_walk, sees_inside,
    begins_in_the_middle, finds_the_ends_of_values)
