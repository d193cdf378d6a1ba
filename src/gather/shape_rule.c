/* Building the tree of rules, at load, and looking a key up in it, in any thread. */
#include "gather/shape_rule.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/json_str.h"
#include "codec/json_write.h"

static enum err_code
fail(struct shape_rule_path *path, const char *reason)
{
	path->fault = (struct json_fault){ 0, reason };
	return ERR_BAD_CONFIG;
}

static struct shape_rule *
rule_new(struct arena *arena, struct str key)
{
	struct shape_rule *rule = arena_calloc(arena, 1, sizeof *rule);

	rule->key = key;
	rule->named = rule;
	rule->name = SHAPE_RULE_NO_NAME;
	return rule;
}

struct shape_rule *
shape_rule_root(struct arena *arena)
{
	return rule_new(arena, str_none());
}

/* The rule of a member, added in the order of the file: that of most documents too. */
static struct shape_rule *
member_rule(struct arena *arena, struct shape_rule *rule, struct str quoted)
{
	struct str key = str_of(quoted.p + 1, quoted.n - 2);
	struct shape_rule **at = &rule->members;

	while (*at != NULL && !str_eq((*at)->key, key))
		at = &(*at)->next;
	if (*at == NULL)
		*at = rule_new(arena, key);
	return *at;
}

static struct shape_rule *
step_rule(struct arena *arena, struct shape_rule *rule, const struct json_step *step)
{
	if (step->kind == JSON_STEP_KEY)
		return member_rule(arena, rule, step->quoted);
	if (rule->each == NULL)
		rule->each = rule_new(arena, str_none());
	return rule->each;
}

/* The rule that the path leads to, and the one around it. */
static enum err_code
walk(struct shape_rule *root, struct shape_rule_path *path, struct shape_rule **out,
    struct shape_rule **parent)
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
shape_rule_drop(struct shape_rule *root, struct shape_rule_path *path)
{
	struct shape_rule *rule, *parent;
	enum err_code e = walk(root, path, &rule, &parent);

	if (e != ERR_NONE)
		return e;
	if (rule->is_dropped)
		return fail(path, "the same path stands in `drop` twice");
	rule->is_dropped = true;
	return ERR_NONE;
}

enum err_code
shape_rule_select(struct shape_rule *root, struct shape_rule_path *path)
{
	struct shape_rule *rule, *parent;
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
shape_rule_rename(struct shape_rule *root, struct shape_rule_path *path, struct str new_key)
{
	struct shape_rule *rule, *parent;
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
is_any_selected(const struct shape_rule *rule)
{
	if (rule->each != NULL && (rule->each->is_selected || is_any_selected(rule->each)))
		return true;
	for (const struct shape_rule *m = rule->members; m != NULL; m = m->next) {
		if (m->is_selected || is_any_selected(m))
			return true;
	}
	return false;
}

static void
number_names(struct shape_rule *rule, size_t *n_names)
{
	rule->first_name = *n_names;
	for (struct shape_rule *m = rule->members; m != NULL; m = m->next) {
		if (!str_is_none(m->renamed) && m->named->name == SHAPE_RULE_NO_NAME)
			m->named->name = (*n_names)++;
	}
	rule->n_names = *n_names - rule->first_name;
}

/* is_whole: a rule above selects all that is inside. */
static void
settle(struct shape_rule *rule, bool is_whole, size_t *n_names)
{
	is_whole = is_whole || rule->is_selected;
	rule->is_filtered = !is_whole && is_any_selected(rule);
	number_names(rule, n_names);
	if (rule->each != NULL)
		settle(rule->each, is_whole, n_names);
	for (struct shape_rule *m = rule->members; m != NULL; m = m->next)
		settle(m, is_whole, n_names);
}

size_t
shape_rule_settle(struct shape_rule *root)
{
	size_t n_names = 0;

	settle(root, false, &n_names);
	return n_names;
}

const struct shape_rule *
shape_rule_of(const struct shape_rule *rule, struct str raw_key)
{
	const struct shape_rule *m;

	for (m = rule->members; m != NULL; m = m->next) {
		if (m->key.n == raw_key.n && memcmp(m->key.p, raw_key.p, raw_key.n) == 0)
			return m;
	}
	/* Keys of rules have no escapes but those that must be: one without escapes was found
	 * above. */
	if (LIKELY(memchr(raw_key.p, '\\', raw_key.n) == NULL))
		return NULL;
	for (m = rule->members; m != NULL; m = m->next) {
		if (json_str_eq(m->key, raw_key))
			return m;
	}
	return NULL;
}
