/*
 * Sixty-four bytes of a JSON text as masks, one bit for each byte, the first byte lowest: what the
 * scanner and the skipper look at instead of bytes. One form for each instruction set, all saying
 * the same; json_block_best() is the one for this machine. No state.
 */
#ifndef CODEC_JSON_BLOCK_H
#define CODEC_JSON_BLOCK_H

#include <stdint.h>

#define JSON_BLOCK_BYTES 64

/* For reading values. */
struct json_block {
	uint64_t special; /* quotes, backslashes, control characters, what is not ASCII */
	uint64_t others;  /* all but digits */
};

/* For finding where arrays and objects end. */
struct json_block_marks {
	uint64_t quotes;
	uint64_t backslashes;
	uint64_t opening; /* [ and { */
	uint64_t closing; /* ] and } */
};

struct json_block_ops {
	void (*read)(struct json_block *b, const char *p);
	void (*read_marks)(struct json_block_marks *m, const char *p);
};

extern const struct json_block_ops json_block_scalar;
#ifdef __SSE2__
extern const struct json_block_ops json_block_sse2;
extern const struct json_block_ops json_block_avx2; /* only where the processor has it */
#endif

const struct json_block_ops *json_block_best(void);

#endif
