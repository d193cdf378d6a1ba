/*
 * A client's connection: its stream, its input buffer, its output queue, its one timer and its state. What the
 * bytes mean is the business of the protocol above it (cconn_h1).
 *
 *     HEAD -> ACTIVE -> KEEPALIVE -> HEAD ...
 *     any of them -> LINGER -> CLOSED, or -> CLOSED
 *
 *     HEAD       part of a request's head is here (or a new connection's first byte is awaited)
 *     ACTIVE     an exchange lives on it
 *     KEEPALIVE  idle between requests; holds no buffer
 *     LINGER     the last answer is out, our direction is shut; what still comes is read and dropped, so that
 *                no reset destroys the answer on its way (RFC 9112 9.6)
 *     CLOSED     the stream is closed; freed at the end of the turn
 */
#ifndef SERVER_CCONN_H
#define SERVER_CCONN_H

#include <sys/queue.h>

#include "net/stream.h"
#include "server/listener.h"

#define CCONN_TAG UINT32_C(0x63636f6e)

enum cconn_state { CCONN_HEAD, CCONN_ACTIVE, CCONN_KEEPALIVE, CCONN_LINGER, CCONN_CLOSED, CCONN_STATES };

struct inbuf;
struct cconn_h1_stream;

/* Output under way: iovecs that the owner keeps alive until on_flushed. */
struct cconn_out {
	struct iovec *iov; /* borrowed from the exchange */
	size_t n;
	size_t bytes; /* left */
};

struct cconn {
	uint32_t tag;
	enum cconn_state state;
	TAILQ_ENTRY(cconn) link;      /* in listener.conns[state] */
	struct listener *listener;    /* owner */
	struct stream *stream;        /* owned */
	struct inbuf *in;             /* owned; NULL: nothing unread */
	struct cconn_h1_stream *h1;   /* owned; NULL: no request is here */
	struct cconn_out out;
	struct timer timer;           /* of the current wait, see cconn_await() */
	struct grave grave;
	uint64_t lingered_bytes;
	uint32_t n_requests;
	bool is_blocked; /* output waits for the client */
	struct addr peer;
};

/* Takes over a connected stream and waits for a request. */
struct cconn *cconn_new(struct listener *l, struct stream *stream, const struct addr *peer);
/* Aborts what lives on it and closes the stream now; freed at the end of the turn. Harmless when CLOSED. */
void cconn_close(struct cconn *c);
/* The server drains: idle connections close, others close after their answer. */
void cconn_drain(struct cconn *c);
const char *cconn_state_name(enum cconn_state s);

#endif
