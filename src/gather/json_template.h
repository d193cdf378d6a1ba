/*
 * JSON with references in its strings (`json:` of a call or a reply), compiled at load to literal JSON text
 * with templates between. A string that is exactly one reference keeps the JSON type of what it refers to.
 */
#ifndef GATHER_JSON_TEMPLATE_H
#define GATHER_JSON_TEMPLATE_H

#include "base/conf_value.h"
#include "gather/template_eval.h"

struct json_template;

/* Into the arena. ERR_BAD_CONFIG with *where and *error set when a string is no template. */
enum err_code json_template_compile(struct arena *arena, const struct conf_json *tree,
    const struct template_params *params, struct json_template **out, struct conf_pos *where,
    struct template_error *error);
/* JSON text, in the arena or the template. Errors as template_eval(). */
enum err_code json_template_eval(const struct json_template *t, const struct template_env *env,
    struct arena *arena, struct str *out);
/* Adds what it refers to. */
void json_template_add_uses(struct template_uses *to, const struct json_template *t);
/* The tree as JSON text, its strings taken literally (`default:`). */
struct str json_template_literal(struct arena *arena, const struct conf_json *tree);

#endif
