/* From bodies to parts. No state. */
#include "gather/part.h"

#include "codec/json_dedup.h"
#include "codec/json_write.h"
#include "codec/utf8.h"

static enum err_code
read_json(const struct part_rule *rule, struct str body, struct json_scan *js, struct arena *a,
    struct part *part)
{
	unsigned flags = (rule->keep_last_duplicate ? JSON_SCAN_KEEP_DUPLICATES : 0) |
			 (rule->rules != NULL ? JSON_SCAN_CUTS : 0);
	enum err_code e = json_scan_text(js, body, flags, &part->value, &part->fault);

	if (e == ERR_NONE && js->has_duplicates) {
		part->value = json_dedup_last(js, a, part->value);
		if (rule->rules != NULL)
			json_cuts_find(&js->cuts, part->value);
	}
	return e;
}

/* A value that was made here, not read. */
static enum err_code
made(const struct part_rule *rule, struct json_scan *js, struct part *part, struct json_value value)
{
	part->value = value;
	if (rule->rules != NULL)
		json_cuts_find(&js->cuts, value);
	return ERR_NONE;
}

static enum err_code
read_text(const struct part_rule *rule, struct str body, struct json_scan *js, struct arena *a, struct part *part)
{
	if (!utf8_is_valid(body)) {
		part->fault = (struct json_fault){ 0, "invalid UTF-8" };
		return ERR_INVALID_BODY;
	}
	return made(rule, js, part, (struct json_value){ JSON_STRING, json_write_str(a, body) });
}

enum err_code
part_read(const struct part_rule *rule, struct str body, struct json_scan *js, struct arena *a,
    struct part *part)
{
	if (rule->rules != NULL)
		json_cuts_begin(&js->cuts, rule->rules, a);
	if (body.n == 0)
		return made(rule, js, part, (struct json_value){ JSON_NULL, STR("null") });
	switch (rule->format) {
	case PART_TEXT:
		return read_text(rule, body, js, a, part);
	case PART_BASE64:
		return made(rule, js, part, (struct json_value){ JSON_STRING, json_write_base64(a, body) });
	case PART_JSON:
		break;
	}
	return read_json(rule, body, js, a, part);
}
