/* From bodies to parts. No state. */
#include "gather/part.h"

#include "codec/json_dedup.h"
#include "codec/json_write.h"
#include "codec/utf8.h"

static enum err_code
read_json(const struct part_rule *rule, struct str body, struct json_scan *js, struct arena *a,
    struct part *part)
{
	unsigned flags = rule->keep_last_duplicate ? JSON_SCAN_KEEP_DUPLICATES : 0;
	enum err_code e = json_scan_text(js, body, flags, &part->value, &part->fault);

	if (e == ERR_NONE && js->has_duplicates)
		part->value = json_dedup_last(js, a, part->value);
	return e;
}

static enum err_code
read_text(struct str body, struct arena *a, struct part *part)
{
	if (!utf8_is_valid(body)) {
		part->fault = (struct json_fault){ 0, "invalid UTF-8" };
		return ERR_INVALID_BODY;
	}
	part->value = (struct json_value){ JSON_STRING, json_write_str(a, body) };
	return ERR_NONE;
}

enum err_code
part_read(const struct part_rule *rule, struct str body, struct json_scan *js, struct arena *a,
    struct part *part)
{
	if (body.n == 0) {
		part->value = (struct json_value){ JSON_NULL, STR("null") };
		return ERR_NONE;
	}
	switch (rule->format) {
	case PART_TEXT:
		return read_text(body, a, part);
	case PART_BASE64:
		part->value = (struct json_value){ JSON_STRING, json_write_base64(a, body) };
		return ERR_NONE;
	case PART_JSON:
		break;
	}
	return read_json(rule, body, js, a, part);
}
