/* Host names of servers to addresses: once, when a configuration is about to run. */
#ifndef CONF_CONF_RESOLVE_H
#define CONF_CONF_RESOLVE_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "conf/conf_error.h"

#define CONF_RESOLVE_ADDRS_MAX 64 /* addresses of one name that are used */

/*
 * Fills server_conf.addrs of every upstream. Blocks on name service. ERR_BAD_CONFIG when a name has
 * no address; all such names are added to `errors`.
 */
enum err_code conf_resolve(struct conf *c, struct arena *a, struct conf_errors *errors);

#endif
