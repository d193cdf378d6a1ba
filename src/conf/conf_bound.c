/* Sums of limits. No state; any thread. */
#include "conf/conf_bound.h"

/* Beside the bytes of peers: arena blocks of the exchange, and per call its attempt, target and
 * fields. */
#define EXCHANGE_OWN_BYTES (64u << 10)
#define CALL_OWN_BYTES (16u << 10)
/* A streamed body: what is read ahead in each direction before the reader stops. */
#define STREAM_WINDOW_BYTES (256u << 10)
/* Base64 makes 4 bytes of 3; a text may become 6 bytes (\u00XX) per byte. */
#define BASE64_FACTOR 3
#define TEXT_FACTOR 7

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

static uint64_t
call_bytes(const struct conf *c, const struct call_conf *call)
{
	uint64_t factor = call->format == PART_TEXT     ? TEXT_FACTOR
			  : call->format == PART_BASE64 ? BASE64_FACTOR
							: 1;
	uint64_t n = times(call->max_body_bytes, factor);

	n = plus(n, CALL_OWN_BYTES);
	return plus(n, c->upstreams[call->upstream].limits.header_bytes);
}

static uint64_t
request_bytes(const struct conf *c, const struct route_conf *route)
{
	uint64_t most = 0;

	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct listener_conf *l = &c->listeners[i];
		uint64_t body = l->limits.body, n;

		if (route->max_request_body_bytes != 0 && route->max_request_body_bytes < body)
			body = route->max_request_body_bytes;
		if (route->kind != ROUTE_CALLS)
			body = 0;
		n = plus(l->limits.header_bytes, body);
		if (n > most)
			most = n;
	}
	return most;
}

uint64_t
conf_bound_route(const struct conf *c, const struct route_conf *route)
{
	uint64_t n = plus(request_bytes(c, route), EXCHANGE_OWN_BYTES);

	for (size_t i = 0; i < route->n_calls; i++)
		n = plus(n, call_bytes(c, &route->calls[i]));
	if (route->kind == ROUTE_PROXY) {
		n = plus(n, 2 * STREAM_WINDOW_BYTES + CALL_OWN_BYTES);
		n = plus(n, c->upstreams[route->proxy.upstream].limits.header_bytes);
	}
	return n;
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
