/*
 * A `proxy` route: one call whose request and answer are streamed. Back-pressure goes both ways:
 * what the other side does not take stops the reading on this one; a proxy holds at most one piece
 * of each direction. When an upgrade is answered with 101 the two connections become a tunnel.
 * Lives in the arena of its exchange.
 */
#ifndef SERVER_PROXY_H
#define SERVER_PROXY_H

#include "base/buf.h"
#include "server/exchange.h"

/* A request body of known length up to this is read first: one write upstream, and it can be sent again. */
#define PROXY_BUFFERED_BYTES 16384

struct tunnel;

struct proxy {
	struct exchange *exchange; /* owner */
	struct call call;
	struct h1_request request;
	struct str set_fields;   /* response.headers.set, as field lines */
	bool is_chunked;         /* the request's body, as we send it */
	bool is_head_sent;       /* of the answer */
	bool is_upload_complete; /* the client's body is here, to its end */
	struct buf upload;       /* framed, not taken yet; owned, the arena's clean-up frees it */
	size_t upload_at;        /* how much of it was taken */
	struct str protocol;     /* that the upgrade is to; none: none is asked for */
	struct tunnel *tunnel;   /* in the arena; NULL: not upgraded */
	size_t head_left;        /* of what leaves before the first byte from the upstream */
};

/*
 * Starts the exchange's call. Errors of templates and upgrades: nothing was started. No event comes from
 * inside.
 */
enum err_code proxy_start(struct exchange *x);
/* No more events; harmless when done. */
void proxy_cancel(struct proxy *p);
/* The client's side: a piece of the body, its end, and room for more of the answer. */
void proxy_on_body(struct proxy *p, struct str piece, bool is_last);
void proxy_on_body_end(struct proxy *p, enum err_code e);
void proxy_on_writable(struct proxy *p);

#endif
