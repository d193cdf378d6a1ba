/* The graph of a route's calls: who waits for whom. Bits of uint64_t are calls. No state. */
#ifndef GATHER_PLAN_GRAPH_H
#define GATHER_PLAN_GRAPH_H

#include "gather/template.h"

/*
 * Looks for calls that wait for each other in a circle; deps[i] are those that call i waits for. True: cycle[0 ..
 * *n) are the calls on it, each waiting for the next, the last for the first.
 */
bool plan_graph_find_cycle(const uint64_t *deps, size_t n_calls, size_t cycle[TEMPLATE_MAX_CALLS], size_t *n);

#endif
