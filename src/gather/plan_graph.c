/* The graph of a route's calls. At load. */
#include "gather/plan_graph.h"

struct walk {
	const uint64_t *deps;
	size_t n_calls;
	uint64_t done; /* no cycle leads through these */
	size_t *path;
	size_t n_path;
};

/* Depth first; recursion is bounded by the number of calls. */
static bool
visit(struct walk *w, size_t call, uint64_t on_path, size_t *begin)
{
	w->path[w->n_path++] = call;
	on_path |= UINT64_C(1) << call;
	for (size_t next = 0; next < w->n_calls; next++) {
		uint64_t bit = UINT64_C(1) << next;

		if ((w->deps[call] & bit) == 0 || (w->done & bit) != 0)
			continue;
		if ((on_path & bit) != 0) {
			for (*begin = 0; w->path[*begin] != next; ++*begin)
				;
			return true;
		}
		if (visit(w, next, on_path, begin))
			return true;
	}
	w->done |= UINT64_C(1) << call;
	w->n_path--;
	return false;
}

bool
plan_graph_find_cycle(const uint64_t *deps, size_t n_calls, size_t cycle[TEMPLATE_MAX_CALLS], size_t *n)
{
	struct walk w = { .deps = deps, .n_calls = n_calls, .path = cycle };
	size_t begin = 0;

	for (size_t call = 0; call < n_calls; call++) {
		if ((w.done & UINT64_C(1) << call) != 0 || !visit(&w, call, 0, &begin))
			continue;
		for (size_t i = begin; i < w.n_path; i++)
			cycle[i - begin] = cycle[i];
		*n = w.n_path - begin;
		return true;
	}
	return false;
}
