/* What `gatherd explain` says of one call, or of the one request of a proxy route. */
#ifndef DAEMON_EXPLAIN_CALL_H
#define DAEMON_EXPLAIN_CALL_H

#include "base/arena.h"
#include "base/buf.h"
#include "gather/plan.h"
#include "server/site.h"

/* Dependencies, condition, limits with the places that they come from, and the request that would leave. */
void explain_call_put(struct buf *out, const struct plan *plan, size_t call,
    const struct template_env *env, struct arena *arena);
void explain_call_put_proxy(struct buf *out, const struct route *route,
    const struct upstream_conf *up, const struct template_env *env, struct arena *arena);

#endif
