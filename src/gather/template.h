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
	TEMPLATE_PATH,   /* part of a path segment: / ? # % and dot segments cannot escape it */
	TEMPLATE_QUERY,  /* a query value */
	TEMPLATE_HEADER, /* a field value: CR, LF, NUL refuse it */
	TEMPLATE_TEXT,   /* a body, or the inside of a JSON string: as it is */
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
	bool uses_body_json; /* refers to {body.x} */
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

#define TEMPLATE_MAX_OPS 64

/* What evaluation reads. */
struct template_env {
	const struct request *request;
	struct json_value body; /* the root of the request's body; JSON_NONE: it has none, or it is not JSON */
};

/*
 * The text, in the arena or the template or the request. ERR_MISSING_REFERENCE when a value is not there (an
 * empty value counts as missing in a path), ERR_BAD_PARAMETER when it cannot stand in its place.
 */
enum err_code template_eval(
    const struct template *t, const struct template_env *env, struct arena *arena, struct str *out);

/* The template is exactly one reference. */
bool template_is_reference(const struct template *t);

#endif
