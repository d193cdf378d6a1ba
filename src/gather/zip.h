/*
 * `into: "orders[].product"` of a for_each: the results go back into the elements of the list, the
 * first into the first. What is not touched keeps its bytes. No state.
 */
#ifndef GATHER_ZIP_H
#define GATHER_ZIP_H

#include "codec/json_path.h"
#include "gather/route_conf.h"

struct zip_input {
	struct json_value target;         /* the part that has the list */
	const struct json_path *inside;   /* of the target; one that zip_check() accepts */
	const struct json_value *results; /* JSON_NONE leaves its element as it is */
	size_t n;
	struct json_value beyond; /* for the elements behind the n-th; JSON_NONE: there must be none */
	enum conflict_policy policy; /* when the element has the member already */
	struct json_scan *js;        /* borrowed: lends its stack of keys */
	struct arena *arena;         /* holds the result */
};

/* A reason when results cannot be put there: there must be one "[]", and only keys behind it; or NULL. */
const char *zip_check(const struct json_path *inside);
/*
 * ERR_NONE; ERR_SHAPE_MISMATCH when there is no list, it has other than n elements (or, with `beyond`, fewer), or one
 * that takes a result is no object; ERR_MERGE_CONFLICT; ERR_BUDGET. *out may be in->target.
 */
enum err_code zip_apply(const struct zip_input *in, struct json_value *out);

#endif
