/* Sums of limits. No state; any thread. */
#include "conf/conf_bound.h"

/* A connection's buffers beside heads and bodies: what is read ahead, what waits to be written. */
#define CONNECTION_BYTES (UINT64_C(64) << 10)

static uint64_t
plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t
times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* One answer that comes compressed; what comes out grows by doubling. */
static uint64_t
decoded_bytes(uint64_t max_body)
{
	return plus(times(max_body, 2), coding_decoder_bytes(max_body));
}

/* One answer on its way in; a buffer that grows has half of itself to spare. */
static uint64_t
answer_bytes(const struct upstream_conf *up, uint64_t max_body)
{
	uint64_t n = times(plus(max_body, up->limits.header_bytes), 3) / 2;

	/* A compressed one passes through the same buffer, of which little is needed then. */
	if (max_body != 0 && decoded_bytes(max_body) > n)
		n = plus(decoded_bytes(max_body), up->limits.header_bytes);
	return plus(n, CONNECTION_BYTES);
}

static uint64_t
calls_bytes(const struct conf *c, const struct route_conf *route)
{
	uint64_t n = 0;

	for (size_t i = 0; i < route->n_calls; i++)
		n = plus(n, answer_bytes(&c->upstreams[route->calls[i].upstream],
				route->calls[i].max_body_bytes));
	if (route->kind == ROUTE_PROXY)
		n = answer_bytes(&c->upstreams[route->proxy.upstream], 0);
	return n;
}

/* Entries under way, with what is collected of their answers, and the answers that wait for the last one. */
static uint64_t
batch_bytes(const struct conf *c, const struct route_conf *route)
{
	const struct batch_conf *batch = &route->batch;
	uint64_t most = 0;

	for (size_t i = 0; i < c->n_routes; i++) {
		uint64_t n = 0;

		if (c->routes[i].kind != ROUTE_BATCH)
			n = conf_bound_route(c, &c->routes[i]);
		if (n > most)
			most = n;
	}
	return plus(times(batch->parallel, plus(most, batch->max_body_bytes)),
	    times(batch->max, plus(batch->max_body_bytes, CONNECTION_BYTES)));
}

static uint64_t
exchange_bytes(const struct listener_conf *l, const struct route_conf *route)
{
	uint64_t body = route_conf_body_limit(route, l->limits.body), bodies = 0;

	for (size_t i = 0; i < route->n_calls; i++)
		bodies = plus(bodies, route->calls[i].max_body_bytes);
	return plus(route_conf_arena_bytes(body, bodies),
	    plus(times(l->limits.header_bytes, 2), CONNECTION_BYTES));
}

/* What is compressed, which grows by doubling, and what compresses it. */
static uint64_t
compress_bytes(const struct route_conf *route)
{
	const struct compress_conf *c = &route->compress;
	uint64_t most = 0, bodies = 0;

	for (size_t i = 0; i < c->n_codings; i++) {
		struct coding_setup setup = { .coding = c->codings[i] };
		uint64_t n;

		setup.level = (unsigned)(setup.coding == CODING_GZIP ? c->gzip_level : c->br_level);
		n = coding_encoder_bytes(&setup);
		if (n > most)
			most = n;
	}
	for (size_t i = 0; i < route->n_calls; i++)
		bodies = plus(bodies, route->calls[i].max_body_bytes);
	return c->n_codings == 0 ? 0 : plus(plus(most, CONNECTION_BYTES), times(bodies, 2));
}

uint64_t
conf_bound_route(const struct conf *c, const struct route_conf *route)
{
	uint64_t most = 0;

	for (size_t i = 0; i < c->n_listeners; i++) {
		uint64_t n = exchange_bytes(&c->listeners[i], route);

		if (n > most)
			most = n;
	}
	most = plus(most, compress_bytes(route));
	if (route->kind == ROUTE_BATCH)
		most = plus(most, batch_bytes(c, route));
	return plus(most, calls_bytes(c, route));
}

uint64_t
conf_bound_exchange(const struct conf *c)
{
	uint64_t most = 0;

	for (size_t i = 0; i < c->n_routes; i++) {
		uint64_t n = conf_bound_route(c, &c->routes[i]);

		if (n > most)
			most = n;
	}
	return most;
}
