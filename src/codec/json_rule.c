/* Building the tree of rules, at load, and looking a key up in it, in any thread. */
#include "codec/json_rule.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/json_str.h"
#include "codec/json_write.h"

/* The documents' keys are looked up and never added, so that nobody gains by knowing it. */
#define TABLE_SEED UINT64_C(0xa0761d6478bd642f)

static enum err_code
fail(struct json_rule_path *path, const char *reason)
{
	path->fault = (struct json_fault){ 0, reason };
	return ERR_BAD_CONFIG;
}

static void
set_key(struct json_rule *rule, struct str key)
{
	rule->key = key;
	if (key.n > 0) {
		memcpy(&rule->first_word, key.p, key.n < 8 ? key.n : 8);
		memset(&rule->first_mask, 0xff, key.n < 8 ? key.n : 8);
	}
	if (key.n >= 8)
		rule->last_word = json_str_load8(key.p + key.n - 8);
}

static struct json_rule *
rule_new(struct arena *arena, struct str key)
{
	struct json_rule *rule = arena_calloc(arena, 1, sizeof *rule);

	set_key(rule, key);
	rule->named = rule;
	rule->name = JSON_RULE_NO_NAME;
	rule->index = JSON_RULE_EVERY;
	return rule;
}

struct json_rule *
json_rule_root(struct arena *arena)
{
	return rule_new(arena, str_none());
}

/* The rule of a member, added in the order of the file: that of most documents too. */
static struct json_rule *
member_rule(struct arena *arena, struct json_rule *rule, struct str quoted)
{
	struct str key = str_of(quoted.p + 1, quoted.n - 2);
	struct json_rule **at = &rule->members;

	while (*at != NULL && !str_eq((*at)->key, key))
		at = &(*at)->next;
	if (*at == NULL)
		*at = rule_new(arena, key);
	return *at;
}

static struct json_rule *
step_rule(struct arena *arena, struct json_rule *rule, const struct json_step *step)
{
	if (step->kind == JSON_STEP_KEY)
		return member_rule(arena, rule, step->quoted);
	if (rule->each == NULL)
		rule->each = rule_new(arena, str_none());
	return rule->each;
}

/* The rule that the path leads to, and the one around it. */
static enum err_code
walk(struct json_rule *root, struct json_rule_path *path, struct json_rule **out,
    struct json_rule **parent)
{
	struct json_path steps;
	enum err_code e = json_path_compile(path->arena, path->text, &steps, &path->fault);

	if (e != ERR_NONE)
		return e;
	if (steps.n == 0)
		return fail(path, "the path names the whole part");
	*out = root;
	for (size_t i = 0; i < steps.n; i++) {
		if (steps.steps[i].kind == JSON_STEP_INDEX)
			return fail(path, "an index names one element; \"[]\" names all");
		*parent = *out;
		*out = step_rule(path->arena, *out, &steps.steps[i]);
		path->is_left_out = path->is_left_out || (*out)->is_dropped;
	}
	return ERR_NONE;
}

enum err_code
json_rule_drop(struct json_rule *root, struct json_rule_path *path)
{
	struct json_rule *rule, *parent;
	enum err_code e = walk(root, path, &rule, &parent);

	if (e != ERR_NONE)
		return e;
	if (rule->is_dropped)
		return fail(path, "the same path stands in `drop` twice");
	rule->is_dropped = true;
	return ERR_NONE;
}

enum err_code
json_rule_select(struct json_rule *root, struct json_rule_path *path)
{
	struct json_rule *rule, *parent;
	enum err_code e = walk(root, path, &rule, &parent);

	if (e != ERR_NONE)
		return e;
	if (path->is_left_out)
		return fail(path, "`drop` leaves it out");
	if (rule->is_selected)
		return fail(path, "the same path stands in `select` twice");
	rule->is_selected = true;
	return ERR_NONE;
}

enum err_code
json_rule_rename(struct json_rule *root, struct json_rule_path *path, struct str new_key)
{
	struct json_rule *rule, *parent;
	enum err_code e = walk(root, path, &rule, &parent);

	if (e != ERR_NONE)
		return e;
	if (str_is_none(rule->key))
		return fail(path, "elements have no key that could be renamed");
	if (path->is_left_out)
		return fail(path, "`drop` leaves it out");
	if (!str_is_none(rule->renamed))
		return fail(path, "the same path stands in `rename` twice");
	rule->renamed = json_write_str(path->arena, new_key);
	rule->named = member_rule(path->arena, parent, rule->renamed);
	return ERR_NONE;
}

static bool
is_any_selected(const struct json_rule *rule)
{
	if (rule->each != NULL && (rule->each->is_selected || is_any_selected(rule->each)))
		return true;
	for (const struct json_rule *m = rule->members; m != NULL; m = m->next) {
		if (m->is_selected || is_any_selected(m))
			return true;
	}
	return false;
}

static void
number_names(struct json_rule *rule, size_t *n_names)
{
	for (struct json_rule *m = rule->members; m != NULL; m = m->next) {
		if (!str_is_none(m->renamed) && m->named->name == JSON_RULE_NO_NAME)
			m->named->name = (*n_names)++;
		number_names(m, n_names);
	}
	if (rule->each != NULL)
		number_names(rule->each, n_names);
}

/* What a walk over a text asks first, of a rule whose members and elements know all about themselves. */
static void
settle_outline(struct json_rule *rule)
{
	rule->has_members = rule->is_filtered || rule->members != NULL;
	rule->has_elements = rule->is_filtered || rule->each != NULL;
	for (const struct json_rule *m = rule->members; m != NULL; m = m->next)
		rule->lengths |= json_rule_length_bit(m->key.n);
}

/* Where the rule for a key is, or would be. */
static struct json_rule **
table_slot(const struct json_rule *rule, struct str raw_key)
{
	size_t at = json_str_hash(raw_key, TABLE_SEED) & rule->table_mask;

	while (rule->table[at] != NULL && !json_str_eq(rule->table[at]->key, raw_key))
		at = (at + 1) & rule->table_mask;
	return &rule->table[at];
}

static void
settle_table(struct arena *arena, struct json_rule *rule)
{
	size_t n = 0, size = 2 * JSON_RULE_FEW;

	for (const struct json_rule *m = rule->members; m != NULL; m = m->next)
		n++;
	if (n <= JSON_RULE_FEW)
		return;
	while (size < 2 * n)
		size *= 2;
	rule->table = arena_calloc(arena, size, sizeof(*rule->table));
	rule->table_mask = size - 1;
	for (struct json_rule *m = rule->members; m != NULL; m = m->next)
		*table_slot(rule, m->key) = m;
}

/* is_whole: a rule above selects all that is inside. */
static void
settle(struct arena *arena, struct json_rule *rule, const struct json_rule *around, bool is_whole)
{
	is_whole = is_whole || rule->is_selected;
	rule->is_filtered = !is_whole && is_any_selected(rule);
	rule->is_left_out =
	    rule->is_dropped || (around != NULL && around->is_filtered && !rule->is_selected && !rule->is_filtered);
	settle_table(arena, rule);
	if (rule->each != NULL)
		settle(arena, rule->each, rule, is_whole);
	for (struct json_rule *m = rule->members; m != NULL; m = m->next)
		settle(arena, m, rule, is_whole);
	settle_outline(rule);
}

size_t
json_rule_settle(struct arena *arena, struct json_rule *root)
{
	size_t n_names = 0;

	settle(arena, root, NULL, false);
	number_names(root, &n_names);
	return n_names;
}

/* A rule around another one, of what the step leads to. */
static struct json_rule *
around(struct arena *arena, struct json_rule *inner, const struct json_step *step)
{
	struct json_rule *rule = rule_new(arena, str_none());

	if (step->kind == JSON_STEP_KEY) {
		set_key(inner, str_of(step->quoted.p + 1, step->quoted.n - 2));
		rule->members = inner;
	} else {
		rule->each = inner;
		rule->index = step->index;
	}
	settle_outline(rule);
	return rule;
}

struct json_rule *
json_rule_from(struct arena *arena, struct json_rule *root, const struct json_path *from)
{
	struct json_rule *rule = root;

	root->is_target = true;
	for (size_t i = from->n; i-- > 0;)
		rule = around(arena, rule, &from->steps[i]);
	return rule;
}

struct json_rule *
json_rule_of(const struct json_rule *rule, struct str raw_key)
{
	struct json_rule *m;

	if (rule->table != NULL)
		return *table_slot(rule, raw_key);
	for (m = rule->members; m != NULL; m = m->next) {
		if (m->key.n == raw_key.n && memcmp(m->key.p, raw_key.p, raw_key.n) == 0)
			return m;
	}
	/* Keys of rules have no escapes but those that must be: one without escapes was found above. */
	if (LIKELY(memchr(raw_key.p, '\\', raw_key.n) == NULL))
		return NULL;
	for (m = rule->members; m != NULL; m = m->next) {
		if (json_str_eq(m->key, raw_key))
			return m;
	}
	return NULL;
}
