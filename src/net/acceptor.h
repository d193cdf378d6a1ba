/*
 * Accepts connections from a listening socket on a loop: at most 64 a turn; at fd exhaustion
 * (EMFILE, ENFILE, ENOBUFS, ENOMEM) it pauses for 100 ms and tries again.
 */
#ifndef NET_ACCEPTOR_H
#define NET_ACCEPTOR_H

#include "net/addr.h"
#include "net/loop.h"

struct acceptor;

struct acceptor_events {
	/* fd is non-blocking and close-on-exec, and now belongs to the owner. */
	void (*on_accept)(void *owner, int fd, const struct addr *peer);
};

/* Takes over fd. */
struct acceptor *acceptor_new(
    struct loop *loop, int fd, const struct acceptor_events *events, void *owner);
/* Closes the socket; sets *a to NULL; harmless when it is. */
void acceptor_close(struct acceptor **a);
/*
 * Accepts what has already connected, so that closing resets nobody, and closes. on_accept is
 * called from inside. Harmless when *a is NULL.
 */
void acceptor_finish(struct acceptor **a);

#endif
