/*
 * The rules of a shape as a tree over keys: what becomes of each member and element. Built when the
 * configuration is loaded, immutable then.
 */
#ifndef GATHER_SHAPE_RULE_H
#define GATHER_SHAPE_RULE_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json_path.h"

#define SHAPE_RULE_NO_NAME SIZE_MAX

/* What is done with the values that one path names. */
struct shape_rule {
	struct str key;     /* of the member, as raw JSON; none: the root, or elements */
	struct str renamed; /* the key that it gets, as a JSON string with its quotes; none: it
			       keeps its own */
	bool is_dropped;
	bool is_selected;
	bool is_filtered;           /* some of what is inside is selected and the rest is not */
	struct shape_rule *each;    /* of the elements of an array; NULL: no rule */
	struct shape_rule *members; /* of the members of an object, a list */
	struct shape_rule *next;    /* in that list */
	/*
	 * Members that are renamed may get the key of another. Each key that some rename gives has
	 * a number; a number that comes twice in one object is a collision.
	 */
	struct shape_rule
	    *named;  /* the rule of the key that it has in the end: itself when it is not renamed */
	size_t name; /* the number of its key; SHAPE_RULE_NO_NAME: no rename gives this key */
	size_t first_name; /* of the numbers that belong to its members */
	size_t n_names;
};

/* One path of a list, and what is wrong with it. */
struct shape_rule_path {
	struct arena *arena;
	struct str text;
	struct json_fault fault;
	bool is_left_out; /* found on the way: it, or what is around it, is dropped */
};

/* The rules of nothing. */
struct shape_rule *shape_rule_root(struct arena *arena);
/* Each adds one path; ERR_BAD_CONFIG with path->fault. Drops come first, then selects, then
 * renames. */
enum err_code shape_rule_drop(struct shape_rule *root, struct shape_rule_path *path);
enum err_code shape_rule_select(struct shape_rule *root, struct shape_rule_path *path);
enum err_code shape_rule_rename(
    struct shape_rule *root, struct shape_rule_path *path, struct str new_key);
/* Settles what depends on all rules; returns how many numbers keys have got. */
size_t shape_rule_settle(struct shape_rule *root);
/* The rule for the member with this raw key; NULL: there is none. */
const struct shape_rule *shape_rule_of(const struct shape_rule *rule, struct str raw_key);

#endif
