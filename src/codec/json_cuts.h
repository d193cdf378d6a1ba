/*
 * Where a text has to be changed so that it obeys rules (json_rule.h): a list of pieces that go, or give way to another
 * key, in the order of the text. The scanner finds them in the pass that validates (JSON_SCAN_CUTS); in a text that is
 * valid because it was made of such, json_cuts_find() does.
 *
 * Belongs to one thread, which uses it for one text after the other. The list is kept for the next text, or given back
 * when it is large; it holds a record of sixteen bytes for each change and none for what stays as it is.
 */
#ifndef CODEC_JSON_CUTS_H
#define CODEC_JSON_CUTS_H

#include "base/arena.h"
#include "base/compiler.h"
#include "codec/json_rule.h"

/* What to look for. Immutable. */
struct json_rules {
	const struct json_rule *root; /* of the whole document */
	size_t n_names;               /* what json_rule_settle() returned */
};

/* A piece of the text, by offsets. */
struct json_cut {
	uint32_t from;
	uint32_t to;
	const struct json_rule *renamed; /* the piece is a key and gives way to the one of this rule; NULL: it goes */
};

struct json_cuts {
	const struct json_rules *rules; /* borrowed while one text is looked at */
	const char *text;               /* that the offsets are in; borrowed likewise */
	struct json_cut *at;            /* owned */
	size_t n;
	size_t cap;
	size_t max; /* what the budget allows; more are not kept */
	uint32_t *last_seen; /* by the number of a name: the last object that had it; in the arena */
	uint32_t n_objects;  /* that rules reached into so far */
	uint32_t target_from;
	uint32_t target_to; /* 0: the text has no value at the place that the rules are about */
	bool collides;      /* two members of an object would get the same key */
	bool is_over;       /* the budget did not allow all cuts; the list is of no use */
};

/* Between the members of one object or array. */
struct json_cursor {
	const char *cut_from; /* the first member of a run that is left out; NULL: the last one stays */
	const char *kept_to;  /* the end of the member before that run; NULL: there is none */
	const char *end;      /* of the last member; NULL: there is none yet */
	uint32_t object;      /* its number */
};

void json_cuts_fini(struct json_cuts *cuts);
/* Before the next text is looked at, whose cuts are counted against the arena's budget. */
void json_cuts_begin(struct json_cuts *cuts, const struct json_rules *rules, struct arena *arena);
/* The cuts have been made: gives the memory back when one text made it unusually large. */
void json_cuts_clear(struct json_cuts *cuts);
/* After json_cuts_begin(): the cuts of a value whose text is valid. */
void json_cuts_find(struct json_cuts *cuts, struct json_value value);

/* ---- for who passes over a text */

/* Offsets are in this text; nothing is known of it. */
void json_cuts_restart(struct json_cuts *cuts, const char *text);

void json_cuts_add_slow(struct json_cuts *cuts, struct json_cut cut);

static inline void
json_cuts_add(struct json_cuts *cuts, const char *from, const char *to, const struct json_rule *renamed)
{
	struct json_cut cut = { (uint32_t)(from - cuts->text), (uint32_t)(to - cuts->text), renamed };

	if (UNLIKELY(cuts->n == cuts->cap))
		json_cuts_add_slow(cuts, cut);
	else
		cuts->at[cuts->n++] = cut;
}

static inline struct json_cursor
json_cuts_enter(struct json_cuts *cuts)
{
	return (struct json_cursor){ .object = ++cuts->n_objects };
}

/* Where a member or element starts. What is left out before one that stays goes with the comma behind. */
static inline void
json_cuts_start(struct json_cuts *cuts, struct json_cursor *c, const char *start, bool is_left_out)
{
	if (is_left_out) {
		if (c->cut_from == NULL) {
			c->cut_from = start;
			c->kept_to = c->end;
		}
	} else if (c->cut_from != NULL) {
		json_cuts_add(cuts, c->cut_from, start, NULL);
		c->cut_from = NULL;
	}
}

/* The key of a member that stays, between its quotes. */
static inline void
json_cuts_rename(struct json_cuts *cuts, const struct json_cursor *c, const struct json_rule *rule, struct str key)
{
	size_t name = rule->named->name;

	if (name != JSON_RULE_NO_NAME) {
		if (UNLIKELY(cuts->last_seen[name] == c->object))
			cuts->collides = true;
		cuts->last_seen[name] = c->object;
	}
	if (!str_is_none(rule->renamed))
		json_cuts_add(cuts, key.p - 1, key.p + key.n + 1, rule);
}

/* There are no more: those left out at the end go with the comma before them. */
static inline void
json_cuts_leave(struct json_cuts *cuts, const struct json_cursor *c)
{
	if (c->cut_from != NULL)
		json_cuts_add(cuts, c->kept_to != NULL ? c->kept_to : c->cut_from, c->end, NULL);
}

/* The value that the rules are about. */
static inline void
json_cuts_set_target(struct json_cuts *cuts, const char *from, const char *to)
{
	cuts->target_from = (uint32_t)(from - cuts->text);
	cuts->target_to = (uint32_t)(to - cuts->text);
}

#endif
