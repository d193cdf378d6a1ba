/*
 * A connection of a listener with `proxy_protocol` before its PROXY header is whole. It then becomes a client
 * connection of the address that the header names, or is closed: nothing behind a header that is missing, late or
 * malformed is looked at.
 */
#ifndef SERVER_PREFACE_H
#define SERVER_PREFACE_H

#include <sys/queue.h>

#include "codec/proxy_header.h"
#include "net/stream.h"
#include "server/listener.h"

struct preface {
	uint32_t tag;
	TAILQ_ENTRY(preface) link; /* in listener.prefaces */
	struct listener *listener; /* owner */
	struct stream *stream;     /* owned until handed to listener_admit() */
	struct addr peer;
	struct timer timer;
	struct proxy_header header;
	struct grave grave;
};

/* Takes over a stream that the listener has counted; it waits for timeouts.header at most. */
void preface_new(struct listener *l, struct stream *stream, const struct addr *peer);
/* Reads what has arrived; what is not whole then is closed. */
void preface_drain(struct preface *p);
/* Closes at once and frees at the end of the turn. */
void preface_close(struct preface *p);

#endif
