/* One address of an upstream: its pool and what balancing needs to know of it. */
#ifndef UPSTREAM_ENDPOINT_H
#define UPSTREAM_ENDPOINT_H

#include "base/buf.h"
#include "net/addr.h"
#include "net/tls_client.h"
#include "upstream/pool.h"

struct upstream;

struct endpoint {
	struct upstream *upstream; /* owner */
	const struct server_conf *server;
	struct addr addr;
	struct tls_peer *tls; /* owned; NULL: plain HTTP */
	char name[ADDR_TEXT_MAX]; /* for logs; NUL-terminated */
	struct str host_line;     /* "Host: x\r\n", into host_text */
	struct buf host_text;
	struct pool pool;
	uint64_t latency_ewma_ns; /* of answers' first bytes, decayed by arrivals; 0: none measured yet */
	uint32_t active;          /* calls on it now, waiting included */
	int64_t credit;           /* of round robin */
};

void endpoint_init(struct endpoint *ep, struct upstream *up, const struct server_conf *server,
    const struct addr *addr);
/* From now on it is spoken to by TLS; client outlives it. */
void endpoint_use_tls(struct endpoint *ep, struct tls_client *client);
/* Its pool is closed. */
void endpoint_fini(struct endpoint *ep);
/* An answer began ns after its request left. */
void endpoint_note_latency(struct endpoint *ep, uint64_t ns);
/* It could not be reached: it counts as slow until it was passed over for a while. */
void endpoint_note_unreachable(struct endpoint *ep);
/* Another one was preferred: what is known of this one fades, so that it is tried again some time. */
void endpoint_fade(struct endpoint *ep);

#endif
