/*
 * The request of one call as it would leave, as far as the client's request decides it: references to the answers
 * of other calls and to items of a for_each stay as the file writes them.
 */
#ifndef DAEMON_EXPLAIN_REQUEST_H
#define DAEMON_EXPLAIN_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "gather/plan.h"

/*
 * Appends it, every line behind `margin`. env->calls must not be needed: nothing is known of any answer. A value
 * that the client's request does not have is told in a line of its own.
 */
void explain_request_put(struct buf *out, const char *margin, const struct call_plan *cp,
    const struct template_env *env, struct arena *arena);
/* "Host: x" of an upstream: its `host`, else that of its first server. */
struct str explain_request_host(const struct upstream_conf *up);
/* The lines of a text, each behind `margin`; a line end at its end is no line. */
void explain_request_put_lines(struct buf *out, const char *margin, struct str text);

#endif
