/* Choice of an endpoint. Runs on its worker's thread; keeps its state in the upstream. */
#include "upstream/balance.h"

#include "upstream/upstream.h"

/* How long one that could not be reached is left alone, where others of another priority can take its calls. */
#define OUT_NS (5 * NS_PER_SEC)

/* What is chosen from. */
struct choice {
	struct endpoint *const *at;
	size_t n;
	const struct endpoint *avoid;
};

/* Smooth weighted round robin: each turn everyone gains its weight, the richest is taken and pays the sum. */
static struct endpoint *
round_robin(const struct choice *from)
{
	struct endpoint *best = NULL;
	int64_t sum = 0;

	for (size_t i = 0; i < from->n; i++) {
		struct endpoint *ep = from->at[i];

		if (ep == from->avoid)
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
least_loaded(struct upstream *up, const struct choice *from)
{
	size_t n = from->n;
	size_t i = (size_t)rnd_below(&up->rnd, n);
	size_t j = (i + 1 + (size_t)rnd_below(&up->rnd, n - 1)) % n;
	struct endpoint *a = from->at[i], *b = from->at[j];
	bool takes_b = a == from->avoid || (b != from->avoid && is_preferred(up, b, a));

	endpoint_fade(takes_b ? a : b);
	return takes_b ? b : a;
}

static struct endpoint *
pick_from(struct upstream *up, const struct choice *from)
{
	if (from->n == 1)
		return from->at[0];
	if (up->conf->balance == BALANCE_ROUND_ROBIN)
		return round_robin(from);
	return least_loaded(up, from);
}

/* ---- priorities (RFC 2782) */

/* Its time has come to be tried: by this one call, others leave it alone as before. */
static bool
is_to_be_tried(struct endpoint *ep)
{
	uint64_t now = ep->upstream->loop->now_ns;

	if (ep->out_since_ns == 0 || now < ep->out_since_ns + OUT_NS)
		return false;
	ep->out_since_ns = now;
	return true;
}

/*
 * The endpoints of the lowest priority number of which one can be reached, as far as is known; when that holds for
 * none, all but the one to avoid.
 */
static struct endpoint *
pick_by_priority(struct upstream *up, const struct endpoint *avoid)
{
	struct choice from = { .at = up->candidates };

	for (size_t i = 0; i < up->n_endpoints; i++) {
		struct endpoint *ep = up->endpoints[i];

		if (from.n != 0 && ep->priority != from.at[0]->priority)
			break;
		if (ep == avoid)
			continue;
		if (is_to_be_tried(ep))
			return ep;
		if (ep->out_since_ns == 0)
			up->candidates[from.n++] = ep;
	}
	if (from.n == 0)
		from = (struct choice){ up->endpoints, up->n_endpoints, avoid };
	return pick_from(up, &from);
}

static bool
has_priorities(const struct upstream *up)
{
	return up->n_endpoints > 1 &&
	    up->endpoints[0]->priority != up->endpoints[up->n_endpoints - 1]->priority;
}

bool
balance_has_next(const struct upstream *up)
{
	for (size_t i = 0; has_priorities(up) && i < up->n_endpoints; i++)
		if (up->endpoints[i]->out_since_ns == 0)
			return true;
	return false;
}

struct endpoint *
balance_pick(struct upstream *up, const struct endpoint *avoid)
{
	struct choice from = { up->endpoints, up->n_endpoints, avoid };

	assert(from.n > 0);
	if (has_priorities(up))
		return pick_by_priority(up, avoid);
	return pick_from(up, &from);
}
