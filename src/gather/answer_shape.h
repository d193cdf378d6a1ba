/*
 * What becomes of the merged answer before it is sent: static data, `move`, `append`, `drop`, and
 * the array instead of the object, in this order. Nothing of it asks which calls failed: what is
 * not there is not moved. The metadata object is added at the end; an array has none.
 *
 * Compiled when the configuration is loaded, immutable then. It works on contiguous text, so an
 * answer is put into one piece only for routes that ask for any of this.
 */
#ifndef GATHER_ANSWER_SHAPE_H
#define GATHER_ANSWER_SHAPE_H

#include <sys/uio.h>

#include "codec/json_path.h"
#include "gather/response_conf.h"

struct answer_shape;

/*
 * Into the arena; *out is NULL when there is nothing to do. ERR_BAD_CONFIG with the place of the
 * text and what is wrong with it.
 */
enum err_code answer_shape_compile(struct arena *arena, const struct response_conf *conf,
    struct answer_shape **out, struct conf_pos *where, struct json_fault *fault);

/* A merged answer, without its metadata. */
struct answer_shape_input {
	const struct iovec *iov; /* borrowed */
	size_t n;
	size_t bytes;    /* of all slices */
	struct str meta; /* text of the metadata object, which the merge was not given; or none */
	bool is_partial;
	struct json_scan *js; /* borrowed: lends its stack of keys and its list of cuts */
	struct arena *arena;  /* holds what is made */
};

/*
 * ERR_NONE and the answer as text, in the arena or one of the slices; ERR_MERGE_CONFLICT when
 * something is in the way of what is moved, or static data belongs to an answer that is no object;
 * ERR_BUDGET.
 */
enum err_code answer_shape_apply(
    const struct answer_shape *shape, const struct answer_shape_input *in, struct str *out);

#endif
