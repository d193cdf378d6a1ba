/*
 * The rows as JSON Schema. It is put together without white space and indented at the end. A schema
 * cannot say everything that `gatherd check` does; it never refuses what `gatherd check` takes.
 */
#include "conf/conf_schema.h"

#include "codec/json_write.h"
#include "conf/conf_root.h"

/*
 * YAML readers make numbers and booleans of plain texts, so a text may be those as well; and any
 * value may be a text with ${…} in it.
 */
static const char definitions[] =
    "\"text\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]},"
    "\"texts\":{\"anyOf\":[{\"$ref\":\"#/definitions/text\"},"
    "{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/text\"}}]},"
    "\"pairs\":{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/definitions/text\"}},"
    "\"variable\":{\"type\":\"string\",\"pattern\":\"[$][{]\"},"
    "\"boolean\":{\"anyOf\":[{\"type\":\"boolean\"},{\"$ref\":\"#/definitions/variable\"}]},"
    "\"duration\":{\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^([0-9]+(ns|us|ms|s|m|h)|0)$\"},"
    "{\"const\":0},{\"$ref\":\"#/definitions/variable\"}]},"
    "\"size\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},"
    "{\"type\":\"string\",\"pattern\":\"^[0-9]+(B|KiB|MiB|GiB)?$\"},"
    "{\"$ref\":\"#/definitions/variable\"}]},"
    "\"status\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":200,\"maximum\":599},"
    "{\"type\":\"string\",\"pattern\":\"^[2-5]([0-9][0-9]|xx)$\"},{\"$ref\":\"#/definitions/"
    "variable\"}]},"
    "\"statuses\":{\"anyOf\":[{\"$ref\":\"#/definitions/status\"},"
    "{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/status\"}}]}";

static void put_section(const struct conf_section *section, struct buf *out);

static void
put_ref(const char *name, struct buf *out)
{
	buf_printf(out, "{\"$ref\":\"#/definitions/%s\"}", name);
}

static void
put_count(const struct conf_row *row, struct buf *out)
{
	buf_add_c(out, "{\"type\":\"integer\",\"minimum\":");
	buf_add_u64(out, row->min);
	if (row->max != 0) {
		buf_add_c(out, ",\"maximum\":");
		buf_add_u64(out, row->max);
	}
	buf_add_c(out, "},");
	put_ref("variable", out);
}

/* A word such as 1.2, which YAML that knows no schema takes for a number. */
static bool
reads_as_number(const char *word)
{
	return word[strspn(word, "0123456789.")] == '\0';
}

static void
put_words(const struct conf_row *row, struct buf *out)
{
	buf_add_c(out, "{\"enum\":[");
	for (const struct conf_word *w = row->words; w->word != NULL; w++) {
		if (w != row->words)
			buf_add_char(out, ',');
		json_write_buf(out, str_c(w->word));
		if (reads_as_number(w->word))
			buf_printf(out, ",%s", w->word);
	}
	buf_add_c(out, "]},");
	put_ref("variable", out);
}

/* One element of a list or map of items. */
static void
put_item(const struct conf_section *section, struct buf *out)
{
	if (section->short_key == NULL) {
		buf_add_char(out, '{');
		put_section(section, out);
		buf_add_char(out, '}');
		return;
	}
	buf_add_c(out, "{\"anyOf\":[");
	put_ref("text", out);
	buf_add_c(out, ",{");
	put_section(section, out);
	buf_add_c(out, "}]}");
}

static void
put_items(const struct conf_row *row, struct buf *out)
{
	if (row->section->short_key != NULL) {
		buf_add_c(out, "{\"anyOf\":[");
		put_ref("text", out);
		buf_add_char(out, ',');
	}
	buf_add_c(out, "{\"type\":\"array\",\"minItems\":");
	buf_add_u64(out, row->min);
	buf_add_c(out, ",\"items\":");
	put_item(row->section, out);
	buf_add_c(out, row->section->short_key != NULL ? "}]}" : "}");
}

static void
put_named(const struct conf_row *row, struct buf *out)
{
	buf_add_c(out, "{\"type\":\"object\",\"minProperties\":");
	buf_add_u64(out, row->min);
	buf_add_c(out,
	    ",\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"},\"additionalProperties\":");
	put_item(row->section, out);
	buf_add_char(out, '}');
}

/* What stands within anyOf of a row. */
static void
put_type(const struct conf_row *row, struct buf *out)
{
	if (row->words != NULL) {
		put_words(row, out);
		return;
	}
	switch (row->type) {
	case CONF_BOOL:
		put_ref("boolean", out);
		break;
	case CONF_COUNT:
		put_count(row, out);
		break;
	case CONF_DURATION:
		put_ref("duration", out);
		break;
	case CONF_SIZE:
		put_ref("size", out);
		break;
	case CONF_WORD:
	case CONF_STR:
	case CONF_TEXT:
	case CONF_TEMPLATE:
	case CONF_PARSED:
		put_ref("text", out);
		break;
	case CONF_TEXTS:
	case CONF_PARSED_LIST:
		put_ref("texts", out);
		break;
	case CONF_PAIRS:
	case CONF_TEXT_PAIRS:
		put_ref("pairs", out);
		break;
	case CONF_STATUSES:
		put_ref("statuses", out);
		break;
	case CONF_JSON:
	case CONF_JSON_TEMPLATE:
		buf_add_c(out, "true");
		break;
	case CONF_SECTION:
		buf_add_char(out, '{');
		put_section(row->section, out);
		buf_add_char(out, '}');
		break;
	case CONF_NAMED:
		put_named(row, out);
		break;
	case CONF_ITEMS:
		put_items(row, out);
		break;
	}
}

static void
put_required(const struct conf_section *section, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < section->n_rows; i++) {
		if (!section->rows[i].is_required || section == &conf_root_section)
			continue; /* an included file may leave out what the main file has */
		buf_add_c(out, n++ == 0 ? ",\"required\":[" : ",");
		json_write_buf(out, str_c(section->rows[i].key));
	}
	if (n != 0)
		buf_add_char(out, ']');
}

/* The members of the object that describes a section. */
static void
put_section(const struct conf_section *section, struct buf *out)
{
	struct conf_root_view view;

	buf_add_c(out, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
	for (size_t i = 0; conf_root_row(section, i, &view); i++) {
		if (i != 0)
			buf_add_char(out, ',');
		json_write_buf(out, str_c(view.row->key));
		buf_add_c(out, ":{\"description\":");
		json_write_buf(out, str_c(view.row->doc));
		if (view.row->fallback != NULL) {
			buf_add_c(out, ",\"default\":");
			json_write_buf(out, str_c(view.row->fallback));
		}
		buf_add_c(out, ",\"anyOf\":[");
		put_type(view.row, out);
		buf_add_c(out, "]}");
	}
	buf_add_char(out, '}');
	put_required(section, out);
}

static void
new_line(size_t depth, struct buf *out)
{
	buf_add_char(out, '\n');
	for (size_t i = 0; i < depth; i++)
		buf_add_c(out, "  ");
}

/* JSON without white space, indented by two. */
static void
indent(struct str json, struct buf *out)
{
	bool is_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];

		if (is_string || c == '"') {
			buf_add_char(out, c);
			if (c == '\\')
				buf_add_char(out, json.p[++i]);
			else if (c == '"')
				is_string = !is_string;
			continue;
		}
		if (c == '}' || c == ']')
			new_line(--depth, out);
		buf_add_char(out, c);
		if (c == '{' || c == '[')
			new_line(++depth, out);
		else if (c == ',')
			new_line(depth, out);
		else if (c == ':')
			buf_add_char(out, ' ');
	}
	buf_add_char(out, '\n');
}

void
conf_schema(struct buf *out)
{
	struct buf flat = BUF_INIT;

	buf_add_c(&flat, "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
			 "\"title\":\"gatherd configuration\",");
	put_section(&conf_root_section, &flat);
	buf_printf(&flat, ",\"definitions\":{%s}}", definitions);
	indent(buf_str(&flat), out);
	buf_fini(&flat);
}
