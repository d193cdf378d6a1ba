/*
 * Text with references, compiled at load: "/users/{id}?lang={query.lang|en}". References: {param} {query.x}
 * {header.x} {client.ip} {body} {body.x}, {ref|default}; "{{" is a literal brace. Values are encoded for the
 * place where they stand; one that is missing and has no default fails the evaluation, so that nothing is
 * ever sent with a hole.
 */
#ifndef GATHER_TEMPLATE_H
#define GATHER_TEMPLATE_H

#include "base/arena.h"
#include "base/conf_value.h"
#include "base/err.h"
#include "codec/json_path.h"
#include "gather/request.h"

/* Where a value goes, and so how it is encoded. */
enum template_place {
	TEMPLATE_PATH,   /* one segment of a path: / ? # % and dot segments cannot escape it */
	TEMPLATE_QUERY,  /* a query value */
	TEMPLATE_HEADER, /* a field value: CR, LF, NUL refuse it */
	TEMPLATE_JSON,   /* inside a JSON string */
	TEMPLATE_RAW,    /* a body, as it is */
};

enum template_op_kind {
	TEMPLATE_LITERAL,
	TEMPLATE_PARAM,
	TEMPLATE_PARAM_TAIL, /* {rest...}: slashes stay */
	TEMPLATE_QUERY_VALUE,
	TEMPLATE_HEADER_VALUE,
	TEMPLATE_CLIENT_IP,
	TEMPLATE_BODY,       /* the whole body of the request */
	TEMPLATE_BODY_VALUE, /* a value in it */
};

struct template_op {
	enum template_op_kind kind;
	struct str text;     /* the literal, or the name of the query value or header */
	size_t param;        /* index of the parameter */
	enum header_id header;
	struct json_path path; /* TEMPLATE_BODY_VALUE */
	bool has_fallback;
	struct str fallback; /* after `|`, not encoded yet */
};

struct template {
	struct template_op *ops;
	size_t n;
	enum template_place place;
	bool uses_body; /* refers to {body} or {body.x} */
	bool uses_body_json; /* refers to {body.x}, or to {body} as a JSON value */
};

/* The parameters that a route's path defines, in order. */
struct template_params {
	const struct str *names;
	size_t n;
	bool has_tail; /* the last one is {rest...} */
};

struct template_error {
	size_t offset; /* in the text, bytes */
	char message[200];
};

/* Compiles into the arena. ERR_BAD_CONFIG with *error set when the text is not a template. */
enum err_code template_compile(struct arena *arena, struct str text, enum template_place place,
    const struct template_params *params, struct template *out, struct template_error *error);

/* What evaluation reads. body_json: the validated document of the request's body, none when it has none. */
struct template_env {
	const struct request *request;
	struct str body_json;
};

/* The value, in the arena. ERR_MISSING_PARAMETER, or ERR_BAD_FIELD for bytes that a field cannot carry. */
enum err_code template_eval(
    const struct template *t, const struct template_env *env, struct arena *arena, struct str *out);

/* A `json:` tree with references in its strings, compiled. */
struct json_template;
enum err_code json_template_compile(struct arena *arena, const struct conf_json *tree,
    const struct template_params *params, struct json_template **out, struct conf_pos *where,
    struct template_error *error);
/* JSON text in the arena; a string that is exactly one reference keeps the type of what it refers to. */
enum err_code json_template_eval(const struct json_template *t, const struct template_env *env,
    struct arena *arena, struct str *out);
bool json_template_uses_body(const struct json_template *t);

#endif
