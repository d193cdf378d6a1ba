/*
 * Content codings (RFC 9110 8.4.1): compressing and decompressing a body piece by piece. The one door to
 * libz and libbrotli; nobody else includes their headers.
 *
 * States take their memory from the free lists of the thread. What compressors may hold at once has a ceiling; a
 * decompressor has limits of its own on memory, on what comes out, and on how much more that is than what went in.
 */
#ifndef CODEC_CODING_H
#define CODEC_CODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/freelist.h"
#include "base/str.h"
#include "codec/header.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_BR, CODING_DEFLATE, CODING_COUNT };

/* "gzip"; a constant. */
struct str coding_name(enum coding c);
/* The coding of a token, whatever its case; x-gzip is gzip (RFC 9110 8.4.1.3). False: unknown. */
bool coding_find(struct str token, enum coding *out);
/* How a received body is coded. ERR_CONTENT_CODING_UNKNOWN: not as this file knows it, or twice over. */
enum err_code coding_of_fields(const struct header_list *fields, enum coding *out);

/* ---- memory, of one thread */

struct coding_store {
	struct freelist *pieces; /* borrowed; NULL: all is from the heap */
	size_t used_bytes;       /* set aside for the compressors that live; at most max_bytes */
	size_t max_bytes;
	size_t n_states; /* compressors and decompressors that live; 0 at rest */
};

void coding_store_init(struct coding_store *s, size_t max_bytes, struct freelist *pieces);

/* ---- compressing: gzip and br */

#define CODING_GZIP_LEVEL_MAX 9
#define CODING_BR_LEVEL_MAX 9

struct coding_setup {
	enum coding coding;
	unsigned level;      /* 1 to CODING_..._LEVEL_MAX */
	uint64_t size_bytes; /* of the whole body, if known: a small one needs less memory; 0: unknown */
};

struct coding_encoder;

/* Most that a compressor takes, whatever passes through it. */
size_t coding_encoder_bytes(const struct coding_setup *setup);
/* NULL: the store's ceiling leaves no room for it. */
struct coding_encoder *coding_encoder_new(struct coding_store *s, const struct coding_setup *setup);
void coding_encoder_free(struct coding_encoder **e);

enum coding_flush {
	CODING_HOLD,   /* what comes out may wait for more input */
	CODING_FLUSH,  /* all of the input so far can be decoded from what has come out */
	CODING_FINISH, /* the body ends here; the encoder is good for nothing more */
};

/* Takes all of `in`, and appends to `out`. */
void coding_encode(struct coding_encoder *e, struct str in, enum coding_flush flush, struct buf *out);

/* ---- decompressing: gzip, br and deflate */

struct coding_limits {
	uint64_t max_bytes; /* of what comes out */
	uint64_t max_ratio; /* of that to what went in, once it is over CODING_RATIO_FREE_BYTES */
};

/* Small bodies may be as repetitive as they like. */
#define CODING_RATIO_FREE_BYTES ((uint64_t)65536)

struct coding_decoder;

/* Most that a decompressor takes beside what comes out. */
size_t coding_decoder_bytes(uint64_t max_bytes);
struct coding_decoder *coding_decoder_new(
    struct coding_store *s, enum coding coding, const struct coding_limits *limits);
void coding_decoder_free(struct coding_decoder **d);
/*
 * Appends what `in` decodes to. ERR_CONTENT_CODING_INVALID, ERR_DECODED_TOO_LARGE (by what came out, or by
 * what is announced), or ERR_DECODED_RATIO: it is then good for nothing more.
 */
enum err_code coding_decode(struct coding_decoder *d, struct str in, struct buf *out);
/* No more comes. ERR_CONTENT_CODING_INVALID when something is missing; no byte at all is an empty body. */
enum err_code coding_decode_end(const struct coding_decoder *d);

#endif
