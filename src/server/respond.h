/* The head of an HTTP/1.1 answer to a client, as text. */
#ifndef SERVER_RESPOND_H
#define SERVER_RESPOND_H

#include "server/exchange.h"

/* What the connection knows. */
struct respond_context {
	struct str date;    /* for the Date field */
	uint8_t minor;      /* of the request's version: 0 or 1 */
	bool is_persistent; /* the connection stays open after this answer */
	bool is_relayed;    /* (part of) the answer came from an upstream: Via is added */
};

/*
 * Room is taken from the arena, which the text lives in. A body that the answer has but that must
 * not be sent (HEAD, 304) is only declared by its length.
 */
struct str respond_answer(
    const struct respond_context *ctx, const struct answer *answer, struct arena *arena);
/* A 101: the fields of the upstream's that may cross, and those that make it one (RFC 9110 7.8). */
struct str respond_upgrade(const struct respond_context *ctx, const struct exchange_head *head,
    struct arena *arena);
/*
 * The head of a streamed answer: the received fields that may cross, in order, framed anew. A body
 * of unknown length is chunked for HTTP/1.1 clients; *is_chunked tells. For HTTP/1.0 the close is
 * its end, so that ctx->is_persistent must be false then.
 */
struct str respond_stream(const struct respond_context *ctx, const struct exchange_head *head,
    struct arena *arena, bool *is_chunked);

/* True when an answer with this status to this method has a body (RFC 9110 6.4.1, 9.3.2). */
bool respond_has_body(enum http_method method, unsigned status);

#endif
