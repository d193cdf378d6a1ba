/*
 * The body of an answer that came compressed, decompressed as it comes. The bounds of the call hold for what
 * comes out, and a ratio besides.
 */
#ifndef UPSTREAM_UCONN_DECODE_H
#define UPSTREAM_UCONN_DECODE_H

#include "base/arena.h"
#include "codec/coding.h"

struct upstream;

struct uconn_decode {
	struct upstream *upstream;      /* borrowed */
	struct coding_decoder *decoder; /* owned; NULL once it has ended */
	struct buf body;                /* what came out; owned, the arena's clean-up frees it */
	uint64_t bytes_in;
	uint64_t max_bytes_in;
};

/*
 * In the arena, for an answer with these fields; NULL in *out: its body is not compressed.
 * ERR_CONTENT_CODING_UNKNOWN.
 */
enum err_code uconn_decode_start(struct uconn_decode **out, const struct header_list *fields,
    struct upstream *up, const struct coding_limits *limits, struct arena *arena);
/* A piece of the body as it came; errors of coding_decode(), and ERR_RESPONSE_TOO_LARGE. */
enum err_code uconn_decode_feed(struct uconn_decode *d, struct str piece);
/* The body has ended. */
enum err_code uconn_decode_end(struct uconn_decode *d);
/* Gives the decoder back; the body stays. Harmless when it has ended. */
void uconn_decode_stop(struct uconn_decode *d);

#endif
