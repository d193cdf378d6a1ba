#include "codec/json_cuts.h"

#include "base/buf.h"
#include "base/rnd.h"
#include "codec/json_scan.h"
#include "codec/json_texts.h"
#include "unit.h"

static struct arena arena;
static struct rnd rnd;

/* Raw, with different lengths around what is compared at once; the last two are equal to others. */
static const char *const keys[] = { "a", "b", "", "id", "eight678", "nine_5678", "sixteen_of_these",
	"seventeen_of_these", "caf\xc3\xa9", "\\u0061", "i\\u0064" };
/* The same as paths have them. */
static const char *const steps[] = { "a", "b", "\"\"", "id", "eight678", "nine_5678", "sixteen_of_these",
	"seventeen_of_these", "caf\xc3\xa9" };

static bool
chance(unsigned percent)
{
	return rnd_chance(&rnd, percent, 100);
}

static const char *
gap(void)
{
	static const char *const gaps[] = { "", "", "", " ", "\n\t ", "                    " };

	return gaps[rnd_below(&rnd, ARRAY_LEN(gaps))];
}

static void
add_scalar(struct buf *b)
{
	static const char *const scalars[] = { "1", "-0.5e3", "true", "null", "\"\"", "\"}],{[\\\"\"",
		"\"a string that is longer than any window over the text, so that the window has to move\"" };

	buf_add_c(b, scalars[rnd_below(&rnd, ARRAY_LEN(scalars))]);
}

/* Any document; objects may have equal keys. */
static void
add_value(struct buf *b, unsigned depth)
{
	bool is_object = chance(60);
	uint64_t n = rnd_below(&rnd, 5);

	if (depth == 0 || chance(20)) {
		add_scalar(b);
		return;
	}
	buf_printf(b, "%s%s", is_object ? "{" : "[", gap());
	for (uint64_t i = 0; i < n; i++) {
		buf_printf(b, "%s%s", i == 0 ? "" : ",", gap());
		if (is_object)
			buf_printf(b, "\"%s\"%s:%s", keys[rnd_below(&rnd, ARRAY_LEN(keys))], gap(), gap());
		add_value(b, depth - 1);
		buf_add_c(b, gap());
	}
	buf_add_c(b, is_object ? "}" : "]");
}

static struct json_rule_path
any_path(void)
{
	struct json_rule_path path = { .arena = &arena };
	struct buf b = BUF_INIT;

	for (uint64_t n = 1 + rnd_below(&rnd, 3); n > 0; n--) {
		if (chance(30))
			buf_add_c(&b, "[]");
		else
			buf_printf(&b, "%s%s", b.n == 0 ? "" : ".", steps[rnd_below(&rnd, ARRAY_LEN(steps))]);
	}
	path.text = arena_str(&arena, buf_str(&b));
	buf_fini(&b);
	return path;
}

/* Whatever rules can be had; those that contradict others are left out. */
static struct json_rules
any_rules(void)
{
	struct json_rule *root = json_rule_root(&arena);
	struct json_rules rules;
	struct json_path from = { .n = 0 };
	struct json_fault fault;

	for (unsigned i = 0; i < 3; i++) {
		struct json_rule_path path = any_path();

		if (chance(50))
			(void)json_rule_drop(root, &path);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct json_rule_path path = any_path();

		if (chance(40))
			(void)json_rule_select(root, &path);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct json_rule_path path = any_path();

		if (chance(50))
			(void)json_rule_rename(root, &path, STR("id"));
	}
	rules.n_names = json_rule_settle(&arena, root);
	if (chance(30))
		ck_assert_int_eq(json_path_compile_ref(&arena, chance(50) ? STR("a[1]") : STR("[0].id"), &from, &fault),
		    ERR_NONE);
	rules.root = json_rule_from(&arena, root, &from);
	return rules;
}

/* `scanned` are of a text that the value begins `offset` bytes behind. */
static void
check_same(const struct json_cuts *scanned, const struct json_cuts *walked, size_t offset)
{
	ck_assert_int_eq(walked->collides, scanned->collides);
	ck_assert_int_eq(walked->target_to != 0, scanned->target_to != 0);
	if (walked->target_to != 0) {
		ck_assert_uint_eq(walked->target_from + offset, scanned->target_from);
		ck_assert_uint_eq(walked->target_to + offset, scanned->target_to);
	}
	ck_assert_uint_eq(walked->n, scanned->n);
	for (size_t i = 0; i < walked->n; i++) {
		ck_assert_uint_eq(walked->at[i].from + offset, scanned->at[i].from);
		ck_assert_uint_eq(walked->at[i].to + offset, scanned->at[i].to);
		ck_assert_ptr_eq(walked->at[i].renamed, scanned->at[i].renamed);
		ck_assert_uint_le(walked->at[i].from, walked->at[i].to);
		if (i > 0)
			ck_assert_uint_le(walked->at[i - 1].to, walked->at[i].from);
	}
}

/* Whether the text is valid: with looking for cuts and without it is the same, in every form. */
static bool
check_text(const struct json_rules *rules, struct str text)
{
	struct json_cuts walked = { .at = NULL };
	struct json_value root, plain;
	struct json_fault fault, plain_fault;
	enum err_code e = ERR_NONE;

	for (size_t i = 0; i < json_texts_n_forms(); i++) {
		struct json_scan js;

		json_scan_init(&js, 4711);
		js.blocks = json_texts_form(i);
		json_cuts_begin(&js.cuts, rules, &arena);
		e = json_scan_text(&js, text, JSON_SCAN_CUTS, &root, &fault);
		ck_assert_int_eq(json_scan_text(&js, text, 0, &plain, &plain_fault), e);
		if (e == ERR_NONE) {
			ck_assert(root.text.p == plain.text.p && root.text.n == plain.text.n);
			json_cuts_begin(&walked, rules, &arena);
			json_cuts_find(&walked, root);
			check_same(&js.cuts, &walked, (size_t)(root.text.p - text.p));
		} else {
			ck_assert_uint_eq(fault.offset, plain_fault.offset);
			ck_assert_str_eq(fault.reason, plain_fault.reason);
		}
		json_scan_fini(&js);
	}
	json_cuts_fini(&walked);
	return e == ERR_NONE;
}

START_TEST(scanning_and_walking_find_the_same)
{
	size_t n_valid = 0;

	rnd_init(&rnd, 1);
	for (unsigned i = 0; i < 4000; i++) {
		struct buf b = BUF_INIT;
		struct json_rules rules = any_rules();
		struct str text;

		buf_add_c(&b, gap());
		add_value(&b, 5);
		buf_add_c(&b, gap());
		text = json_texts_tight(buf_str(&b));
		n_valid += check_text(&rules, text);
		json_texts_free(text);
		buf_fini(&b);
		arena_reset(&arena);
	}
	ck_assert_uint_gt(n_valid, 2000);
}
END_TEST

START_TEST(broken_texts_are_refused_as_without_rules)
{
	rnd_init(&rnd, 2);
	for (unsigned i = 0; i < 50; i++) {
		struct json_rules rules = any_rules();
		struct buf b = BUF_INIT;

		buf_add_c(&b, "{\"a\":[1,");
		add_value(&b, 4);
		buf_add_c(&b, "]}");
		for (size_t n = 0; n < b.n; n++) {
			struct str text = json_texts_tight(str_of(buf_str(&b).p, n));

			ck_assert(!check_text(&rules, text));
			((char *)(uintptr_t)text.p)[n / 2] = "]},:x\"\\"[rnd_below(&rnd, 7)];
			(void)check_text(&rules, text);
			json_texts_free(text);
		}
		buf_fini(&b);
		arena_reset(&arena);
	}
}
END_TEST

static struct json_rules
dropping(const char *text)
{
	struct json_rule_path path = { .arena = &arena, .text = str_c(text) };
	struct json_rule *root = json_rule_root(&arena);
	struct json_rules rules = { .root = root };

	ck_assert_int_eq(json_rule_drop(root, &path), ERR_NONE);
	rules.n_names = json_rule_settle(&arena, root);
	rules.root = json_rule_from(&arena, root, &(struct json_path){ .n = 0 });
	return rules;
}

/* n elements with a cut each. */
static void
scan_many(struct json_scan *js, const struct json_rules *rules, size_t n)
{
	struct buf b = BUF_INIT;
	struct json_value root;

	buf_add_c(&b, "[0");
	while (n-- > 0)
		buf_add_c(&b, ",{\"a\":1,\"b\":2}");
	buf_add_c(&b, "]");
	json_cuts_begin(&js->cuts, rules, &arena);
	ck_assert_int_eq(json_scan_text(js, buf_str(&b), JSON_SCAN_CUTS, &root, NULL), ERR_NONE);
	buf_fini(&b);
}

START_TEST(more_than_the_budget_allows_is_not_kept)
{
	struct json_rules rules = dropping("[].a");
	struct json_scan js;

	json_scan_init(&js, 1);
	arena.budget_bytes = arena.used_bytes + 100 * sizeof *js.cuts.at;
	scan_many(&js, &rules, 60);
	ck_assert(!js.cuts.is_over);
	ck_assert_uint_eq(js.cuts.n, 60);
	scan_many(&js, &rules, 100000);
	ck_assert(js.cuts.is_over);
	ck_assert_uint_lt(js.cuts.cap, 200);
	scan_many(&js, &rules, 60);
	ck_assert(!js.cuts.is_over);
	json_scan_fini(&js);
	arena_reset(&arena);
	arena_init(&arena, NULL, 0);
}
END_TEST

START_TEST(a_large_list_is_given_back)
{
	struct json_rules rules = dropping("[].a");
	struct json_scan js;

	json_scan_init(&js, 1);
	scan_many(&js, &rules, 100);
	json_cuts_clear(&js.cuts);
	ck_assert_uint_ge(js.cuts.cap, 100);
	scan_many(&js, &rules, 100000);
	ck_assert_uint_eq(js.cuts.n, 100000);
	json_cuts_clear(&js.cuts);
	ck_assert_uint_eq(js.cuts.cap, 0);
	json_scan_fini(&js);
	arena_reset(&arena);
}
END_TEST

/* Rules reach into no level but those that they name, however deep the text is. */
START_TEST(depth_is_counted_through_rules)
{
	struct json_rules rules = dropping("[][][].a");
	struct buf b = BUF_INIT;

	for (unsigned depth = 1; depth <= JSON_SCAN_MAX_DEPTH + 1; depth++) {
		b.n = 0;
		for (unsigned i = 0; i < depth; i++)
			buf_add_c(&b, "[");
		for (unsigned i = 0; i < depth; i++)
			buf_add_c(&b, "]");
		ck_assert_int_eq(check_text(&rules, buf_str(&b)), depth <= JSON_SCAN_MAX_DEPTH);
	}
	buf_fini(&b);
	arena_reset(&arena);
}
END_TEST

/* Hundreds of rules for one object are found by hash: a list of them would be gone through at each of its members. */
START_TEST(many_rules_are_not_compared_one_by_one)
{
	enum { N_RULES = 300 };
	struct json_rule *root = json_rule_root(&arena);
	struct json_rules rules = { .root = root };
	struct buf b = BUF_INIT;
	size_t n_used = 0;

	for (int i = 0; i < N_RULES; i++) {
		struct json_rule_path path = { .arena = &arena, .text = arena_printf(&arena, "k%d", i) };

		ck_assert_int_eq(json_rule_drop(root, &path), ERR_NONE);
	}
	rules.n_names = json_rule_settle(&arena, root);
	ck_assert_ptr_nonnull(root->table);
	for (size_t i = 0; i <= root->table_mask; i++)
		n_used += root->table[i] != NULL;
	ck_assert_uint_eq(n_used, N_RULES);
	ck_assert_uint_ge(root->table_mask + 1, 2 * n_used);
	for (int i = 0; i < 2 * N_RULES; i++) {
		struct str key = arena_printf(&arena, "%s%d", i % 2 == 0 ? "k" : "\\u006b", i);
		const struct json_rule *rule = json_rule_of(root, key);

		ck_assert(i < N_RULES ? rule != NULL && rule->is_dropped : rule == NULL);
		buf_printf(&b, "%s\"%.*s\":%d", i == 0 ? "{" : ",", STR_FMT(key), i);
	}
	buf_add_c(&b, ",\"a key that is longer than what is looked up at once\":1}");
	ck_assert(check_text(&rules, buf_str(&b)));
	buf_fini(&b);
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("json_cuts", scanning_and_walking_find_the_same, broken_texts_are_refused_as_without_rules,
    more_than_the_budget_allows_is_not_kept, a_large_list_is_given_back, depth_is_counted_through_rules,
    many_rules_are_not_compared_one_by_one)
