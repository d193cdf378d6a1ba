/* Templates, evaluated for one request. No state; memory is the caller's arena. */
#include "gather/template_eval.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/header.h"
#include "codec/json_str.h"
#include "codec/json_write.h"
#include "codec/uri.h"
#include "gather/values.h"

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
	struct str rest = r->query, value;
	char *to;

	if (!uri_next_value(&rest, name, &value))
		return str_none();
	to = arena_alloc(arena, value.n);
	return str_of(to, uri_decode_query(to, value));
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

/* All values of a query parameter as an array of JSON strings; JSON_NONE when it has none. */
static struct json_value
query_array(const struct request *r, struct str name, struct arena *arena)
{
	struct str rest = r->query, value;
	struct json_value *values;
	size_t n = 1, found = 0;

	for (size_t i = 0; i < rest.n; i++)
		n += rest.p[i] == '&';
	values = arena_alloc(arena, n * sizeof *values);
	while (uri_next_value(&rest, name, &value)) {
		char *to = arena_alloc(arena, value.n);

		values[found].kind = JSON_STRING;
		values[found++].text = json_write_str(arena, str_of(to, uri_decode_query(to, value)));
	}
	if (found == 0)
		return (struct json_value){ .kind = JSON_NONE };
	return values_join(values, found, arena);
}

/* The JSON value that the path of the reference begins at; JSON_NONE for one that is text. */
static struct json_value
root_of(const struct template_op *op, const struct template_env *env, struct arena *arena)
{
	switch (op->kind) {
	case TEMPLATE_QUERY_VALUE:
		if (!op->has_each)
			break;
		return query_array(env->request, op->text, arena);
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
		break;
	}
	return (struct json_value){ .kind = JSON_NONE };
}

/* The scalars that a reference with "[]" names, separated by commas. */
static enum err_code
join_values(const struct template_op *op, const struct template_env *env, enum template_place place,
    struct arena *arena, struct str *out)
{
	struct json_value *values;
	size_t n = values_collect(&op->path, root_of(op, env, arena), arena, &values), bytes = 0;
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

static struct json_value
status_value(unsigned status, struct arena *arena)
{
	struct str text = status_text(status, arena);

	return (struct json_value){ str_is_none(text) ? JSON_NONE : JSON_NUMBER, text };
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
		if (op->has_each)
			break;
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
	return json_as_text(json_path_find(&op->path, root_of(op, env, arena)), place, arena, out);
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

static bool
is_of_call(const struct template_op *op)
{
	return op->kind == TEMPLATE_CALL_BODY || op->kind == TEMPLATE_CALL_RESULT ||
	    op->kind == TEMPLATE_CALL_STATUS || op->kind == TEMPLATE_CALL_HEADER;
}

/* Whose value does not fit: with nothing of the request in the text it is another call's. */
static enum err_code
misfit(const struct template *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->ops[i].kind != TEMPLATE_LITERAL && !is_of_call(&t->ops[i]))
			return ERR_BAD_PARAMETER;
	return ERR_BAD_RESULT;
}

static enum err_code
check_result(const struct template *t, struct str s)
{
	if (t->place == TEMPLATE_PATH && !uri_check_path(s))
		return misfit(t);
	if (t->place == TEMPLATE_HEADER && !header_is_value(s))
		return misfit(t);
	return ERR_NONE;
}

enum err_code
template_eval(
    const struct template *t, const struct template_env *env, struct arena *arena, struct str *out)
{
	struct str values[TEMPLATE_MAX_OPS];
	size_t bound = 0, n = 0;
	char *to;

	if (template_is_literal(t)) {
		*out = t->ops[0].text;
		return ERR_NONE;
	}
	for (size_t i = 0; i < t->n; i++) {
		enum err_code e = resolve(&t->ops[i], env, t->place, arena, &values[i]);

		if (e != ERR_NONE)
			return e == ERR_BAD_PARAMETER && is_of_call(&t->ops[i]) ? ERR_BAD_RESULT : e;
		bound += value_bound(&t->ops[i], values[i]);
	}
	/* One value that goes out as it is, a body perhaps, is not copied. */
	if (t->n == 1 && (t->place == TEMPLATE_TEXT || t->place == TEMPLATE_HEADER)) {
		*out = values[0];
		return check_result(t, *out);
	}
	to = arena_alloc(arena, bound);
	for (size_t i = 0; i < t->n; i++)
		n += put_value(to + n, t->place, &t->ops[i], values[i]);
	arena_trim(arena, to, bound, n);
	*out = str_of(to, n);
	return check_result(t, *out);
}

struct json_value
template_eval_value(const struct template *t, const struct template_env *env, struct arena *arena)
{
	const struct template_op *op = &t->ops[0];
	struct json_value v;

	if (!template_is_reference(t))
		return (struct json_value){ .kind = JSON_NONE };
	if (op->kind == TEMPLATE_CALL_STATUS)
		v = status_value(env->calls[op->call].status, arena);
	else if (op->has_each)
		v = values_array(&op->path, root_of(op, env, arena), arena);
	else
		v = json_path_find(&op->path, root_of(op, env, arena));
	return v.kind == JSON_NONE && op->has_fallback ? op->fallback_value : v;
}

enum err_code
template_eval_list(const struct template *t, const struct template_env *env, struct arena *arena,
    struct json_value **out, size_t *n)
{
	const struct template_op *op = &t->ops[0];
	struct json_value list;

	assert(template_is_reference(t));
	*n = 0;
	list = root_of(op, env, arena);
	if (op->has_each && list.kind != JSON_NONE) {
		*n = values_collect(&op->path, list, arena, out);
		return ERR_NONE;
	}
	list = json_path_find(&op->path, list);
	if (list.kind == JSON_NONE || list.kind == JSON_NULL) {
		if (!op->has_fallback)
			return missing(op);
		list = op->fallback_value;
	}
	if (list.kind != JSON_ARRAY)
		return is_of_call(op) ? ERR_BAD_RESULT : ERR_BAD_PARAMETER;
	*n = values_elements(list, arena, out);
	return ERR_NONE;
}
