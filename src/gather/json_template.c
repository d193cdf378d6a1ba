/* JSON with references, compiled to text and templates in turn. Read-only when shared. */
#include "gather/json_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "codec/json_write.h"

#define MAX_DEPTH 64

/* JSON text, or the value of a template. */
struct json_piece {
	struct str literal;    /* none: a value */
	struct template value;
};

struct json_template {
	struct json_piece *pieces;
	size_t n;
};

struct builder {
	struct arena *arena;
	const struct template_params *params; /* NULL: strings are literal */
	struct buf text; /* literal JSON since the last piece */
	struct json_piece *pieces; /* on the heap while it grows */
	size_t n, cap;
	struct conf_pos *where;
	struct template_error *error;
};

static struct json_piece *
add_piece(struct builder *b)
{
	if (b->n == b->cap) {
		b->cap = b->cap == 0 ? 16 : b->cap * 2;
		b->pieces = mem_realloc(b->pieces, b->cap * sizeof *b->pieces);
	}
	b->pieces[b->n] = (struct json_piece){ .literal = str_none() };
	return &b->pieces[b->n++];
}

static void
flush_text(struct builder *b)
{
	if (b->text.n == 0)
		return;
	add_piece(b)->literal = arena_str(b->arena, buf_str(&b->text));
	buf_clear(&b->text);
}

static enum err_code
add_string(struct builder *b, const struct conf_text *text)
{
	struct template t;
	enum err_code e;

	if (b->params == NULL) {
		json_write_buf(&b->text, text->s);
		return ERR_NONE;
	}
	e = template_compile(b->arena, text->s, TEMPLATE_TEXT, b->params, &t, b->error);
	if (e != ERR_NONE) {
		*b->where = text->pos;
		return e;
	}
	if (t.n == 0 || template_is_literal(&t)) {
		json_write_buf(&b->text, t.n == 0 ? STR("") : t.ops[0].text);
		return ERR_NONE;
	}
	flush_text(b);
	add_piece(b)->value = t;
	return ERR_NONE;
}

static enum err_code add_value(struct builder *b, const struct conf_json *v, unsigned depth);

static enum err_code
add_members(struct builder *b, const struct conf_json *v, unsigned depth)
{
	bool is_object = v->kind == CONF_JSON_OBJECT;
	enum err_code e = ERR_NONE;

	buf_add_char(&b->text, is_object ? '{' : '[');
	for (size_t i = 0; i < v->n && e == ERR_NONE; i++) {
		if (i > 0)
			buf_add_char(&b->text, ',');
		if (is_object) {
			json_write_buf(&b->text, v->members[i].name);
			buf_add_char(&b->text, ':');
		}
		e = add_value(b, &v->members[i].value, depth + 1);
	}
	buf_add_char(&b->text, is_object ? '}' : ']');
	return e;
}

static enum err_code
add_value(struct builder *b, const struct conf_json *v, unsigned depth)
{
	assert(depth <= MAX_DEPTH); /* the YAML reader refuses deeper trees */
	switch (v->kind) {
	case CONF_JSON_NONE:
		buf_add_c(&b->text, "null");
		return ERR_NONE;
	case CONF_JSON_RAW:
		buf_add(&b->text, v->text.s);
		return ERR_NONE;
	case CONF_JSON_STRING:
		return add_string(b, &v->text);
	case CONF_JSON_ARRAY:
	case CONF_JSON_OBJECT:
		return add_members(b, v, depth);
	}
	return ERR_INTERNAL;
}

enum err_code
json_template_compile(struct arena *arena, const struct conf_json *tree,
    const struct template_params *params, struct json_template **out, struct conf_pos *where,
    struct template_error *error)
{
	struct builder b = { .arena = arena, .params = params, .where = where, .error = error };
	struct json_template *t = arena_calloc(arena, 1, sizeof *t);
	enum err_code e = add_value(&b, tree, 0);

	flush_text(&b);
	t->n = b.n;
	t->pieces = arena_alloc(arena, b.n * sizeof *t->pieces);
	if (b.n != 0)
		memcpy(t->pieces, b.pieces, b.n * sizeof *t->pieces);
	free(b.pieces);
	buf_fini(&b.text);
	*out = t;
	return e;
}

struct str
json_template_literal(struct arena *arena, const struct conf_json *tree)
{
	struct builder b = { .arena = arena };
	struct str s;

	if (add_value(&b, tree, 0) != ERR_NONE)
		return str_none();
	s = arena_str(arena, buf_str(&b.text));
	buf_fini(&b.text);
	return s;
}

/* ---- evaluating */

/* A whole string that is one reference: what it refers to, with its type. */
static enum err_code
eval_reference(const struct template *t, const struct template_env *env, struct arena *arena,
    struct str *out)
{
	struct json_value v = template_eval_value(t, env, arena);
	enum err_code e;

	if (v.kind != JSON_NONE) {
		*out = v.text;
		return ERR_NONE;
	}
	e = template_eval(t, env, arena, out);
	if (e == ERR_NONE)
		*out = json_write_str(arena, *out);
	return e;
}

static enum err_code
eval_piece(const struct json_piece *p, const struct template_env *env, struct arena *arena,
    struct str *out)
{
	enum err_code e;

	if (!str_is_none(p->literal)) {
		*out = p->literal;
		return ERR_NONE;
	}
	if (template_is_reference(&p->value))
		return eval_reference(&p->value, env, arena, out);
	e = template_eval(&p->value, env, arena, out);
	if (e == ERR_NONE)
		*out = json_write_str(arena, *out);
	return e;
}

enum err_code
json_template_eval(const struct json_template *t, const struct template_env *env,
    struct arena *arena, struct str *out)
{
	struct str *values;
	size_t sum = 0, n = 0;
	char *to;

	if (t->n == 1)
		return eval_piece(&t->pieces[0], env, arena, out);
	values = arena_alloc(arena, t->n * sizeof *values);
	for (size_t i = 0; i < t->n; i++) {
		enum err_code e = eval_piece(&t->pieces[i], env, arena, &values[i]);

		if (e != ERR_NONE)
			return e;
		sum += values[i].n;
	}
	to = arena_alloc(arena, sum);
	for (size_t i = 0; i < t->n; i++) {
		memcpy(to + n, values[i].p, values[i].n);
		n += values[i].n;
	}
	*out = str_of(to, sum);
	return ERR_NONE;
}

void
json_template_add_uses(struct template_uses *to, const struct json_template *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct template *value = &t->pieces[i].value;

		if (!str_is_none(t->pieces[i].literal))
			continue;
		template_add_uses(to, &value->uses);
		to->body_json |= template_is_reference(value) && value->uses.body;
	}
}
