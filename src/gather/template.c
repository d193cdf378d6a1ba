/* Templates: compiled at load into literals and references, evaluated per request. Read-only when shared. */
#include "gather/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/near.h"
#include "codec/header.h"
#include "codec/json_str.h"
#include "codec/uri.h"

/* ---- compiling */

struct compiler {
	struct arena *arena;
	struct str text;
	size_t at;
	const struct template_params *params;
	struct template *out;
	struct template_error *error;
};

static enum err_code fault(struct compiler *c, size_t offset, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static enum err_code
fault(struct compiler *c, size_t offset, const char *fmt, ...)
{
	va_list ap;

	c->error->offset = offset;
	va_start(ap, fmt);
	vsnprintf(c->error->message, sizeof c->error->message, fmt, ap);
	va_end(ap);
	return ERR_BAD_CONFIG;
}

static enum err_code
add_op(struct compiler *c, const struct template_op *op)
{
	if (c->out->n == TEMPLATE_MAX_OPS)
		return fault(c, c->at, "more than %d literals and references", TEMPLATE_MAX_OPS);
	c->out->ops[c->out->n++] = *op;
	return ERR_NONE;
}

/* Up to the next reference; "{{" is one brace of the literal. */
static enum err_code
compile_literal(struct compiler *c)
{
	char *text = arena_alloc(c->arena, c->text.n - c->at);
	struct template_op op = { .kind = TEMPLATE_LITERAL };
	size_t n = 0;

	while (c->at < c->text.n) {
		char ch = c->text.p[c->at];

		if (ch == '{' && (c->at + 1 == c->text.n || c->text.p[c->at + 1] != '{'))
			break;
		c->at += ch == '{' ? 2 : 1;
		text[n++] = ch;
	}
	op.text = str_of(text, n);
	return n == 0 ? ERR_NONE : add_op(c, &op);
}

/* {quer.x} is near to {query.x}, whatever x is; none when no kind of reference is near. */
static struct str
nearest_kind(struct compiler *c, struct str name)
{
	size_t dot = str_find(name, '.');
	struct str member = str_of(name.p + dot, name.n - dot);
	struct near near;

	near_init(&near, str_of(name.p, dot), c->arena);
	near_add(&near, STR("query"));
	near_add(&near, STR("header"));
	near_add(&near, STR("body"));
	if (member.n < 2 || str_is_none(near.best))
		return str_none();
	return arena_printf(c->arena, "%.*s%.*s", STR_FMT(near.best), STR_FMT(member));
}

static enum err_code
say_unknown(struct compiler *c, struct str name, size_t offset)
{
	static const struct str kinds[] = { STR_INIT("query.NAME"), STR_INIT("header.NAME"),
		STR_INIT("client.ip"), STR_INIT("body"), STR_INIT("body.PATH") };
	struct str meant = nearest_kind(c, name), hint;
	struct near near;

	near_init(&near, name, c->arena);
	for (size_t i = 0; i < c->params->n; i++)
		near_add(&near, c->params->names[i]);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		near_add(&near, kinds[i]);
	if (!str_is_none(meant))
		near.best = meant;
	hint = near_hint(&near);
	return fault(c, offset, "unknown reference {%.*s}; %.*s", STR_FMT(name), STR_FMT(hint));
}

static enum err_code
name_param(struct compiler *c, struct str name, size_t offset, struct template_op *op)
{
	for (size_t i = 0; i < c->params->n; i++) {
		if (!str_eq(c->params->names[i], name))
			continue;
		op->param = i;
		op->kind = c->params->has_tail && i + 1 == c->params->n ? TEMPLATE_PARAM_TAIL :
									  TEMPLATE_PARAM;
		return ERR_NONE;
	}
	return say_unknown(c, name, offset);
}

static enum err_code
name_body_value(struct compiler *c, struct str path, size_t offset, struct template_op *op)
{
	struct json_fault where;
	enum err_code e = json_path_compile_ref(c->arena, path, &op->path, &where);

	if (e != ERR_NONE)
		return fault(c, offset + where.offset, "%s", where.reason);
	op->kind = TEMPLATE_BODY_VALUE;
	c->out->uses_body = c->out->uses_body_json = true;
	return ERR_NONE;
}

static enum err_code
name_reference(struct compiler *c, struct str name, size_t offset, struct template_op *op)
{
	if (str_eq(name, STR("client.ip"))) {
		op->kind = TEMPLATE_CLIENT_IP;
		return ERR_NONE;
	}
	if (str_eq(name, STR("body"))) {
		op->kind = TEMPLATE_BODY;
		c->out->uses_body = true;
		return ERR_NONE;
	}
	if (str_has_prefix(name, STR("body.")))
		return name_body_value(c, str_of(name.p + 5, name.n - 5), offset + 5, op);
	if (str_has_prefix(name, STR("query.")) && name.n > 6) {
		op->kind = TEMPLATE_QUERY_VALUE;
		op->text = arena_str(c->arena, str_of(name.p + 6, name.n - 6));
		return ERR_NONE;
	}
	if (str_has_prefix(name, STR("header."))) {
		op->kind = TEMPLATE_HEADER_VALUE;
		op->text = arena_str(c->arena, str_of(name.p + 7, name.n - 7));
		if (!header_is_token(op->text))
			return fault(c, offset + 7, "the name of a header field is expected");
		op->header = http_table_header(op->text);
		return ERR_NONE;
	}
	return name_param(c, name, offset, op);
}

static enum err_code
compile_reference(struct compiler *c)
{
	struct template_op op = { 0 };
	size_t offset = c->at + 1;
	struct str rest = str_of(c->text.p + offset, c->text.n - offset), name;
	size_t n = str_find(rest, '}');
	enum err_code e;

	if (n == rest.n)
		return fault(c, c->at, "a reference that begins with { has no }; write {{ for a brace");
	rest.n = n;
	c->at = offset + n + 1;
	str_split(&rest, '|', &name);
	op.has_fallback = !str_is_none(rest);
	if (op.has_fallback)
		op.fallback = arena_str(c->arena, rest);
	e = name_reference(c, name, offset, &op);
	return e != ERR_NONE ? e : add_op(c, &op);
}

/* With something harmless in place of every reference the literal parts must make a path. */
static enum err_code
check_path(struct compiler *c)
{
	struct buf sample = BUF_INIT;
	bool is_fine;

	for (size_t i = 0; i < c->out->n; i++)
		buf_add(&sample, c->out->ops[i].kind == TEMPLATE_LITERAL ? c->out->ops[i].text :
									   STR("x"));
	is_fine = uri_check_path(buf_str(&sample));
	buf_fini(&sample);
	if (!is_fine)
		return fault(c, 0, "not a path: it begins with / and holds no space, ?, # or dot segment");
	return ERR_NONE;
}

static enum err_code
check_header(struct compiler *c)
{
	for (size_t i = 0; i < c->out->n; i++)
		if (c->out->ops[i].kind == TEMPLATE_LITERAL && !header_is_value(c->out->ops[i].text))
			return fault(c, 0, "control characters cannot stand in a header field");
	return ERR_NONE;
}

enum err_code
template_compile(struct arena *arena, struct str text, enum template_place place,
    const struct template_params *params, struct template *out, struct template_error *error)
{
	struct template_op ops[TEMPLATE_MAX_OPS];
	struct compiler c = { .arena = arena, .text = text, .params = params, .out = out };
	enum err_code e = ERR_NONE;

	c.error = error;
	*out = (struct template){ .ops = ops, .place = place };
	while (e == ERR_NONE && c.at < text.n) {
		e = compile_literal(&c);
		if (e == ERR_NONE && c.at < text.n)
			e = compile_reference(&c);
	}
	if (e == ERR_NONE && place == TEMPLATE_PATH)
		e = check_path(&c);
	if (e == ERR_NONE && place == TEMPLATE_HEADER)
		e = check_header(&c);
	out->ops = arena_alloc(arena, out->n * sizeof *ops);
	memcpy(out->ops, ops, out->n * sizeof *ops);
	return e;
}

/* ---- evaluating: first every value as plain text, then all of them encoded into one piece of memory */

static struct str
decode_param(struct str raw, struct arena *arena)
{
	char *to;

	if (raw.n == 0 || memchr(raw.p, '%', raw.n) == NULL)
		return raw;
	to = arena_alloc(arena, raw.n);
	return str_of(to, uri_decode(to, raw));
}

static struct str
find_query(const struct request *r, struct str name, struct arena *arena)
{
	struct str rest = r->query, key, value;

	while (uri_next_pair(&rest, &key, &value)) {
		char *to;

		if (!uri_decodes_to(key, name))
			continue;
		if (str_is_none(value))
			return STR("");
		to = arena_alloc(arena, value.n + 1);
		return str_of(to, uri_decode_query(to, value));
	}
	return str_none();
}

static struct str
find_header(const struct request *r, const struct template_op *op)
{
	const struct header *h = op->header != HEADER_OTHER ? header_find(r->headers, op->header) :
							      header_find_name(r->headers, op->text);

	return h == NULL ? str_none() : h->value;
}

/* The inside of a JSON string, without its quotes. */
static struct str
string_inside(struct str text)
{
	return str_of(text.p + 1, text.n - 2);
}

/* A JSON value as text: null is nothing, objects and arrays only where any text may stand. */
static enum err_code
json_as_text(struct json_value v, enum template_place place, struct arena *arena, struct str *out)
{
	switch (v.kind) {
	case JSON_NONE:
	case JSON_NULL:
		*out = str_none();
		return ERR_NONE;
	case JSON_STRING:
		*out = json_str_text(arena, string_inside(v.text));
		return ERR_NONE;
	case JSON_ARRAY:
	case JSON_OBJECT:
		if (place != TEMPLATE_TEXT)
			return ERR_BAD_PARAMETER;
		break;
	default:
		break;
	}
	*out = v.text;
	return ERR_NONE;
}

static enum err_code
lookup(const struct template_op *op, const struct template_env *env, enum template_place place,
    struct arena *arena, struct str *out)
{
	const struct request *r = env->request;

	switch (op->kind) {
	case TEMPLATE_LITERAL:
		*out = op->text;
		return ERR_NONE;
	case TEMPLATE_PARAM:
		*out = decode_param(r->params[op->param], arena);
		return ERR_NONE;
	case TEMPLATE_PARAM_TAIL:
		*out = r->params[op->param];
		return ERR_NONE;
	case TEMPLATE_QUERY_VALUE:
		*out = find_query(r, op->text, arena);
		return ERR_NONE;
	case TEMPLATE_HEADER_VALUE:
		*out = find_header(r, op);
		return ERR_NONE;
	case TEMPLATE_CLIENT_IP:
		*out = r->client_ip.n == 0 ? str_none() : r->client_ip;
		return ERR_NONE;
	case TEMPLATE_BODY:
		*out = r->has_body ? r->body : str_none();
		return ERR_NONE;
	case TEMPLATE_BODY_VALUE:
		return json_as_text(json_path_find(&op->path, env->body), place, arena, out);
	}
	return ERR_INTERNAL;
}

/* Room for a value: encoded, and for a tail once more to decode its segments in. */
static size_t
value_bound(const struct template_op *op, struct str value)
{
	return URI_PUT_MAX(value.n) + (op->kind == TEMPLATE_PARAM_TAIL ? value.n : 0);
}

/* The tail of a path is raw: its slashes separate, its segments are decoded and encoded one by one. */
static size_t
put_tail(char *dst, struct str raw)
{
	char *scratch = dst + URI_PUT_MAX(raw.n);
	struct str segment;
	size_t n = 0;

	for (struct str rest = raw; str_split(&rest, '/', &segment);) {
		if (segment.p != raw.p)
			dst[n++] = '/';
		n += uri_put_segment(dst + n, str_of(scratch, uri_decode(scratch, segment)));
	}
	return n;
}

static size_t
put_value(char *dst, enum template_place place, const struct template_op *op, struct str value)
{
	if (op->kind == TEMPLATE_LITERAL || value.n == 0)
		place = TEMPLATE_TEXT;
	if (place == TEMPLATE_PATH)
		return op->kind == TEMPLATE_PARAM_TAIL ? put_tail(dst, value) :
							 uri_put_segment(dst, value);
	if (place == TEMPLATE_QUERY)
		return uri_put_query_value(dst, value);
	if (value.n != 0)
		memcpy(dst, value.p, value.n);
	return value.n;
}

/* The value of one op, or its fallback. */
static enum err_code
resolve(const struct template_op *op, const struct template_env *env, enum template_place place,
    struct arena *arena, struct str *out)
{
	enum err_code e = lookup(op, env, place, arena, out);
	bool is_hole = str_is_none(*out) ||
	    (place == TEMPLATE_PATH && out->n == 0 && op->kind != TEMPLATE_PARAM_TAIL);

	if (e != ERR_NONE)
		return e;
	if (is_hole && !op->has_fallback)
		return ERR_MISSING_REFERENCE;
	if (is_hole)
		*out = op->fallback;
	return ERR_NONE;
}

static enum err_code
check_result(enum template_place place, struct str s)
{
	if (place == TEMPLATE_PATH && !uri_check_path(s))
		return ERR_BAD_PARAMETER;
	if (place == TEMPLATE_HEADER && !header_is_value(s))
		return ERR_BAD_PARAMETER;
	return ERR_NONE;
}

enum err_code
template_eval(
    const struct template *t, const struct template_env *env, struct arena *arena, struct str *out)
{
	struct str values[TEMPLATE_MAX_OPS];
	size_t bound = 0, n = 0;
	char *to;

	if (t->n == 1 && t->ops[0].kind == TEMPLATE_LITERAL) {
		*out = t->ops[0].text;
		return ERR_NONE;
	}
	for (size_t i = 0; i < t->n; i++) {
		enum err_code e = resolve(&t->ops[i], env, t->place, arena, &values[i]);

		if (e != ERR_NONE)
			return e;
		bound += value_bound(&t->ops[i], values[i]);
	}
	to = arena_alloc(arena, bound);
	for (size_t i = 0; i < t->n; i++)
		n += put_value(to + n, t->place, &t->ops[i], values[i]);
	arena_trim(arena, to, bound, n);
	*out = str_of(to, n);
	return check_result(t->place, *out);
}

bool
template_is_reference(const struct template *t)
{
	return t->n == 1 && t->ops[0].kind != TEMPLATE_LITERAL;
}
