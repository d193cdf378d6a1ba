/* What `discover` says, as a server of its upstream; and the names of all servers, as they are looked up. */
#ifndef CONF_CONF_DISCOVER_H
#define CONF_CONF_DISCOVER_H

#include "base/arena.h"
#include "conf/conf_check.h"

/* After the rows were applied, before the rules: each upstream with `discover` gets its server. */
void conf_discover(struct conf *c, struct arena *a);
/* The rules of one upstream's `discover`. */
void conf_discover_check(const struct conf_check *check, const struct upstream_conf *up);

#endif
