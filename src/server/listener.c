/* Listeners of one worker. Owned by the server; worker thread. */
#include "server/listener.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/acceptor.h"
#include "net/stream_tcp.h"
#include "net/stream_tls.h"
#include "net/tls_ctx.h"
#include "server/cconn.h"
#include "server/peer.h"
#include "server/preface.h"
#include "server/server.h"

/* A proxy that is set up wrongly comes again and again. */
#define REFUSAL_TOLD_EVERY_NS (60 * NS_PER_SEC)

static void
on_accept(void *owner, int fd, const struct addr *peer)
{
	struct listener *l = owner;

	listener_add(l, stream_tcp_accepted(l->server->loop, fd, NULL, NULL), peer);
}

static const struct acceptor_events acceptor_events = { .on_accept = on_accept };

static void
count(struct listener *l, enum metric_id id, uint64_t n)
{
	if (l->kind == LISTENER_PUBLIC)
		metric_add(l->server->setup.metrics, id, l->index, 0, n);
}

static void
on_handshake_ended(void *owner, enum err_code e, const SSL *ssl)
{
	struct listener *l = owner;

	if (l->kind == LISTENER_PUBLIC)
		metric_add(l->server->setup.metrics, METRIC_CLIENT_HANDSHAKES, l->index, e, 1);
	if (e == ERR_NONE && SSL_session_reused(ssl))
		count(l, METRIC_CLIENT_RESUMPTIONS, 1);
	if (e == ERR_NONE && BIO_get_ktls_send(SSL_get_wbio(ssl)))
		count(l, METRIC_CLIENT_KTLS, 1);
}

static void
open_gate(struct listener *l, const struct listener_setup *setup)
{
	const struct tls_gate_setup gate = {
		.loop = l->server->loop,
		.io = setup->tls_io,
		.ctx = setup->tls,
		.timeout_ns = l->conf->timeouts.handshake_ns,
		.limit = l->conf->limits.handshakes,
		.on_ended = on_handshake_ended,
		.owner = l,
	};

	l->tls = mem_calloc_lines(1, sizeof *l->tls);
	tls_gate_init(l->tls, &gate);
}

static void
close_gate(struct listener *l)
{
	if (l->tls == NULL)
		return;
	tls_gate_fini(l->tls);
	free(l->tls);
	l->tls = NULL;
}

void
listener_use_certificates(struct listener *l, struct tls_ctx *ctx)
{
	tls_gate_replace(l->tls, ctx);
}

struct listener *
listener_new(struct server *server, const struct listener_setup *setup)
{
	struct listener *l = mem_calloc_lines(1, sizeof(*l));

	l->server = server;
	l->conf = setup->conf;
	l->kind = setup->kind;
	l->index = setup->index;
	l->site = setup->site;
	l->shared = setup->shared;
	for (size_t i = 0; i < LISTENER_STATES; i++)
		TAILQ_INIT(&l->conns[i]);
	TAILQ_INIT(&l->prefaces);
	l->scheme = setup->tls == NULL ? "http" : "https";
	if (setup->tls != NULL)
		open_gate(l, setup);
	if (setup->fd >= 0)
		l->acceptor = acceptor_new(server->loop, setup->fd, &acceptor_events, l);
	server_lend_fields(server, setup->conf->limits.headers);
	TAILQ_INSERT_TAIL(&server->listeners, l, link);
	return l;
}

/* Who opens a unix socket is decided by the mode of its file. */
static bool
may_name_clients(const struct listener_conf *conf, const struct addr *peer)
{
	return addr_is_unix(peer) || peer_is_trusted(conf, peer);
}

/* limits.connections holds over all workers; the count goes back in listener_forget(). */
static bool
enter(struct listener *l)
{
	uint64_t limit = l->conf->limits.connections;

	if (l->shared == NULL)
		return true;
	if (atomic_fetch_add(&l->shared->connections, 1) < limit || limit == 0)
		return true;
	atomic_fetch_sub(&l->shared->connections, 1);
	return false;
}

void
listener_add(struct listener *l, struct stream *stream, const struct addr *peer)
{
	if (l->conf->has_proxy_header && !may_name_clients(l->conf, peer)) {
		listener_refuse(l, peer, "is not one of trusted_proxies");
		stream_close(&stream);
		return;
	}
	if (!enter(l)) {
		count(l, METRIC_CLIENT_REFUSED, 1);
		stream_close(&stream);
		return;
	}
	count(l, METRIC_CLIENT_ACCEPTED, 1);
	count(l, METRIC_CLIENT_CONNECTIONS, 1);
	l->n_conns++;
	if (l->conf->has_proxy_header)
		preface_new(l, stream, peer);
	else
		listener_admit(l, stream, peer);
}

void
listener_admit(struct listener *l, struct stream *stream, const struct addr *client)
{
	if (l->tls != NULL)
		stream = stream_tls_accept(l->tls, stream);
	cconn_new(l, stream, client);
}

void
listener_refuse(struct listener *l, const struct addr *peer, const char *why)
{
	uint64_t now_ns = l->server->loop->now_ns;
	char text[ADDR_TEXT_MAX];

	count(l, METRIC_CLIENT_PROXY_REFUSED, 1);
	if (l->refusal_told_ns != 0 && now_ns - l->refusal_told_ns < REFUSAL_TOLD_EVERY_NS)
		return;
	l->refusal_told_ns = now_ns;
	log_warn("listener %.*s: %.*s %s; closed", STR_FMT(l->conf->name),
	    (int)addr_format(peer, text), text, why);
}

static void
bury_when_empty(struct listener *l)
{
	if (l->is_closed && l->n_conns == 0)
		loop_bury(l->server->loop, &l->grave, free, l);
}

void
listener_forget(struct listener *l)
{
	l->n_conns--;
	count(l, METRIC_CLIENT_CONNECTIONS, UINT64_MAX);
	if (l->shared != NULL)
		atomic_fetch_sub(&l->shared->connections, 1);
	bury_when_empty(l);
}

void
listener_drain(struct listener *l)
{
	struct cconn *c, *next;

	acceptor_finish(&l->acceptor);
	while (!TAILQ_EMPTY(&l->prefaces))
		preface_drain(TAILQ_FIRST(&l->prefaces));
	for (size_t i = 0; i < LISTENER_STATES; i++)
		for (c = TAILQ_FIRST(&l->conns[i]); c != NULL; c = next) {
			next = TAILQ_NEXT(c, link);
			cconn_drain(c);
		}
}

void
listener_close(struct listener **pl)
{
	struct listener *l = *pl;

	if (l == NULL)
		return;
	*pl = NULL;
	acceptor_close(&l->acceptor);
	while (!TAILQ_EMPTY(&l->prefaces))
		preface_close(TAILQ_FIRST(&l->prefaces));
	for (size_t i = 0; i < LISTENER_STATES; i++)
		while (i != CCONN_CLOSED && !TAILQ_EMPTY(&l->conns[i]))
			cconn_close(TAILQ_FIRST(&l->conns[i]));
	close_gate(l);
	TAILQ_REMOVE(&l->server->listeners, l, link);
	l->is_closed = true;
	bury_when_empty(l);
}
