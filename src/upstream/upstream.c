/* One worker's view of a named service. Runs on its worker's thread. */
#include "upstream/upstream.h"

#include <stdlib.h>

#include "base/mem.h"

/* Bounds of the first buffer for an answer, and the slack that shows that nothing more came. */
#define EXPECT_MIN_BYTES 1000
#define EXPECT_MAX_BYTES 65000
#define EXPECT_SLACK_BYTES 64

static void
add_endpoints(struct upstream *up, const struct server_conf *server)
{
	for (size_t i = 0; i < server->n_addrs; i++)
		endpoint_init(&up->endpoints[up->n_endpoints++], up, server, &server->addrs[i]);
}

void
upstream_init(struct upstream *up, const struct upstream_conf *conf, size_t index,
    struct limiter_slot *slot, unsigned worker, struct loop *loop, struct metric_shard *metrics)
{
	size_t n = 0;

	*up = (struct upstream){ .conf = conf, .loop = loop, .metrics = metrics, .index = index };
	limiter_init(&up->limiter, slot, worker, loop);
	rnd_init(&up->rnd, loop->wall_ns ^ (uint64_t)worker << 32 ^ index);
	for (size_t i = 0; i < conf->n_servers; i++)
		n += conf->servers[i].n_addrs;
	up->endpoints = mem_calloc(n, sizeof *up->endpoints);
	up->fields = mem_calloc(conf->limits.headers, sizeof *up->fields);
	for (size_t i = 0; i < conf->n_servers; i++)
		add_endpoints(up, &conf->servers[i]);
}

enum err_code
upstream_use_tls(struct upstream *up, const struct tls_client_files *files, struct tls_io *io,
    struct tls_fault *fault)
{
	up->tls = tls_client_new(files, io, fault);
	if (up->tls == NULL)
		return ERR_BAD_CONFIG;
	for (size_t i = 0; i < up->n_endpoints; i++)
		if (up->endpoints[i].server->is_tls)
			endpoint_use_tls(&up->endpoints[i], up->tls);
	return ERR_NONE;
}

void
upstream_close(struct upstream *up)
{
	for (size_t i = 0; i < up->n_endpoints; i++)
		pool_close(&up->endpoints[i].pool);
}

void
upstream_fini(struct upstream *up)
{
	for (size_t i = 0; i < up->n_endpoints; i++)
		endpoint_fini(&up->endpoints[i]);
	tls_client_free(up->tls);
	up->tls = NULL;
	free(up->endpoints);
	up->endpoints = NULL;
	free(up->fields);
	up->fields = NULL;
	limiter_fini(&up->limiter);
}

void
upstream_drain(struct upstream *up)
{
	for (size_t i = 0; i < up->n_endpoints; i++)
		pool_drain(&up->endpoints[i].pool);
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
