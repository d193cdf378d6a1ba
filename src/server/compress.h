/*
 * Compresses an answer on its way to the client (RFC 9110 8.4, 12.5.3). A whole one becomes another whole one;
 * a long one takes several turns of the loop. A streamed one is compressed as it comes, and what came in a
 * turn can be decoded by the client when the turn is over. Nothing of an answer but one piece is held: what
 * the client does not take stops whoever makes it. Lives in the arena of its exchange.
 */
#ifndef SERVER_COMPRESS_H
#define SERVER_COMPRESS_H

#include "base/buf.h"
#include "base/compiler.h"
#include "codec/coding.h"
#include "server/exchange.h"

struct compress {
	struct exchange *exchange; /* owner */
	enum coding coding;
	struct coding_encoder *encoder; /* owned; NULL once it has ended */
	struct buf out;  /* compressed, not taken yet; owned, the arena's clean-up frees it */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t turn;     /* of the loop, in which turn_bytes went in */
	size_t turn_bytes;

	/* a whole answer */
	size_t slice; /* of its body, goes in next */
	size_t offset;
	bool has_ended; /* the answer refers to `out` */

	/* a streamed one */
	struct defer later; /* what went in must come out when the turn ends */
	bool is_refused;    /* a piece was not taken */
	bool is_end_due;    /* once `out` is taken */
};

/* Does its route have it compressed? Entries of a batch are compressed with it, or not at all. */
static inline bool
compress_is_asked(const struct exchange *x)
{
	return x->route != NULL && UNLIKELY(x->route->conf->compress.n_codings != 0) &&
	    x->outer == NULL;
}

/*
 * Compresses x->answer if that is right for it and its client; its fields are changed in any case. True: it is
 * ready to be sent. False: come again when exchange_go() goes to where the exchange is.
 */
bool compress_answer(struct exchange *x);
/* Sends the head of a streamed answer; x->compress is then set if its body is compressed. */
void compress_head(struct exchange *x, const struct exchange_head *head);
/* As in exchange_ops, for such a body. */
size_t compress_piece(struct compress *c, struct str piece);
void compress_end(struct compress *c);

/* What whoever streams an answer calls in place of the exchange_ops. */
static inline void
compress_send_head(struct exchange *x, const struct exchange_head *head)
{
	if (compress_is_asked(x))
		compress_head(x, head);
	else
		x->ops->send_head(x, head);
}

static inline size_t
compress_send_piece(struct exchange *x, struct str piece)
{
	if (UNLIKELY(x->compress != NULL))
		return compress_piece(x->compress, piece);
	return x->ops->send_piece(x, piece);
}

static inline void
compress_send_end(struct exchange *x)
{
	if (UNLIKELY(x->compress != NULL))
		compress_end(x->compress);
	else
		x->ops->send_end(x);
}

/* The client takes more: should whoever makes the body go on? */
bool compress_on_writable(struct compress *c);
/* No more output. Harmless when it has ended. */
void compress_cancel(struct compress *c);

#endif
