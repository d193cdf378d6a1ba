#include "codec/json_path.h"

#include "codec/json_scan.h"
#include "unit.h"

static struct arena arena;
static struct json_path path;
static struct json_fault fault;

typedef enum err_code compile_fn(
    struct arena *a, struct str text, struct json_path *path, struct json_fault *fault);

static enum err_code
compile(compile_fn *fn, const char *text)
{
	return fn(&arena, str_c(text), &path, &fault);
}

START_TEST(compiles_every_step)
{
	ck_assert_int_eq(compile(json_path_compile, "."), ERR_NONE);
	ck_assert_uint_eq(path.n, 0);
	ck_assert_int_eq(compile(json_path_compile, "orders[].\"x.y\\u0021\"[12]"), ERR_NONE);
	ck_assert_uint_eq(path.n, 4);
	ck_assert_int_eq(path.steps[0].kind, JSON_STEP_KEY);
	ck_assert_str_is(path.steps[0].key, "orders");
	ck_assert_str_is(path.steps[0].quoted, "\"orders\"");
	ck_assert_int_eq(path.steps[1].kind, JSON_STEP_EACH);
	ck_assert_str_is(path.steps[2].key, "x.y!");
	ck_assert_str_is(path.steps[2].quoted, "\"x.y!\"");
	ck_assert_int_eq(path.steps[3].kind, JSON_STEP_INDEX);
	ck_assert_uint_eq(path.steps[3].index, 12);
	ck_assert_int_eq(compile(json_path_compile, "[].price"), ERR_NONE);
	ck_assert_uint_eq(path.n, 2);
	ck_assert_int_eq(compile(json_path_compile, "\"\""), ERR_NONE);
	ck_assert_str_is(path.steps[0].key, "");
	ck_assert_int_eq(compile(json_path_compile, "caf\xc3\xa9-1_$"), ERR_NONE);
	arena_reset(&arena);
}
END_TEST

START_TEST(refuses_with_place_and_reason)
{
	static const struct {
		compile_fn *fn;
		const char *text;
		size_t offset;
		const char *reason;
	} rows[] = {
		{ json_path_compile, "", 0, "the path is empty; the root is \".\"" },
		{ json_path_compile, "a.", 2, "a key is expected" },
		{ json_path_compile, ".a", 0, "a key is expected" },
		{ json_path_compile, "a..b", 2, "a key is expected" },
		{ json_path_compile, "a b", 1, "a dot or a bracket is expected" },
		{ json_path_compile, "a\"b\"", 1, "a dot or a bracket is expected" },
		{ json_path_compile, "a]", 1, "a dot or a bracket is expected" },
		{ json_path_compile, "a[", 1, "the bracket has no end" },
		{ json_path_compile, "a[x]", 2,
		    "an index or nothing is expected between brackets" },
		{ json_path_compile, "a[-1]", 2,
		    "an index or nothing is expected between brackets" },
		{ json_path_compile, "a[99999999999999999999]", 2,
		    "an index or nothing is expected between brackets" },
		{ json_path_compile, "a.\"b", 2, "the quoted key has no end" },
		{ json_path_compile, "a.\"b\\", 2, "the quoted key has no end" },
		{ json_path_compile, "a.\"b\\\"", 2, "the quoted key has no end" },
		{ json_path_compile, "a.\"\\q\"", 4, "unknown escape" },
		{ json_path_compile, "\"\\ud800\"", 0, "a lone surrogate in a key" },
		{ json_path_compile, "a\xff", 0, "invalid UTF-8" },
		{ json_path_compile,
		    "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", 65,
		    "the path has too many steps" },
		{ json_path_compile_into, "[].a", 0, "\"[]\" can only be the last step" },
		{ json_path_compile_into, "[0].a", 0,
		    "a part cannot be put at an index of an array" },
		{ json_path_compile_into, "a[0]", 0,
		    "a part cannot be put at an index of an array" },
		{ json_path_compile_into, "a[].b", 0, "\"[]\" can only be the last step" },
		{ json_path_compile_into, "a[][]", 0, "\"[]\" can only be the last step" },
		{ json_path_compile_into, "a..", 2, "a key is expected" },
		{ json_path_compile_ref, "a[].b", 0, "\"[]\" names many values, not one" },
		{ json_path_compile_ref, "a.", 2, "a key is expected" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(
		    compile(rows[i].fn, rows[i].text) == ERR_BAD_CONFIG, "took %s", rows[i].text);
		ck_assert_msg(strcmp(fault.reason, rows[i].reason) == 0, "%s: got \"%s\"",
		    rows[i].text, fault.reason);
		ck_assert_msg(
		    fault.offset == rows[i].offset, "%s: got %zu", rows[i].text, fault.offset);
	}
	arena_reset(&arena);
}
END_TEST

START_TEST(takes_places_for_parts)
{
	static const char *const good[] = { ".", "a", "a.b", "a[]", "a.\"x.y\"[]", "[]" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_int_eq(compile(json_path_compile_into, good[i]), ERR_NONE);
	json_path_of_key(&arena, STR("a.b\""), &path);
	ck_assert_uint_eq(path.n, 1);
	ck_assert_str_is(path.steps[0].key, "a.b\"");
	ck_assert_str_is(path.steps[0].quoted, "\"a.b\\\"\"");
	arena_reset(&arena);
}
END_TEST

START_TEST(finds_values)
{
	static const struct str text =
	    STR_INIT("{\"user\":{\"name\":\"n\",\"\\u0061ge\":7},\"items\":[10,{\"id\":1.10},[true]"
		     "],\"x.y\":null}");
	static const struct {
		const char *path;
		const char *found; /* NULL: nothing */
	} rows[] = {
		{ "user.name", "\"n\"" },
		{ "user.age", "7" },
		{ "items[0]", "10" },
		{ "items[1].id", "1.10" },
		{ "items[2][0]", "true" },
		{ "items[3]", NULL },
		{ "items.id", NULL },
		{ "user[0]", NULL },
		{ "user.none", NULL },
		{ "user.name.first", NULL },
		{ "\"x.y\"", "null" },
		{ "x.y", NULL },
		{ "items[]", NULL },
	};
	struct json_value root, found;

	ck_assert_int_eq(json_scan_once(text, &root, NULL), ERR_NONE);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_int_eq(compile(json_path_compile, rows[i].path), ERR_NONE);
		found = json_path_find(&path, root);
		ck_assert_int_eq(found.kind == JSON_NONE, rows[i].found == NULL);
		if (rows[i].found != NULL)
			ck_assert_str_is(found.text, rows[i].found);
	}
	ck_assert_int_eq(compile(json_path_compile, "."), ERR_NONE);
	ck_assert(str_eq(json_path_find(&path, root).text, text));
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("json_path", compiles_every_step, refuses_with_place_and_reason, takes_places_for_parts,
    finds_values)
