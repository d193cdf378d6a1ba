/*
 * libyaml's events to a tree in an arena. No recursion: the parent pointers of the open containers
 * are the stack. One thread; the tree is not changed after it was checked.
 */
#include "conf/yaml_tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/compiler.h"

/* One parse in progress. */
struct builder {
	yaml_parser_t parser;
	struct arena *arena;
	struct conf_errors *errors;
	const char *file;
	struct str text;
	struct yaml_node *root;
	struct yaml_node *open; /* innermost open container; NULL at the top */
	struct yaml_node *stack[YAML_TREE_DEPTH_MAX];
	size_t depth;
	bool has_key; /* in a map: a key was read, its value comes next */
	struct str key;
	yaml_mark_t key_mark;
	size_t n_documents;
	bool is_stopped; /* no sense in going on */
};

static struct conf_pos
pos_at(const struct builder *b, yaml_mark_t mark)
{
	return (struct conf_pos){
		.file = b->file,
		.line = (uint32_t)mark.line + 1,
		.column = (uint32_t)mark.column + 1,
		.node = b->open,
	};
}

struct yaml_node *
yaml_tree_new(struct arena *a, enum yaml_kind kind, const struct yaml_node *like)
{
	struct yaml_node *node = arena_calloc(a, 1, sizeof *node);

	if (like != NULL)
		*node = *like;
	node->kind = kind;
	node->entries = NULL;
	node->n = 0;
	node->cap = 0;
	node->pos.node = node;
	return node;
}

void
yaml_tree_add(struct yaml_node *parent, struct str key, struct yaml_node *value, struct arena *a)
{
	if (parent->n == parent->cap) {
		size_t cap = parent->cap == 0 ? 8 : parent->cap * 2;
		struct yaml_entry *entries = arena_calloc(a, cap, sizeof *entries);

		if (parent->n != 0)
			memcpy(entries, parent->entries, parent->n * sizeof *entries);
		parent->entries = entries;
		parent->cap = cap;
	}
	parent->entries[parent->n++] = (struct yaml_entry){ key, value };
}

void
yaml_tree_remove(struct yaml_node *map, struct str key)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->n; i++)
		if (!str_eq(map->entries[i].key, key))
			map->entries[kept++] = map->entries[i];
	map->n = kept;
}

struct yaml_node *
yaml_tree_get(const struct yaml_node *map, struct str key)
{
	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (str_eq(map->entries[i].key, key))
			return map->entries[i].value;
	return NULL;
}

struct yaml_node *
yaml_tree_find(const struct yaml_node *map, const char *path)
{
	struct str rest = str_c(path), key;
	struct yaml_node *node = NULL;

	while (str_split(&rest, '.', &key))
		map = node = yaml_tree_get(map, key);
	return node;
}

struct conf_pos
yaml_tree_key_pos(const struct yaml_node *node)
{
	struct conf_pos pos = node->pos;

	if (node->key_line != 0) {
		pos.line = node->key_line;
		pos.column = node->key_column;
	}
	return pos;
}

/* Writes the steps from the root down; the chain of parents is at most YAML_TREE_DEPTH_MAX long. */
const char *
yaml_tree_path(const struct yaml_node *node, char dst[YAML_TREE_PATH_MAX])
{
	const struct yaml_node *chain[YAML_TREE_DEPTH_MAX + 1];
	size_t n = 0, used = 0;

	for (; node->parent != NULL && n < ARRAY_LEN(chain); node = node->parent)
		chain[n++] = node;
	dst[0] = '\0';
	while (n-- > 0 && used < YAML_TREE_PATH_MAX) {
		const struct yaml_node *step = chain[n];
		int k;

		if (str_is_none(step->key))
			k = snprintf(dst + used, YAML_TREE_PATH_MAX - used, "[%zu]", step->index);
		else
			k = snprintf(dst + used, YAML_TREE_PATH_MAX - used, "%s%.*s",
			    used == 0 ? "" : ".", STR_FMT(step->key));
		used += (size_t)k;
	}
	return dst;
}

/* Hangs a finished node (or a container that was just opened) where it belongs. */
static void
attach(struct builder *b, struct yaml_node *node)
{
	struct yaml_node *parent = b->open;

	if (parent == NULL) {
		b->root = node;
		return;
	}
	node->parent = parent;
	node->index = parent->n;
	node->key_line = node->pos.line;
	node->key_column = node->pos.column;
	if (parent->kind == YAML_LIST) {
		yaml_tree_add(parent, str_none(), node, b->arena);
		return;
	}
	node->key = b->key;
	node->key_line = (uint32_t)b->key_mark.line + 1;
	node->key_column = (uint32_t)b->key_mark.column + 1;
	yaml_tree_add(parent, b->key, node, b->arena);
	b->has_key = false;
}

static struct yaml_node *
node_at(struct builder *b, enum yaml_kind kind, yaml_mark_t mark)
{
	struct yaml_node *node = yaml_tree_new(b->arena, kind, NULL);

	node->pos = pos_at(b, mark);
	node->pos.node = node;
	return node;
}

static bool
wants_key(const struct builder *b)
{
	return b->open != NULL && b->open->kind == YAML_MAP && !b->has_key;
}

/* Half a tree would only be complained about. */
static void
give_up(struct builder *b)
{
	b->root = NULL;
	b->is_stopped = true;
}

static void
take_key(struct builder *b, struct str key, yaml_mark_t mark)
{
	if (key.n > YAML_TREE_KEY_MAX)
		conf_error_add(b->errors, pos_at(b, mark), "a key is at most %d bytes long",
		    YAML_TREE_KEY_MAX);
	if (b->open->n == YAML_TREE_MAP_MAX) {
		conf_error_add(
		    b->errors, pos_at(b, mark), "a map has at most %d keys", YAML_TREE_MAP_MAX);
		give_up(b);
		return;
	}
	b->key = arena_str(b->arena, key);
	b->key_mark = mark;
	b->has_key = true;
}

/* A map, list or alias where a key should be: what follows could only be misread. */
static void
refuse_key(struct builder *b, yaml_mark_t mark)
{
	conf_error_add(b->errors, pos_at(b, mark), "a key must be a plain text");
	give_up(b);
}

static void
refuse_decoration(
    struct builder *b, const yaml_char_t *anchor, const yaml_char_t *tag, yaml_mark_t mark)
{
	if (anchor != NULL)
		conf_error_add(b->errors, pos_at(b, mark),
		    "anchors and aliases are not allowed; `defaults` holds what is shared");
	if (tag != NULL)
		conf_error_add(b->errors, pos_at(b, mark), "tags are not allowed");
}

static void
on_scalar(struct builder *b, const yaml_event_t *ev)
{
	struct str text = str_of((const char *)ev->data.scalar.value, ev->data.scalar.length);
	struct yaml_node *node;

	refuse_decoration(b, ev->data.scalar.anchor, ev->data.scalar.tag, ev->start_mark);
	if (wants_key(b)) {
		take_key(b, text, ev->start_mark);
		return;
	}
	node = node_at(b, YAML_SCALAR, ev->start_mark);
	node->is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->raw = arena_str(b->arena, text);
	node->text = node->raw;
	node->literal = node->raw;
	attach(b, node);
}

static void
on_alias(struct builder *b, const yaml_event_t *ev)
{
	if (wants_key(b)) {
		refuse_key(b, ev->start_mark);
		return;
	}
	refuse_decoration(b, ev->data.alias.anchor, NULL, ev->start_mark);
	attach(b, node_at(b, YAML_BROKEN, ev->start_mark));
}

static void
on_open(struct builder *b, enum yaml_kind kind, const yaml_event_t *ev)
{
	struct yaml_node *node;

	if (wants_key(b)) {
		refuse_key(b, ev->start_mark);
		return;
	}
	if (b->depth == YAML_TREE_DEPTH_MAX) {
		conf_error_add(b->errors, pos_at(b, ev->start_mark),
		    "nested more than %d levels deep", YAML_TREE_DEPTH_MAX);
		give_up(b);
		return;
	}
	if (kind == YAML_MAP)
		refuse_decoration(
		    b, ev->data.mapping_start.anchor, ev->data.mapping_start.tag, ev->start_mark);
	else
		refuse_decoration(
		    b, ev->data.sequence_start.anchor, ev->data.sequence_start.tag, ev->start_mark);
	node = node_at(b, kind, ev->start_mark);
	attach(b, node);
	b->stack[b->depth++] = b->open;
	b->open = node;
}

static int
compare_entries(const void *left, const void *right)
{
	const struct yaml_node *a = *(struct yaml_node *const *)left;
	const struct yaml_node *b = *(struct yaml_node *const *)right;
	int c = str_cmp(a->key, b->key);

	return c != 0 ? c : (a->index > b->index) - (a->index < b->index);
}

/* Sorting keeps a hostile map of a million keys at n log n. */
static void
refuse_duplicates(struct builder *b, const struct yaml_node *map)
{
	const struct yaml_node **sorted;

	if (map->n < 2)
		return;
	sorted = arena_calloc(b->arena, map->n, sizeof(struct yaml_node *));
	for (size_t i = 0; i < map->n; i++)
		sorted[i] = map->entries[i].value;
	qsort(sorted, map->n, sizeof(struct yaml_node *), compare_entries);
	for (size_t i = 1; i < map->n; i++)
		if (str_eq(sorted[i]->key, sorted[i - 1]->key))
			conf_error_add(b->errors, yaml_tree_key_pos(sorted[i]),
			    "duplicate key, first at line %u", sorted[i - 1]->key_line);
}

static void
on_close(struct builder *b)
{
	if (b->open->kind == YAML_MAP)
		refuse_duplicates(b, b->open);
	b->open = b->stack[--b->depth];
	b->has_key = false;
}

static void
on_document(struct builder *b, const yaml_event_t *ev)
{
	if (++b->n_documents == 2) {
		conf_error_add(b->errors, pos_at(b, ev->start_mark), "only one document per file");
		b->is_stopped = true;
	}
	if (ev->data.document_start.tag_directives.start !=
	    ev->data.document_start.tag_directives.end)
		conf_error_add(b->errors, pos_at(b, ev->start_mark), "tags are not allowed");
}

static void
on_event(struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		on_document(b, ev);
		break;
	case YAML_ALIAS_EVENT:
		on_alias(b, ev);
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_open(b, YAML_LIST, ev);
		break;
	case YAML_MAPPING_START_EVENT:
		on_open(b, YAML_MAP, ev);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		on_close(b);
		break;
	case YAML_STREAM_END_EVENT:
		b->is_stopped = true;
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

/* libyaml gives only an offset for bytes that it cannot read. */
static yaml_mark_t
mark_of_offset(struct str text, size_t offset)
{
	yaml_mark_t mark = { .line = 0, .column = 0 };

	for (size_t i = 0; i < offset && i < text.n; i++) {
		mark.column++;
		if (text.p[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static void
say_syntax(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	yaml_mark_t mark = p->problem_mark;
	const char *problem = p->problem == NULL ? "cannot be read" : p->problem;
	const char *context = p->context == NULL ? "" : p->context;

	if (p->error == YAML_READER_ERROR)
		mark = mark_of_offset(b->text, p->problem_offset);
	conf_error_add(b->errors, pos_at(b, mark), "not valid YAML: %s%s%s", problem,
	    context[0] == '\0' ? "" : " ", context);
	give_up(b);
}

static void
run(struct builder *b)
{
	while (!b->is_stopped) {
		yaml_event_t ev;

		if (yaml_parser_parse(&b->parser, &ev) == 0) {
			say_syntax(b);
			return;
		}
		on_event(b, &ev);
		yaml_event_delete(&ev);
	}
}

/* YAML 1.2 5.2: a byte order mark may stand before the text; the encoding is said, so libyaml takes it for some. */
static struct str
without_mark(struct str text)
{
	struct str mark = STR("\xef\xbb\xbf");

	return str_has_prefix(text, mark) ? str_of(text.p + mark.n, text.n - mark.n) : text;
}

void
yaml_tree_parse(struct str file_text, const char *file, struct arena *a, struct conf_errors *errors,
    struct yaml_node **out)
{
	struct str text = without_mark(file_text);
	struct builder b = { .arena = a, .errors = errors, .file = file, .text = text };
	struct conf_pos whole = { .file = file };

	*out = NULL;
	if (text.n > YAML_TREE_BYTES_MAX) {
		conf_error_add(errors, whole, "larger than %u bytes", YAML_TREE_BYTES_MAX);
		return;
	}
	if (yaml_parser_initialize(&b.parser) == 0) {
		conf_error_add(errors, whole, "out of memory");
		return;
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &b.parser, (const unsigned char *)(text.n == 0 ? "" : text.p), text.n);
	run(&b);
	yaml_parser_delete(&b.parser);
	*out = b.root;
}

static void
forget_place(struct yaml_node *node)
{
	node->pos.file = NULL;
	node->pos.line = node->key_line = 0;
	for (size_t i = 0; i < node->n; i++)
		forget_place(node->entries[i].value);
}

struct yaml_node *
yaml_tree_builtin(const char *text, struct arena *a)
{
	struct conf_errors errors;
	struct yaml_node *root;

	conf_error_init(&errors, a);
	yaml_tree_parse(str_c(text), NULL, a, &errors, &root);
	assert(root != NULL && errors.n == 0);
	forget_place(root);
	return root;
}
