/* Where the servers of one name are: what an answer of DNS makes of a server of the configuration. Any thread. */
#ifndef DAEMON_PLACES_H
#define DAEMON_PLACES_H

#include "base/buf.h"
#include "net/dns.h"
#include "upstream/place.h"
#include "upstream/upstream_conf.h"

#define PLACES_MAX 256 /* of one name; more are not used */

/* Zeroed: none. In an order of their own, so that it does not matter in which DNS has told them. */
struct places {
	struct place *at; /* owned */
	size_t n;
};

/*
 * What a new answer could not find out, for a host and a family, is taken from the last one, where it is known.
 * old may be NULL.
 */
void places_keep(struct dns_answer *answer, const struct dns_answer *old);
/* Sorts the answer. Free with places_fini(); what *out held is forgotten. */
void places_make(struct places *out, struct dns_answer *answer, const struct server_conf *server);
void places_fini(struct places *p);
bool places_equal(const struct places *a, const struct places *b);
/* "2 servers +10.0.0.2:80 -10.0.0.1:80" */
void places_describe_change(const struct places *old, const struct places *now, struct buf *out);

#endif
