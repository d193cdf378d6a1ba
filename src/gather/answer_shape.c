/*
 * Reshaping merged answers: every step reads one text and writes the next, if it has anything to
 * do. Compiling runs at load, applying in any thread.
 */
#include "gather/answer_shape.h"

#include <string.h>

#include "codec/json_iter.h"
#include "gather/insert.h"
#include "gather/json_template.h"
#include "gather/merge_json.h"
#include "gather/shape.h"
#include "gather/slices.h"

/* One line of `move` or `append`. */
struct transfer {
	struct json_path from;
	struct json_path to;
	struct shape *without; /* of `move`: drops what is moved; NULL: it is one of `append` */
};

struct answer_shape {
	enum conflict_policy policy;
	struct json_path meta; /* of the metadata object; no steps: there is none */
	enum static_when when;
	struct str static_json; /* none: no static data */
	struct transfer *transfers;
	size_t n_transfers;
	struct shape *drop; /* NULL: nothing */
	bool is_array;
};

/* ---- compiling */

/* What is being compiled, and where the first fault is. */
struct compiler {
	struct arena *arena;
	struct answer_shape *shape;
	struct conf_pos *where;
	struct json_fault *fault;
};

static enum err_code
fail(struct compiler *c, const struct conf_text *text, const char *reason)
{
	*c->where = text->pos;
	*c->fault = (struct json_fault){ 0, reason };
	return ERR_BAD_CONFIG;
}

static bool
is_meta_key(const struct answer_shape *shape, struct str key)
{
	return shape->meta.n > 0 && str_eq(key, shape->meta.steps[0].key);
}

static enum err_code
check_not_meta(struct compiler *c, const struct conf_text *text, const struct json_path *path)
{
	if (path->n > 0 && path->steps[0].kind == JSON_STEP_KEY &&
	    is_meta_key(c->shape, path->steps[0].key))
		return fail(c, text, "the place belongs to the metadata object");
	return ERR_NONE;
}

/* A path of keys only: the place of one member. */
static enum err_code
compile_path(struct compiler *c, const struct conf_text *text, struct json_path *path)
{
	if (json_path_compile(c->arena, text->s, path, c->fault) != ERR_NONE) {
		*c->where = text->pos;
		return ERR_BAD_CONFIG;
	}
	if (path->n == 0)
		return fail(c, text, "the path names the whole answer");
	for (size_t i = 0; i < path->n; i++) {
		if (path->steps[i].kind != JSON_STEP_KEY)
			return fail(c, text, "only keys can be in the path");
	}
	return check_not_meta(c, text, path);
}

static enum err_code
compile_without(struct compiler *c, struct conf_text_list drop, struct shape **out)
{
	struct shape_conf conf = { .drop = drop };

	return shape_compile(c->arena, &conf, out, c->where, c->fault);
}

static enum err_code
compile_transfers(struct compiler *c, const struct conf_pair_list *list, bool is_move)
{
	enum err_code e = ERR_NONE;

	for (size_t i = 0; i < list->n && e == ERR_NONE; i++) {
		struct conf_pair *pair = &list->at[i];
		struct transfer *t = &c->shape->transfers[c->shape->n_transfers++];

		e = compile_path(c, &pair->name, &t->from);
		if (e == ERR_NONE)
			e = compile_path(c, &pair->value, &t->to);
		if (e == ERR_NONE && json_path_eq(&t->from, &t->to))
			e = fail(c, &pair->value, "both paths are the same");
		if (e == ERR_NONE && is_move)
			e = compile_without(
			    c, (struct conf_text_list){ &pair->name, 1 }, &t->without);
	}
	return e;
}

static enum err_code
compile_drop(struct compiler *c, const struct conf_text_list *list)
{
	enum err_code e = compile_without(c, *list, &c->shape->drop);

	for (size_t i = 0; i < list->n && e == ERR_NONE; i++) {
		struct json_path path;

		e = json_path_compile(c->arena, list->at[i].s, &path, c->fault);
		if (e == ERR_NONE)
			e = check_not_meta(c, &list->at[i], &path);
	}
	return e;
}

static enum err_code
compile_static(struct compiler *c, const struct conf_json *json)
{
	if (json->kind == CONF_JSON_NONE)
		return ERR_NONE;
	if (json->kind != CONF_JSON_OBJECT)
		return fail(c, &json->text, "an object is expected: its members are merged");
	for (size_t i = 0; i < json->n; i++) {
		if (is_meta_key(c->shape, json->members[i].name))
			return fail(c, &json->members[i].value.text,
			    "the place belongs to the metadata object");
	}
	c->shape->static_json = json_template_literal(c->arena, json);
	return ERR_NONE;
}

enum err_code
answer_shape_compile(struct arena *arena, const struct response_conf *conf,
    struct answer_shape **out, struct conf_pos *where, struct json_fault *fault)
{
	struct answer_shape *shape = arena_calloc(arena, 1, sizeof *shape);
	struct compiler c = { arena, shape, where, fault };
	enum err_code e;

	*out = NULL;
	shape->policy = conf->on_conflict;
	if (!str_is_none(conf->partial_meta.s))
		json_path_of_key(arena, conf->partial_meta.s, &shape->meta);
	shape->when = conf->static_when;
	shape->is_array = conf->shape == ANSWER_ARRAY;
	shape->transfers =
	    arena_calloc(arena, conf->move.n + conf->append.n, sizeof *shape->transfers);
	e = compile_static(&c, &conf->static_json);
	if (e == ERR_NONE)
		e = compile_transfers(&c, &conf->move, true);
	if (e == ERR_NONE)
		e = compile_transfers(&c, &conf->append, false);
	if (e == ERR_NONE)
		e = compile_drop(&c, &conf->drop);
	if (e == ERR_NONE && (!str_is_none(shape->static_json) || shape->n_transfers > 0 ||
				 shape->drop != NULL || shape->is_array))
		*out = shape;
	return e;
}

/* ---- applying */

static bool
has_static(const struct answer_shape *shape, bool is_partial)
{
	if (str_is_none(shape->static_json))
		return false;
	return shape->when == STATIC_ALWAYS || (shape->when == STATIC_PARTIAL) == is_partial;
}

/* Two parts at the root: first what is static, then the answer. */
static enum err_code
add_static(
    const struct answer_shape *shape, const struct answer_shape_input *in, struct json_value *root)
{
	const struct json_value parts[2] = { { JSON_OBJECT, shape->static_json }, *root };
	struct merge_input input = { .parts = parts, .js = in->js, .arena = in->arena };
	struct merge_result result = { .n = 0 };
	enum err_code e = merge_json_two(shape->policy, &input, &result);

	if (e == ERR_NONE)
		root->text = slices_join(in->arena, result.iov, result.n, result.bytes);
	return e;
}

/* A text that was made here is nobody else's; one that is a part's may be a constant. */
static bool
is_ours(const struct answer_shape_input *in, const struct json_value *root)
{
	return root->text.p != in->iov[0].iov_base;
}

/* Where the answer, made of valid parts, has to be changed. */
static struct json_cuts *
cuts_of(const struct shape *shape, const struct answer_shape_input *in, struct json_value root)
{
	json_cuts_begin(&in->js->cuts, shape_rules(shape), in->arena);
	json_cuts_find(&in->js->cuts, root);
	return &in->js->cuts;
}

static enum err_code
leave_out(const struct shape *drop, const struct answer_shape_input *in, struct json_value *root)
{
	struct json_cuts *cuts = cuts_of(drop, in, *root);

	return is_ours(in, root) ? shape_apply_in_place(drop, cuts, in->arena, root)
				 : shape_apply(drop, cuts, in->arena, root);
}

/* The value lies in the text that it is taken from: one of the two is copied, the shorter one. */
static enum err_code
take_out(const struct transfer *t, const struct answer_shape_input *in, struct json_value *root,
    struct json_value *value)
{
	if (value->text.n > root->text.n / 2)
		return shape_apply(t->without, cuts_of(t->without, in, *root), in->arena, root);
	value->text = arena_str(in->arena, value->text);
	return leave_out(t->without, in, root);
}

/* A value that gets a place in the answer. */
struct addition {
	enum err_code (*insert)(const struct insert *in, struct json_value object,
	    const struct json_path *path, struct json_value value);
	enum conflict_policy policy;
	const struct json_path *to;
	struct json_value value;
};

static enum err_code
add(const struct addition *a, const struct answer_shape_input *in, struct json_value *root)
{
	struct edit edit;
	struct insert insert = { .edit = &edit, .js = in->js, .policy = a->policy };
	enum err_code e;

	edit_init(&edit, in->arena, root->text, insert_growth(a->to, a->value));
	e = a->insert(&insert, *root, a->to, a->value);
	return e != ERR_NONE ? e : edit_finish(&edit, &root->text);
}

static enum err_code
move(const struct answer_shape *shape, const struct transfer *t,
    const struct answer_shape_input *in, struct json_value *root)
{
	struct addition a = { insert_value, shape->policy, &t->to, json_path_find(&t->from, *root) };
	enum err_code e;

	if (a.value.kind == JSON_NONE)
		return ERR_NONE;
	e = take_out(t, in, root, &a.value);
	return e != ERR_NONE ? e : add(&a, in, root);
}

static enum err_code
append(const struct answer_shape *shape, const struct transfer *t,
    const struct answer_shape_input *in, struct json_value *root)
{
	struct addition a = { insert_elements, shape->policy, &t->to, json_path_find(&t->from, *root) };

	return add(&a, in, root);
}

/* The values of an object as an array, which is no longer. */
static struct str
values_of(struct json_value object, struct arena *arena)
{
	char *to = arena_alloc(arena, object.text.n), *at = to;
	struct json_iter it;
	struct json_member member;

	*at++ = '[';
	json_iter_init(&it, object);
	while (json_iter_next(&it, &member)) {
		struct str text = member.value.text;

		if (at != to + 1)
			*at++ = ',';
		memcpy(at, text.p, text.n);
		at += text.n;
	}
	*at++ = ']';
	arena_trim(arena, to, object.text.n, (size_t)(at - to));
	return str_of(to, (size_t)(at - to));
}

/* The metadata comes last, and takes its place from whoever has it. */
static enum err_code
add_meta(
    const struct answer_shape *shape, const struct answer_shape_input *in, struct json_value *root)
{
	struct addition a = { insert_value, CONFLICT_LAST, &shape->meta, { JSON_OBJECT, in->meta } };

	if (str_is_none(in->meta) || shape->meta.n == 0)
		return ERR_NONE;
	return add(&a, in, root);
}

enum err_code
answer_shape_apply(
    const struct answer_shape *shape, const struct answer_shape_input *in, struct str *out)
{
	struct str text = slices_join(in->arena, in->iov, in->n, in->bytes);
	struct json_value root = { json_iter_kind(text.p[0]), text };
	enum err_code e = ERR_NONE;

	if (has_static(shape, in->is_partial))
		e = add_static(shape, in, &root);
	for (size_t i = 0; i < shape->n_transfers && e == ERR_NONE; i++) {
		const struct transfer *t = &shape->transfers[i];

		e = t->without != NULL ? move(shape, t, in, &root) : append(shape, t, in, &root);
	}
	if (e == ERR_NONE && shape->drop != NULL)
		e = leave_out(shape->drop, in, &root);
	if (e == ERR_NONE && root.kind == JSON_OBJECT) {
		if (shape->is_array)
			root.text = values_of(root, in->arena);
		else
			e = add_meta(shape, in, &root);
	}
	if (e == ERR_NONE && in->arena->is_over)
		e = ERR_BUDGET;
	*out = root.text;
	return e;
}
