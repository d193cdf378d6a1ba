#include "gather/zip.h"

#include "codec/json_iter.h"
#include "codec/json_scan.h"
#include "unit.h"

static struct arena arena;
static struct json_scan js;

#define MAX_RESULTS 8

static struct json_value
scan(const char *text)
{
	struct json_value root;

	ck_assert_msg(json_scan_text(&js, str_c(text), 0, &root, NULL) == ERR_NONE, "%s", text);
	return root;
}

/* The elements of `list`; the string "-" stands for one that is not there. */
static size_t
results_of(const char *list, struct json_value *results)
{
	struct json_iter it;
	struct json_member member;
	size_t n = 0;

	json_iter_init(&it, scan(list));
	while (json_iter_next(&it, &member)) {
		results[n] = member.value;
		if (str_eq(member.value.text, STR("\"-\"")))
			results[n].kind = JSON_NONE;
		n++;
	}
	return n;
}

static struct json_value beyond;

static void
check_row(const char *target, const char *path, const char *list, enum err_code want_error,
    const char *want)
{
	struct json_value results[MAX_RESULTS], out = scan(target);
	struct json_path inside;
	struct json_fault fault;
	struct zip_input in = {
		.target = out,
		.inside = &inside,
		.results = results,
		.beyond = beyond,
		.js = &js,
		.arena = &arena,
	};

	in.n = results_of(list, results);
	ck_assert_int_eq(json_path_compile(&arena, str_c(path), &inside, &fault), ERR_NONE);
	ck_assert_ptr_null(zip_check(&inside));
	ck_assert_int_eq(zip_apply(&in, &out), want_error);
	if (want_error == ERR_NONE) {
		ck_assert_str_is(out.text, want);
		scan(want);
	}
	arena_reset(&arena);
}

START_TEST(puts_results_into_their_elements)
{
	json_scan_init(&js, 1);
	check_row("[ {\"id\":1} , { } ]", "[].p", "[\"x\", {\"y\": 1}]", ERR_NONE,
	    "[ {\"id\":1,\"p\":\"x\"} , {\"p\":{\"y\": 1} } ]");
	check_row("{\"a\":{\"items\":[{\"p\":{}},{}]},\"z\":0}", "a.items[].p.detail", "[1,null]",
	    ERR_NONE,
	    "{\"a\":{\"items\":[{\"p\":{\"detail\":1}},{\"p\":{\"detail\":null}}]},\"z\":0}");
	check_row(
	    "[{},5,{\"p\":0}]", "[].p", "[1,\"-\",\"-\"]", ERR_NONE, "[{\"p\":1},5,{\"p\":0}]");
	check_row("[ ]", "[].p", "[]", ERR_NONE, "[ ]");
	check_row("[[{}]]", "[0][].p", "[1]", ERR_NONE, "[[{\"p\":1}]]");
	json_scan_fini(&js);
}
END_TEST

START_TEST(refuses_what_does_not_line_up)
{
	json_scan_init(&js, 1);
	check_row("{\"a\":{}}", "a[].p", "[]", ERR_SHAPE_MISMATCH, NULL);
	check_row("{\"b\":[]}", "a[].p", "[]", ERR_SHAPE_MISMATCH, NULL);
	check_row("[{}]", "[].p", "[1,2]", ERR_SHAPE_MISMATCH, NULL);
	check_row("[{},{}]", "[].p", "[1]", ERR_SHAPE_MISMATCH, NULL);
	check_row("[{},7]", "[].p", "[1,2]", ERR_SHAPE_MISMATCH, NULL);
	check_row("[{\"p\":1}]", "[].p", "[1]", ERR_MERGE_CONFLICT, NULL);
	check_row("[{\"p\":1}]", "[].p.q", "[1]", ERR_MERGE_CONFLICT, NULL);
	json_scan_fini(&js);
}
END_TEST

START_TEST(elements_beyond_the_results_may_have_a_value_of_their_own)
{
	json_scan_init(&js, 1);
	beyond = (struct json_value){ JSON_NULL, STR("null") };
	check_row("[{},{},{}]", "[].p", "[1]", ERR_NONE, "[{\"p\":1},{\"p\":null},{\"p\":null}]");
	check_row("[{}]", "[].p", "[1,2]", ERR_SHAPE_MISMATCH, NULL);
	check_row("[{},7]", "[].p", "[1]", ERR_SHAPE_MISMATCH, NULL);
	beyond.kind = JSON_NONE;
	json_scan_fini(&js);
}
END_TEST

START_TEST(a_path_has_one_list_and_keys_behind_it)
{
	static const struct {
		const char *path;
		const char *reason;
	} rows[] = {
		{ "a.b", "\"[]\" is expected: results go into the elements of a list" },
		{ "a[]", "a key is expected behind \"[]\"" },
		{ "a[].b[].c", "only keys can stand behind the \"[]\"" },
		{ "a[].b[0]", "only keys can stand behind the \"[]\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_path path;
		struct json_fault fault;

		ck_assert_int_eq(
		    json_path_compile(&arena, str_c(rows[i].path), &path, &fault), ERR_NONE);
		ck_assert_str_eq(zip_check(&path), rows[i].reason);
	}
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("zip", puts_results_into_their_elements, refuses_what_does_not_line_up,
    elements_beyond_the_results_may_have_a_value_of_their_own, a_path_has_one_list_and_keys_behind_it)
