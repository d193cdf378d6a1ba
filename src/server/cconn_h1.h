/*
 * HTTP/1.1 on a client's connection: one exchange at a time, in the order of the requests. Parses
 * heads, unframes bodies, writes answers, and decides whether the connection lives on. Called by
 * cconn; exchanges reach it through exchange_ops only.
 */
#ifndef SERVER_CCONN_H1_H
#define SERVER_CCONN_H1_H

#include "base/buf.h"
#include "codec/h1_frame.h"
#include "codec/h1_head.h"
#include "server/cconn.h"
#include "server/exchange.h"

/*
 * How far the answer is.
 *
 *     NO_ANSWER ──> ENDED                    a whole one
 *         └──> STREAMING ──> ENDED           piece by piece
 *                  └──> RESET                or cut off
 */
enum cconn_h1_answer {
	CCONN_H1_NO_ANSWER,
	CCONN_H1_STREAMING, /* its head is written, pieces come */
	CCONN_H1_ENDED,     /* nothing will be added */
	CCONN_H1_RESET,     /* it cannot be completed */
};

/* One request and its answer, from its first byte on. From the server's free list. */
struct cconn_h1_stream {
	struct exchange exchange;
	SLIST_ENTRY(cconn_h1_stream) link; /* in server.free_streams */
	struct cconn *conn;                /* owner; NULL: free */
	struct h1_head head;
	enum h1_progress progress; /* of the head */
	struct h1_frame frame;     /* of the request's body */
	uint64_t body_since_ns;    /* when the client was last asked for more of it */
	uint64_t body_since_bytes; /* exchange.bytes_in at that time */
	enum cconn_h1_answer answer;
	bool has_own_fields; /* the head came in pieces: head.fields is in the arena */
	bool is_head_complete;
	bool is_body_wanted;
	bool is_continue_due;  /* the client waits for a 100 */
	bool is_persistent;    /* another request may follow */
	bool is_chunked;       /* the answer's body */
	bool is_until_close;   /* likewise: the close is its end */
	bool is_upgraded;      /* the connection is a tunnel */
	bool is_feeding;       /* feed_body() is on the stack */
	bool is_piece_refused; /* exchange_on_writable() is owed */
	bool is_last_chunk_due;
	bool is_out_in_flight; /* `out` is being sent and must not grow */
	struct iovec *next;    /* an answer that waits for its turn; in the exchange's arena */
	size_t n_next;
	uint64_t left;       /* of the answer's declared length */
	struct buf out;      /* what of a streamed answer waits to be sent */
	struct iovec iov[3]; /* slices under way: of `out`, a piece, its end */
};

/* The stream can be read: state is not LINGER. */
void cconn_h1_on_readable(struct cconn *c);
/* Answers with an error to what cannot be read, and closes; no request has begun. */
void cconn_h1_refuse(struct cconn *c, enum err_code e);
/* The head or the body did not come in time. */
void cconn_h1_on_read_timeout(struct cconn *c);
/* n bytes of the answer are with the kernel. */
void cconn_h1_on_put(struct cconn *c, size_t n);
/*
 * Deferred work of the turn, once all output is out or when there is unread input: ends the
 * exchange, starts the next. The one place where a stream is given back while the connection lives.
 */
void cconn_h1_on_later(struct cconn *c);
/* Would a plain close look like the end of an answer that is not all out? */
bool cconn_h1_is_cut(const struct cconn *c);
/* The connection ends: aborts the exchange and gives the stream back. Harmless when there is none. */
void cconn_h1_drop(struct cconn *c);
/*
 * The answer begins and nobody wants more of the request's body: drops what is here of it. True
 * when that was all, so that another request may follow.
 */
bool cconn_h1_settle_body(struct cconn_h1_stream *stream);
/* From now on the client's time for the body runs. */
void cconn_h1_ask_for_body(struct cconn_h1_stream *stream);
/* Frees a stream of the free list. */
void cconn_h1_free_stream(struct server *s, struct cconn_h1_stream *stream);

#endif
