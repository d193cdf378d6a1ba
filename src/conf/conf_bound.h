/* What one request may cost in memory, computed from the configuration. */
#ifndef CONF_CONF_BOUND_H
#define CONF_CONF_BOUND_H

#include "conf/conf.h"

/*
 * The most bytes that one exchange on any route may hold at a time: the client's head and body, the
 * head and body of every call's answer, and what gatherd keeps beside them. Saturates at
 * UINT64_MAX.
 */
uint64_t conf_bound_exchange(const struct conf *c);
/* The same for one route. */
uint64_t conf_bound_route(const struct conf *c, const struct route_conf *route);

#endif
