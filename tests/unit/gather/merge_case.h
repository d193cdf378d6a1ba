/* Merges texts as a route would, for the tests of merging. */
#ifndef MERGE_CASE_H
#define MERGE_CASE_H

#include "base/buf.h"
#include "gather/merge.h"
#include "unit.h"

#define MERGE_CASE_PARTS 8

struct merge_case {
	enum conflict_policy policy;
	struct {
		const char *name; /* NULL: no more */
		const char *into; /* NULL: under the name */
		const char *text; /* NULL: absent */
	} parts[MERGE_CASE_PARTS];
	const char *meta; /* NULL: none; its key is _meta */
	const char *want; /* the answer, or behind '!' the place of the conflict */
};

static inline size_t
merge_case_places(struct arena *a, const struct merge_case *c, struct merge_place *places)
{
	size_t n = 0;

	for (; n < MERGE_CASE_PARTS && c->parts[n].name != NULL; n++) {
		struct json_fault fault;

		places[n].name = str_c(c->parts[n].name);
		if (c->parts[n].into == NULL)
			json_path_of_key(a, places[n].name, &places[n].into);
		else
			ck_assert_int_eq(json_path_compile_into(
					     a, str_c(c->parts[n].into), &places[n].into, &fault),
			    ERR_NONE);
	}
	return n;
}

static inline struct json_value
merge_case_scan(struct json_scan *js, const char *text)
{
	struct json_value value = { JSON_NONE, { NULL, 0 } };

	if (text != NULL)
		ck_assert_int_eq(json_scan_text(js, str_c(text), 0, &value, NULL), ERR_NONE);
	return value;
}

/* What the merge gave: the answer, or '!' and the place of the conflict. */
static inline struct str
merge_case_run(struct arena *a, const struct merge_case *c, bool keeps_places)
{
	struct merge_place places[MERGE_CASE_PARTS];
	struct json_value parts[MERGE_CASE_PARTS];
	struct merge_spec spec = {
		.places = places,
		.policy = c->policy,
		.meta_key = STR("_meta"),
		.keeps_places = keeps_places,
	};
	struct json_scan js;
	struct merge_input in = { .parts = parts, .meta = str_c(c->meta), .js = &js, .arena = a };
	struct merge_plan *plan;
	struct merge_fault fault;
	struct merge_result result;
	struct buf b = BUF_INIT;

	json_scan_init(&js, 6);
	spec.n = merge_case_places(a, c, places);
	for (size_t i = 0; i < spec.n; i++)
		parts[i] = merge_case_scan(&js, c->parts[i].text);
	ck_assert_int_eq(merge_plan_new(a, &spec, &plan, &fault), ERR_NONE);
	if (merge_run(plan, &in, &result) == ERR_MERGE_CONFLICT)
		buf_printf(&b, "!%.*s", STR_FMT(result.conflict_place));
	for (size_t i = 0; i < result.n && b.n < result.bytes; i++)
		buf_add(&b, str_of(result.iov[i].iov_base, result.iov[i].iov_len));
	json_scan_fini(&js);
	arena_on_reset(a, free, b.p);
	return buf_str(&b);
}

#endif
