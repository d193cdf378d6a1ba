/*
 * From tree to structures by the rows. The recursion is as deep as the tree, which is bounded.
 * Start-up and reload only; one thread.
 */
#include "conf/conf_apply.h"

#include "base/compiler.h"
#include "base/near.h"
#include "codec/json_scan.h"
#include "conf/conf_root.h"

#define NAME_MAX_BYTES 64

struct applier {
	struct arena *arena;
	struct conf_errors *errors;
};

static void apply_map(struct applier *ap, const struct conf_section *section,
    const struct yaml_node *map, void *base);
static void apply_row(
    struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base);

static void *
field(void *base, size_t offset)
{
	return (char *)base + offset;
}

static void
expected(struct applier *ap, const struct yaml_node *node, const char *what)
{
	if (node->kind != YAML_BROKEN)
		conf_error_add(ap->errors, node->pos, "expected %s", what);
}

/* A scalar without NUL bytes; says so otherwise. */
static bool
take_text(struct applier *ap, const struct yaml_node *node, const char *what)
{
	if (node->kind != YAML_SCALAR) {
		expected(ap, node, what);
		return false;
	}
	if (str_find(node->text, '\0') != node->text.n) {
		conf_error_add(ap->errors, node->pos, "a text must not hold a NUL byte");
		return false;
	}
	return true;
}

static struct conf_text
text_of(const struct yaml_node *node)
{
	return (struct conf_text){ node->text, node->pos };
}

static struct conf_text
template_of(const struct yaml_node *node)
{
	return (struct conf_text){ node->literal, node->pos };
}

/* The value is shown as it is written: what an expansion brought in stays secret. */
static void
say_bad_value(struct applier *ap, const struct yaml_node *node, const char *why)
{
	conf_error_add(ap->errors, node->pos, "\"%.*s\": %s", STR_FMT(node->raw), why);
}

/* JSON is YAML too: what needs quotes there may have them, and so may ${NAME}. */
static bool
may_be_quoted(const struct conf_row *row, const struct yaml_node *node)
{
	return (row->type != CONF_BOOL && row->type != CONF_COUNT) || node->text.p != node->raw.p;
}

static void
apply_number(
    struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	const char *why;
	uint64_t v;

	if (!take_text(ap, node, conf_row_type_text(row->type)))
		return;
	if (!node->is_plain && !may_be_quoted(row, node)) {
		say_bad_value(ap, node,
		    arena_printf(
			ap->arena, "expected %s, without quotes", conf_row_type_text(row->type))
			.p);
		return;
	}
	why = conf_row_parse(row, node->text, ap->arena, &v);
	if (why != NULL)
		say_bad_value(ap, node, why);
	else if (row->type == CONF_BOOL)
		*(bool *)field(base, row->offset) = v != 0;
	else if (row->type == CONF_WORD)
		*(int *)field(base, row->offset) = (int)v;
	else
		*(uint64_t *)field(base, row->offset) = v;
}

static void
apply_text(struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	if (!take_text(ap, node, conf_row_type_text(row->type)))
		return;
	if (row->type == CONF_STR)
		*(struct str *)field(base, row->offset) = node->text;
	else if (row->type == CONF_TEMPLATE)
		*(struct conf_text *)field(base, row->offset) = template_of(node);
	else
		*(struct conf_text *)field(base, row->offset) = text_of(node);
}

/* Lists may be written as one text: calls visit() for each element, or for the node itself. */
static void
for_each_text(struct applier *ap, const struct conf_row *row, const struct yaml_node *node,
    void (*visit)(struct applier *, const struct conf_row *, const struct yaml_node *, void *),
    void *base)
{
	if (node->kind == YAML_LIST) {
		for (size_t i = 0; i < node->n; i++)
			if (take_text(ap, node->entries[i].value, "a text"))
				visit(ap, row, node->entries[i].value, base);
		return;
	}
	if (take_text(ap, node, conf_row_type_text(row->type)))
		visit(ap, row, node, base);
}

static void
add_text(struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	struct conf_text_list *list = field(base, row->offset);

	(void)ap;
	list->at[list->n++] = text_of(node);
}

static void
apply_texts(
    struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	struct conf_text_list *list = field(base, row->offset);

	list->at = arena_calloc(ap->arena, node->n + 1, sizeof *list->at);
	list->n = 0;
	for_each_text(ap, row, node, add_text, base);
}

static void
add_status(struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	if (!conf_row_parse_status(node->text, field(base, row->offset)))
		say_bad_value(ap, node, "expected a status such as 404 or 4xx");
}

static void
add_parsed(struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	struct conf_text text = text_of(node);
	const char *why = row->parse(base, &text, ap->arena);

	if (why != NULL)
		say_bad_value(ap, node, why);
}

static void
apply_pairs(
    struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	struct conf_pair_list *list = field(base, row->offset);

	if (node->kind != YAML_MAP) {
		expected(ap, node, conf_row_type_text(row->type));
		return;
	}
	list->at = arena_calloc(ap->arena, node->n, sizeof *list->at);
	list->n = 0;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_node *value = node->entries[i].value;

		if (!take_text(ap, value, "a text"))
			continue;
		list->at[list->n++] = (struct conf_pair){
			.name = { node->entries[i].key, yaml_tree_key_pos(value) },
			.value = template_of(value),
		};
	}
}

/* A number, true, false or null of JSON. */
static bool
is_json_raw(struct str s)
{
	struct json_value v;

	return json_scan_once(s, &v, NULL) == ERR_NONE && v.text.n == s.n && v.kind != JSON_STRING &&
	       v.kind != JSON_ARRAY && v.kind != JSON_OBJECT;
}

static void
apply_json_scalar(struct applier *ap, const struct conf_row *row, const struct yaml_node *node,
    struct conf_json *out)
{
	if (node->is_plain && node->raw.n == 0) {
		conf_error_add(ap->errors, node->pos, "an empty value; write null or \"\"");
		return;
	}
	if (!take_text(ap, node, "a JSON value"))
		return;
	if (node->is_plain && is_json_raw(node->text)) {
		out->kind = CONF_JSON_RAW;
		out->text = text_of(node);
		return;
	}
	out->kind = CONF_JSON_STRING;
	out->text = row->type == CONF_JSON ? text_of(node) : template_of(node);
}

static void
apply_json(struct applier *ap, const struct conf_row *row, const struct yaml_node *node,
    struct conf_json *out)
{
	out->text.pos = node->pos;
	if (node->kind == YAML_SCALAR) {
		apply_json_scalar(ap, row, node, out);
		return;
	}
	if (node->kind == YAML_BROKEN)
		return;
	out->kind = node->kind == YAML_LIST ? CONF_JSON_ARRAY : CONF_JSON_OBJECT;
	out->n = node->n;
	out->members = arena_calloc(ap->arena, node->n, sizeof *out->members);
	for (size_t i = 0; i < node->n; i++) {
		out->members[i].name = node->entries[i].key;
		apply_json(ap, row, node->entries[i].value, &out->members[i].value);
	}
}

/* May it be given to a listener, an upstream or a call? 1 to 64 letters, digits, `_` and `-`. */
static bool
is_name(struct str name)
{
	return str_is_word(name) && name.n <= NAME_MAX_BYTES;
}

/* One element of a map of names or of a list. */
static void
apply_item(struct applier *ap, const struct conf_section *section, const struct yaml_node *node,
    void *item)
{
	if (section->name_offset != CONF_NOWHERE)
		*(struct str *)field(item, section->name_offset) = node->key;
	if (section->pos_offset != CONF_NOWHERE)
		*(struct conf_pos *)field(item, section->pos_offset) = yaml_tree_key_pos(node);
	if (node->kind == YAML_SCALAR && section->short_key != NULL) {
		struct conf_root_view view;

		conf_root_find(section, str_c(section->short_key), &view);
		apply_row(ap, view.row, node, item);
		return;
	}
	if (node->kind != YAML_MAP)
		expected(ap, node, section->short_key == NULL ? "a map" : "a text or a map");
	else
		apply_map(ap, section, node, item);
}

/* How many are read: what is made of them relies on the limit, also where other mistakes are looked for. */
static size_t
count_of(struct applier *ap, const struct conf_row *row, const struct yaml_node *node)
{
	if (node->n < row->min)
		conf_error_add(ap->errors, node->pos, "must not be empty");
	if (row->max == 0 || node->n <= row->max)
		return node->n;
	conf_error_add(ap->errors, node->pos, "at most %u are allowed", (unsigned)row->max);
	return (size_t)row->max;
}

static void
apply_items(
    struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	struct yaml_entry only = { .value = (struct yaml_node *)node };
	struct yaml_node one = { .kind = YAML_LIST, .pos = node->pos, .entries = &only, .n = 1 };
	char *items;
	size_t n;

	/* What can be said with one text is the list of that one. */
	if (row->type == CONF_ITEMS && node->kind == YAML_SCALAR && row->section->short_key != NULL)
		node = &one;
	if (node->kind != (row->type == CONF_NAMED ? YAML_MAP : YAML_LIST)) {
		expected(ap, node, conf_row_type_text(row->type));
		return;
	}
	n = count_of(ap, row, node);
	items = arena_calloc(ap->arena, n, row->section->size);
	*(void **)field(base, row->offset) = items;
	*(size_t *)field(base, row->count_offset) = n;
	for (size_t i = 0; i < n; i++) {
		const struct yaml_node *value = node->entries[i].value;

		if (row->type == CONF_NAMED && !is_name(node->entries[i].key))
			conf_error_add(ap->errors, yaml_tree_key_pos(value),
			    "a name is 1 to %d letters, digits, _ or -", NAME_MAX_BYTES);
		apply_item(ap, row->section, value, items + i * row->section->size);
	}
}

static void
apply_section(
    struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	if (node->kind != YAML_MAP)
		expected(ap, node, conf_row_type_text(row->type));
	else
		apply_map(ap, row->section, node, base);
}

static void
apply_row(struct applier *ap, const struct conf_row *row, const struct yaml_node *node, void *base)
{
	switch (row->type) {
	case CONF_BOOL:
	case CONF_COUNT:
	case CONF_DURATION:
	case CONF_SIZE:
	case CONF_WORD:
		apply_number(ap, row, node, base);
		break;
	case CONF_STR:
	case CONF_TEXT:
	case CONF_TEMPLATE:
		apply_text(ap, row, node, base);
		break;
	case CONF_TEXTS:
		apply_texts(ap, row, node, base);
		break;
	case CONF_PAIRS:
	case CONF_TEXT_PAIRS:
		apply_pairs(ap, row, node, base);
		break;
	case CONF_STATUSES:
		for_each_text(ap, row, node, add_status, base);
		break;
	case CONF_JSON:
	case CONF_JSON_TEMPLATE:
		apply_json(ap, row, node, field(base, row->offset));
		break;
	case CONF_PARSED:
		if (take_text(ap, node, row->form == NULL ? "a text" : row->form))
			add_parsed(ap, row, node, base);
		break;
	case CONF_PARSED_LIST:
		for_each_text(ap, row, node, add_parsed, base);
		break;
	case CONF_SECTION:
		apply_section(ap, row, node, base);
		break;
	case CONF_NAMED:
	case CONF_ITEMS:
		apply_items(ap, row, node, base);
		break;
	}
}

static void
say_unknown(struct applier *ap, const struct conf_section *section, const struct yaml_node *value)
{
	struct near near;
	struct conf_root_view view;
	struct str hint;

	if (conf_error_is_full(ap->errors))
		return; /* nothing of it would be kept */
	near_init(&near, value->key, ap->arena);
	for (size_t i = 0; conf_root_row(section, i, &view); i++)
		near_add(&near, str_c(view.row->key));
	hint = near_hint(&near);
	conf_error_add(ap->errors, yaml_tree_key_pos(value), "unknown key; %.*s", STR_FMT(hint));
}

/* A value that is only passed on is checked in a structure that is thrown away. */
static void
apply_view(struct applier *ap, const struct conf_root_view *view, const struct yaml_node *value,
    void *base)
{
	if (view->lender != NULL)
		base = arena_calloc(ap->arena, 1, view->lender->size);
	apply_row(ap, view->row, value, base);
}

static void
say_missing(struct applier *ap, const struct conf_section *section, const struct yaml_node *map)
{
	for (size_t i = 0; i < section->n_rows; i++)
		if (section->rows[i].is_required &&
		    yaml_tree_get(map, str_c(section->rows[i].key)) == NULL)
			conf_error_add(ap->errors, yaml_tree_key_pos(map),
			    "the key \"%s\" is missing", section->rows[i].key);
}

/* Of a key that is there twice, which the tree has refused, the first counts. */
static void
apply_map(
    struct applier *ap, const struct conf_section *section, const struct yaml_node *map, void *base)
{
	for (size_t i = 0; i < map->n; i++) {
		struct conf_root_view view;

		if (!conf_root_find(section, map->entries[i].key, &view))
			say_unknown(ap, section, map->entries[i].value);
		else if (yaml_tree_get(map, map->entries[i].key) == map->entries[i].value)
			apply_view(ap, &view, map->entries[i].value, base);
	}
	say_missing(ap, section, map);
}

void
conf_apply(const struct conf_section *section, const struct yaml_node *map, void *base,
    struct arena *a, struct conf_errors *errors)
{
	struct applier ap = { a, errors };

	apply_map(&ap, section, map, base);
}
