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
#include "gather/values.h"
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
		return fault(c, offset + where.offset, "%s", where.reason);
	for (size_t i = 0; i < op->path.n; i++)
		op->has_each |= op->path.steps[i].kind == JSON_STEP_EACH;
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
		return fault(c, offset, "the name of a header field is expected");
	op->header = http_table_header(op->text);
	return ERR_NONE;
}

static enum err_code
name_call_value(struct compiler *c, struct str what, size_t offset, struct template_op *op)
{
	struct str path;

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
		return name_path(c, path, offset + 4, op);
	}
	if (is_value_of(what, STR("result"), &path)) {
		op->kind = TEMPLATE_CALL_RESULT;
		return name_path(c, path, offset + 6, op);
	}
	return fault(c, offset, "of a call there are body, result, status and header.NAME");
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
		return fault(c, offset, "calls can only be referred to within the calls of a route");
	if (op->call == c->params->n_calls)
		return fault(c, offset + 6, "the route has no call %.*s", STR_FMT(call));
	if (str_is_none(rest))
		return fault(c, offset, "of a call there are body, result, status and header.NAME");
	bit = UINT64_C(1) << op->call;
	c->out->uses.calls |= bit;
	if (!op->has_fallback)
		c->out->uses.calls_needed |= bit;
	if (str_has_prefix(rest, STR("header.")))
		c->out->uses.calls_fields |= bit;
	return name_call_value(c, rest, offset + 7 + call.n, op);
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
	if (str_has_prefix(name, STR("query.")) && name.n > 6) {
		op->kind = TEMPLATE_QUERY_VALUE;
		op->text = arena_str(c->arena, str_of(name.p + 6, name.n - 6));
		return ERR_NONE;
	}
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
find_header(const struct header_list *fields, const struct template_op *op)
{
	const struct header *h = op->header != HEADER_OTHER ? header_find(fields, op->header) :
							      header_find_name(fields, op->text);

	return h == NULL ? str_none() : h->value;
}

/* RFC 6265 4.2.1: pairs separated by semicolons, perhaps over several fields. */
static struct str
find_cookie(const struct request *r, struct str name)
{
	const struct header *h = header_find(r->headers, HEADER_COOKIE);

	for (; h != NULL; h = header_next(r->headers, h)) {
		struct str rest = h->value, pair, key;

		while (str_split(&rest, ';', &pair)) {
			pair = str_trim(pair);
			str_split(&pair, '=', &key);
			if (str_eq(key, name) && !str_is_none(pair))
				return pair;
		}
	}
	return str_none();
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

/* The JSON value that the path of the reference begins at; JSON_NONE for one that is text. */
static struct json_value
root_of(const struct template_op *op, const struct template_env *env)
{
	switch (op->kind) {
	case TEMPLATE_BODY:
	case TEMPLATE_BODY_VALUE:
		return env->body;
	case TEMPLATE_CALL_BODY:
		return env->calls[op->call].body;
	case TEMPLATE_CALL_RESULT:
		return env->calls[op->call].result;
	case TEMPLATE_ITEM:
		return env->item;
	default:
		return (struct json_value){ .kind = JSON_NONE };
	}
}

/* The scalars that a reference with "[]" names, separated by commas. */
static enum err_code
join_values(const struct template_op *op, const struct template_env *env, enum template_place place,
    struct arena *arena, struct str *out)
{
	struct json_value *values;
	size_t n = values_collect(&op->path, root_of(op, env), arena, &values), bytes = 0;
	struct str *texts = arena_alloc(arena, n * sizeof *texts);
	char *to;

	for (size_t i = 0; i < n; i++) {
		enum err_code e = json_as_text(values[i], place, arena, &texts[i]);

		if (e != ERR_NONE)
			return e;
		bytes += texts[i].n + 1;
	}
	to = arena_alloc(arena, bytes);
	*out = str_of(to, 0);
	for (size_t i = 0; i < n; i++) {
		if (str_is_none(texts[i]))
			continue;
		if (out->n != 0)
			to[out->n++] = ',';
		memcpy(to + out->n, texts[i].p, texts[i].n);
		out->n += texts[i].n;
	}
	if (out->n == 0)
		*out = str_none();
	return ERR_NONE;
}

static struct str
find_call_header(const struct template_op *op, const struct template_env *env)
{
	const struct header_list *fields = env->calls[op->call].fields;

	return fields == NULL ? str_none() : find_header(fields, op);
}

static struct str
status_text(unsigned status, struct arena *arena)
{
	return status == 0 ? str_none() : arena_printf(arena, "%u", status);
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
		*out = find_header(r->headers, op);
		return ERR_NONE;
	case TEMPLATE_COOKIE:
		*out = find_cookie(r, op->text);
		return ERR_NONE;
	case TEMPLATE_CALL_STATUS:
		*out = status_text(env->calls[op->call].status, arena);
		return ERR_NONE;
	case TEMPLATE_CALL_HEADER:
		*out = find_call_header(op, env);
		return ERR_NONE;
	case TEMPLATE_CLIENT_IP:
		*out = r->client_ip.n == 0 ? str_none() : r->client_ip;
		return ERR_NONE;
	case TEMPLATE_CLIENT_CERT:
		*out = r->client_cert == NULL ? str_none() : r->client_cert[op->param];
		return ERR_NONE;
	case TEMPLATE_BODY:
		*out = r->has_body ? r->body : str_none();
		return ERR_NONE;
	default:
		break;
	}
	if (op->has_each)
		return join_values(op, env, place, arena, out);
	return json_as_text(json_path_find(&op->path, root_of(op, env)), place, arena, out);
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

/* Who is to blame: the request, or the answer of another call. */
static enum err_code
missing(const struct template_op *op)
{
	switch (op->kind) {
	case TEMPLATE_CALL_BODY:
	case TEMPLATE_CALL_RESULT:
	case TEMPLATE_CALL_STATUS:
	case TEMPLATE_CALL_HEADER:
	case TEMPLATE_ITEM:
		return ERR_MISSING_RESULT;
	default:
		return ERR_MISSING_REFERENCE;
	}
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
		return missing(op);
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

void
template_add_uses(struct template_uses *to, const struct template_uses *uses)
{
	to->body |= uses->body;
	to->body_json |= uses->body_json;
	to->item |= uses->item;
	to->calls |= uses->calls;
	to->calls_needed |= uses->calls_needed;
	to->calls_fields |= uses->calls_fields;
}

bool
template_is_reference(const struct template *t)
{
	return t->n == 1 && t->ops[0].kind != TEMPLATE_LITERAL;
}

struct json_value
template_json_value(const struct template *t, const struct template_env *env, struct arena *arena)
{
	const struct template_op *op = &t->ops[0];

	if (!template_is_reference(t))
		return (struct json_value){ .kind = JSON_NONE };
	if (op->has_each)
		return values_array(&op->path, root_of(op, env), arena);
	return json_path_find(&op->path, root_of(op, env));
}

enum err_code
template_eval_list(const struct template *t, const struct template_env *env, struct arena *arena,
    struct json_value **out, size_t *n)
{
	const struct template_op *op = &t->ops[0];
	struct json_value list;

	assert(template_is_reference(t));
	*n = 0;
	if (op->has_each && root_of(op, env).kind != JSON_NONE) {
		*n = values_collect(&op->path, root_of(op, env), arena, out);
		return ERR_NONE;
	}
	list = json_path_find(&op->path, root_of(op, env));
	if (list.kind != JSON_ARRAY)
		return missing(op);
	*n = values_elements(list, arena, out);
	return ERR_NONE;
}
