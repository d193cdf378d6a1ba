#include "gather/insert.h"

#include "codec/json_scan.h"
#include "unit.h"

static struct arena arena;
static struct json_scan js;

static struct json_value
scan(const char *text)
{
	struct json_value root;

	ck_assert_msg(json_scan_text(&js, str_c(text), 0, &root, NULL) == ERR_NONE, "%s", text);
	return root;
}

/* want NULL: a conflict. */
static void
check_row(enum conflict_policy policy, const char *object, const char *path, const char *value,
    const char *want)
{
	struct json_value root = scan(object), v = scan(value);
	struct edit edit;
	struct insert in = { .edit = &edit, .js = &js, .policy = policy };
	struct json_path steps;
	struct json_fault fault;
	struct str out;
	enum err_code e;

	ck_assert_int_eq(json_path_compile(&arena, str_c(path), &steps, &fault), ERR_NONE);
	edit_init(&edit, &arena, root.text, 0);
	e = insert_value(&in, root, &steps, v);
	ck_assert_int_eq(e, want == NULL ? ERR_MERGE_CONFLICT : ERR_NONE);
	if (want != NULL) {
		ck_assert_int_eq(edit_finish(&edit, &out), ERR_NONE);
		ck_assert_str_is(out, want);
		if (policy != CONFLICT_DEEP)
			ck_assert_uint_le(out.n, root.text.n + insert_growth(&steps, v));
		ck_assert_int_eq(json_scan_text(&js, out, 0, &v, NULL), ERR_NONE);
	}
	arena_reset(&arena);
}

START_TEST(makes_what_is_not_there)
{
	json_scan_init(&js, 1);
	for (int p = CONFLICT_ERROR; p <= CONFLICT_APPEND; p++) {
		enum conflict_policy policy = (enum conflict_policy)p;

		check_row(policy, "{ }", "a", "1", "{\"a\":1 }");
		check_row(policy, "{ \"b\" : [] }", "a", "{}", "{ \"b\" : [],\"a\":{} }");
		check_row(policy, "{}", "a.\"b.c\".d", "[1]", "{\"a\":{\"b.c\":{\"d\":[1]}}}");
		check_row(policy, "{\"\\u0061\":{\"x\":1 }}", "a.y", "2",
		    "{\"\\u0061\":{\"x\":1,\"y\":2 }}");
	}
	json_scan_fini(&js);
}
END_TEST

START_TEST(what_is_there_meets_the_policy)
{
	static const char *object = "{\"a\": {\"x\":1} , \"s\":5,\"l\":[ 1 ]}";
	static const struct {
		enum conflict_policy policy;
		const char *path;
		const char *value;
		const char *want;
	} rows[] = {
		{ CONFLICT_ERROR, "s", "6", NULL },
		{ CONFLICT_ERROR, "s.x", "6", NULL },
		{ CONFLICT_ERROR, "a", "{}", NULL },
		{ CONFLICT_FIRST, "s", "6", "{\"a\": {\"x\":1} , \"s\":5,\"l\":[ 1 ]}" },
		{ CONFLICT_FIRST, "s.x", "6", "{\"a\": {\"x\":1} , \"s\":5,\"l\":[ 1 ]}" },
		{ CONFLICT_LAST, "s", "6", "{\"a\": {\"x\":1} , \"s\":6,\"l\":[ 1 ]}" },
		{ CONFLICT_LAST, "s.x", "6", "{\"a\": {\"x\":1} , \"s\":{\"x\":6},\"l\":[ 1 ]}" },
		{ CONFLICT_LAST, "a", "{}", "{\"a\": {} , \"s\":5,\"l\":[ 1 ]}" },
		{ CONFLICT_DEEP, "a", "{\"y\":{}}",
		    "{\"a\": {\"x\":1,\"y\":{}} , \"s\":5,\"l\":[ 1 ]}" },
		{ CONFLICT_DEEP, "a", "{\"x\":2}", "{\"a\": {\"x\":2} , \"s\":5,\"l\":[ 1 ]}" },
		{ CONFLICT_DEEP, "a", "7", "{\"a\": 7 , \"s\":5,\"l\":[ 1 ]}" },
		{ CONFLICT_DEEP, "s.t", "{}", "{\"a\": {\"x\":1} , \"s\":{\"t\":{}},\"l\":[ 1 ]}" },
		{ CONFLICT_APPEND, "a", "7", "{\"a\": 7 , \"s\":5,\"l\":[ 1 ]}" },
		{ CONFLICT_APPEND, "l", "[2, 3 ]",
		    "{\"a\": {\"x\":1} , \"s\":5,\"l\":[ 1,2, 3 ]}" },
		{ CONFLICT_APPEND, "l", "[]", "{\"a\": {\"x\":1} , \"s\":5,\"l\":[ 1 ]}" },
		{ CONFLICT_APPEND, "s", "[]", "{\"a\": {\"x\":1} , \"s\":[],\"l\":[ 1 ]}" },
		{ CONFLICT_APPEND, "l.x", "[]",
		    "{\"a\": {\"x\":1} , \"s\":5,\"l\":{\"x\":[]}}" },
	};

	json_scan_init(&js, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(rows[i].policy, object, rows[i].path, rows[i].value, rows[i].want);
	json_scan_fini(&js);
}
END_TEST

UNIT_MAIN("insert", makes_what_is_not_there, what_is_there_meets_the_policy)
