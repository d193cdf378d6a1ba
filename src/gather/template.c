/* Templates: compiled at load into literals and references. Read-only when shared. */
#include "gather/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/near.h"
#include "codec/header.h"
#include "codec/json_scan.h"
#include "codec/uri.h"
#include "net/tls_identity.h"

/* ---- compiling */

struct compiler {
	struct arena *arena;
	struct str text;
	size_t at;
	const struct template_params *params;
	struct template *out;
	struct template_error *error;
};

enum err_code
template_fault(struct template_error *error, size_t offset, const char *fmt, ...)
{
	va_list ap;

	error->offset = offset;
	va_start(ap, fmt);
	vsnprintf(error->message, sizeof error->message, fmt, ap);
	va_end(ap);
	return ERR_BAD_CONFIG;
}

static enum err_code
add_op(struct compiler *c, const struct template_op *op)
{
	if (c->out->n == TEMPLATE_MAX_OPS)
		return template_fault(c->error, c->at, "more than %d literals and references", TEMPLATE_MAX_OPS);
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
	near_add(&near, STR("cookie"));
	near_add(&near, STR("body"));
	near_add(&near, STR("calls"));
	if (member.n < 2 || str_is_none(near.best))
		return str_none();
	return arena_printf(c->arena, "%.*s%.*s", STR_FMT(near.best), STR_FMT(member));
}

static enum err_code
say_unknown(struct compiler *c, struct str name, size_t offset)
{
	static const struct str kinds[] = { STR_INIT("query.NAME"), STR_INIT("header.NAME"),
		STR_INIT("cookie.NAME"), STR_INIT("client.ip"),
		STR_INIT("client.cert.subject"), STR_INIT("client.cert.san"),
		STR_INIT("client.cert.fingerprint"), STR_INIT("body"), STR_INIT("body.PATH") };
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
	return template_fault(c->error, offset, "unknown reference {%.*s}; %.*s", STR_FMT(name), STR_FMT(hint));
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

/* What follows the name of a JSON value: nothing, ".a.b" or "[0].a". */
static enum err_code
name_path(struct compiler *c, struct str path, size_t offset, struct template_op *op)
{
	struct json_fault where;
	enum err_code e;

	if (path.n == 0)
		return ERR_NONE;
	if (path.p[0] == '.') {
		path = str_of(path.p + 1, path.n - 1);
		offset++;
	}
	e = json_path_compile(c->arena, arena_str(c->arena, path), &op->path, &where);
	if (e != ERR_NONE)
		return template_fault(c->error, offset + where.offset, "%s", where.reason);
	op->has_each = json_path_each(&op->path) < op->path.n;
	return ERR_NONE;
}

/* "body", "body.x" or "body[0]", but not "bodyx". */
static bool
is_value_of(struct str name, struct str of, struct str *path)
{
	if (!str_has_prefix(name, of))
		return false;
	*path = str_of(name.p + of.n, name.n - of.n);
	return path->n == 0 || path->p[0] == '.' || path->p[0] == '[';
}

static enum err_code
name_field(struct compiler *c, struct str name, size_t offset, struct template_op *op)
{
	op->text = arena_str(c->arena, name);
	if (!header_is_token(op->text))
		return template_fault(c->error, offset, "the name of a header field is expected");
	op->header = http_table_header(op->text);
	return ERR_NONE;
}

static enum err_code
name_call_value(struct compiler *c, struct str what, size_t offset, struct template_op *op)
{
	bool is_head = str_eq(what, STR("status")) || str_has_prefix(what, STR("header."));
	struct str path;

	if (is_head && (c->params->calls_many >> op->call & 1) != 0)
		return template_fault(c->error, offset,
		    "a for_each has many answers, so neither a status nor fields of its own");
	if (str_eq(what, STR("status"))) {
		op->kind = TEMPLATE_CALL_STATUS;
		return ERR_NONE;
	}
	if (str_has_prefix(what, STR("header."))) {
		op->kind = TEMPLATE_CALL_HEADER;
		return name_field(c, str_of(what.p + 7, what.n - 7), offset + 7, op);
	}
	if (is_value_of(what, STR("body"), &path)) {
		op->kind = TEMPLATE_CALL_BODY;
		c->out->uses.calls_body |= UINT64_C(1) << op->call;
		return name_path(c, path, offset + 4, op);
	}
	if (is_value_of(what, STR("result"), &path)) {
		op->kind = TEMPLATE_CALL_RESULT;
		return name_path(c, path, offset + 6, op);
	}
	return template_fault(c->error, offset, "of a call there are body, result, status and header.NAME");
}

static enum err_code
name_call(struct compiler *c, struct str name, size_t offset, struct template_op *op)
{
	struct str rest = str_of(name.p + 6, name.n - 6), call;
	uint64_t bit;

	str_split(&rest, '.', &call);
	for (op->call = 0; op->call < c->params->n_calls; op->call++)
		if (str_eq(c->params->calls[op->call], call))
			break;
	if (c->params->n_calls == 0)
		return template_fault(c->error, offset, "calls can only be referred to within the calls of a route");
	if (op->call == c->params->n_calls)
		return template_fault(c->error, offset + 6, "the route has no call %.*s", STR_FMT(call));
	if (str_is_none(rest))
		return template_fault(c->error, offset, "of a call there are body, result, status and header.NAME");
	bit = UINT64_C(1) << op->call;
	c->out->uses.calls |= bit;
	if (!op->has_fallback)
		c->out->uses.calls_needed |= bit;
	if (!op->has_fallback && !str_has_prefix(rest, STR("result")))
		c->out->uses.calls_answer |= bit;
	if (str_has_prefix(rest, STR("header.")))
		c->out->uses.calls_fields |= bit;
	return name_call_value(c, rest, offset + 7 + call.n, op);
}

/* "q" is the first value with that name, "q[]" all of them. */
static enum err_code
name_query(struct compiler *c, struct str name, struct template_op *op)
{
	struct json_fault ignored;

	op->kind = TEMPLATE_QUERY_VALUE;
	op->has_each = name.n > 2 && str_has_suffix(name, STR("[]"));
	if (op->has_each)
		name.n -= 2;
	op->text = arena_str(c->arena, name);
	return op->has_each ? json_path_compile(c->arena, STR("[]"), &op->path, &ignored) : ERR_NONE;
}

static enum err_code
name_reference(struct compiler *c, struct str name, size_t offset, struct template_op *op)
{
	struct str path;

	if (str_eq(name, STR("client.ip"))) {
		op->kind = TEMPLATE_CLIENT_IP;
		return ERR_NONE;
	}
	if (str_has_prefix(name, STR("client.cert.")) &&
	    tls_identity_find(str_of(name.p + 12, name.n - 12), &op->param)) {
		op->kind = TEMPLATE_CLIENT_CERT;
		return ERR_NONE;
	}
	if (is_value_of(name, STR("body"), &path)) {
		op->kind = path.n == 0 ? TEMPLATE_BODY : TEMPLATE_BODY_VALUE;
		c->out->uses.body = true;
		c->out->uses.body_json |= path.n != 0;
		return name_path(c, path, offset + 4, op);
	}
	if (c->params->has_item && is_value_of(name, STR("item"), &path)) {
		op->kind = TEMPLATE_ITEM;
		c->out->uses.item = true;
		return name_path(c, path, offset + 4, op);
	}
	if (c->params->has_items && is_value_of(name, STR("items"), &path)) {
		op->kind = TEMPLATE_ITEM;
		c->out->uses.item = true;
		return name_path(
		    c, arena_printf(c->arena, "[]%.*s", STR_FMT(path)), offset + 5, op);
	}
	if (str_has_prefix(name, STR("calls.")))
		return name_call(c, name, offset, op);
	if (str_has_prefix(name, STR("query.")) && name.n > 6)
		return name_query(c, str_of(name.p + 6, name.n - 6), op);
	if (str_has_prefix(name, STR("cookie."))) {
		op->kind = TEMPLATE_COOKIE;
		return name_field(c, str_of(name.p + 7, name.n - 7), offset + 7, op);
	}
	if (str_has_prefix(name, STR("header."))) {
		op->kind = TEMPLATE_HEADER_VALUE;
		return name_field(c, str_of(name.p + 7, name.n - 7), offset + 7, op);
	}
	return name_param(c, name, offset, op);
}

static bool
is_json(const struct template_op *op)
{
	switch (op->kind) {
	case TEMPLATE_QUERY_VALUE:
		return op->has_each;
	case TEMPLATE_BODY:
	case TEMPLATE_BODY_VALUE:
	case TEMPLATE_CALL_BODY:
	case TEMPLATE_CALL_RESULT:
	case TEMPLATE_ITEM:
		return true;
	default:
		return false;
	}
}

/* Beside values that have a type a default has one, too: 0 is a number, [] a list. */
static void
type_fallback(struct template_op *op)
{
	if (!op->has_fallback || !is_json(op))
		return;
	if (json_scan_once(op->fallback, &op->fallback_value, NULL) != ERR_NONE)
		op->fallback_value.kind = JSON_NONE;
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
		return template_fault(c->error, c->at,
		    "a reference that begins with { has no }; write {{ for a brace");
	rest.n = n;
	c->at = offset + n + 1;
	str_split(&rest, '|', &name);
	op.has_fallback = !str_is_none(rest);
	if (op.has_fallback)
		op.fallback = arena_str(c->arena, rest);
	e = name_reference(c, name, offset, &op);
	type_fallback(&op);
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
		return template_fault(c->error, 0,
		    "not a path: it begins with / and holds no space, ?, # or dot segment");
	return ERR_NONE;
}

static enum err_code
check_header(struct compiler *c)
{
	for (size_t i = 0; i < c->out->n; i++)
		if (c->out->ops[i].kind == TEMPLATE_LITERAL && !header_is_value(c->out->ops[i].text))
			return template_fault(c->error, 0, "control characters cannot stand in a header field");
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

void
template_add_uses(struct template_uses *to, const struct template_uses *uses)
{
	to->body |= uses->body;
	to->body_json |= uses->body_json;
	to->item |= uses->item;
	to->calls |= uses->calls;
	to->calls_needed |= uses->calls_needed;
	to->calls_answer |= uses->calls_answer;
	to->calls_fields |= uses->calls_fields;
	to->calls_body |= uses->calls_body;
}

bool
template_is_literal(const struct template *t)
{
	return t->n == 1 && t->ops[0].kind == TEMPLATE_LITERAL;
}

bool
template_is_reference(const struct template *t)
{
	return t->n == 1 && t->ops[0].kind != TEMPLATE_LITERAL;
}
