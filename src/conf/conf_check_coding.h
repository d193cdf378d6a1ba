/* Rules of compression, on both sides. */
#ifndef CONF_CONF_CHECK_CODING_H
#define CONF_CONF_CHECK_CODING_H

#include "conf/conf_check.h"

/* `compress` of a route and what its answers say of themselves. */
void conf_check_coding_route(const struct conf_check *check, const struct route_conf *route);
/* `accept_encoding` of a call and its fields. */
void conf_check_coding_call(const struct conf_check *check, const struct call_conf *call);

#endif
