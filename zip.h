/* Puts results back into the elements of an array in another part: `into: "orders[].product"`. No state. */
#ifndef GATHER_ZIP_H
#define GATHER_ZIP_H

#include "codec/json_path.h"
#include "gather/route_conf.h"

/*
 * `inside` leads from the root of `target` through exactly one "[]": the i-th result becomes the member at the rest
 * of the path in the i-th element. JSON_NONE leaves its element as it is. Every other byte of target stays. *out is
 * in the arena. ERR_SHAPE_MISMATCH when there is no array of n objects; ERR_MERGE_CONFLICT when a member is there
 * already and the policy is CONFLICT_ERROR (first keeps it, the others replace it).
 */
enum err_code zip_apply(struct json_value target, const struct json_path *inside,
    const struct json_value *results, size_t n, enum conflict_policy policy, struct arena *arena,
    struct json_value *out);

#endif
