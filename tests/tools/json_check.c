/*
 * Answers questions about JSON for tests in other languages: requests on standard input, one answer
 * each on standard output. A string is its length (32 bits, little endian; all ones: none) and its
 * bytes; an answer is one string. The first byte of a request says what it is:
 *
 *     S flags text             scan: "ok KIND START LENGTH DUPLICATES" or "bad OFFSET REASON"
 *     D flags text             the part that the text becomes, flags 1: duplicate_keys: last
 *     P path text              look-up: the value, "" when there is none, "?REASON" for a bad path
 *     W text                   the text as a JSON string
 *     M policy meta_key meta count (name into text)...
 *                              merge; into none: under the name; text none: absent. "ok\n" and the
 *                              bytes, "conflict PART PLACE", "plan PLACE REASON"
 *     H from selects drops renames text
 *                              shape; a list is its length and its strings, a rename two of them.
 *                              "ok\n" and the bytes, the reason token, "plan REASON"
 *     Z policy inside text results
 *                              zip; a result may be none. As above
 *     A policy meta_key static when partial moves appends drops is_array meta text
 *                              what becomes of a merged answer; static: names and JSON. As above
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "codec/json_iter.h"
#include "codec/json_path.h"
#include "codec/json_write.h"
#include "gather/answer_shape.h"
#include "gather/merge.h"
#include "gather/part.h"
#include "gather/shape.h"
#include "gather/zip.h"

#define MAX_PARTS 64
#define MAX_LIST 1000

static struct arena arena;
static struct json_scan js;

static void
die(const char *why)
{
	fprintf(stderr, "json_check: %s\n", why);
	exit(EXIT_FAILURE);
}

static void
get(void *dst, size_t n)
{
	if (n > 0 && fread(dst, 1, n, stdin) != n)
		die("the request ends too early");
}

static uint32_t
get_u32(void)
{
	uint32_t v;

	get(&v, sizeof v);
	return v;
}

static uint8_t
get_u8(void)
{
	uint8_t v;

	get(&v, sizeof v);
	return v;
}

/* On the heap, exactly as long as the text, so that a sanitizer sees reads behind it. */
static struct str
get_str(void)
{
	uint32_t n = get_u32();
	char *p;

	if (n == UINT32_MAX)
		return str_none();
	p = malloc(n == 0 ? 1 : n);
	if (p == NULL)
		die("no memory");
	get(p, n);
	arena_on_reset(&arena, free, p);
	return str_of(p, n);
}

static void
answer(struct str s)
{
	uint32_t n = (uint32_t)s.n;

	fwrite(&n, sizeof n, 1, stdout);
	fwrite(s.p, 1, s.n, stdout);
}

static void
on_scan(void)
{
	unsigned flags = get_u8();
	struct str text = get_str();
	struct json_value root;
	struct json_fault fault;

	if (json_scan_text(&js, text, flags, &root, &fault) != ERR_NONE)
		answer(arena_printf(&arena, "bad %zu %s", fault.offset, fault.reason));
	else
		answer(arena_printf(&arena, "ok %d %zu %zu %d", (int)root.kind,
		    (size_t)(root.text.p - text.p), root.text.n, js.has_duplicates));
}

static void
on_part(void)
{
	struct part_rule rule = { PART_JSON, get_u8() != 0, NULL };
	struct str text = get_str();
	struct part part;

	if (part_read(&rule, text, &js, &arena, &part) != ERR_NONE)
		answer(arena_printf(&arena, "bad %zu %s", part.fault.offset, part.fault.reason));
	else
		answer(part.value.text);
}

static void
on_path(void)
{
	struct str path_text = get_str();
	struct str text = get_str();
	struct json_value root;
	struct json_path path;
	struct json_fault fault;

	if (json_path_compile_ref(&arena, path_text, &path, &fault) != ERR_NONE) {
		answer(arena_printf(&arena, "?%s", fault.reason));
		return;
	}
	if (json_scan_text(&js, text, 0, &root, &fault) != ERR_NONE)
		die("look-up in a text that is not JSON");
	root = json_path_find(&path, root);
	answer(root.kind == JSON_NONE ? STR("") : root.text);
}

static void
get_place(struct merge_place *place)
{
	struct str into;
	struct json_fault fault;

	place->name = get_str();
	into = get_str();
	if (str_is_none(into))
		json_path_of_key(&arena, place->name, &place->into);
	else if (json_path_compile_into(&arena, into, &place->into, &fault) != ERR_NONE)
		die(fault.reason);
}

static void
get_part(struct json_value *part)
{
	struct str text = get_str();
	struct json_fault fault;

	*part = (struct json_value){ JSON_NONE, { NULL, 0 } };
	if (!str_is_none(text) && json_scan_text(&js, text, 0, part, &fault) != ERR_NONE)
		die("a part that is not JSON");
}

static void
answer_merge(const struct merge_plan *plan, const struct merge_input *in)
{
	struct merge_result result;
	struct buf b = BUF_INIT;

	if (merge_run(plan, in, &result) != ERR_NONE) {
		answer(arena_printf(&arena, "conflict %zu %.*s", result.conflict_part,
		    STR_FMT(result.conflict_place)));
		return;
	}
	buf_add_c(&b, "ok\n");
	for (size_t i = 0; i < result.n; i++)
		buf_add(&b, str_of(result.iov[i].iov_base, result.iov[i].iov_len));
	if (b.n != result.bytes + 3)
		die("the slices are not as long as they say");
	answer(buf_str(&b));
	buf_fini(&b);
}

static void
on_merge(void)
{
	struct merge_place places[MAX_PARTS];
	struct json_value parts[MAX_PARTS];
	struct merge_spec spec = { .places = places, .policy = (enum conflict_policy)get_u8() };
	struct merge_input in = { .parts = parts, .js = &js, .arena = &arena };
	struct merge_plan *plan;
	struct merge_fault fault;

	spec.keeps_places = get_u8() != 0;
	spec.meta_key = get_str();
	in.meta = get_str();
	spec.n = get_u32();
	if (spec.n > MAX_PARTS)
		die("too many parts");
	for (size_t i = 0; i < spec.n; i++) {
		get_place(&places[i]);
		get_part(&parts[i]);
	}
	if (merge_plan_new(&arena, &spec, &plan, &fault) != ERR_NONE)
		answer(arena_printf(&arena, "plan %zu %s", fault.place, fault.reason));
	else
		answer_merge(plan, &in);
}

static uint32_t
get_count(void)
{
	uint32_t n = get_u32();

	if (n > MAX_LIST)
		die("too long a list");
	return n;
}

static struct conf_text_list
get_texts(void)
{
	struct conf_text_list list = { .n = get_count() };

	list.at = arena_calloc(&arena, list.n, sizeof *list.at);
	for (size_t i = 0; i < list.n; i++)
		list.at[i].s = get_str();
	return list;
}

static struct conf_pair_list
get_pairs(void)
{
	struct conf_pair_list list = { .n = get_count() };

	list.at = arena_calloc(&arena, list.n, sizeof *list.at);
	for (size_t i = 0; i < list.n; i++) {
		list.at[i].name.s = get_str();
		list.at[i].value.s = get_str();
	}
	return list;
}

static struct json_value
get_document(void)
{
	struct json_value root;

	get_part(&root);
	return root;
}

static void
answer_outcome(enum err_code e, struct str text)
{
	if (e != ERR_NONE)
		answer(str_c(err_token(e)));
	else
		answer(arena_printf(&arena, "ok\n%.*s", STR_FMT(text)));
}

static void
on_shape(void)
{
	struct shape_conf conf = { .from.s = get_str() };
	struct json_value root, out = { .kind = JSON_NONE }, in_place;
	struct shape *shape;
	struct conf_pos where;
	struct json_fault fault;
	enum err_code e = ERR_NONE;

	conf.select = get_texts();
	conf.drop = get_texts();
	conf.rename = get_pairs();
	root = out = get_document();
	if (shape_compile(&arena, &conf, &shape, &where, &fault) != ERR_NONE) {
		answer(arena_printf(&arena, "plan %s", fault.reason));
		return;
	}
	if (shape != NULL) {
		json_cuts_begin(&js.cuts, shape_rules(shape), &arena);
		if (json_scan_text(&js, root.text, JSON_SCAN_CUTS, &root, NULL) != ERR_NONE)
			die("shaping of a text that is not JSON");
		e = shape_apply(shape, &js.cuts, &arena, &out);
		root.text = arena_str(&arena, root.text);
		json_cuts_begin(&js.cuts, shape_rules(shape), &arena);
		json_cuts_find(&js.cuts, root);
		if (shape_apply_in_place(shape, &js.cuts, &arena, &in_place) != e ||
		    (e == ERR_NONE && !str_eq(in_place.text, out.text)))
			abort();
	}
	answer_outcome(e, out.text);
}

static void
on_zip(void)
{
	struct zip_input in = {
		.policy = (enum conflict_policy)get_u8(), .js = &js, .arena = &arena
	};
	struct json_path inside;
	struct json_fault fault;
	struct json_value *results, out;
	enum err_code e;

	if (json_path_compile(&arena, get_str(), &inside, &fault) != ERR_NONE)
		die(fault.reason);
	fault.reason = zip_check(&inside);
	in.inside = &inside;
	in.target = out = get_document();
	in.n = get_count();
	in.results = results = arena_calloc(&arena, in.n, sizeof *results);
	for (size_t i = 0; i < in.n; i++)
		results[i] = get_document();
	if (fault.reason != NULL) {
		answer(arena_printf(&arena, "plan %s", fault.reason));
		return;
	}
	e = zip_apply(&in, &out);
	answer_outcome(e, out.text);
}

static struct conf_json
get_static(void)
{
	struct conf_pair_list pairs = get_pairs();
	struct conf_json json = { .kind = CONF_JSON_OBJECT, .n = pairs.n };

	if (pairs.n == 0)
		return (struct conf_json){ .kind = CONF_JSON_NONE };
	json.members = arena_calloc(&arena, pairs.n, sizeof *json.members);
	for (size_t i = 0; i < pairs.n; i++) {
		json.members[i].name = pairs.at[i].name.s;
		json.members[i].value.kind = CONF_JSON_RAW;
		json.members[i].value.text = pairs.at[i].value;
	}
	return json;
}

static void
on_answer(void)
{
	struct response_conf conf = { .on_conflict = (enum conflict_policy)get_u8() };
	struct answer_shape_input in = { .n = 1, .js = &js, .arena = &arena };
	struct iovec iov;
	struct answer_shape *shape;
	struct str text;
	struct conf_pos where;
	struct json_fault fault;
	enum err_code e = ERR_NONE;

	conf.partial_meta.s = get_str();
	conf.static_json = get_static();
	conf.static_when = (enum static_when)get_u8();
	in.is_partial = get_u8() != 0;
	conf.move = get_pairs();
	conf.append = get_pairs();
	conf.drop = get_texts();
	conf.shape = get_u8() != 0 ? ANSWER_ARRAY : ANSWER_OBJECT;
	in.meta = get_str();
	text = get_document().text;
	if (answer_shape_compile(&arena, &conf, &shape, &where, &fault) != ERR_NONE) {
		answer(arena_printf(&arena, "plan %s", fault.reason));
		return;
	}
	iov = str_iov(text);
	in.iov = &iov;
	in.bytes = text.n;
	if (shape != NULL)
		e = answer_shape_apply(shape, &in, &text);
	answer_outcome(e, text);
}

int
main(void)
{
	int op;

	json_scan_init(&js, 0x5eed);
	arena_init(&arena, NULL, 0);
	while ((op = getchar()) != EOF) {
		switch (op) {
		case 'S':
			on_scan();
			break;
		case 'D':
			on_part();
			break;
		case 'P':
			on_path();
			break;
		case 'W':
			answer(json_write_str(&arena, get_str()));
			break;
		case 'M':
			on_merge();
			break;
		case 'H':
			on_shape();
			break;
		case 'Z':
			on_zip();
			break;
		case 'A':
			on_answer();
			break;
		default:
			die("unknown request");
		}
		arena_reset(&arena);
	}
	json_scan_fini(&js);
	return EXIT_SUCCESS;
}
