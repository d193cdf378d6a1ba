/*
 * One YAML file as a tree in which every node knows its place. Only the part of YAML that a
 * configuration needs: one document of maps, lists and scalars. Anchors, aliases, tags, several
 * documents, duplicate keys and keys that are not scalars are errors; depth and size are bounded.
 * Scalars stay text: their type is the business of the row that takes them.
 */
#ifndef CONF_YAML_TREE_H
#define CONF_YAML_TREE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/conf_value.h"
#include "conf/conf_error.h"

#define YAML_TREE_DEPTH_MAX 64
#define YAML_TREE_BYTES_MAX (4u << 20)
#define YAML_TREE_KEY_MAX 200
#define YAML_TREE_MAP_MAX 10000 /* keys of one map */
#define YAML_TREE_PATH_MAX 512  /* room for yaml_tree_path() */

enum yaml_kind {
	YAML_BROKEN, /* an error was reported here; whoever meets it says nothing more */
	YAML_SCALAR,
	YAML_LIST,
	YAML_MAP,
};

struct yaml_entry {
	struct str key; /* none in lists */
	struct yaml_node *value;
};

struct yaml_node {
	enum yaml_kind kind;
	bool is_plain;       /* scalars: written without quotes */
	struct conf_pos pos; /* where the value begins; pos.node is this node */
	uint32_t key_line;   /* where its key or its place in a list begins */
	uint32_t key_column;
	const struct yaml_node *parent;     /* as in the file; NULL at the root and in built-in values */
	struct str key;  /* under which the parent has it; none in lists */
	size_t index;    /* in the parent */
	struct str raw;  /* scalars: as written, with quotes and escapes resolved */
	struct str text; /* scalars: with ${…} expanded; same as raw without */
	struct str literal; /* scalars: as text, but braces that came out of an expansion are doubled */
	struct yaml_entry *entries;
	size_t n;
	size_t cap;
};

/*
 * Parses text (borrowed; the tree copies). `file` names it in messages and must live as long as the
 * arena. Errors are added to `errors`; *out is the root all the same, unless the syntax is broken
 * or the file is empty: then it is NULL.
 */
void yaml_tree_parse(struct str text, const char *file, struct arena *a, struct conf_errors *errors,
    struct yaml_node **out);
/* A tree of a text known to be right: built-in values. Asserts that it parses. */
struct yaml_node *yaml_tree_builtin(const char *text, struct arena *a);
/* A new container at the place of `like` (NULL: a built-in value). */
struct yaml_node *yaml_tree_new(struct arena *a, enum yaml_kind kind, const struct yaml_node *like);
/* Appends; the value keeps its own parent, key and place. key none: a list element. */
void yaml_tree_add(
    struct yaml_node *parent, struct str key, struct yaml_node *value, struct arena *a);
/* Takes a key out of a map; nothing happens when it is not there. */
void yaml_tree_remove(struct yaml_node *map, struct str key);
/* The value under a key of a map; NULL when it is not there or the node is no map (NULL included). */
struct yaml_node *yaml_tree_get(const struct yaml_node *map, struct str key);
/* The same along a path of keys, "timeouts.total". */
struct yaml_node *yaml_tree_find(const struct yaml_node *map, const char *path);
/* The key path, such as routes[2].calls.user.path; "" at the root. NUL-terminated, cut when too long. */
const char *yaml_tree_path(const struct yaml_node *node, char dst[YAML_TREE_PATH_MAX]);
/* The place of the node's key (or of its value when it has none). */
struct conf_pos yaml_tree_key_pos(const struct yaml_node *node);

#endif
