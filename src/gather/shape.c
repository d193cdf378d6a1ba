/*
 * Shaping a part: its text is copied in runs between the places where it has to be changed. Compiling runs at load,
 * applying in any thread.
 */
#include "gather/shape.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/json_iter.h"
#include "gather/edit.h"

struct shape {
	struct json_rules rules; /* of the whole answer */
	struct json_path from;   /* no steps: the whole answer */
	struct json_rule *root;  /* of what is taken from it */
	size_t growth; /* bytes that all renames add when each is done once */
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

typedef enum err_code add_fn(struct json_rule *root, struct json_rule_path *path);

static enum err_code
add_paths(struct compiler *c, const struct conf_text_list *list, add_fn *add)
{
	for (size_t i = 0; i < list->n; i++) {
		struct json_rule_path path = { .arena = c->arena, .text = list->at[i].s };

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
		struct json_rule_path path = { .arena = c->arena, .text = pair->name.s };

		if (pair->value.s.n == 0)
			return fail(c, &pair->value, (struct json_fault){ 0, "the key is empty" });
		if (json_rule_rename(c->shape->root, &path, pair->value.s) != ERR_NONE)
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
	shape->root = json_rule_root(arena);
	e = compile_from(&c, &conf->from);
	if (e == ERR_NONE)
		e = add_paths(&c, &conf->drop, json_rule_drop);
	if (e == ERR_NONE)
		e = add_paths(&c, &conf->select, json_rule_select);
	if (e == ERR_NONE)
		e = add_renames(&c, &conf->rename);
	if (e != ERR_NONE)
		return e;
	shape->rules.n_names = json_rule_settle(arena, shape->root);
	shape->rules.root = json_rule_from(arena, shape->root, &shape->from);
	if (shape->from.n + conf->drop.n + conf->select.n + conf->rename.n > 0)
		*out = shape;
	return ERR_NONE;
}

/* ---- compiled */

/* The rule of what has this place in the result; false: nothing has it. *out NULL: no rule is about it. */
static bool
find_source(const struct json_rule *rule, const struct json_step *step, const struct json_rule **out)
{
	const struct json_rule *own, *given = NULL;
	bool is_given_away;

	*out = rule->each;
	if (step->kind != JSON_STEP_KEY)
		return !json_rule_leaves_out(rule, rule->each);
	own = json_rule_of(rule, str_of(step->quoted.p + 1, step->quoted.n - 2));
	for (const struct json_rule *m = rule->members; m != NULL; m = m->next)
		if (!str_is_none(m->renamed) && str_eq(m->renamed, step->quoted))
			given = m;
	is_given_away = own != NULL && !str_is_none(own->renamed);
	*out = given != NULL ? given : own;
	return (given != NULL || !is_given_away) && !json_rule_leaves_out(rule, *out);
}

bool
shape_keeps_in_elements(const struct shape *shape, const struct json_path *path)
{
	const struct json_rule *rule = shape->root->each;

	if (json_rule_leaves_out(shape->root, rule))
		return false;
	for (size_t i = 0; rule != NULL && i < path->n; i++)
		if (!find_source(rule, &path->steps[i], &rule))
			return false;
	return true;
}

const struct json_rules *
shape_rules(const struct shape *shape)
{
	return &shape->rules;
}

/* ---- applying */

typedef void init_fn(struct edit *e, struct arena *arena, struct str in, size_t slack);

static enum err_code
apply(const struct shape *shape, const struct json_cuts *cuts, struct arena *arena, init_fn *init,
    struct json_value *out)
{
	const char *text = cuts->text;
	struct edit edit;

	if (cuts->is_over)
		return ERR_BUDGET;
	if (cuts->target_to == 0 || cuts->collides)
		return ERR_SHAPE_MISMATCH;
	out->text = str_of(text + cuts->target_from, cuts->target_to - cuts->target_from);
	out->kind = json_iter_kind(out->text.p[0]);
	if (cuts->n == 0)
		return ERR_NONE;
	init(&edit, arena, out->text, shape->growth);
	for (size_t i = 0; i < cuts->n; i++) {
		const struct json_cut *cut = &cuts->at[i];

		edit_replace(&edit, str_of(text + cut->from, cut->to - cut->from),
		    cut->renamed != NULL ? cut->renamed->renamed : STR(""));
	}
	return edit_finish(&edit, &out->text);
}

enum err_code
shape_apply(const struct shape *shape, struct json_cuts *cuts, struct arena *arena, struct json_value *out)
{
	enum err_code e = apply(shape, cuts, arena, edit_init, out);

	json_cuts_clear(cuts);
	return e;
}

enum err_code
shape_apply_in_place(
    const struct shape *shape, struct json_cuts *cuts, struct arena *arena, struct json_value *out)
{
	enum err_code e = apply(shape, cuts, arena, edit_init_in_place, out);

	json_cuts_clear(cuts);
	return e;
}
