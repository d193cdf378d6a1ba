/*
 * Where a message ends: the one function per direction that decides the length of a body (RFC 9112
 * 6), and the decoder that takes a body of that length off a stream of bytes. No memory: payload is
 * handed out as slices of the input.
 *
 *     e = h1_frame_request(&frame, &head);
 *     while (in.n > 0) {
 *             progress = h1_frame_feed(&frame, in, &used, &payload);
 *             take payload; in = the rest after used
 *             if (progress != H1_MORE) break;
 *     }
 */
#ifndef CODEC_H1_FRAME_H
#define CODEC_H1_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "codec/h1_head.h"

enum h1_frame_kind {
	H1_FRAME_NONE,        /* no body: done before the first byte */
	H1_FRAME_LENGTH,      /* Content-Length, more than 0 */
	H1_FRAME_CHUNKED,     /* Transfer-Encoding: chunked */
	H1_FRAME_UNTIL_CLOSE, /* responses only */
};

struct h1_frame {
	enum h1_frame_kind kind;
	enum err_code error; /* valid when H1_REFUSED */
	bool is_response;
	/*
	 * The peer broke a rule that leaves the length clear but may have left bytes behind
	 * (content declared in a 204), or the close is the end: the connection must not be used
	 * again.
	 */
	bool must_close;
	bool has_length;  /* there was a Content-Length, and it was valid ... */
	uint64_t length;  /* ... this one: also for HEAD and 304, where no body follows */

	/* How far it is. */
	uint8_t state;
	uint8_t n_digits;        /* of the chunk size */
	uint64_t left;           /* payload bytes to come, in all or of this chunk */
	uint32_t line_bytes;     /* of the chunk extensions or the trailer section */
	uint32_t n_trailers;
	uint64_t overhead_bytes; /* framing not paid for by payload */
};

/* Bounds on what is not payload. */
enum {
	H1_FRAME_MAX_EXTENSION = 256,     /* bytes of extensions of one chunk */
	H1_FRAME_MAX_TRAILER_BYTES = 8192,
	H1_FRAME_MAX_TRAILERS = 64,
	/* Framing in all, beyond what each chunk and each byte of payload is allowed. */
	H1_FRAME_MAX_OVERHEAD = 16384,
};

/*
 * Decides how the body of this request is framed (RFC 9112 6.3) and readies the decoder.
 * ERR_BAD_FRAMING when that is malformed or ambiguous, ERR_CODING_UNKNOWN for a transfer coding
 * that is not implemented.
 */
enum err_code h1_frame_request(struct h1_frame *frame, const struct h1_head *head);
/* The same for the response to a request with the method `asked`; fails with ERR_INVALID_RESPONSE. */
enum err_code h1_frame_response(struct h1_frame *frame, const struct h1_head *head,
    enum http_method asked);

/*
 * Takes what it can off the front of `in`: *used bytes, of which *payload (a slice of `in`, perhaps
 * empty) are content. Gives at most one piece at a time; H1_MORE with bytes left over means call
 * again, and *used is then not 0. A caller with room for m bytes of payload feeds at most m bytes.
 * H1_DONE: the message is complete and the bytes after *used belong to the next one; also for an
 * empty `in` when nothing is to come. Trailer fields are checked and dropped (RFC 9110 6.5.1
 * forbids merging them into the header section).
 */
enum h1_progress h1_frame_feed(struct h1_frame *frame, struct str in, size_t *used,
    struct str *payload);
/*
 * The same for all of the n bytes, which are the caller's: the pieces of payload are moved together, over the framing
 * between them. For readers to whom each piece costs something, since nothing bounds how small a sender makes them.
 */
enum h1_progress h1_frame_feed_all(struct h1_frame *frame, char *bytes, size_t n, size_t *used,
    struct str *payload);

/* True when the message is complete. */
bool h1_frame_is_done(const struct h1_frame *frame);

/*
 * The peer closed: ERR_NONE when that is (or comes after) the end of the message, else ERR_RESET
 * for a response and ERR_CLIENT_GONE for a request that was cut off (RFC 9112 8).
 */
enum err_code h1_frame_eof(struct h1_frame *frame);

#endif
