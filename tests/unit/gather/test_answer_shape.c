#include "gather/answer_shape.h"

#include "codec/json_scan.h"
#include "unit.h"

static struct arena arena;
static struct json_scan js;
static struct conf_pos where;
static struct json_fault fault;

#define MAX_PATHS 8

static struct conf_pair pairs[2 * MAX_PATHS];
static struct conf_text texts[MAX_PATHS];

static struct conf_text
text_at(struct str s, uint32_t line)
{
	return (struct conf_text){ s, { "test", line, 1, NULL } };
}

/* "from to from to" */
static struct conf_pair_list
pairs_of(const char *words, uint32_t line)
{
	struct conf_pair_list list = { pairs + (line == 1 ? 0 : MAX_PATHS), 0 };
	struct str rest = str_c(words), from, to;

	while (str_split(&rest, ' ', &from) && str_split(&rest, ' ', &to))
		list.at[list.n++] = (struct conf_pair){ text_at(from, line), text_at(to, line) };
	return list;
}

static struct conf_text_list
texts_of(const char *words)
{
	struct conf_text_list list = { texts, 0 };
	struct str rest = str_c(words), word;

	while (str_split(&rest, ' ', &word))
		list.at[list.n++] = text_at(word, 3);
	return list;
}

/* What a test says of the answer. */
struct program {
	const char *move;
	const char *append;
	const char *drop;
	enum answer_form shape;
	enum conflict_policy policy;
	enum static_when when;
	const char *static_key; /* the static data is { static_key: 1 } */
};

static enum err_code
compile(const struct program *p, struct answer_shape **shape)
{
	struct conf_json_member member = { .name = str_c(p->static_key),
		.value = { .kind = CONF_JSON_RAW, .text = text_at(STR("1"), 4) } };
	struct response_conf conf = { .on_conflict = p->policy,
		.partial_meta = text_at(STR("_meta"), 0),
		.static_when = p->when,
		.move = pairs_of(p->move, 1),
		.append = pairs_of(p->append, 2),
		.drop = texts_of(p->drop),
		.shape = p->shape };

	if (p->static_key != NULL)
		conf.static_json =
		    (struct conf_json){ CONF_JSON_OBJECT, text_at(str_none(), 4), &member, 1 };
	return answer_shape_compile(&arena, &conf, shape, &where, &fault);
}

static void
apply(const struct program *p, const char *in, const char *meta, const char *want)
{
	size_t half = strlen(in) / 2;
	struct iovec iov[2] = { str_iov(str_of(in, half)), str_iov(str_c(in + half)) };
	struct answer_shape_input input = { .iov = iov,
		.n = 2,
		.bytes = strlen(in),
		.meta = str_c(meta),
		.is_partial = meta != NULL,
		.js = &js,
		.arena = &arena };
	struct answer_shape *shape;
	struct json_value root;
	struct str out;
	enum err_code e;

	json_scan_init(&js, 1);
	ck_assert_int_eq(compile(p, &shape), ERR_NONE);
	e = answer_shape_apply(shape, &input, &out);
	ck_assert_int_eq(e, want == NULL ? ERR_MERGE_CONFLICT : ERR_NONE);
	if (want != NULL) {
		ck_assert_str_is(out, want);
		ck_assert_int_eq(json_scan_text(&js, out, 0, &root, NULL), ERR_NONE);
	}
	json_scan_fini(&js);
	arena_reset(&arena);
}

START_TEST(nothing_to_do_is_no_shape)
{
	struct answer_shape *shape;

	ck_assert_int_eq(compile(&(struct program){ .move = NULL }, &shape), ERR_NONE);
	ck_assert_ptr_null(shape);
	arena_reset(&arena);
}
END_TEST

START_TEST(moves_members)
{
	struct program p = { .move = "a.x b.y" };

	apply(
	    &p, "{\"a\":{\"x\": 1 ,\"z\":2},\"b\":{}}", NULL, "{\"a\":{\"z\":2},\"b\":{\"y\":1}}");
	apply(&p, "{\"a\":{\"x\":[]}}", NULL, "{\"a\":{},\"b\":{\"y\":[]}}");
	apply(&p, "{\"a\":{\"z\":1}, \"b\":2}", NULL, "{\"a\":{\"z\":1}, \"b\":2}");
	apply(&p, "[1,2]", NULL, "[1,2]");
	apply(&p, "{\"a\":{\"x\":1},\"b\":{\"y\":2}}", NULL, NULL);
	apply(&(struct program){ .move = "a.x b.y", .policy = CONFLICT_LAST },
	    "{\"a\":{\"x\":1},\"b\":{\"y\":2}}", NULL, "{\"a\":{},\"b\":{\"y\":1}}");
	apply(&(struct program){ .move = "a a.b" }, "{\"a\":1}", NULL, "{\"a\":{\"b\":1}}");
	apply(&(struct program){ .move = "a.b a", .policy = CONFLICT_LAST },
	    "{\"a\":{\"b\":1,\"c\":2}}", NULL, "{\"a\":1}");
	apply(&(struct program){ .move = "a t b a t b" }, "{\"a\":1,\"b\":2}", NULL,
	    "{\"a\":2,\"b\":1}");
}
END_TEST

START_TEST(appends_elements)
{
	struct program p = { .append = "b.l a.l" };

	apply(&p, "{\"a\":{\"l\":[1]},\"b\":{\"l\":[2, 3]}}", NULL,
	    "{\"a\":{\"l\":[1,2, 3]},\"b\":{\"l\":[2, 3]}}");
	apply(&p, "{\"b\":{\"l\":2}}", NULL, "{\"b\":{\"l\":2},\"a\":{\"l\":[2]}}");
	apply(&p, "{\"a\":{\"l\":{}},\"b\":{\"l\":[]}}", NULL,
	    "{\"a\":{\"l\":[{}]},\"b\":{\"l\":[]}}");
	apply(&p, "{\"a\":{}}", NULL, "{\"a\":{}}");
	/* the place holds an array whether or not there is something to append */
	apply(&p, "{\"a\":{\"l\":5}}", NULL, "{\"a\":{\"l\":[5]}}");
	apply(&p, "{\"a\":{\"l\":null},\"b\":{\"l\":6}}", NULL,
	    "{\"a\":{\"l\":[6]},\"b\":{\"l\":6}}");
	apply(&p, "{\"a\":{\"l\":5},\"b\":{\"l\":null}}", NULL,
	    "{\"a\":{\"l\":[5]},\"b\":{\"l\":null}}");
	apply(&p, "{\"a\":{},\"b\":{\"l\":null}}", NULL, "{\"a\":{},\"b\":{\"l\":null}}");
	apply(&p, "{\"a\":5,\"b\":{\"l\":2}}", NULL, NULL);
	apply(&(struct program){ .append = "b.l a.l", .drop = "b" },
	    "{\"a\":{\"l\":[1]},\"b\":{\"l\":[2]}}", NULL, "{\"a\":{\"l\":[1,2]}}");
}
END_TEST

START_TEST(drops_at_the_end)
{
	struct program p = { .drop = "a.x l[].s" };

	apply(&p, "{\"a\":{\"x\":1,\"y\":2},\"l\":[{\"s\":1},{\"t\":1}]}", NULL,
	    "{\"a\":{\"y\":2},\"l\":[{},{\"t\":1}]}");
	apply(&p, "{\"l\":7}", "{\"complete\":false}", "{\"l\":7,\"_meta\":{\"complete\":false}}");
}
END_TEST

START_TEST(becomes_an_array)
{
	struct program p = { .shape = ANSWER_ARRAY };

	apply(&p, "{\"a\":{\"x\":1}, \"b\" : [2] }", NULL, "[{\"x\":1},[2]]");
	apply(&p, "{\"a\":1}", "{\"complete\":false}", "[1]");
	apply(&p, "{}", NULL, "[]");
	apply(&p, "\"text\"", NULL, "\"text\"");
}
END_TEST

START_TEST(static_data_is_a_first_part)
{
	struct program p = { .static_key = "s" };

	apply(&p, "{\"a\":1}", NULL, "{\"s\":1,\"a\":1}");
	apply(&p, "{}", "{}", "{\"s\":1,\"_meta\":{}}");
	apply(&p, "{\"s\":2}", NULL, NULL);
	apply(&p, "[]", NULL, NULL);
	p.policy = CONFLICT_LAST;
	apply(&p, "{\"a\":1,\"s\":2}", NULL, "{\"s\":2,\"a\":1}");
	p.policy = CONFLICT_FIRST;
	apply(&p, "{\"a\":1,\"s\":2}", NULL, "{\"s\":1,\"a\":1}");
	p.when = STATIC_COMPLETE;
	apply(&p, "{\"a\":1}", NULL, "{\"s\":1,\"a\":1}");
	apply(&p, "{\"a\":1}", "{}", "{\"a\":1,\"_meta\":{}}");
	p.when = STATIC_PARTIAL;
	apply(&p, "{\"a\":1}", NULL, "{\"a\":1}");
	apply(&p, "{\"a\":1}", "{}", "{\"s\":1,\"a\":1,\"_meta\":{}}");
}
END_TEST

START_TEST(metadata_comes_last)
{
	apply(&(struct program){ .move = "a b" }, "{\"a\":1}", "{\"m\":0}",
	    "{\"b\":1,\"_meta\":{\"m\":0}}");
	apply(&(struct program){ .move = "a b" }, "{\"_meta\":5,\"a\":1}", "{\"m\":0}",
	    "{\"_meta\":{\"m\":0},\"b\":1}");
}
END_TEST

START_TEST(refuses_bad_programs_with_their_place)
{
	static const struct {
		struct program program;
		uint32_t line;
		const char *reason;
	} rows[] = {
		{ { .move = "a[].x b" }, 1, "only keys can be in the path" },
		{ { .move = "a b[0]" }, 1, "only keys can be in the path" },
		{ { .move = ". b" }, 1, "the path names the whole answer" },
		{ { .move = "a b." }, 1, "a key is expected" },
		{ { .move = "a \"a\"" }, 1, "both paths are the same" },
		{ { .move = "a _meta.x" }, 1, "the place belongs to the metadata object" },
		{ { .append = "_meta x" }, 2, "the place belongs to the metadata object" },
		{ { .append = "a ." }, 2, "the path names the whole answer" },
		{ { .drop = "a _meta" }, 3, "the place belongs to the metadata object" },
		{ { .drop = "a a" }, 3, "the same path stands in `drop` twice" },
		{ { .static_key = "_meta" }, 4, "the place belongs to the metadata object" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer_shape *shape;

		ck_assert_int_eq(compile(&rows[i].program, &shape), ERR_BAD_CONFIG);
		ck_assert_str_eq(fault.reason, rows[i].reason);
		ck_assert_uint_eq(where.line, rows[i].line);
		arena_reset(&arena);
	}
}
END_TEST

UNIT_MAIN("answer_shape", nothing_to_do_is_no_shape, moves_members, appends_elements,
    drops_at_the_end, becomes_an_array, static_data_is_a_first_part, metadata_comes_last,
    refuses_bad_programs_with_their_place)
