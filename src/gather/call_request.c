/* Writes the request of one call. No state; memory is the exchange's arena. */
#include "gather/call_request.h"

#include "base/compiler.h"
#include "codec/h1_write.h"
#include "codec/uri.h"
#include "gather/forward.h"

struct str
call_request_shared(
    const struct request *r, const struct forward_set *forward, struct arena *arena)
{
	struct str own = forward_own_fields(r, false, arena);
	size_t room;
	struct h1_write w;

	if (forward->is_empty)
		return own;
	room = own.n + forward_bound(r);
	for (size_t i = 0; i < forward->n; i++)
		room += forward->rules[i].as.n * r->headers->n;
	h1_write_init(&w, arena_alloc(arena, room), room);
	h1_write_raw(&w, own);
	forward_listed(&w, r, forward);
	assert(h1_write_is_ok(&w));
	return h1_write_str(&w);
}

/* The call's own query, encoded: what its path has behind a question mark, then its pairs. */
static enum err_code
own_query(const struct call_plan *cp, const struct template_env *env, struct arena *arena,
    struct str *out)
{
	struct str *values = arena_alloc(arena, cp->n_query * sizeof *values);
	struct str first = STR("");
	enum err_code e = ERR_NONE;
	struct h1_write w;
	size_t n;

	if (cp->path_query.n != 0)
		e = template_eval(&cp->path_query, env, arena, &first);
	n = first.n;
	for (size_t i = 0; i < cp->n_query && e == ERR_NONE; i++) {
		e = template_eval(&cp->query[i].value, env, arena, &values[i]);
		n += cp->query[i].name.n + values[i].n + 2;
	}
	if (e != ERR_NONE)
		return e;
	h1_write_init(&w, arena_alloc(arena, n), n);
	h1_write_raw(&w, first);
	for (size_t i = 0; i < cp->n_query; i++) {
		if (i > 0 || first.n != 0)
			h1_write_raw(&w, STR("&"));
		h1_write_raw(&w, cp->query[i].name);
		h1_write_raw(&w, STR("="));
		h1_write_raw(&w, values[i]);
	}
	*out = h1_write_str(&w);
	return ERR_NONE;
}

static enum err_code
build_start_line(const struct call_plan *cp, const struct template_env *env, struct arena *arena,
    struct h1_request *out)
{
	struct str method = cp->conf->method.s, path, query = str_none();
	enum err_code e = template_eval(&cp->path, env, arena, &path);
	struct h1_write w;
	size_t room;

	if (e == ERR_NONE && (cp->n_query != 0 || cp->path_query.n != 0))
		e = own_query(cp, env, arena, &query);
	if (e != ERR_NONE)
		return e;
	query = forward_query(env->request, &cp->forward_query, query, arena);
	room = method.n + path.n + URI_PUT_MAX(query.n) + sizeof " ? HTTP/1.1\r\n";
	h1_write_init(&w, arena_alloc(arena, room), room);
	h1_write_request_line(&w, method, path, query);
	out->start_line = h1_write_str(&w);
	return h1_write_is_ok(&w) ? ERR_NONE : ERR_BAD_PARAMETER;
}

static enum err_code
build_body(const struct call_plan *cp, const struct template_env *env, struct arena *arena,
    struct h1_request *out)
{
	if (cp->json != NULL)
		return json_template_eval(cp->json, env, arena, &out->body);
	if (cp->body.n != 0)
		return template_eval(&cp->body, env, arena, &out->body);
	return ERR_NONE;
}

/* What the body is: JSON of ours, or the client's own body with the client's word for it. */
static struct str
content_type_of(const struct call_plan *cp, const struct request *r)
{
	if (cp->has_content_type)
		return str_none();
	if (cp->json != NULL)
		return STR("application/json");
	if (template_is_reference(&cp->body) && cp->body.ops[0].kind == TEMPLATE_BODY)
		return header_value(r->headers, HEADER_CONTENT_TYPE);
	return str_none();
}

static enum err_code
eval_fields(const struct field_plan *fields, size_t n, const struct template_env *env,
    struct arena *arena, struct str *values)
{
	for (size_t i = 0; i < n; i++) {
		enum err_code e = template_eval(&fields[i].value, env, arena, &values[i]);

		if (e != ERR_NONE)
			return e;
	}
	return ERR_NONE;
}

static size_t
lines_bound(const struct field_plan *fields, const struct str *values, size_t n)
{
	size_t bound = 0;

	for (size_t i = 0; i < n; i++)
		bound += fields[i].name.n + values[i].n + sizeof ": \r\n";
	return bound;
}

static void
put_fields(
    struct h1_write *w, const struct field_plan *fields, const struct str *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h1_write_field(w, fields[i].name, values[i]);
}

enum err_code
call_request_fields(const struct field_plan *fields, size_t n, const struct template_env *env,
    struct arena *arena, struct str *out)
{
	struct str *values = arena_alloc(arena, n * sizeof *values);
	enum err_code e = eval_fields(fields, n, env, arena, values);
	struct h1_write w;
	size_t room;

	if (e != ERR_NONE)
		return e;
	room = lines_bound(fields, values, n);
	h1_write_init(&w, arena_alloc(arena, room), room);
	put_fields(&w, fields, values, n);
	*out = h1_write_str(&w);
	return h1_write_is_ok(&w) ? ERR_NONE : ERR_BAD_PARAMETER;
}

static enum err_code
build_fields(const struct call_plan *cp, const struct template_env *env, struct arena *arena,
    struct h1_request *out)
{
	struct str *values = arena_alloc(arena, cp->n_fields * sizeof *values);
	struct str type = content_type_of(cp, env->request);
	bool has_body = cp->json != NULL || cp->body.n != 0 ||
	    (http_table_method_flags(cp->method) & METHOD_HAS_BODY) != 0;
	enum err_code e = eval_fields(cp->fields, cp->n_fields, env, arena, values);
	struct h1_write w;
	size_t room;

	if (e != ERR_NONE)
		return e;
	if (cp->n_fields == 0 && !has_body && cp->accept_encoding.n == 0) {
		out->fields = STR("\r\n");
		return ERR_NONE;
	}
	room = type.n + cp->accept_encoding.n + lines_bound(cp->fields, values, cp->n_fields) + 64;
	h1_write_init(&w, arena_alloc(arena, room), room);
	put_fields(&w, cp->fields, values, cp->n_fields);
	h1_write_raw(&w, cp->accept_encoding);
	if (!str_is_none(type))
		h1_write_known(&w, HEADER_CONTENT_TYPE, type);
	if (has_body)
		h1_write_known_u64(&w, HEADER_CONTENT_LENGTH, out->body.n);
	h1_write_end(&w);
	out->fields = h1_write_str(&w);
	return h1_write_is_ok(&w) ? ERR_NONE : ERR_BAD_PARAMETER;
}

bool
call_request_has_key(const struct field_plan *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(fields[i].name, STR("Idempotency-Key")))
			return true;
	return false;
}

/* The methods that are, and any request that carries a key by which the server knows a repetition. */
static bool
is_idempotent(const struct call_plan *cp)
{
	return (http_table_method_flags(cp->method) & METHOD_IDEMPOTENT) != 0 ||
	    call_request_has_key(cp->fields, cp->n_fields);
}

enum err_code
call_request_build(const struct call_plan *cp, const struct template_env *env,
    struct arena *arena, struct h1_request *out)
{
	enum err_code e;

	*out = (struct h1_request){
		.client_ip = env->request->client_ip,
		.method = cp->method,
		.is_idempotent = is_idempotent(cp),
	};
	e = build_start_line(cp, env, arena, out);
	if (e == ERR_NONE)
		e = build_body(cp, env, arena, out);
	if (e == ERR_NONE)
		e = build_fields(cp, env, arena, out);
	return e;
}
