/*
 * Calls drawn as bars over time: what each may take at most, or what each took. The longest chain of bars that
 * wait for each other is the critical path.
 */
#ifndef DAEMON_EXPLAIN_GRAPH_H
#define DAEMON_EXPLAIN_GRAPH_H

#include <stdint.h>

#include "base/buf.h"

struct plan;

struct explain_graph_bar {
	struct str name;
	struct str note;  /* behind the bar; may be none */
	unsigned wave;    /* at most the number of bars; 0: not shown */
	bool is_critical;
	uint64_t begin_ns;
	uint64_t end_ns;
};

/* One line per bar, wave by wave, all on one scale from 0 to the latest end. */
void explain_graph_draw(struct buf *out, const struct explain_graph_bar *bars, size_t n);
/*
 * Bars for the calls of a plan (plan->n_calls of them), each with at most its effective time-out, beginning when
 * the last call that it waits for ends. Returns the latest end.
 */
uint64_t explain_graph_worst(const struct plan *plan, struct explain_graph_bar *bars);
/*
 * Marks the bar that ends last, the ones that ended when it began, and so on: for bars on a clock that stands still
 * while nothing is awaited.
 */
void explain_graph_mark_chain(struct explain_graph_bar *bars, size_t n);
/* The longest that one call may take by its own time-out, its upstream's and the route's. */
uint64_t explain_graph_timeout_ns(const struct plan *plan, size_t call);

#endif
