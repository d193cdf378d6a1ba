/*
 * Puts one value into an object that is already text, under a path of keys, as a change to that
 * text: objects on the way are made as needed, all else keeps its bytes. When the place is taken
 * the policy decides as it does between parts (merge.h). Lives on the stack of who edits.
 */
#ifndef GATHER_INSERT_H
#define GATHER_INSERT_H

#include "codec/json_path.h"
#include "gather/edit.h"
#include "gather/route_conf.h"

struct insert {
	struct edit *edit;    /* borrowed: of the text that the objects are in */
	struct json_scan *js; /* borrowed: lends its stack of keys to objects that meet */
	enum conflict_policy policy;
};

/*
 * ERR_NONE, ERR_MERGE_CONFLICT, or ERR_BUDGET. The path has at least one step, and only keys. The
 * value lives as long as the result of the edit.
 */
enum err_code insert_value(const struct insert *in, struct json_value object,
    const struct json_path *path, struct json_value value);

/*
 * Adds to the array at the place: an array gives its elements, null none, any other value is one. What is there
 * and no array becomes its first element (null: none), also when there is nothing to add, so that the place holds an
 * array whenever it holds anything. Errors as above, for what is on the way there.
 */
enum err_code insert_elements(const struct insert *in, struct json_value object,
    const struct json_path *path, struct json_value value);

/* The most bytes that it adds to the text, but where two objects become one. */
size_t insert_growth(const struct json_path *path, struct json_value value);

#endif
