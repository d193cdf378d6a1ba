/*
 * The inner loops over a JSON text, in one form for each instruction set; all forms say the same,
 * and json_block_best() is the one for this machine. They look at blocks of sixty-four bytes, as
 * masks of one bit for each byte, the first byte lowest. No state.
 */
#ifndef CODEC_JSON_BLOCK_H
#define CODEC_JSON_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define JSON_BLOCK_BYTES 64

/* Where strings and numbers may end. */
struct json_block {
	uint64_t special; /* quotes, backslashes, control characters, what is not ASCII */
	uint64_t others;  /* all but digits */
};

struct json_block_ops {
	/* The masks of the block at p. */
	void (*read)(struct json_block *b, const char *p);
	/* See json_skip.h. */
	const char *(*skip)(const char *p, const char *end);
};

extern const struct json_block_ops json_block_scalar;
#ifdef __SSE2__
extern const struct json_block_ops json_block_sse2;
extern const struct json_block_ops json_block_avx2; /* where json_block_has_avx2() */
#endif

/* Whether the processor has what the form for AVX2 is made of. */
bool json_block_has_avx2(void);
const struct json_block_ops *json_block_best(void);

#endif
