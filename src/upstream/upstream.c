/* One worker's view of a named service. Runs on its worker's thread. */
#include "upstream/upstream.h"

#include <stdlib.h>

#include "base/mem.h"

/* Bounds of the first buffer for an answer, and the slack that shows that nothing more came. */
#define EXPECT_MIN_BYTES 1000
#define EXPECT_MAX_BYTES 65000
#define EXPECT_SLACK_BYTES 64

/* ---- endpoints */

static struct endpoint *
make_endpoint(struct upstream *up, const struct server_conf *server, const struct place *at)
{
	struct endpoint *ep = endpoint_new(up, server, at);

	if (up->tls != NULL && server->is_tls)
		endpoint_use_tls(ep, up->tls);
	if (up->is_draining)
		pool_drain(&ep->pool);
	return ep;
}

/* An empty list for so many. */
static void
make_room(struct upstream *up, size_t n)
{
	up->endpoints = mem_calloc_lines(n, sizeof(*up->endpoints));
	free(up->candidates);
	up->candidates = mem_calloc_lines(n, sizeof(*up->candidates));
	up->n_endpoints = 0;
}

/* Behind those of the same priority, so that the order of the file holds among them. */
static void
insert(struct upstream *up, struct endpoint *ep)
{
	size_t i = up->n_endpoints++;

	for (; i > 0 && up->endpoints[i - 1]->priority > ep->priority; i--)
		up->endpoints[i] = up->endpoints[i - 1];
	up->endpoints[i] = ep;
}

static void
leave(struct upstream *up, struct endpoint *ep)
{
	ep->is_leaving = true;
	LIST_INSERT_HEAD(&up->leaving, ep, link);
	pool_drain(&ep->pool);
	upstream_sweep_later(up);
}

static const struct place *
find_place(const struct place *places, size_t n, const struct addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (addr_eq(&places[i].addr, addr))
			return &places[i];
	return NULL;
}

/* The endpoints that stay, of this server and of all others, go into the emptied list again. */
static void
sort_out(struct upstream *up, const struct server_conf *server, const struct place *places,
    size_t n, bool *is_there)
{
	struct endpoint **old = up->endpoints;
	size_t n_old = up->n_endpoints;

	make_room(up, n_old + n);
	for (size_t i = 0; i < n_old; i++) {
		struct endpoint *ep = old[i];
		const struct place *at = find_place(places, n, &ep->addr);

		if (ep->server == server && at == NULL) {
			leave(up, ep);
			continue;
		}
		if (ep->server == server) {
			is_there[at - places] = true;
			endpoint_update(ep, at);
		}
		insert(up, ep);
	}
	free(old);
}

/* 0: none is measured. */
static uint64_t
mean_latency(const struct upstream *up)
{
	uint64_t sum_ns = 0, n = 0;

	for (size_t i = 0; i < up->n_endpoints; i++) {
		sum_ns += up->endpoints[i]->latency_ewma_ns;
		n += up->endpoints[i]->latency_ewma_ns != 0;
	}
	return n == 0 ? 0 : sum_ns / n;
}

void
upstream_set_places(struct upstream *up, size_t index, const struct place *places, size_t n,
    enum err_code absence)
{
	const struct server_conf *server = &up->conf->servers[index];
	uint64_t latency_ns = mean_latency(up);
	bool *is_there;

	up->absence = absence;
	if (n == 0)
		return;
	is_there = mem_calloc(n, sizeof *is_there);
	sort_out(up, server, places, n, is_there);
	for (size_t i = 0; i < n; i++) {
		struct endpoint *ep;

		if (is_there[i])
			continue;
		ep = make_endpoint(up, server, &places[i]);
		/* What is not measured counts as fast, and would draw every call until it is. */
		ep->latency_ewma_ns = latency_ns;
		insert(up, ep);
	}
	free(is_there);
}

static void
on_sweep(void *arg)
{
	struct upstream *up = arg;
	struct endpoint *ep, *next;

	for (ep = LIST_FIRST(&up->leaving); ep != NULL; ep = next) {
		next = LIST_NEXT(ep, link);
		if (ep->active != 0)
			continue;
		LIST_REMOVE(ep, link);
		endpoint_close(ep);
	}
}

void
upstream_sweep_later(struct upstream *up)
{
	loop_defer(up->loop, &up->sweep);
}

/* Of the servers whose address stands in the file. */
static void
add_endpoints(struct upstream *up)
{
	size_t n = 0;

	for (size_t i = 0; i < up->conf->n_servers; i++)
		n += up->conf->servers[i].n_addrs;
	make_room(up, n);
	for (size_t i = 0; i < up->conf->n_servers; i++) {
		const struct server_conf *server = &up->conf->servers[i];

		for (size_t k = 0; k < server->n_addrs; k++) {
			struct place at = { .addr = server->addrs[k], .weight = server->weight };

			insert(up, make_endpoint(up, server, &at));
		}
	}
}

/* ---- making */

void
upstream_slots_init(struct upstream_slots *slots, const struct upstream_conf *conf)
{
	limiter_slot_init(&slots->permits, conf->concurrency.limit, conf->queue.size);
	limiter_slot_init(&slots->turn, 1, UINT32_MAX);
}

void
upstream_init(struct upstream *up, const struct upstream_conf *conf, size_t index,
    struct upstream_slots *slots, unsigned worker, struct loop *loop, struct metric_shard *metrics)
{
	*up = (struct upstream){ .conf = conf, .loop = loop, .metrics = metrics, .index = index };
	up->absence = ERR_DNS_FAILED;
	LIST_INIT(&up->leaving);
	defer_init(&up->sweep, on_sweep, up);
	limiter_init(&up->limiter, &slots->permits, worker, loop);
	limiter_init(&up->turn, &slots->turn, worker, loop);
	rnd_init(&up->rnd, loop->wall_ns ^ (uint64_t)worker << 32 ^ index);
	up->fields = mem_calloc_lines(conf->limits.headers, sizeof *up->fields);
	add_endpoints(up);
}

enum err_code
upstream_use_tls(struct upstream *up, const struct tls_client_files *files, struct tls_io *io,
    struct tls_fault *fault)
{
	up->tls = tls_client_new(files, io, fault);
	if (up->tls == NULL)
		return ERR_BAD_CONFIG;
	for (size_t i = 0; i < up->n_endpoints; i++)
		if (up->endpoints[i]->server->is_tls)
			endpoint_use_tls(up->endpoints[i], up->tls);
	return ERR_NONE;
}

void
upstream_close(struct upstream *up)
{
	loop_defer_cancel(up->loop, &up->sweep);
	on_sweep(up);
	assert(LIST_EMPTY(&up->leaving));
	while (up->n_endpoints > 0)
		endpoint_close(up->endpoints[--up->n_endpoints]);
}

void
upstream_fini(struct upstream *up)
{
	assert(up->n_endpoints == 0);
	tls_client_free(up->tls);
	up->tls = NULL;
	free(up->endpoints);
	free(up->candidates);
	up->endpoints = up->candidates = NULL;
	free(up->fields);
	up->fields = NULL;
	limiter_fini(&up->limiter);
	limiter_fini(&up->turn);
}

void
upstream_drain(struct upstream *up)
{
	up->is_draining = true;
	for (size_t i = 0; i < up->n_endpoints; i++)
		pool_drain(&up->endpoints[i]->pool);
}

struct h1_head *
upstream_scratch_head(struct upstream *up)
{
	struct h1_limits limits = { .head_bytes = up->conf->limits.header_bytes };

	h1_head_init_response(&up->head, &limits, up->fields, up->conf->limits.headers);
	return &up->head;
}

size_t
upstream_expected_bytes(const struct upstream *up)
{
	size_t n = up->expected_bytes + EXPECT_SLACK_BYTES;

	if (n < EXPECT_MIN_BYTES)
		return EXPECT_MIN_BYTES;
	return n < EXPECT_MAX_BYTES ? n : EXPECT_MAX_BYTES;
}

/* Up at once, down slowly: too small costs a read and a copy, too large only room. */
void
upstream_note_bytes(struct upstream *up, size_t n)
{
	if (n > up->expected_bytes)
		up->expected_bytes = n;
	else
		up->expected_bytes -= (up->expected_bytes - n) / 64;
}
