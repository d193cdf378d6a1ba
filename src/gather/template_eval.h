/* What templates come to for one request. */
#ifndef GATHER_TEMPLATE_EVAL_H
#define GATHER_TEMPLATE_EVAL_H

#include "gather/template.h"

/* What is known of a call. */
struct template_call {
	struct json_value body;   /* as received; JSON_NONE: none that is accepted */
	struct json_value result; /* as shaped, or its default */
	unsigned status;          /* 0: none */
	const struct header_list *fields; /* of its answer, when some template refers to them; or NULL */
};

/* What evaluation reads. */
struct template_env {
	const struct request *request;
	struct json_value body; /* the root of the request's body; JSON_NONE: it has none, or it is not JSON */
	const struct template_call *calls; /* by index */
	struct json_value item;
};

/*
 * The text, in the arena or the template or the request. ERR_MISSING_REFERENCE when a value is not there (an
 * empty value counts as missing in a path), ERR_MISSING_RESULT when it is another call's; ERR_BAD_PARAMETER or
 * ERR_BAD_RESULT when it cannot stand in its place. A reference with "[]" gives its scalars, separated by commas.
 */
enum err_code template_eval(
    const struct template *t, const struct template_env *env, struct arena *arena, struct str *out);

/*
 * The JSON value that a template of exactly one reference names, its type kept; JSON_NONE: it names text, or
 * nothing. With "[]" an array of those that are there, in the arena.
 */
struct json_value template_eval_value(
    const struct template *t, const struct template_env *env, struct arena *arena);
/*
 * The elements of the list that a template of exactly one reference names: with "[]" one per element on the
 * way (JSON_NONE where it is not there), else those of the array that it names. ERR_MISSING_REFERENCE or
 * ERR_MISSING_RESULT when there is no list.
 */
enum err_code template_eval_list(const struct template *t, const struct template_env *env,
    struct arena *arena, struct json_value **out, size_t *n);

#endif
