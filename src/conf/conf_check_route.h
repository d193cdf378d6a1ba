/* The rules of one route and its calls; see conf_check.h. */
#ifndef CONF_CONF_CHECK_ROUTE_H
#define CONF_CONF_CHECK_ROUTE_H

#include "conf/conf_check.h"

/* All rules of one route, which is completed on the way: kind, name, indices of upstreams. */
void conf_check_route(const struct conf_check *check, struct route_conf *route);

#endif
