/*
 * What of a client's request goes to upstreams, and what gatherd says of itself: the one place that writes
 * request fields for calls and for proxy routes.
 */
#ifndef GATHER_FORWARD_H
#define GATHER_FORWARD_H

#include "base/arena.h"
#include "base/rnd.h"
#include "codec/h1_write.h"
#include "gather/forward_set.h"
#include "gather/request.h"

/*
 * Settles request->traceparent (W3C Trace Context): that of a trusted peer when it is valid, else a trace of
 * its own. Once per request, before the functions below.
 */
void forward_trace(struct request *r, struct rnd *rnd);

/*
 * X-Forwarded-For, -Proto and -Host (extended when the peer is trusted, else set anew), Via and traceparent, as
 * field lines in the arena. keeps_via: the client's Via goes before ours (a proxy route).
 */
struct str forward_own_fields(const struct request *r, bool keeps_via, struct arena *arena);

/* RFC 9110 7.6.3: our element of Via, for a message that came in this version; a constant. */
static inline struct str
forward_via(unsigned minor)
{
	return minor == 0 ? STR("1.0 gatherd") : STR("1.1 gatherd");
}

/* RFC 9110 7.6.2: true for OPTIONS with Max-Forwards: 0, which is answered here. */
bool forward_is_last_hop(const struct request *r);
/*
 * Every field of the client that may cross and is not one of ours, Max-Forwards of OPTIONS counted down. Room:
 * forward_bound(). set: which of them; NULL: all.
 */
void forward_all(struct h1_write *w, const struct request *r, const struct forward_set *set);
/*
 * The fields that a call's `forward.headers` lists. "*" leaves out what would make an answer that cannot be
 * merged or describes a body that is not sent: Accept-Encoding, Range, If-*, Content-*.
 */
void forward_listed(struct h1_write *w, const struct request *r, const struct forward_set *set);
/* Room that all fields of the client need at most, under their own names. */
size_t forward_bound(const struct request *r);

/*
 * The query of a call: `own` (encoded already, may be empty) and what `forward.query` lists of the client's
 * pairs. None when there is nothing.
 */
struct str forward_query(
    const struct request *r, const struct forward_set *set, struct str own, struct arena *arena);

#endif
