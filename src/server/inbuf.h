/*
 * Bytes of a client that were read and not yet used: a list of free ones per server, so that idle
 * connections hold none and busy ones cost no heap call.
 */
#ifndef SERVER_INBUF_H
#define SERVER_INBUF_H

#include <sys/queue.h>

#include "base/str.h"

struct server;

struct inbuf {
	SLIST_ENTRY(inbuf) link; /* in server.free_inbufs */
	size_t start;            /* first unused byte */
	size_t end;
	size_t cap;
	char bytes[];
};

static inline struct str
inbuf_str(const struct inbuf *in)
{
	return in == NULL ? str_none() : str_of(in->bytes + in->start, in->end - in->start);
}

/* Adds bytes behind those of *in, which may be NULL. */
void inbuf_add(struct server *s, struct inbuf **in, struct str bytes);
/* Room for at least n more bytes, up to whatever is there; returns where they go. Pair with inbuf_commit(). */
char *inbuf_reserve(struct server *s, struct inbuf **in, size_t n, size_t *room);
void inbuf_commit(struct inbuf *in, size_t n);
/* n bytes were used; an empty buffer goes back, and *in is then NULL. */
void inbuf_take(struct server *s, struct inbuf **in, size_t n);
/* Forgets everything. Harmless when *in is NULL. */
void inbuf_drop(struct server *s, struct inbuf **in);

#endif
