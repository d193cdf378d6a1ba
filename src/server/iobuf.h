/*
 * Bytes of a client's connection that were read and not yet used, or written and not yet sent: a list of
 * free buffers per server, so that idle connections hold none and busy ones cost no heap call.
 */
#ifndef SERVER_IOBUF_H
#define SERVER_IOBUF_H

#include <sys/queue.h>

#include "base/str.h"

struct server;

struct iobuf {
	SLIST_ENTRY(iobuf) link; /* in server.free_iobufs */
	size_t start;            /* first byte that is left */
	size_t end;
	size_t cap;
	char bytes[];
};

/* What one of the free list holds: with its header and the heap's a page. Larger ones go back to the heap. */
#define IOBUF_BYTES (4096 - sizeof(struct iobuf) - 16)

static inline struct str
iobuf_str(const struct iobuf *b)
{
	return b == NULL ? str_none() : str_of(b->bytes + b->start, b->end - b->start);
}

/* Adds bytes behind those of *b, which may be NULL. */
void iobuf_add(struct server *s, struct iobuf **b, struct str bytes);
/* Room for at least n more bytes, up to whatever is there; returns where they go. Pair with iobuf_commit(). */
char *iobuf_reserve(struct server *s, struct iobuf **b, size_t n, size_t *room);
void iobuf_commit(struct iobuf *b, size_t n);
/* n bytes were used; an empty buffer goes back, and *b is then NULL. */
void iobuf_take(struct server *s, struct iobuf **b, size_t n);
/* Forgets everything. Harmless when *b is NULL. */
void iobuf_drop(struct server *s, struct iobuf **b);

#endif
