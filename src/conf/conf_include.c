/* Reads files, expands ${…} in them, follows `include`. Start-up and reload only; blocks on files. */
#include "conf/conf_include.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "conf/conf_expand.h"

struct file_id {
	dev_t dev;
	ino_t ino;
	const char *path;
};

struct includer {
	struct arena *arena;
	struct conf_errors *errors;
	struct yaml_node *root; /* what was put together so far */
	struct file_id seen[CONF_INCLUDE_FILES_MAX];
	size_t n_seen;
};

static void load_file(struct includer *in, const char *path, struct conf_pos from, unsigned depth);

/* NULL, or why the file may not be read (again). */
static const char *
remember(struct includer *in, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return arena_str(in->arena, str_c(strerror(errno))).p;
	for (size_t i = 0; i < in->n_seen; i++)
		if (in->seen[i].dev == st.st_dev && in->seen[i].ino == st.st_ino)
			return arena_printf(in->arena, "was read already as %s", in->seen[i].path)
			    .p;
	if (in->n_seen == CONF_INCLUDE_FILES_MAX)
		return "too many files";
	in->seen[in->n_seen++] = (struct file_id){ st.st_dev, st.st_ino, path };
	return NULL;
}

static void
include_glob(struct includer *in, const struct yaml_node *node, unsigned depth)
{
	struct str pattern = conf_expand_path(node->pos.file, node->text, in->arena);
	glob_t found;
	int rc;

	if (node->kind != YAML_SCALAR || node->text.n == 0)
		return; /* the rows say so */
	rc = glob(pattern.p, GLOB_NOMAGIC, NULL, &found);
	if (rc != 0 && rc != GLOB_NOMATCH) {
		conf_error_add(in->errors, node->pos, "cannot list %.*s", STR_FMT(node->raw));
		return;
	}
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		load_file(
		    in, arena_str(in->arena, str_c(found.gl_pathv[i])).p, node->pos, depth + 1);
	if (rc == 0)
		globfree(&found);
}

static void
follow_includes(struct includer *in, const struct yaml_node *file, unsigned depth)
{
	struct yaml_node *list = yaml_tree_get(file, STR("include"));

	if (list == NULL)
		return;
	if (list->kind == YAML_SCALAR)
		include_glob(in, list, depth);
	for (size_t i = 0; i < list->n; i++)
		include_glob(in, list->entries[i].value, depth);
}

static void
merge_names(struct includer *in, struct yaml_node *into, const struct yaml_node *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct yaml_node *value = from->entries[i].value;
		const struct yaml_node *first = yaml_tree_get(into, value->key);

		if (first == NULL)
			yaml_tree_add(into, value->key, value, in->arena);
		else
			conf_error_add(in->errors, yaml_tree_key_pos(value),
			    "defined twice, first at %s:%u", first->pos.file, first->key_line);
	}
}

static void
merge_list(struct includer *in, struct yaml_node *into, const struct yaml_node *from)
{
	for (size_t i = 0; i < from->n; i++)
		yaml_tree_add(into, str_none(), from->entries[i].value, in->arena);
}

static bool
is_named(struct str key)
{
	return str_eq(key, STR("listeners")) || str_eq(key, STR("upstreams"));
}

static bool
is_joined(struct str key)
{
	return str_eq(key, STR("routes")) || str_eq(key, STR("tests"));
}

static bool
is_everywhere(struct str key)
{
	return str_eq(key, STR("version")) || str_eq(key, STR("include"));
}

/* Containers are copied, so that what is merged into them does not change the file's own tree. */
static struct yaml_node *
first_of(struct includer *in, struct yaml_node *value)
{
	struct yaml_node *copy;

	if ((value->kind != YAML_MAP || !is_named(value->key)) &&
	    (value->kind != YAML_LIST || !is_joined(value->key)))
		return value;
	copy = yaml_tree_new(in->arena, value->kind, value);
	for (size_t i = 0; i < value->n; i++)
		yaml_tree_add(copy, value->entries[i].key, value->entries[i].value, in->arena);
	return copy;
}

static void
merge_key(struct includer *in, struct yaml_node *value)
{
	struct yaml_node *mine = yaml_tree_get(in->root, value->key);

	if (mine == NULL)
		yaml_tree_add(in->root, value->key, first_of(in, value), in->arena);
	else if (mine->kind == YAML_MAP && value->kind == YAML_MAP && is_named(value->key))
		merge_names(in, mine, value);
	else if (mine->kind == YAML_LIST && value->kind == YAML_LIST &&
		 is_joined(value->key))
		merge_list(in, mine, value);
	else if (!is_everywhere(value->key))
		conf_error_add(in->errors, yaml_tree_key_pos(value), "was set already at %s:%u",
		    mine->pos.file, mine->key_line);
	else if (str_eq(value->key, STR("version")) && !str_eq(value->raw, mine->raw))
		conf_error_add(in->errors, value->pos, "is not the version of %s", mine->pos.file);
}

/* A key that occurs twice in one file was reported by the tree; only the first counts. */
static void
merge_file(struct includer *in, const struct yaml_node *file)
{
	for (size_t i = 0; i < file->n; i++)
		if (yaml_tree_get(file, file->entries[i].key) == file->entries[i].value)
			merge_key(in, file->entries[i].value);
}

static struct yaml_node *
parse_text(struct includer *in, struct str text, const char *name, bool may_read)
{
	struct conf_pos whole = { .file = name };
	struct yaml_node *file;
	size_t errors = in->errors->n_errors;

	yaml_tree_parse(text, name, in->arena, in->errors, &file);
	if (file == NULL) {
		if (errors == in->errors->n_errors)
			conf_error_add(in->errors, whole, "the file is empty");
		return NULL;
	}
	if (file->kind != YAML_MAP) {
		conf_error_add(in->errors, file->pos, "the file must be a map of keys");
		return NULL;
	}
	conf_expand_tree(file, may_read, in->arena, in->errors);
	return file;
}

static void
load_file(struct includer *in, const char *path, struct conf_pos from, unsigned depth)
{
	const char *why =
	    depth > CONF_INCLUDE_DEPTH_MAX ? "includes are nested too deep" : remember(in, path);
	struct yaml_node *file;
	struct str text;

	if (why == NULL)
		why = conf_expand_read(path, YAML_TREE_BYTES_MAX, in->arena, &text);
	if (why != NULL) {
		conf_error_add(in->errors, from, "%s: %s", path, why);
		return;
	}
	file = parse_text(in, text, path, true);
	if (file == NULL)
		return;
	if (depth == 0)
		in->root->pos = file->pos;
	merge_file(in, file);
	follow_includes(in, file, depth);
}

static struct includer *
includer_new(struct arena *a, struct conf_errors *errors)
{
	struct includer *in = arena_calloc(a, 1, sizeof *in);

	in->arena = a;
	in->errors = errors;
	in->root = yaml_tree_new(a, YAML_MAP, NULL);
	return in;
}

struct yaml_node *
conf_include_load(const char *path, struct arena *a, struct conf_errors *errors)
{
	struct includer *in = includer_new(a, errors);
	struct conf_pos nowhere = { .file = NULL };

	load_file(in, arena_str(a, str_c(path)).p, nowhere, 0);
	in->root->pos.node = in->root;
	return in->root;
}

struct yaml_node *
conf_include_text(struct str text, const char *name, struct arena *a, struct conf_errors *errors)
{
	struct includer *in = includer_new(a, errors);
	struct yaml_node *file = parse_text(in, text, name, false);
	const struct yaml_node *include;

	if (file == NULL)
		return in->root;
	in->root->pos = file->pos;
	in->root->pos.node = in->root;
	merge_file(in, file);
	include = yaml_tree_get(file, STR("include"));
	if (include != NULL)
		conf_error_add(errors, yaml_tree_key_pos(include), "is not allowed here");
	return in->root;
}
