/*
 * Happy eyeballs (RFC 8305 5): a connection to a server that has an address of each family. The preferred one is
 * tried first, the other one when that fails or takes long; whichever is connected first, TLS included, is taken and
 * its family preferred for ten minutes.
 */
#ifndef UPSTREAM_RACE_H
#define UPSTREAM_RACE_H

#include "net/stream.h"

struct endpoint;
struct race;

struct race_events {
	/*
	 * Once, never from inside race_new(); the race is over and gone. ERR_NONE: the stream is the owner's, who
	 * sets itself as its owner. Else both have failed, and there is none. other: what it is connected to,
	 * borrowed; NULL: the endpoint's first address.
	 */
	void (*on_settled)(
	    void *owner, struct stream *stream, const struct addr *other, enum err_code e);
};

/* The endpoint has a second address and outlives the race. */
struct race *race_new(struct endpoint *ep, const struct race_events *events, void *owner);
/* Gives both up; no event follows. Sets *r to NULL; harmless when it is. */
void race_close(struct race **r);

#endif
