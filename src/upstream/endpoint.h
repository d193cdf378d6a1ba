/*
 * One server of an upstream, known by an address: its pool and what balancing needs to know of it. The address of a
 * name may go: the endpoint then gets no more calls, and is freed when those that are on it are done.
 */
#ifndef UPSTREAM_ENDPOINT_H
#define UPSTREAM_ENDPOINT_H

#include <sys/queue.h>

#include "base/buf.h"
#include "net/addr.h"
#include "net/tls_client.h"
#include "upstream/place.h"
#include "upstream/pool.h"

struct upstream;

struct endpoint {
	struct upstream *upstream; /* owner */
	LIST_ENTRY(endpoint) link; /* while is_leaving: in the upstream's list */
	struct grave grave;
	const struct server_conf *server; /* borrowed from the configuration */
	struct addr addr;
	struct addr other;  /* has_other: a connection may go there as well, see race.h */
	bool has_other;
	uint64_t other_first_until_ns; /* a connection there has won: the next ones try it first; 0: not so */
	unsigned priority;
	struct tls_peer *tls; /* owned; NULL: plain HTTP */
	struct str name;          /* the address for logs, into name_text */
	char name_text[ADDR_TEXT_MAX];
	struct str host_line;     /* "Host: x\r\n", into host_text */
	struct buf host_text;
	struct pool pool;
	uint64_t latency_ewma_ns; /* of answers' first bytes, decayed by arrivals; 0: none measured yet */
	uint32_t active;          /* calls on it now, waiting included */
	int64_t credit;           /* of round robin */
	uint64_t out_since_ns;    /* it could not be reached then, nor was it since; 0: it can, as far as is known */
	uint64_t weight;          /* from 1 */
	bool is_named;            /* its address comes of a name, and may go */
	bool is_leaving;          /* the name of its server does not have this address any more */
};

struct endpoint *endpoint_new(
    struct upstream *up, const struct server_conf *server, const struct place *at);
/* What may change while its address stays. */
void endpoint_update(struct endpoint *ep, const struct place *at);
/* From now on it is spoken to by TLS; client outlives it. */
void endpoint_use_tls(struct endpoint *ep, struct tls_client *client);
/* A connection that is being made, to its address or the other one, by TLS when it is spoken to so; see stream.h. */
struct stream *endpoint_connect(
    struct endpoint *ep, const struct addr *to, const struct stream_events *events, void *owner);
/* Closes its connections, none of which is lent; frees it when the turn is over. */
void endpoint_close(struct endpoint *ep);
/* An answer began ns after its request left. */
void endpoint_note_latency(struct endpoint *ep, uint64_t ns);
/* It could not be reached: it counts as slow until it was passed over for a while, and as out until it answers. */
void endpoint_note_unreachable(struct endpoint *ep);
/* Another one was preferred: what is known of this one fades, so that it is tried again some time. */
void endpoint_fade(struct endpoint *ep);

#endif
