/* The rules of routes and of mock rules, which are routes as well; see conf_check.h. */
#ifndef CONF_CONF_CHECK_ROUTE_H
#define CONF_CONF_CHECK_ROUTE_H

#include "conf/conf_check.h"

/* All rules of all routes, which are completed on the way: kind, name, indices of upstreams. */
void conf_check_route_all(const struct conf_check *check);
/* All rules of the mock rules of one upstream. */
void conf_check_route_mocks(const struct conf_check *check, struct upstream_conf *up);

#endif
