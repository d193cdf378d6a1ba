/*
 * The shaping of one part: from -> select / drop -> rename, compiled at load to rules over keys. Where a text has to be
 * changed is found in the pass that validates it (json_cuts.h); no tree of the document is built. Bytes that no rule
 * touches stay as they came, white space included.
 *
 *     from: data.items             what the part is made of
 *     select: [ id, address.city ] only these are kept; drop: [ "[].internal" ] these are left out
 *     rename: { "[].ts": created_at }
 */
#ifndef GATHER_SHAPE_H
#define GATHER_SHAPE_H

#include "base/conf_value.h"
#include "codec/json_cuts.h"
#include "codec/json_path.h"

struct shape;

/* As the configuration has it; absent keys are none or empty. */
struct shape_conf {
	struct conf_text from;
	struct conf_text_list select;
	struct conf_text_list drop;
	struct conf_pair_list rename; /* path: new key */
};

/*
 * Into the arena; *out is NULL when there is nothing to do. ERR_BAD_CONFIG with the place of the
 * text and what is wrong with it.
 */
enum err_code shape_compile(struct arena *arena, const struct shape_conf *conf, struct shape **out,
    struct conf_pos *where, struct json_fault *fault);
/* Whether elements of an array that is the result can still have a value at this path. */
bool shape_keeps_in_elements(const struct shape *shape, const struct json_path *path);
/* What to look for in an answer: for json_cuts_begin(). */
const struct json_rules *shape_rules(const struct shape *shape);
/*
 * The cuts are those of a valid document, and used up by this. *out is in the arena, or part of the document.
 * ERR_SHAPE_MISMATCH when `from` names nothing, or two members of an object would have the same key after renaming.
 */
enum err_code shape_apply(
    const struct shape *shape, struct json_cuts *cuts, struct arena *arena, struct json_value *out);
/* The same in the memory of the document, which is spoilt, as far as it reaches; nobody else may read it any more. */
enum err_code shape_apply_in_place(
    const struct shape *shape, struct json_cuts *cuts, struct arena *arena, struct json_value *out);

#endif
