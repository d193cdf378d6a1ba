/*
 * Values in a validated document that a path with "[]" names: any number of them, in the order of the
 * document. No state.
 */
#ifndef GATHER_VALUES_H
#define GATHER_VALUES_H

#include "base/arena.h"
#include "codec/json_path.h"

/*
 * One per element that "[]" passes, JSON_NONE where the rest of the path is not there, so that the list lines up
 * with the elements. *out is in the arena. Returns how many.
 */
size_t values_collect(const struct json_path *path, struct json_value root, struct arena *arena,
    struct json_value **out);
/* The elements of an array. */
size_t values_elements(struct json_value array, struct arena *arena, struct json_value **out);
/* What values_collect() finds, as JSON array text in the arena, without what is not there. */
struct json_value values_array(
    const struct json_path *path, struct json_value root, struct arena *arena);
/* n values as a JSON array in the arena; JSON_NONE becomes null. */
struct json_value values_join(const struct json_value *values, size_t n, struct arena *arena);

#endif
