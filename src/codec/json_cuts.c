/* The list of cuts, and finding them by walking a valid text. One thread per list. */
#include "codec/json_cuts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/json_iter.h"

#define FIRST_CUTS 64
#define KEPT_CUTS 4096 /* a larger list is given back after its text */

void
json_cuts_fini(struct json_cuts *cuts)
{
	free(cuts->at);
	cuts->at = NULL;
	cuts->n = cuts->cap = 0;
}

void
json_cuts_clear(struct json_cuts *cuts)
{
	cuts->n = 0;
	if (cuts->cap > KEPT_CUTS)
		json_cuts_fini(cuts);
}

static size_t
room_of(const struct arena *arena)
{
	if (arena->budget_bytes == 0)
		return SIZE_MAX;
	return arena->budget_bytes > arena->used_bytes ? arena->budget_bytes - arena->used_bytes : 0;
}

void
json_cuts_begin(struct json_cuts *cuts, const struct json_rules *rules, struct arena *arena)
{
	cuts->rules = rules;
	cuts->last_seen = rules->n_names == 0 ? NULL : arena_calloc(arena, rules->n_names, sizeof *cuts->last_seen);
	cuts->max = room_of(arena) / sizeof *cuts->at;
	cuts->n_objects = 0;
}

/* Objects are numbered on, so that nothing has been seen. */
void
json_cuts_restart(struct json_cuts *cuts, const char *text)
{
	cuts->text = text;
	cuts->n = 0;
	cuts->target_from = cuts->target_to = 0;
	cuts->collides = cuts->is_over = false;
}

/* By half: what a hostile document makes us hold stays near the size of the document. */
void
json_cuts_add_slow(struct json_cuts *cuts, struct json_cut cut)
{
	if (cuts->cap >= FIRST_CUTS && cuts->n >= cuts->max) {
		cuts->is_over = true;
		cuts->n = 0;
		return;
	}
	cuts->cap = cuts->cap == 0 ? FIRST_CUTS : cuts->cap + cuts->cap / 2;
	cuts->at = mem_realloc(cuts->at, cuts->cap * sizeof *cuts->at);
	cuts->at[cuts->n++] = cut;
}

static const char *walk_inside(struct json_cuts *cuts, const struct json_rule *rule, const char *p, const char *end);

/* A value that its own rule, or NULL, is about; p at its first byte. Returns what is behind it. */
static void
walk_value(struct json_cuts *cuts, const struct json_rule *rule, struct json_iter *it, struct json_member *member)
{
	const char *p = member->value.text.p;

	if (rule != NULL && (*p == '{' || *p == '[') && json_rule_reaches_into(rule, *p)) {
		const char *behind = walk_inside(cuts, rule, p, it->end);

		member->value.text.n = (size_t)(behind - p);
		json_iter_leave(it, behind);
	} else {
		json_iter_pass(it, member);
	}
	if (rule != NULL && rule->is_target)
		json_cuts_set_target(cuts, p, p + member->value.text.n);
}

static const struct json_rule *
rule_of(const struct json_rule *around, const struct json_iter *it, const struct json_member *member, uint64_t index)
{
	if (it->is_object)
		return json_rule_of(around, member->key);
	return around->index == JSON_RULE_EVERY || around->index == index ? around->each : NULL;
}

/* p at an opening bracket; returns what is behind the closing one. Each byte is passed once. */
static const char *
walk_inside(struct json_cuts *cuts, const struct json_rule *around, const char *p, const char *end)
{
	struct json_cursor c = json_cuts_enter(cuts);
	struct json_iter it;
	struct json_member member;

	json_iter_open(&it, p, end);
	for (uint64_t i = 0; json_iter_enter(&it, &member); i++) {
		const struct json_rule *rule = rule_of(around, &it, &member, i);
		bool is_left_out = json_rule_leaves_out(around, rule);

		json_cuts_start(
		    cuts, &c, it.is_object ? member.key.p - 1 : member.value.text.p, is_left_out);
		if (it.is_object && rule != NULL && !is_left_out)
			json_cuts_rename(cuts, &c, rule, member.key);
		walk_value(cuts, is_left_out ? NULL : rule, &it, &member);
		c.end = member.value.text.p + member.value.text.n;
	}
	json_cuts_leave(cuts, &c);
	return json_iter_close(&it);
}

void
json_cuts_find(struct json_cuts *cuts, struct json_value value)
{
	const struct json_rule *rule = cuts->rules->root;
	const char *p = value.text.p;

	json_cuts_restart(cuts, p);
	cuts->is_over = value.text.n > INT32_MAX; /* offsets have 32 bits */
	if (cuts->is_over)
		return;
	if ((value.kind == JSON_OBJECT || value.kind == JSON_ARRAY) && json_rule_reaches_into(rule, *p))
		walk_inside(cuts, rule, p, p + value.text.n);
	if (rule->is_target)
		json_cuts_set_target(cuts, p, p + value.text.n);
}
