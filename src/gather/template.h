/*
 * Text with references, compiled at load: "/users/{id}?lang={query.lang|en}". References: {param} {query.x} {query.x[]}
 * {header.x} {cookie.x} {client.ip} {client.cert.x} {body} {body.x}; within the calls of a route
 * {calls.N.body.x} as received, {calls.N.result.x} as shaped, {calls.N.status}, {calls.N.header.x}; within
 * for_each {item} {item.x}, within a batch {items} {items.x}; {ref|default}; "{{" is a literal brace. Values are
 * encoded for the place where they stand; one that is missing and has no default fails the evaluation, so
 * that nothing is ever sent with a hole.
 */
#ifndef GATHER_TEMPLATE_H
#define GATHER_TEMPLATE_H

#include "base/arena.h"
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
	TEMPLATE_COOKIE,
	TEMPLATE_CLIENT_IP,
	TEMPLATE_CLIENT_CERT, /* `param` is its enum tls_identity_part */
	TEMPLATE_BODY,       /* the whole body of the request */
	TEMPLATE_BODY_VALUE, /* a value in it */
	TEMPLATE_CALL_BODY,   /* a value in the answer of another call, as received */
	TEMPLATE_CALL_RESULT, /* and as shaped */
	TEMPLATE_CALL_STATUS,
	TEMPLATE_CALL_HEADER,
	TEMPLATE_ITEM,        /* a value in the item of a for_each */
};

struct template_op {
	enum template_op_kind kind;
	struct str text;     /* the literal, or the name of the query value or header */
	size_t param;        /* index of the parameter */
	enum header_id header;
	size_t call;           /* index of the call that is referred to */
	struct json_path path; /* within a JSON value */
	bool has_each;         /* the path has "[]": it names any number of values */
	bool has_fallback;
	struct str fallback; /* after `|`, not encoded yet */
	struct json_value fallback_value; /* of a reference to JSON, the same where that is JSON; else JSON_NONE */
};

/* What templates refer to; calls are bits. */
struct template_uses {
	bool body;             /* {body} or {body.x} */
	bool body_json;        /* {body.x}, or {body} as a JSON value */
	bool item;
	uint64_t calls;
	uint64_t calls_needed; /* by some reference without a default */
	uint64_t calls_answer; /* those of them whose answer is needed, where a call's default does not help */
	uint64_t calls_fields; /* their header fields */
	uint64_t calls_body;   /* their body as received */
};

struct template {
	struct template_op *ops;
	size_t n;
	enum template_place place;
	struct template_uses uses;
};

#define TEMPLATE_MAX_CALLS 64 /* of a route: a bit each, here and in the graph of its calls */

/* What a template may refer to, beside the request. */
struct template_params {
	const struct str *names; /* of the parameters that the route's path defines, in order */
	size_t n;
	bool has_tail;           /* the last one is {rest...} */
	const struct str *calls; /* names of the route's calls; not for replies and proxies */
	size_t n_calls;
	uint64_t calls_many;     /* bits of those with a for_each */
	bool has_item;           /* {item}: within a for_each */
	bool has_items;          /* {items}: within a batch */
};

struct template_error {
	size_t offset; /* in the text, bytes */
	char message[200];
};

/* Sets it. Always ERR_BAD_CONFIG. */
enum err_code template_fault(struct template_error *error, size_t offset, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Compiles into the arena. ERR_BAD_CONFIG with *error set when the text is not a template. */
enum err_code template_compile(struct arena *arena, struct str text, enum template_place place,
    const struct template_params *params, struct template *out, struct template_error *error);

#define TEMPLATE_MAX_OPS 64

/* Adds what it refers to. */
void template_add_uses(struct template_uses *to, const struct template_uses *uses);
/* The template is text without references, and not empty. */
bool template_is_literal(const struct template *t);
/* The template is exactly one reference. */
bool template_is_reference(const struct template *t);

#endif
