/* What is told of requests: metrics and the access log. Only those of public listeners are. Worker thread. */
#ifndef SERVER_OBSERVE_H
#define SERVER_OBSERVE_H

#include "server/exchange.h"
#include "server/site.h"

/* Of the exchange's route, in metrics; 0: no route. */
static inline size_t
observe_route(const struct exchange *x)
{
	return x->route == NULL ? 0 : x->route->index + 1;
}

/* A request has come. */
void observe_begin(const struct exchange *x);
/* Its 101 is out, at ended_ns: so much of it is done. */
void observe_tunnel(const struct exchange *x);
/* It is done, at ended_ns. */
void observe_end(const struct exchange *x, bool was_tunnel);

#endif
