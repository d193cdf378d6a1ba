/* Requests that have a route and are refused before a call is made. No state. */
#ifndef DAEMON_EXPLAIN_REFUSAL_H
#define DAEMON_EXPLAIN_REFUSAL_H

#include "daemon/canned.h"
#include "server/site.h"

/*
 * ERR_NONE, or what the daemon answers at once, and a sentence of its own for that (none: that of the error). What
 * stands in the body is not looked at.
 */
enum err_code explain_refusal_of(const struct route *route, const struct canned *canned,
    const struct listener_conf *listener, struct arena *arena, struct str *why);

#endif
