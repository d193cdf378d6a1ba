/*
 * Which endpoint takes the next call: round robin by weight, or most likely the less loaded of two taken at random
 * (Mitzenmacher, "The power of two choices", 2001) by latency and calls in flight; equal ones share by weight.
 * Of several priorities (RFC 2782) only the first one that can be reached gets calls.
 */
#ifndef UPSTREAM_BALANCE_H
#define UPSTREAM_BALANCE_H

#include <stdbool.h>

struct endpoint;
struct upstream;

/* avoid: not this one if there is another; NULL: any. Never NULL. */
struct endpoint *balance_pick(struct upstream *up, const struct endpoint *avoid);
/* There are several priorities, and an endpoint of which it is not known that it cannot be reached. */
bool balance_has_next(const struct upstream *up);

#endif
