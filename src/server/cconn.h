/*
 * A client's connection: its stream, its unread input, its output under way, its one timer and its
 * state. What the bytes mean is the business of the protocol above it (cconn_h1).
 *
 *     HEAD -> ACTIVE -> KEEPALIVE -> HEAD ...
 *     ACTIVE -> TUNNEL
 *     any of them -> LINGER -> CLOSED, or -> CLOSED
 *
 *     HEAD       part of a request's head is here, or the first byte of a new connection is awaited
 *     ACTIVE     an exchange lives on it
 *     KEEPALIVE  idle between requests; holds no buffer
 *     TUNNEL     an upgrade has been answered: a tunnel has the stream's events
 *     LINGER     the last answer is out and our direction is shut; what still comes is read and dropped, so that
 *                no reset destroys the answer on its way (RFC 9112 9.6)
 *     CLOSED     the stream is closed; freed at the end of the turn
 */
#ifndef SERVER_CCONN_H
#define SERVER_CCONN_H

#include <sys/queue.h>

#include "base/buf.h"
#include "net/stream.h"
#include "server/listener.h"

#define CCONN_TAG UINT32_C(0x63636f6e)

enum cconn_state { CCONN_HEAD, CCONN_ACTIVE, CCONN_KEEPALIVE, CCONN_TUNNEL, CCONN_LINGER, CCONN_CLOSED };

struct iobuf;
struct tls_identity;
struct cconn_h1_stream;

/* Output under way. */
struct cconn_out {
	struct iovec *iov; /* borrowed from the protocol, and changed, until all is sent */
	size_t n;
	bool is_blocked; /* the stream took no more; on_writable is awaited */
	bool is_dead;    /* the stream failed: closing comes at the end of the turn */
};

struct cconn {
	uint32_t tag;
	enum cconn_state state;
	TAILQ_ENTRY(cconn) link;    /* in listener.conns[state] */
	struct listener *listener;  /* owner */
	struct stream *stream;      /* owned; NULL when CLOSED */
	struct iobuf *in;           /* owned; NULL: nothing unread */
	struct iobuf *held;         /* owned; answers that leave before what is sent next; NULL: none */
	struct cconn_h1_stream *h1; /* owned; NULL: no (part of a) request is here */
	struct cconn_out out;
	struct timer timer;    /* of the nearer one of the two below */
	uint64_t read_due_ns;  /* the client must have sent something; TIMER_NEVER: not awaited */
	uint64_t write_due_ns; /* the client must have taken something */
	struct defer later;    /* see cconn_h1_on_later() */
	struct grave grave;
	struct tls_identity *identity; /* owned; NULL: no client certificate */
	size_t lingered_bytes;
	char ip[46]; /* text of the peer's address; empty for unix sockets */
	uint8_t n_ip;
	bool is_peer_trusted; /* one of trusted_proxies */
};

/* Takes over a connected stream and waits for a request. */
struct cconn *cconn_new(struct listener *l, struct stream *stream, const struct addr *peer);
/*
 * Aborts what lives on it and closes the stream now; freed at the end of the turn. Where a plain close would
 * look like the end of an answer that is not whole, the client gets a reset. Harmless when CLOSED.
 */
void cconn_close(struct cconn *c);
/*
 * The server drains: connections close after their answer, idle ones when nothing comes for a second.
 */
void cconn_drain(struct cconn *c);

/* ---- for the protocol */

/* Moves the connection to another list; the one place where the state changes. */
void cconn_set_state(struct cconn *c, enum cconn_state state);
/* Within `ns` of now something must come; 0: for as long as it takes. */
void cconn_await_read(struct cconn *c, uint64_t ns);
/*
 * Nothing is under way: sends what is held, then the slices (which may be none); now what the stream takes, the
 * rest when it is writable. cconn_h1_on_put() is told of what leaves of the slices; cconn_h1_on_later() follows
 * when all has left. Of a dead connection nothing leaves.
 */
void cconn_send(struct cconn *c, struct iovec *iov, size_t n);
/*
 * Copies the slices, which with what is held already are no more than IOBUF_BYTES, so that they leave with what
 * is sent next. To cconn_h1_on_put() and cconn_h1_on_later() it is as if they had left.
 */
void cconn_hold(struct cconn *c, const struct iovec *iov, size_t n);
/* No more answers: shuts our direction and waits, for a bounded time, for the client to shut its own. */
void cconn_linger(struct cconn *c);
/*
 * ACTIVE to TUNNEL: the stream's events become somebody else's, who first sends what is under way (added to
 * *unsent). The connection still owns the stream, and closes it.
 */
struct stream *cconn_lend(struct cconn *c, struct buf *unsent);
/* The events are the connection's again; for cconn_linger(). */
void cconn_take_back(struct cconn *c);
static inline bool
cconn_is_sending(const struct cconn *c)
{
	return c->out.n > 0;
}

#endif
