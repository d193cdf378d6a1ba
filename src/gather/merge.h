/*
 * Puts the parts of an answer together: a list of slices over the parts' own bytes with glue
 * between them. No value is copied or written anew, so key order, escapes, number text and white
 * space inside values are those that the upstreams sent. The result depends on the parts in the
 * order of the file, never on who was first.
 *
 * Each part has a place, its call's `into`: a name of its own (the usual case), "." (its members
 * become members of the answer), "a.b" (objects on the way are made as needed, or shared with what
 * is there), "a[]" (an array gives its elements, any other value is one element; an array that
 * another part put there is added to), "[]" (the same where the answer itself is the array: all calls
 * of the route have this place).
 *
 * Two values for one place meet the route's policy; the place of the first in the order of the file
 * is kept:
 *
 *     error    ERR_MERGE_CONFLICT
 *     first    the first value stays
 *     last     the last value replaces it
 *     deep     two objects are merged member by member; anything else: last
 *     append   two arrays become one; anything else: last
 *
 * So what kind of value a place has is up to those who fill it, not to how many of them are there: no policy makes an
 * array of what would be none if a part were missing.
 *
 * An object that exists only because a path leads through it belongs to no one and is shared
 * without conflict. A part at "." that is no object is a conflict under every policy, unless the
 * route has only this one call: then it is the whole answer. Absent parts leave nothing behind, unless
 * their places are kept: then a null stands for the member of the root that is not there. If
 * all are absent the answer is an empty object. The metadata object, when there is one, is the last
 * member, and a member of that name in a part is dropped; an answer that is no object has none.
 *
 * merge.c has the plan and the usual case; merge_json.c the general one.
 */
#ifndef GATHER_MERGE_H
#define GATHER_MERGE_H

#include <sys/uio.h>

#include "base/arena.h"
#include "codec/json_path.h"
#include "codec/json_scan.h"
#include "gather/route_conf.h"

/* Where one call's part goes. */
struct merge_place {
	struct str name;       /* of the call */
	struct json_path into; /* json_path_compile_into(), or json_path_of_key() of the name */
};

/* What the configuration says of a route's answers. */
struct merge_spec {
	const struct merge_place *places; /* one per call, in the order of the file */
	size_t n;
	enum conflict_policy policy;
	struct str meta_key; /* of the metadata object; none: there is never one */
	bool keeps_places;   /* of absent parts */
};

/* Why a plan cannot be. */
struct merge_fault {
	size_t place;       /* index of the call at fault: the later one of two */
	const char *reason; /* a constant */
};

/* What stands before a member of the answer. */
struct merge_glue {
	struct str first; /* {"name": */
	struct str next;  /* ,"name": */
};

/* The shape of a route's answers. Built when the configuration is loaded, immutable then. */
struct merge_plan {
	struct merge_spec spec;
	struct merge_place meta; /* of the metadata object; no steps: there is never one */
	bool is_array; /* every part is appended to the root */
	bool is_flat;  /* every part has a name of its own at the root: only glue is needed */
	struct merge_glue *glue; /* of each call, then of the metadata; when flat */
};

/*
 * The plan, in the arena; what the spec refers to must live as long. ERR_BAD_CONFIG when the calls
 * can never be merged: one place for two of them under CONFLICT_ERROR, a call in the place of the
 * metadata, or only some of them appended to the root.
 */
enum err_code merge_plan_new(struct arena *a, const struct merge_spec *spec,
    struct merge_plan **plan, struct merge_fault *fault);

/* What one merge works on. */
struct merge_input {
	const struct json_value *parts; /* in the order of the file; JSON_NONE: absent */
	struct str meta;                /* text of the metadata object; none: there is none */
	struct json_scan *js;           /* borrowed for the merge: lends its stack of keys */
	struct arena *arena;            /* holds the glue and the list of slices */
};

/* What one merge gave. */
struct merge_result {
	struct iovec *iov; /* in the arena; what it points at is only to be read */
	size_t n;
	size_t bytes; /* of all slices */
	/* With ERR_MERGE_CONFLICT: */
	size_t conflict_part;      /* index of the part that found its place taken */
	struct str conflict_place; /* its path as the configuration would write it; in the arena */
};

/*
 * ERR_NONE, ERR_MERGE_CONFLICT, or ERR_BUDGET when objects of 2 GiB and more would have to be
 * compared. The slices live as long as the arena, the parts and the plan; there may be more of them
 * than IOV_MAX.
 */
enum err_code merge_run(
    const struct merge_plan *plan, const struct merge_input *in, struct merge_result *result);

#endif
