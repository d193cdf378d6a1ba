/*
 * Hostile JSON: what the scanner takes must survive walking, look-up, removal of duplicates and
 * merging, and what comes out must be taken by the scanner again. The first byte chooses the
 * policy, the second the places; 0xff separates the parts (no JSON text holds it).
 */
#include "base/buf.h"
#include "base/compiler.h"
#include "codec/json_dedup.h"
#include "codec/json_iter.h"
#include "codec/json_path.h"
#include "codec/json_str.h"
#include "codec/json_write.h"
#include "codec/utf8.h"
#include "gather/merge.h"
#include "gather/part.h"
#include "fuzz.h"

#define MAX_PARTS 4

static struct json_scan js;
static struct arena arena;

/* Every value is found where it is; all of them lie inside the one around them. */
static void
walk(struct json_value value)
{
	const char *end = value.text.p + value.text.n;
	struct json_iter it;
	struct json_member m;

	MUST(value.kind == json_iter_kind(value.text.p[0]));
	json_iter_init(&it, value);
	while (json_iter_next(&it, &m)) {
		MUST(m.value.text.n > 0 && m.value.text.p > value.text.p);
		MUST(m.value.text.p + m.value.text.n < end);
		if (it.is_object)
			MUST(json_str_eq(m.key, m.key) && m.key.p[-1] == '"');
		walk(m.value);
	}
}

/* The output of the code under test: nesting may have grown beyond what a part may have. */
static void
check_output(struct str text)
{
	struct json_value root;
	struct json_fault fault;

	if (json_scan_text(&js, fuzz_tight(&arena, text), 0, &root, &fault) != ERR_NONE)
		MUST(strcmp(fault.reason, "nested too deeply") == 0);
}

static void
check_strings(struct str any)
{
	struct str written = json_write_str(&arena, any);
	struct str inside = str_of(written.p + 1, written.n - 2);

	MUST(written.n <= json_write_bound(any));
	check_output(written);
	if (utf8_is_valid(any))
		MUST(str_eq(json_str_text(&arena, inside), any));
	check_output(json_write_base64(&arena, any));
}

static void
check_path(struct str text, struct json_value root)
{
	struct json_path path;
	struct json_fault fault;
	struct json_value found;

	if (json_path_compile(&arena, text, &path, &fault) != ERR_NONE) {
		MUST(fault.offset <= text.n && fault.reason != NULL);
		return;
	}
	found = json_path_find(&path, root);
	if (found.kind != JSON_NONE)
		check_output(found.text);
}

/* The part that a text becomes; kind JSON_NONE when it is refused. */
static struct json_value
read_part(struct str text)
{
	struct part_rule strict = { PART_JSON, false, NULL }, lax = { PART_JSON, true, NULL };
	struct part part = { .value = { JSON_NONE, { NULL, 0 } } };

	if (part_read(&lax, text, &js, &arena, &part) != ERR_NONE) {
		MUST(part.fault.offset <= text.n && part.fault.reason != NULL);
		MUST(part_read(&strict, text, &js, &arena, &part) != ERR_NONE);
		return (struct json_value){ JSON_NONE, { NULL, 0 } };
	}
	check_output(part.value.text);
	walk(part.value);
	if (part_read(&strict, text, &js, &arena, &part) != ERR_NONE)
		MUST(strcmp(part.fault.reason, "duplicate key") == 0);
	part_read(&lax, text, &js, &arena, &part);
	return part.value;
}

static void
check_merge(const struct merge_plan *plan, const struct merge_input *in)
{
	struct merge_result result;
	struct buf b = BUF_INIT;

	if (merge_run(plan, in, &result) != ERR_NONE) {
		MUST(result.conflict_part < plan->spec.n && result.conflict_place.n > 0);
		return;
	}
	for (size_t i = 0; i < result.n; i++)
		buf_add(&b, str_of(result.iov[i].iov_base, result.iov[i].iov_len));
	MUST(b.n == result.bytes);
	check_output(buf_str(&b));
	buf_fini(&b);
}

/* Two bits of `shape` for the place of each part; with all of them the answer is an array. */
static void
merge(enum conflict_policy policy, unsigned shape, const struct json_value *parts, size_t n)
{
	static const struct str intos[] = { STR_INIT("."), STR_INIT("a"), STR_INIT("a.b"),
		STR_INIT("a[]") };
	struct merge_place places[MAX_PARTS];
	struct merge_spec spec = { places, n, policy, STR("c"), (shape & 1) != 0 };
	struct merge_input in = { .parts = parts, .js = &js, .arena = &arena };
	struct merge_plan *plan;
	struct merge_fault fault;
	struct json_fault path_fault;

	for (size_t i = 0; i < n; i++) {
		places[i].name = STR("name");
		MUST(json_path_compile_into(&arena,
			  shape == 0xff ? STR("[]") : intos[shape >> 2 * i & 3], &places[i].into,
			  &path_fault) == ERR_NONE);
	}
	if (merge_plan_new(&arena, &spec, &plan, &fault) != ERR_NONE)
		return;
	check_merge(plan, &in);
	in.meta = STR("{\"complete\":false}");
	check_merge(plan, &in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_value parts[MAX_PARTS];
	struct str rest, text;
	size_t n = 0;

	if (size < 2)
		return 0;
	json_scan_init(&js, size);
	arena_init(&arena, NULL, 0);
	rest = str_of((const char *)data + 2, size - 2);
	while (n < MAX_PARTS && str_split(&rest, (char)0xff, &text)) {
		text = fuzz_tight(&arena, text);
		parts[n++] = read_part(text);
		check_strings(text);
		if (n > 1 && parts[n - 2].kind != JSON_NONE)
			check_path(text, parts[n - 2]);
	}
	merge((enum conflict_policy)(data[0] % 5), data[1], parts, n);
	arena_reset(&arena);
	json_scan_fini(&js);
	return 0;
}
