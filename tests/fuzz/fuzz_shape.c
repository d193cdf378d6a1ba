/*
 * Hostile programs on hostile documents: whatever compiles must make valid JSON of a valid text, or
 * say why not. The first byte chooses policy and form; 0xff separates the fields that follow, 0xfe
 * the texts of a list (neither is in UTF-8): from, select, drop, rename, the place of a zip, move,
 * append, the document.
 */
#include "base/compiler.h"
#include "codec/json_iter.h"
#include "codec/json_scan.h"
#include "gather/answer_shape.h"
#include "gather/shape.h"
#include "gather/zip.h"
#include "fuzz.h"

#define MAX_LIST 16

static struct json_scan js;
static struct arena arena;
static struct str rest;

static struct str
next_field(void)
{
	struct str field;

	return str_split(&rest, (char)0xff, &field) ? field : str_none();
}

static struct conf_text_list
next_list(void)
{
	struct conf_text_list list = { arena_calloc(&arena, MAX_LIST, sizeof *list.at), 0 };
	struct str field = next_field(), text;

	while (field.n > 0 && list.n < MAX_LIST && str_split(&field, (char)0xfe, &text))
		list.at[list.n++].s = fuzz_tight(&arena, text);
	return list;
}

static struct conf_pair_list
next_pairs(void)
{
	struct conf_text_list texts = next_list();
	struct conf_pair_list pairs = { .n = texts.n / 2 };

	pairs.at = arena_calloc(&arena, pairs.n, sizeof *pairs.at);
	for (size_t i = 0; i < pairs.n; i++)
		pairs.at[i] = (struct conf_pair){ texts.at[2 * i], texts.at[2 * i + 1] };
	return pairs;
}

/* Nesting may have grown beyond what a part may have; nothing else may be wrong. */
static void
check_output(struct str text)
{
	struct json_value root;
	struct json_fault fault;

	if (json_scan_text(&js, fuzz_tight(&arena, text), 0, &root, &fault) != ERR_NONE)
		MUST(strcmp(fault.reason, "nested too deeply") == 0);
	else
		MUST(root.text.n == text.n);
}

static void
check_outcome(enum err_code e, struct str text)
{
	if (e == ERR_NONE)
		check_output(text);
	else
		MUST(e == ERR_SHAPE_MISMATCH || e == ERR_MERGE_CONFLICT || e == ERR_BUDGET);
}

/* What the scanner finds on its way, a walk over the valid text finds too. */
static void
check_walk(const struct shape *shape, struct json_value root)
{
	const struct json_cuts *scanned = &js.cuts;
	struct json_cuts walked = { .at = NULL };

	json_cuts_begin(&walked, shape_rules(shape), &arena);
	json_cuts_find(&walked, root);
	MUST(walked.n == scanned->n && walked.collides == scanned->collides);
	MUST(walked.target_from == scanned->target_from && walked.target_to == scanned->target_to);
	for (size_t i = 0; i < walked.n; i++)
		MUST(walked.at[i].from == scanned->at[i].from && walked.at[i].to == scanned->at[i].to &&
		      walked.at[i].renamed == scanned->at[i].renamed);
	json_cuts_fini(&walked);
}

/* The cuts of a document, copied tightly, as the scanner finds them. */
static struct json_cuts *
scan_cuts(const struct shape *shape, struct str document)
{
	struct str text = fuzz_tight(&arena, document);
	struct json_value root;

	json_cuts_begin(&js.cuts, shape_rules(shape), &arena);
	MUST(json_scan_text(&js, text, JSON_SCAN_CUTS, &root, NULL) == ERR_NONE);
	MUST(root.text.p == text.p && root.text.n == text.n);
	check_walk(shape, root);
	return &js.cuts;
}

static struct json_value
shape(const struct shape_conf *conf, struct json_value root)
{
	struct json_value out = root, in_place;
	struct shape *shape;
	struct conf_pos where;
	struct json_fault fault = { 0, NULL };
	enum err_code e;

	if (shape_compile(&arena, conf, &shape, &where, &fault) != ERR_NONE) {
		MUST(fault.reason != NULL);
		return root;
	}
	if (shape == NULL)
		return root;
	e = shape_apply(shape, scan_cuts(shape, root.text), &arena, &out);
	check_outcome(e, out.text);
	MUST(shape_apply_in_place(shape, scan_cuts(shape, root.text), &arena, &in_place) == e);
	MUST(e != ERR_NONE || str_eq(in_place.text, out.text));
	if (e == ERR_NONE)
		MUST(out.kind == json_iter_kind(out.text.p[0]));
	return e == ERR_NONE ? out : root;
}

/* The elements go into themselves. */
static void
zip(enum conflict_policy policy, struct str place, struct json_value root)
{
	struct json_value results[64], list, out = root;
	struct json_path inside, outer;
	struct json_fault fault;
	struct json_iter it;
	struct json_member member;
	struct zip_input in = { .target = root,
		.inside = &inside,
		.results = results,
		.policy = policy,
		.js = &js,
		.arena = &arena };

	if (json_path_compile(&arena, place, &inside, &fault) != ERR_NONE ||
	    zip_check(&inside) != NULL)
		return;
	outer = inside;
	for (outer.n = 0; inside.steps[outer.n].kind != JSON_STEP_EACH;)
		outer.n++;
	list = json_path_find(&outer, root);
	json_iter_init(&it, list);
	while (in.n < ARRAY_LEN(results) && json_iter_next(&it, &member))
		results[in.n++] = member.value;
	check_outcome(zip_apply(&in, &out), out.text);
}

static void
reshape(const struct response_conf *conf, struct json_value root)
{
	struct iovec iov = str_iov(root.text);
	struct answer_shape_input in = { .iov = &iov,
		.n = 1,
		.bytes = root.text.n,
		.meta = STR("{\"complete\":false}"),
		.js = &js,
		.arena = &arena };
	struct answer_shape *shape;
	struct conf_pos where;
	struct json_fault fault = { 0, NULL };
	struct str text;
	enum err_code e;

	if (answer_shape_compile(&arena, conf, &shape, &where, &fault) != ERR_NONE) {
		MUST(fault.reason != NULL);
		return;
	}
	if (shape == NULL)
		return;
	e = answer_shape_apply(shape, &in, &text);
	check_outcome(e, text);
}

static void
run(uint8_t choice)
{
	enum conflict_policy policy = (enum conflict_policy)(choice % 5);
	struct conf_json_member member = { .name = STR("a"),
		.value = { .kind = CONF_JSON_RAW, .text.s = STR("1.10") } };
	struct shape_conf conf = { .from.s = fuzz_tight(&arena, next_field()) };
	struct response_conf response = { .on_conflict = policy, .partial_meta.s = STR("b") };
	struct json_value root;
	struct str place;

	if (conf.from.s.n == 0)
		conf.from.s = str_none();
	conf.select = next_list();
	conf.drop = response.drop = next_list();
	conf.rename = next_pairs();
	place = fuzz_tight(&arena, next_field());
	response.move = next_pairs();
	response.append = next_pairs();
	response.shape = (choice & 0x40) != 0 ? ANSWER_ARRAY : ANSWER_OBJECT;
	if ((choice & 0x80) != 0)
		response.static_json =
		    (struct conf_json){ .kind = CONF_JSON_OBJECT, .members = &member, .n = 1 };
	if (json_scan_text(&js, fuzz_tight(&arena, rest), 0, &root, NULL) != ERR_NONE)
		return;
	zip(policy, place, root);
	reshape(&response, root);
	zip(policy, place, shape(&conf, root));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	json_scan_init(&js, size);
	arena_init(&arena, NULL, 0);
	rest = str_of((const char *)data + 1, size - 1);
	run(data[0]);
	arena_reset(&arena);
	json_scan_fini(&js);
	return 0;
}
