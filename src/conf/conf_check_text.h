/* Rules of texts that are compiled when a configuration runs: templates, field names, methods. */
#ifndef CONF_CONF_CHECK_TEXT_H
#define CONF_CONF_CHECK_TEXT_H

#include "conf/conf_check.h"
#include "gather/template.h"

/* For whom the fields are: each side has names that gatherd alone sets. */
enum conf_check_side { CONF_CHECK_REQUEST, CONF_CHECK_RESPONSE };

/* Compiles the template; *uses_body (may be NULL) is set when it refers to the client's body. None is fine. */
void conf_check_text_template(const struct conf_check *check, const struct conf_text *text,
    enum template_place place, const struct template_params *params, bool *uses_body);
/* Warns of a key or name that looks like a template, which it is not: it is sent as it stands. */
void conf_check_text_literal(const struct conf_check *check, struct str name, struct conf_pos pos);
/* Every string of the tree is a template. */
void conf_check_text_json(const struct conf_check *check, const struct conf_json *json,
    const struct template_params *params, bool *uses_body);
/* Names are tokens, each there once, and may cross; values are templates. */
void conf_check_text_fields(const struct conf_check *check, const struct conf_pair_list *fields,
    enum conf_check_side side, const struct template_params *params, bool *uses_body);
/* One name of a field as above. */
void conf_check_text_field_name(
    const struct conf_check *check, const struct conf_text *name, enum conf_check_side side);
/* A body is given as `body` or as `json`, not as both. */
void conf_check_text_body(
    const struct conf_check *check, const struct conf_text *body, const struct conf_json *json);
/* What is wrong with a path, with the character when there is one to point at. */
void conf_check_text_fault(
    const struct conf_check *check, struct conf_pos where, const struct json_fault *fault);
/* A method that exists; `get` is not GET (RFC 9110 9.1). */
void conf_check_text_method(const struct conf_check *check, const struct conf_text *method);

#endif
