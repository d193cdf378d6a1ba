/*
 * What is to become of a document, as a tree over its keys: which members and elements stay, and which keys get
 * another name. Built when the configuration is loaded, immutable then; json_cuts.h finds where a text obeys it.
 */
#ifndef CODEC_JSON_RULE_H
#define CODEC_JSON_RULE_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "codec/json_path.h"
#include "codec/json_str.h"

#define JSON_RULE_NO_NAME SIZE_MAX
#define JSON_RULE_EVERY UINT64_MAX /* an index: all elements */
#define JSON_RULE_FEW 8            /* members that a key is compared with one by one */

/* What is done with the values that one path names. */
struct json_rule {
	struct str key;      /* of the member, as raw JSON; none: the root, or elements */
	uint64_t first_word; /* up to eight bytes that the key begins with */
	uint64_t first_mask; /* which bits of that are the key's */
	uint64_t last_word;  /* the eight bytes that it ends with, when there are so many */
	struct str renamed;  /* the key that it gets, as a JSON string with its quotes; none: it keeps its own */
	bool is_dropped;
	bool is_selected;
	bool is_filtered; /* some of what is inside is selected and the rest is not */
	bool is_left_out; /* by what it says itself, and what is around it says */
	bool is_target;   /* the value that json_rule_from() takes out */
	bool has_members; /* something is said about what is inside when it is an object */
	bool has_elements; /* and when it is an array */
	struct json_rule *each; /* of the elements of an array; NULL: no rule */
	uint64_t index;         /* `each` is about this element alone; JSON_RULE_EVERY: about all */
	struct json_rule *members; /* of the members of an object, a list */
	struct json_rule *next;    /* in that list */
	struct json_rule **table;  /* of more than JSON_RULE_FEW members, by the hash of their keys; else NULL */
	size_t table_mask;         /* its size is a power of two, twice the members at least */
	uint64_t lengths; /* bits: the lengths of their keys, the highest one for all that are longer */
	/*
	 * Members that are renamed may get the key of another. Each key that some rename gives has
	 * a number; a number that comes twice in one object is a collision.
	 */
	struct json_rule *named; /* the rule of the key that it has in the end: itself when it is not renamed */
	size_t name;       /* the number of its key; JSON_RULE_NO_NAME: no rename gives this key */
};

/* One path of a list, and what is wrong with it. */
struct json_rule_path {
	struct arena *arena;
	struct str text;
	struct json_fault fault;
	bool is_left_out; /* found on the way: it, or what is around it, is dropped */
};

/* The rules of nothing. */
struct json_rule *json_rule_root(struct arena *arena);
/* Each adds one path; ERR_BAD_CONFIG with path->fault. Drops come first, then selects, then renames. */
enum err_code json_rule_drop(struct json_rule *root, struct json_rule_path *path);
enum err_code json_rule_select(struct json_rule *root, struct json_rule_path *path);
enum err_code json_rule_rename(struct json_rule *root, struct json_rule_path *path, struct str new_key);
/* Settles what depends on all rules; returns how many numbers keys have got. */
size_t json_rule_settle(struct arena *arena, struct json_rule *root);
/*
 * The rules of documents of which only the value at `from` (json_path_compile_ref()) is wanted: `root`, which is
 * settled, is about that value from now on.
 */
struct json_rule *json_rule_from(struct arena *arena, struct json_rule *root, const struct json_path *from);
/* The rule for the member with this raw key; NULL: there is none. */
struct json_rule *json_rule_of(const struct json_rule *rule, struct str raw_key);

static inline uint64_t
json_rule_length_bit(size_t n)
{
	return UINT64_C(1) << (n < 63 ? n : 63);
}

/* As json_rule_of(), for n <= JSON_STR_SHORT bytes without escapes at p, where as many are readable. */
static inline struct json_rule *
json_rule_of_quick(const struct json_rule *rule, const char *p, size_t n)
{
	uint64_t first;

	if (LIKELY((rule->lengths >> n & 1) == 0))
		return NULL;
	if (UNLIKELY(rule->table != NULL))
		return json_rule_of(rule, str_of(p, n));
	first = json_str_load8(p);
	for (struct json_rule *m = rule->members; m != NULL; m = m->next) {
		if (m->key.n == n && ((first ^ m->first_word) & m->first_mask) == 0 &&
		    (n <= 8 || m->last_word == json_str_load8(p + n - 8)))
			return m;
	}
	return NULL;
}

/* Whether something is said about what is inside a container that begins with this bracket. */
static inline bool
json_rule_reaches_into(const struct json_rule *rule, char bracket)
{
	return bracket == '{' ? rule->has_members : rule->has_elements;
}

/* Whether a member or element inside `around` goes; its own rule may be NULL. */
static inline bool
json_rule_leaves_out(const struct json_rule *around, const struct json_rule *rule)
{
	return rule == NULL ? around->is_filtered : rule->is_left_out;
}

#endif
