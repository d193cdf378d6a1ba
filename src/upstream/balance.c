/* Choice of an endpoint. Runs on its worker's thread; keeps its state in the upstream. */
#include "upstream/balance.h"

#include "upstream/upstream.h"

/* Smooth weighted round robin: each turn everyone gains its weight, the richest is taken and pays the sum. */
static struct endpoint *
round_robin(struct upstream *up, const struct endpoint *avoid)
{
	struct endpoint *best = NULL;
	int64_t sum = 0;

	for (size_t i = 0; i < up->n_endpoints; i++) {
		struct endpoint *ep = up->endpoints[i];

		if (ep == avoid)
			continue;
		ep->credit += (int64_t)ep->weight;
		sum += (int64_t)ep->weight;
		if (best == NULL || ep->credit > best->credit)
			best = ep;
	}
	best->credit -= sum;
	return best;
}

/* Expected time in the endpoint's queue; an unmeasured endpoint counts as fast, so that it gets measured. */
static double
load_of(const struct endpoint *ep)
{
	return (double)(ep->latency_ewma_ns + 1) * ((double)ep->active / (double)ep->weight + 1);
}

/*
 * By chance: endpoints with the same load share by weight, one with twice the load of the other gets a 16th of
 * that. Without chance the smallest difference would decide every time, however large the weights' is.
 */
static bool
is_preferred(struct upstream *up, const struct endpoint *a, const struct endpoint *b)
{
	double ratio = load_of(a) / load_of(b), square = ratio * ratio;
	double for_a = (double)a->weight, for_b = (double)b->weight * square * square;

	return (double)rnd_below(&up->rnd, UINT32_MAX) * (for_a + for_b) < for_a * UINT32_MAX;
}

static struct endpoint *
least_loaded(struct upstream *up, const struct endpoint *avoid)
{
	size_t n = up->n_endpoints;
	size_t i = (size_t)rnd_below(&up->rnd, n);
	size_t j = (i + 1 + (size_t)rnd_below(&up->rnd, n - 1)) % n;
	struct endpoint *a = up->endpoints[i], *b = up->endpoints[j];
	bool takes_b = a == avoid || (b != avoid && is_preferred(up, b, a));

	endpoint_fade(takes_b ? a : b);
	return takes_b ? b : a;
}

struct endpoint *
balance_pick(struct upstream *up, const struct endpoint *avoid)
{
	assert(up->n_endpoints > 0);
	if (up->n_endpoints == 1)
		return up->endpoints[0];
	if (up->conf->balance == BALANCE_ROUND_ROBIN)
		return round_robin(up, avoid);
	return least_loaded(up, avoid);
}
