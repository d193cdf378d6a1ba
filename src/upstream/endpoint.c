/* One address of an upstream. Runs on its worker's thread. */
#include "upstream/endpoint.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/stream_tls.h"
#include "upstream/upstream.h"

#define EWMA_SHIFT 3 /* a new sample weighs 1/8 */
#define FADE_SHIFT 7 /* what is known loses 1/128 each time it is passed over */

struct endpoint *
endpoint_new(struct upstream *up, const struct server_conf *server, const struct place *at)
{
	struct endpoint *ep = mem_calloc_lines(1, sizeof *ep);

	ep->upstream = up;
	ep->server = server;
	ep->addr = at->addr;
	ep->name = str_of(ep->name_text, addr_format(&at->addr, ep->name_text));
	ep->is_named = server->n_addrs == 0;
	buf_printf(&ep->host_text, "Host: %.*s\r\n",
	    STR_FMT(up->conf->host.s.n != 0 ? up->conf->host.s : server->host));
	ep->host_line = buf_str(&ep->host_text);
	pool_init(&ep->pool, up->loop, up->conf, ep);
	endpoint_update(ep, at);
	return ep;
}

void
endpoint_update(struct endpoint *ep, const struct place *at)
{
	ep->weight = at->weight;
	ep->priority = at->priority;
	ep->other = at->other;
	ep->has_other = at->has_other;
	if (!at->has_other)
		ep->other_first_until_ns = 0;
	pool_forget(&ep->pool);
}

void
endpoint_use_tls(struct endpoint *ep, struct tls_client *client)
{
	struct str wanted = ep->upstream->conf->tls.server_name.s;

	ep->tls = mem_calloc_lines(1, sizeof *ep->tls);
	tls_client_peer_init(ep->tls, client, wanted.n != 0 ? wanted : ep->server->name);
}

struct stream *
endpoint_connect(
    struct endpoint *ep, const struct addr *to, const struct stream_events *events, void *owner)
{
	struct loop *loop = ep->upstream->loop;

	return ep->tls == NULL ? stream_connect(loop, to, events, owner)
			       : stream_tls_connect(ep->tls, loop, to, events, owner);
}

static void
endpoint_free(void *arg)
{
	struct endpoint *ep = arg;

	if (ep->tls != NULL)
		tls_client_peer_fini(ep->tls);
	free(ep->tls);
	buf_fini(&ep->host_text);
	free(ep);
}

void
endpoint_close(struct endpoint *ep)
{
	assert(ep->active == 0);
	/* The graveyard gives back last what came first: connections speak to its TLS until they go. */
	loop_bury(ep->pool.loop, &ep->grave, endpoint_free, ep);
	pool_close(&ep->pool);
}

void
endpoint_note_latency(struct endpoint *ep, uint64_t ns)
{
	ep->out_since_ns = 0;
	if (ep->latency_ewma_ns == 0)
		ep->latency_ewma_ns = ns;
	else
		ep->latency_ewma_ns += (ns >> EWMA_SHIFT) - (ep->latency_ewma_ns >> EWMA_SHIFT);
}

void
endpoint_note_unreachable(struct endpoint *ep)
{
	uint64_t cost = ep->upstream->conf->timeouts.connect_ns;

	ep->out_since_ns = ep->upstream->loop->now_ns;
	if (ep->latency_ewma_ns < cost)
		ep->latency_ewma_ns = cost;
}

void
endpoint_fade(struct endpoint *ep)
{
	ep->latency_ewma_ns -= ep->latency_ewma_ns >> FADE_SHIFT;
}
