/* Streamed answers, for people: which format, when the first part can leave, in which order they do. No state. */
#ifndef DAEMON_EXPLAIN_STREAM_H
#define DAEMON_EXPLAIN_STREAM_H

#include "base/arena.h"
#include "daemon/explain_graph.h"
#include "gather/plan.h"

/* Nothing for FORMAT_JSON. bars: of the plan's calls, by index, as explain_graph_worst() leaves them. */
void explain_stream_put(struct buf *out, const struct plan *plan, enum route_format format,
    const struct explain_graph_bar *bars, struct arena *arena);

#endif
