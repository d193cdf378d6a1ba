/* The rows as a page for people. No state; any thread. */
#include "conf/conf_doc.h"

#include "base/arena.h"
#include "conf/conf_root.h"

static const char preamble[] =
    "# Configuration reference\n"
    "\n"
    "Generated from the rows of the source (`gatherd reference`); do not edit. Another key is an "
    "error.\n"
    "\n"
    "| type | written as |\n"
    "| --- | --- |\n"
    "| duration | `250ms` `2s` `1m` `1h`; also `us`, `ns`, and `0` |\n"
    "| size | `512B` `64KiB` `1MiB` `1GiB`; digits alone are bytes |\n"
    "| count | digits, without quotes |\n"
    "| boolean | `true` or `false`, nothing else |\n"
    "| status | `404`, `4xx`, or a list of them |\n"
    "| texts | a text, or a list of texts |\n"
    "| template | a text with references |\n"
    "| JSON | any tree; plain scalars follow the JSON grammar or are strings, quoted ones are "
    "strings |\n"
    "\n"
    "References in templates: `{name}` a parameter of the route's path, `{query.x}`, `{query.x[]}` the list of "
    "all its values,\n"
    "`{header.x}`, `{cookie.x}`, `{client.ip}`, `{client.cert.subject}`, `{client.cert.san}` and "
    "`{client.cert.fingerprint}` (of a\n"
    "client that showed a certificate), `{body}`, `{body.x}`; of other calls `{calls.N.body.x}` as received, "
    "`{calls.N.result.x}`\n"
    "after shaping, `{calls.N.status}`, `{calls.N.header.x}`; in a `for_each` `{item}`, `{item.x}` and, with "
    "`batch`, `{items}`.\n"
    "Paths into JSON have keys, `[0]` for an element and `[]` for all. `{ref|default}` when it may be missing; "
    "`{{` is a literal\n"
    "brace. What a reference brings in is encoded for the place where it stands. In `json` a text that is exactly one "
    "reference\n"
    "keeps the JSON type of its value, and so does its default: `{body.n|0}` is a number, `{body.ids|[]}` a list.\n"
    "\n"
    "`${NAME}` (environment) and `${file:PATH}` (a secret file, relative to the configuration "
    "file; a name without a\n"
    "slash is looked for in `$CREDENTIALS_DIRECTORY` first) are expanded in every value, after "
    "parsing; `$${` is a\n"
    "literal `${`. Anchors, aliases, tags and duplicate keys are refused.\n"
    "\n"
    "The nearest value wins: built-in, `defaults`, upstream, route, call. Maps merge by key, lists "
    "replace.\n";

static const char *
type_name(enum conf_type type)
{
	switch (type) {
	case CONF_BOOL:
		return "boolean";
	case CONF_COUNT:
		return "count";
	case CONF_DURATION:
		return "duration";
	case CONF_SIZE:
		return "size";
	case CONF_WORD:
		return "word";
	case CONF_STR:
	case CONF_TEXT:
	case CONF_PARSED:
		return "text";
	case CONF_TEMPLATE:
		return "template";
	case CONF_TEXTS:
	case CONF_PARSED_LIST:
		return "texts";
	case CONF_PAIRS:
		return "map of templates";
	case CONF_TEXT_PAIRS:
		return "map of texts";
	case CONF_STATUSES:
		return "status";
	case CONF_JSON:
		return "JSON";
	case CONF_JSON_TEMPLATE:
		return "JSON with references";
	case CONF_SECTION:
		return "map";
	case CONF_NAMED:
		return "map by name";
	case CONF_ITEMS:
		return "list";
	}
	return "";
}

static bool
is_number(enum conf_type type)
{
	return type == CONF_COUNT || type == CONF_DURATION || type == CONF_SIZE;
}

static void
put_range(const struct conf_row *row, struct buf *out)
{
	char low[CONF_ROW_VALUE_MAX], high[CONF_ROW_VALUE_MAX];
	struct str min = conf_row_put_value(row->type, row->min, low);
	struct str max = conf_row_put_value(row->type, row->max, high);

	if (is_number(row->type) && row->max != 0)
		buf_printf(out, ", %.*s to %.*s", STR_FMT(min), STR_FMT(max));
	if (row->unit != NULL)
		buf_printf(out, " (%s)", row->unit);
}

static void
put_words(const struct conf_row *row, struct buf *out)
{
	for (const struct conf_word *w = row->words; w != NULL && w->word != NULL; w++)
		buf_printf(out, "%s`%s`", w == row->words ? ": " : ", ", w->word);
}

static void
put_levels(const struct conf_row *row, const char *defaults, struct buf *out)
{
	if (row->levels == 0)
		return;
	buf_add_c(out, " May also be set");
	if ((row->levels & CONF_IN_ROUTE) != 0)
		buf_add_c(out, " in the route,");
	if ((row->levels & CONF_IN_UPSTREAM) != 0)
		buf_add_c(out, " in the upstream,");
	buf_printf(out, " in `defaults.%s`.", defaults);
}

/* Which part of `defaults` lends a section's keys. */
static const char *
defaults_of(const char *path)
{
	struct str p = str_c(path);

	if (str_has_prefix(p, STR("upstreams")))
		return "upstream";
	return str_has_suffix(p, STR("calls.NAME")) ? "call" : "route";
}

static void
put_row(const struct conf_row *row, const char *path, struct buf *out)
{
	buf_printf(out, "\n- **`%s`**: %s", row->key, type_name(row->type));
	put_words(row, out);
	put_range(row, out);
	if (row->form != NULL)
		buf_printf(out, ", `%s`", row->form);
	if (row->is_required)
		buf_add_c(out, ", required");
	if (row->fallback != NULL)
		buf_printf(
		    out, ", default `%s`", row->fallback[0] == '\0' ? "\"\"" : row->fallback);
	buf_printf(out, ". Since %s.\n  %s", row->since, row->doc);
	put_levels(row, defaults_of(path), out);
	buf_add_char(out, '\n');
}

static void
put_lent(const struct conf_section *section, struct buf *out)
{
	struct conf_root_view view;
	size_t n = section->n_rows;

	if (!conf_root_row(section, n, &view))
		return;
	buf_printf(
	    out, "\n%s", section->n_rows == 0 ? "Keys: " : "Also, for every call below it: ");
	for (size_t i = n; conf_root_row(section, i, &view); i++)
		buf_printf(out, "%s`%s`", i == n ? "" : ", ", view.row->key);
	buf_add_c(out, ".\n");
}

static void
put_section(const struct conf_section *section, const char *path, struct arena *a, struct buf *out)
{
	buf_printf(out, "\n## %s%s%s\n\n%s\n", path[0] == '\0' ? "Top level" : "`", path,
	    path[0] == '\0' ? "" : "`", section->doc);
	for (size_t i = 0; i < section->n_rows; i++)
		put_row(&section->rows[i], path, out);
	put_lent(section, out);
	for (size_t i = 0; i < section->n_rows; i++) {
		const struct conf_row *row = &section->rows[i];
		const char *item = row->type == CONF_NAMED   ? ".NAME"
				   : row->type == CONF_ITEMS ? "[]"
							     : "";

		if (row->section != NULL)
			put_section(row->section,
			    arena_printf(
				a, "%s%s%s%s", path, path[0] == '\0' ? "" : ".", row->key, item)
				.p,
			    a, out);
	}
}

void
conf_doc(struct buf *out)
{
	struct arena arena;

	arena_init(&arena, NULL, 0);
	buf_add_c(out, preamble);
	put_section(&conf_root_section, "", &arena, out);
	arena_reset(&arena);
}
