/*
 * Shaping a part: one walk over what the rules reach, with changes to the text as it goes. What no
 * rule reaches is skipped, and copied in runs. Compiling runs at load, applying in any thread.
 */
#include "gather/shape.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/json_iter.h"
#include "gather/edit.h"
#include "gather/shape_rule.h"

struct shape {
	struct json_path from; /* no steps: the whole answer */
	struct shape_rule *root;
	size_t n_names; /* that renames give, see shape_rule.h */
	size_t growth;  /* bytes that all renames add when each is done once */
};

/* ---- compiling */

/* What is being compiled, and where the first fault is. */
struct compiler {
	struct arena *arena;
	struct shape *shape;
	struct conf_pos *where;
	struct json_fault *fault;
};

static enum err_code
fail(struct compiler *c, const struct conf_text *text, struct json_fault fault)
{
	*c->where = text->pos;
	*c->fault = fault;
	return ERR_BAD_CONFIG;
}

typedef enum err_code add_fn(struct shape_rule *root, struct shape_rule_path *path);

static enum err_code
add_paths(struct compiler *c, const struct conf_text_list *list, add_fn *add)
{
	for (size_t i = 0; i < list->n; i++) {
		struct shape_rule_path path = { .arena = c->arena, .text = list->at[i].s };

		if (add(c->shape->root, &path) != ERR_NONE)
			return fail(c, &list->at[i], path.fault);
	}
	return ERR_NONE;
}

static enum err_code
add_renames(struct compiler *c, const struct conf_pair_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct conf_pair *pair = &list->at[i];
		struct shape_rule_path path = { .arena = c->arena, .text = pair->name.s };

		if (pair->value.s.n == 0)
			return fail(c, &pair->value, (struct json_fault){ 0, "the key is empty" });
		if (shape_rule_rename(c->shape->root, &path, pair->value.s) != ERR_NONE)
			return fail(c, &pair->name, path.fault);
		c->shape->growth += pair->value.s.n;
	}
	return ERR_NONE;
}

static enum err_code
compile_from(struct compiler *c, const struct conf_text *from)
{
	struct json_fault fault;

	if (str_is_none(from->s))
		return ERR_NONE;
	if (json_path_compile_ref(c->arena, from->s, &c->shape->from, &fault) != ERR_NONE)
		return fail(c, from, fault);
	return ERR_NONE;
}

enum err_code
shape_compile(struct arena *arena, const struct shape_conf *conf, struct shape **out,
    struct conf_pos *where, struct json_fault *fault)
{
	struct shape *shape = arena_calloc(arena, 1, sizeof *shape);
	struct compiler c = { arena, shape, where, fault };
	enum err_code e;

	*out = NULL;
	shape->root = shape_rule_root(arena);
	e = compile_from(&c, &conf->from);
	if (e == ERR_NONE)
		e = add_paths(&c, &conf->drop, shape_rule_drop);
	if (e == ERR_NONE)
		e = add_paths(&c, &conf->select, shape_rule_select);
	if (e == ERR_NONE)
		e = add_renames(&c, &conf->rename);
	if (e != ERR_NONE)
		return e;
	shape->n_names = shape_rule_settle(shape->root);
	if (shape->from.n + conf->drop.n + conf->select.n + conf->rename.n > 0)
		*out = shape;
	return ERR_NONE;
}

/* ---- applying */

struct walk {
	struct edit edit;
	bool *seen; /* the numbers of keys that the object at hand has so far */
};

/* Between the members of one object or array. */
struct cursor {
	const char *cut_from; /* the first member of a run that is left out; NULL: none */
	const char *kept_to;  /* the end of the last member that stays; NULL: none did */
	const char *end;      /* of the last member */
};

static struct str
between(const char *from, const char *to)
{
	return str_of(from, (size_t)(to - from));
}

static bool
is_left_out(const struct shape_rule *around, const struct shape_rule *rule)
{
	if (rule == NULL)
		return around->is_filtered;
	return rule->is_dropped ||
	       (around->is_filtered && !rule->is_selected && !rule->is_filtered);
}

/* The rule of what has this place in the result; false: nothing has it. *out NULL: no rule is about it. */
static bool
find_source(const struct shape_rule *rule, const struct json_step *step, const struct shape_rule **out)
{
	const struct shape_rule *own, *given = NULL;
	bool is_given_away;

	*out = rule->each;
	if (step->kind != JSON_STEP_KEY)
		return !is_left_out(rule, rule->each);
	own = shape_rule_of(rule, str_of(step->quoted.p + 1, step->quoted.n - 2));
	for (const struct shape_rule *m = rule->members; m != NULL; m = m->next)
		if (!str_is_none(m->renamed) && str_eq(m->renamed, step->quoted))
			given = m;
	is_given_away = own != NULL && !str_is_none(own->renamed);
	*out = given != NULL ? given : own;
	return (given != NULL || !is_given_away) && !is_left_out(rule, *out);
}

bool
shape_keeps_in_elements(const struct shape *shape, const struct json_path *path)
{
	const struct shape_rule *rule = shape->root->each;

	if (is_left_out(shape->root, rule))
		return false;
	for (size_t i = 0; rule != NULL && i < path->n; i++)
		if (!find_source(rule, &path->steps[i], &rule))
			return false;
	return true;
}

static bool
has_rules_inside(const struct shape_rule *rule, enum json_kind kind)
{
	if (kind != JSON_OBJECT && kind != JSON_ARRAY)
		return false;
	return rule->is_filtered ||
	       (kind == JSON_OBJECT ? rule->members != NULL : rule->each != NULL);
}

static enum err_code
rename_key(struct walk *w, const struct shape_rule *rule, struct str key)
{
	size_t name = rule->named->name;

	if (name != SHAPE_RULE_NO_NAME) {
		if (w->seen[name])
			return ERR_SHAPE_MISMATCH;
		w->seen[name] = true;
	}
	if (!str_is_none(rule->renamed))
		edit_replace(&w->edit, str_of(key.p - 1, key.n + 2), rule->renamed);
	return ERR_NONE;
}

/* A member that stays: with what is left out before it goes the comma behind. */
static void
keep(struct walk *w, struct cursor *c, const char *start)
{
	if (c->cut_from != NULL)
		edit_replace(&w->edit, between(c->cut_from, start), STR(""));
	c->cut_from = NULL;
}

/* The members at the end go with the comma before them. */
static void
cut_end(struct walk *w, struct cursor *c)
{
	if (c->cut_from != NULL)
		edit_replace(&w->edit,
		    between(c->kept_to != NULL ? c->kept_to : c->cut_from, c->end), STR(""));
}

static enum err_code shape_members(struct walk *w, const struct shape_rule *rule, const char **at);

/* A member that stays: its key, and what is inside. */
static enum err_code
shape_member(
    struct walk *w, const struct shape_rule *rule, struct json_iter *it, struct json_member *member)
{
	const char *at = member->value.text.p;
	enum err_code e = ERR_NONE;

	if (rule != NULL && it->is_object)
		e = rename_key(w, rule, member->key);
	if (rule == NULL || !has_rules_inside(rule, member->value.kind)) {
		json_iter_pass(it, member);
		return e;
	}
	if (e == ERR_NONE)
		e = shape_members(w, rule, &at);
	if (e != ERR_NONE)
		return e;
	member->value.text.n = (size_t)(at - member->value.text.p);
	json_iter_leave(it, at);
	return ERR_NONE;
}

/* *at: the opening bracket, then what is behind the closing one. Each byte is passed once. */
static enum err_code
shape_members(struct walk *w, const struct shape_rule *rule, const char **at)
{
	struct cursor c = { NULL, NULL, NULL };
	struct json_iter it;
	struct json_member member;
	enum err_code e = ERR_NONE;

	if (rule->n_names > 0)
		memset(w->seen + rule->first_name, 0, rule->n_names * sizeof *w->seen);
	json_iter_open(&it, *at, w->edit.in.p + w->edit.in.n);
	while (e == ERR_NONE && json_iter_enter(&it, &member)) {
		const struct shape_rule *inner =
		    it.is_object ? shape_rule_of(rule, member.key) : rule->each;
		const char *start = it.is_object ? member.key.p - 1 : member.value.text.p;
		bool is_out = is_left_out(rule, inner);

		if (is_out) {
			json_iter_pass(&it, &member);
			c.cut_from = c.cut_from == NULL ? start : c.cut_from;
		} else {
			keep(w, &c, start);
			e = shape_member(w, inner, &it, &member);
		}
		c.end = member.value.text.p + member.value.text.n;
		c.kept_to = is_out ? c.kept_to : c.end;
	}
	if (e != ERR_NONE)
		return e;
	cut_end(w, &c);
	*at = json_iter_close(&it);
	return ERR_NONE;
}

typedef void init_fn(struct edit *e, struct arena *arena, struct str in, size_t slack);

static enum err_code
apply(const struct shape *shape, struct json_value in, struct arena *arena, init_fn *init, struct json_value *out)
{
	struct json_value value = json_path_find(&shape->from, in);
	struct walk w = { .seen = NULL };
	const char *at = value.text.p;
	enum err_code e;

	if (value.kind == JSON_NONE)
		return ERR_SHAPE_MISMATCH;
	*out = value;
	if (!has_rules_inside(shape->root, value.kind))
		return ERR_NONE;
	if (shape->n_names > 0)
		w.seen = arena_alloc(arena, shape->n_names * sizeof *w.seen);
	init(&w.edit, arena, value.text, shape->growth);
	e = shape_members(&w, shape->root, &at);
	return e != ERR_NONE ? e : edit_finish(&w.edit, &out->text);
}

enum err_code
shape_apply(
    const struct shape *shape, struct json_value in, struct arena *arena, struct json_value *out)
{
	return apply(shape, in, arena, edit_init, out);
}

enum err_code
shape_apply_in_place(
    const struct shape *shape, struct json_value in, struct arena *arena, struct json_value *out)
{
	return apply(shape, in, arena, edit_init_in_place, out);
}
