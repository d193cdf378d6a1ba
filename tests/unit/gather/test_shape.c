#include "gather/shape.h"

#include "codec/json_block.h"
#include "codec/json_scan.h"
#include "unit.h"

static struct arena arena;
static struct json_scan js = { .blocks = &json_block_scalar };
static struct json_fault fault;
static struct conf_pos where;

#define MAX_PATHS 8

/* A program as a test writes it: words between spaces; `rename` takes them in pairs. */
struct program {
	const char *from;
	const char *select;
	const char *drop;
	const char *rename;
};

static struct conf_text
text_at(struct str s, uint32_t line)
{
	return (struct conf_text){ s, { "test", line, 1, NULL } };
}

static struct conf_text_list
list_of(const char *words, uint32_t line)
{
	struct conf_text_list list = { arena_calloc(&arena, MAX_PATHS, sizeof *list.at), 0 };
	struct str rest = str_c(words), word;

	while (str_split(&rest, ' ', &word))
		list.at[list.n++] = text_at(word, line);
	return list;
}

static enum err_code
compile(const struct program *p, struct shape **shape)
{
	struct conf_text_list renames = list_of(p->rename, 4);
	struct conf_pair pairs[MAX_PATHS];
	struct shape_conf conf = { .from = text_at(str_c(p->from), 1),
		.select = list_of(p->select, 2),
		.drop = list_of(p->drop, 3),
		.rename = { pairs, renames.n / 2 } };

	for (size_t i = 0; i < renames.n; i++)
		*(i % 2 == 0 ? &pairs[i / 2].name : &pairs[i / 2].value) = renames.at[i];
	return shape_compile(&arena, &conf, shape, &where, &fault);
}

static struct json_value
scan_flags(struct str text, unsigned flags)
{
	struct json_value root;

	ck_assert_msg(json_scan_text(&js, text, flags, &root, NULL) == ERR_NONE, "%.*s", STR_FMT(text));
	return root;
}

static struct json_value
scan(const char *text)
{
	return scan_flags(str_c(text), 0);
}

/* The cuts as the scanner finds them. */
static struct json_cuts *
scan_cuts(const struct shape *shape, struct str text)
{
	json_cuts_begin(&js.cuts, shape_rules(shape), &arena);
	scan_flags(text, JSON_SCAN_CUTS);
	return &js.cuts;
}

static enum err_code
apply(const struct shape *shape, struct str text, struct json_value *out)
{
	return shape_apply(shape, scan_cuts(shape, text), &arena, out);
}

/* Walking a text that is known to be valid finds the same. */
static void
check_walk(const struct shape *shape, struct str text)
{
	struct json_cuts walked = { .at = NULL };
	const struct json_cuts *scanned = scan_cuts(shape, text);
	struct json_value root = scan_flags(text, 0);
	size_t offset = (size_t)(root.text.p - text.p);

	json_cuts_begin(&walked, shape_rules(shape), &arena);
	json_cuts_find(&walked, root);
	ck_assert_int_eq(walked.collides, scanned->collides);
	ck_assert_int_eq(walked.target_to != 0, scanned->target_to != 0);
	if (walked.target_to != 0) {
		ck_assert_uint_eq(walked.target_from + offset, scanned->target_from);
		ck_assert_uint_eq(walked.target_to + offset, scanned->target_to);
	}
	ck_assert_uint_eq(walked.n, scanned->n);
	for (size_t i = 0; i < walked.n; i++) {
		ck_assert_uint_eq(walked.at[i].from + offset, scanned->at[i].from);
		ck_assert_uint_eq(walked.at[i].to + offset, scanned->at[i].to);
		ck_assert_ptr_eq(walked.at[i].renamed, scanned->at[i].renamed);
	}
	json_cuts_fini(&walked);
}

static void
check_row(const struct program *p, const char *in, const char *want)
{
	struct str text = arena_str(&arena, str_c(in));
	struct json_value out = { JSON_NONE, { NULL, 0 } }, in_place;
	struct shape *shape;
	enum err_code e;

	ck_assert_msg(compile(p, &shape) == ERR_NONE, "%s: %s", in, fault.reason);
	check_walk(shape, text);
	e = apply(shape, text, &out);
	ck_assert_int_eq(shape_apply_in_place(shape, scan_cuts(shape, text), &arena, &in_place), e);
	if (e == ERR_NONE)
		ck_assert_str_is(in_place.text, want);
	if (want == NULL) {
		ck_assert_msg(e == ERR_SHAPE_MISMATCH, "%s: %s", in, err_token(e));
	} else {
		ck_assert_msg(e == ERR_NONE, "%s: %s", in, err_token(e));
		ck_assert_str_is(out.text, want);
		ck_assert_int_eq(out.kind, scan(want).kind);
	}
	arena_reset(&arena);
}

START_TEST(nothing_to_do_is_no_shape)
{
	struct program none = { .from = NULL }, root = { .from = "." };
	struct shape *shape;

	ck_assert_int_eq(compile(&none, &shape), ERR_NONE);
	ck_assert_ptr_null(shape);
	ck_assert_int_eq(compile(&root, &shape), ERR_NONE);
	ck_assert_ptr_null(shape);
	arena_reset(&arena);
}
END_TEST

START_TEST(from_takes_a_value_out)
{
	check_row(&(struct program){ .from = "data.items" }, "{\"data\": {\"items\" : [1, 2 ]}}",
	    "[1, 2 ]");
	check_row(&(struct program){ .from = "[1].a" }, "[0,{\"a\":null}]", "null");
	check_row(&(struct program){ .from = "a", .select = "b" }, "{\"a\":{\"b\":1,\"c\":2}}",
	    "{\"b\":1}");
	check_row(&(struct program){ .from = "a" }, "{\"b\":1}", NULL);
	check_row(&(struct program){ .from = "a.b" }, "{\"a\":5}", NULL);
	check_row(&(struct program){ .from = "[2]" }, "[1]", NULL);
}
END_TEST

START_TEST(select_keeps_what_is_listed)
{
	struct program flat = { .select = "a c" };
	struct program nested = { .select = "id address.city" };
	struct program each = { .select = "[].id" };
	struct program deep = { .select = "o[].p[].x t" };

	check_row(&flat, "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3}");
	check_row(&flat, "{ \"b\" : 2 , \"c\" : 3 }", "{ \"c\" : 3 }");
	check_row(&flat, "{ \"c\" : 3 , \"b\" : 2 , \"z\" : 2 }", "{ \"c\" : 3 }");
	check_row(&flat, "{ \"b\" : 2 , \"z\" : 3 }", "{  }");
	check_row(&flat, "{\"\\u0061\":1,\"b\":2}", "{\"\\u0061\":1}");
	check_row(&nested, "{\"id\":1,\"address\":{\"zip\":1, \"city\":\"X\"},\"b\":2}",
	    "{\"id\":1,\"address\":{\"city\":\"X\"}}");
	check_row(&nested, "{\"address\":{\"zip\":1}}", "{\"address\":{}}");
	check_row(&nested, "{\"address\":null,\"x\":1}", "{\"address\":null}");
	check_row(&nested, "{\"address\":[{\"zip\":1}]}", "{\"address\":[]}");
	check_row(&each, "[{\"id\":1,\"b\":2},{\"b\":2,\"id\":2}, 5, {}]",
	    "[{\"id\":1},{\"id\":2}, 5, {}]");
	check_row(&each, "{\"id\":1}", "{}");
	check_row(&each, "\"scalar\"", "\"scalar\"");
	check_row(&deep, "{\"o\":[{\"p\":[{\"x\":1,\"y\":2}],\"q\":1}],\"t\":{\"u\":[]},\"v\":0}",
	    "{\"o\":[{\"p\":[{\"x\":1}]}],\"t\":{\"u\":[]}}");
	check_row(&(struct program){ .select = "a a.b" }, "{\"a\":{\"b\":1,\"c\":2},\"d\":3}",
	    "{\"a\":{\"b\":1,\"c\":2}}");
	check_row(
	    &(struct program){ .select = "\"a.b\"" }, "{\"a\":{\"b\":1},\"a.b\":2}", "{\"a.b\":2}");
}
END_TEST

START_TEST(drop_leaves_out_what_is_listed)
{
	struct program p = { .drop = "b d" };

	check_row(&p, "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", "{\"a\":1,\"c\":3}");
	check_row(&p, "{\"b\":2 , \"d\":4 ,\n \"c\":3 }", "{\"c\":3 }");
	check_row(&p, "{\"c\":3 , \"b\":2 , \"d\":4 }", "{\"c\":3 }");
	check_row(&p, "{ \"b\":2 }", "{  }");
	check_row(&p, "[{\"b\":1}]", "[{\"b\":1}]");
	check_row(&(struct program){ .drop = "[].secret x.y" },
	    "[{\"secret\":1,\"a\":2}, 3, [], {\"a\":1,\"secret\":[[]]}]",
	    "[{\"a\":2}, 3, [], {\"a\":1}]");
	check_row(&(struct program){ .drop = "a[]" }, "{\"a\":[1, {}, \"]\"] ,\"b\":[1]}",
	    "{\"a\":[] ,\"b\":[1]}");
	check_row(&(struct program){ .select = "a", .drop = "a.b" },
	    "{\"a\":{\"b\":1,\"c\":2},\"b\":1}", "{\"a\":{\"c\":2}}");
	check_row(&(struct program){ .drop = "a.b a" }, "{\"a\":{\"b\":1},\"c\":1}", "{\"c\":1}");
}
END_TEST

START_TEST(rename_replaces_keys_only)
{
	struct program swap = { .rename = "a b b a" };
	struct program any = { .rename = "a x b x" };

	check_row(&(struct program){ .rename = "a long_name" }, "{ \"a\" : \"a\", \"b\":1 }",
	    "{ \"long_name\" : \"a\", \"b\":1 }");
	check_row(&(struct program){ .rename = "[].ts \xc3\xa9\"\\" }, "[{\"ts\":1},{}]",
	    "[{\"\xc3\xa9\\\"\\\\\":1},{}]");
	check_row(&swap, "{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}");
	check_row(&swap, "{\"b\":2}", "{\"a\":2}");
	check_row(&any, "{\"b\":2}", "{\"x\":2}");
	check_row(&any, "{\"a\":1,\"b\":2}", NULL);
	check_row(&any, "{\"a\":1,\"x\":2}", NULL);
	check_row(&any, "{\"a\":1,\"\\u0078\":2}", NULL);
	check_row(
	    &(struct program){ .rename = "a x", .drop = "x" }, "{\"a\":1,\"x\":2}", "{\"x\":1}");
	check_row(
	    &(struct program){ .rename = "a x", .select = "a" }, "{\"x\":1,\"a\":2}", "{\"x\":2}");
	check_row(&(struct program){ .rename = "o[].a x o items" },
	    "{\"o\":[{\"a\":{\"x\":1}},{\"a\":2}]}", "{\"items\":[{\"x\":{\"x\":1}},{\"x\":2}]}");
	check_row(&(struct program){ .rename = "a a" }, "{\"\\u0061\":1}", "{\"a\":1}");
	check_row(&(struct program){ .rename = "a y a.b z" }, "{\"a\":{\"b\":1},\"z\":2}",
	    "{\"y\":{\"z\":1},\"z\":2}");
}
END_TEST

START_TEST(what_does_not_meet_a_rule_keeps_its_bytes)
{
	const char *text = " \n{ \"k\" :[ 1.10,-0 ,1E400 ] ,\t\"\\u003c\":{ } , \"e\":[ ]\n}";
	struct program p = { .drop = "x[].y.z w", .rename = "k2 k3 e[].f g" };
	struct shape *shape;
	struct json_value in = scan(text), out;

	ck_assert_int_eq(compile(&p, &shape), ERR_NONE);
	ck_assert_int_eq(apply(shape, str_c(text), &out), ERR_NONE);
	ck_assert_ptr_eq(out.text.p, in.text.p);
	ck_assert_uint_eq(out.text.n, in.text.n);
	arena_reset(&arena);
}
END_TEST

START_TEST(growth_is_bounded_by_the_budget)
{
	struct program p = { .rename = "[].a 0123456789012345678901234567890123456789" };
	struct shape *shape;
	struct json_value out;
	char text[9 * 1000 + 2] = "[";

	for (size_t i = 0; i < 1000; i++)
		memcpy(text + 1 + 9 * i, "{\"a\":10},", 9);
	text[9 * 1000] = ']';
	ck_assert_int_eq(compile(&p, &shape), ERR_NONE);
	ck_assert_int_eq(apply(shape, str_c(text), &out), ERR_NONE);
	ck_assert_uint_eq(out.text.n, 9001 + 1000 * 39);
	arena.budget_bytes = arena.used_bytes + 20000;
	ck_assert_int_eq(apply(shape, str_c(text), &out), ERR_BUDGET);
	arena_reset(&arena);
	arena_init(&arena, NULL, 0);
}
END_TEST

START_TEST(knows_what_elements_can_still_have)
{
	static const struct {
		struct program program;
		const char *path;
		bool want;
	} rows[] = {
		{ { .from = "a" }, "id", true },
		{ { .drop = "[].x" }, "id", true },
		{ { .drop = "[].id" }, "id", false },
		{ { .drop = "[].id.a" }, "id", true },
		{ { .drop = "[].id.a" }, "id.a", false },
		{ { .drop = "[].id.a" }, "id.b", true },
		{ { .drop = "[].ids[]" }, "ids[0]", false },
		{ { .select = "[].id" }, "id", true },
		{ { .select = "[].id" }, "id.a", true },
		{ { .select = "[].id.a" }, "id.b", false },
		{ { .select = "[].x" }, "id", false },
		{ { .select = "[]" }, "id", true },
		{ { .select = "x" }, "id", false },
		{ { .rename = "[].id key" }, "id", false },
		{ { .rename = "[].id key" }, "key", true },
		{ { .rename = "[].id key [].key id" }, "id", true },
		{ { .select = "[].id", .rename = "[].id key" }, "key", true },
		{ { .select = "[].x", .rename = "[].id key" }, "key", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_path path;
		struct shape *shape;

		ck_assert_int_eq(compile(&rows[i].program, &shape), ERR_NONE);
		ck_assert_int_eq(json_path_compile_ref(&arena, str_c(rows[i].path), &path, &fault), ERR_NONE);
		ck_assert_msg(shape_keeps_in_elements(shape, &path) == rows[i].want, "row %zu", i);
		arena_reset(&arena);
	}
}
END_TEST

START_TEST(refuses_bad_programs_with_their_place)
{
	static const struct {
		struct program program;
		uint32_t line;
		const char *reason;
	} rows[] = {
		{ { .from = "a[]" }, 1, "\"[]\" names many values, not one" },
		{ { .from = "a.." }, 1, "a key is expected" },
		{ { .select = "a b." }, 2, "a key is expected" },
		{ { .select = "." }, 2, "the path names the whole part" },
		{ { .select = "a[0]" }, 2, "an index names one element; \"[]\" names all" },
		{ { .select = "a \"a\"" }, 2, "the same path stands in `select` twice" },
		{ { .select = "a.b", .drop = "a" }, 2, "`drop` leaves it out" },
		{ { .select = "a", .drop = "a" }, 2, "`drop` leaves it out" },
		{ { .drop = "[].a [].a" }, 3, "the same path stands in `drop` twice" },
		{ { .drop = "[3]" }, 3, "an index names one element; \"[]\" names all" },
		{ { .rename = "a x a y" }, 4, "the same path stands in `rename` twice" },
		{ { .rename = "a[] x" }, 4, "elements have no key that could be renamed" },
		{ { .rename = "a.b x", .drop = "a" }, 4, "`drop` leaves it out" },
		{ { .rename = ". x" }, 4, "the path names the whole part" },
		{ { .rename = "a " }, 4, "the key is empty" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct shape *shape;

		ck_assert_int_eq(compile(&rows[i].program, &shape), ERR_BAD_CONFIG);
		ck_assert_str_eq(fault.reason, rows[i].reason);
		ck_assert_uint_eq(where.line, rows[i].line);
		arena_reset(&arena);
	}
}
END_TEST

UNIT_MAIN("shape", nothing_to_do_is_no_shape, from_takes_a_value_out, select_keeps_what_is_listed,
    drop_leaves_out_what_is_listed, rename_replaces_keys_only,
    what_does_not_meet_a_rule_keeps_its_bytes, growth_is_bounded_by_the_budget,
    knows_what_elements_can_still_have, refuses_bad_programs_with_their_place)
