/* Rules of single texts. Start-up and reload only; one thread. */
#include "conf/conf_check_text.h"

#include "codec/header.h"

/* A message that quotes what ${…} expanded to would give a secret away. */
static void
say_template(const struct conf_check *check, const struct conf_text *text,
    const struct template_error *error)
{
	static const char quoting[] = "unknown reference";
	struct str raw = conf_check_raw(text), message = str_c(error->message);
	bool is_expanded = memmem(raw.p, raw.n, "${", 2) != NULL;

	if (is_expanded && str_has_prefix(message, STR(quoting)))
		message = STR(quoting);
	conf_error_add(check->errors, text->pos, "%.*s", STR_FMT(message));
}

void
conf_check_text_template(const struct conf_check *check, const struct conf_text *text,
    enum template_place place, const struct template_params *params, bool *uses_body)
{
	struct template_error error;
	struct template t;

	if (str_is_none(text->s))
		return;
	if (template_compile(check->arena, text->s, place, params, &t, &error) != ERR_NONE)
		say_template(check, text, &error);
	if (uses_body != NULL)
		*uses_body |= t.uses.body;
}

void
conf_check_text_literal(const struct conf_check *check, struct str name, struct conf_pos pos)
{
	size_t open = str_find(name, '{');

	if (open < name.n && str_find(str_of(name.p + open, name.n - open), '}') < name.n - open)
		conf_error_warn(check->errors, pos, "a name is sent as it stands: only values have references");
}

void
conf_check_text_json(const struct conf_check *check, const struct conf_json *json,
    const struct template_params *params, bool *uses_body)
{
	if (json->kind == CONF_JSON_STRING)
		conf_check_text_template(check, &json->text, TEMPLATE_TEXT, params, uses_body);
	for (size_t i = 0; i < json->n; i++) {
		if (json->kind == CONF_JSON_OBJECT)
			conf_check_text_literal(check, json->members[i].name, json->members[i].value.text.pos);
		conf_check_text_json(check, &json->members[i].value, params, uses_body);
	}
}

void
conf_check_text_field_name(
    const struct conf_check *check, const struct conf_text *name, enum conf_check_side side)
{
	unsigned flags;

	if (!header_is_token(name->s)) {
		conf_error_add(check->errors, name->pos, "not the name of a field");
		return;
	}
	flags = http_table_header_flags(http_table_header(name->s));
	if ((flags & (FIELD_HOP | FIELD_FRAMING)) != 0)
		conf_error_add(check->errors, name->pos,
		    "%.*s belongs to one connection or frames the message; gatherd alone sets it",
		    STR_FMT(name->s));
	else if (side == CONF_CHECK_REQUEST && http_table_header(name->s) == HEADER_HOST)
		conf_error_add(check->errors, name->pos,
		    "gatherd sets Host; the key `host` of the upstream overrides it");
	else if (side == CONF_CHECK_RESPONSE && http_table_header(name->s) == HEADER_DATE)
		conf_error_add(check->errors, name->pos, "gatherd dates its own answers");
	else if (side == CONF_CHECK_REQUEST && (flags & FIELD_OWN_REQUEST) != 0)
		conf_error_add(
		    check->errors, name->pos, "gatherd always sets %.*s itself", STR_FMT(name->s));
}

static void
check_field_once(const struct conf_check *check, const struct conf_pair_list *fields, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_ieq(fields->at[k].name.s, fields->at[i].name.s))
			conf_error_add(check->errors, fields->at[i].name.pos,
			    "the field is there already as %.*s", STR_FMT(fields->at[k].name.s));
}

void
conf_check_text_fields(const struct conf_check *check, const struct conf_pair_list *fields,
    enum conf_check_side side, const struct template_params *params, bool *uses_body)
{
	for (size_t i = 0; i < fields->n; i++) {
		const struct conf_pair *field = &fields->at[i];

		conf_check_text_field_name(check, &field->name, side);
		check_field_once(check, fields, i);
		conf_check_text_template(check, &field->value, TEMPLATE_HEADER, params, uses_body);
	}
}

static enum http_method
method_in_any_case(struct str s)
{
	for (unsigned m = METHOD_OTHER + 1; m < METHOD_COUNT; m++)
		if (str_ieq(http_table_method_name((enum http_method)m), s))
			return (enum http_method)m;
	return METHOD_OTHER;
}

void
conf_check_text_method(const struct conf_check *check, const struct conf_text *method)
{
	enum http_method m = method_in_any_case(method->s);

	if (m != METHOD_OTHER && http_table_method(method->s) == METHOD_OTHER)
		conf_error_add(check->errors, method->pos, "methods are written in capitals: %.*s",
		    STR_FMT(http_table_method_name(m)));
}

void
conf_check_text_body(
    const struct conf_check *check, const struct conf_text *body, const struct conf_json *json)
{
	if (!str_is_none(body->s) && json->kind != CONF_JSON_NONE)
		conf_error_add(check->errors, body->pos, "`body` and `json` exclude each other");
}

void
conf_check_text_fault(
    const struct conf_check *check, struct conf_pos where, const struct json_fault *fault)
{
	if (fault->offset == 0)
		conf_error_add(check->errors, where, "%s", fault->reason);
	else
		conf_error_add(check->errors, where, "%s at character %zu", fault->reason,
		    fault->offset + 1);
}
