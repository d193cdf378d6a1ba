/* One worker. See worker.h for threads. */
#include "daemon/worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/names.h"
#include "net/tls_ctx.h"
#include "net/tls_io.h"

#define SETTLING_NS (10 * NS_PER_MS) /* how often a draining worker looks whether it is done */

/* No more connections; what is in flight finishes within the configured time. */
static void
drain(struct worker *w)
{
	if (w->is_closed)
		return;
	w->drain_deadline_ns = w->loop->now_ns + w->shared->gen->conf->drain_timeout_ns;
	server_drain(&w->server);
	for (size_t i = 0; i < w->n_upstreams; i++)
		upstream_drain(&w->upstreams[i]);
	loop_timer_set(w->loop, &w->settling, w->loop->now_ns);
}

static void
on_drain_message(struct msg *m)
{
	drain(CONTAINER_OF(m, struct worker, drain));
}

static void
on_stop_message(struct msg *m)
{
	worker_close(CONTAINER_OF(m, struct worker, stop));
}

static void
on_settling(void *arg)
{
	struct worker *w = arg;

	if (server_is_idle(&w->server) || w->loop->now_ns >= w->drain_deadline_ns)
		worker_close(w);
	else
		loop_timer_set(w->loop, &w->settling, w->loop->now_ns + SETTLING_NS);
}

/* The generation has made a context of the same files before. */
static void
use_tls(struct worker *w, size_t i)
{
	const struct tls_client_files *files = &w->shared->gen->tls_files[i];
	struct tls_fault fault;

	if (files->trusted != NULL &&
	    upstream_use_tls(&w->upstreams[i], files, w->tls_io, &fault) != ERR_NONE)
		abort();
}

static void
init_upstreams(struct worker *w)
{
	const struct conf *c = w->shared->gen->conf;

	w->n_upstreams = c->n_upstreams;
	w->upstreams = mem_calloc_lines(c->n_upstreams, sizeof *w->upstreams);
	for (size_t i = 0; i < c->n_upstreams; i++) {
		upstream_init(&w->upstreams[i], &c->upstreams[i], i, &w->shared->upstreams[i],
		    w->index, w->loop, &w->shared->shards[w->index]);
		w->upstreams[i].coding = &w->coding;
		use_tls(w, i);
	}
}

static void
init_server(struct worker *w, const struct worker_setup *setup)
{
	struct metric_shard *metrics = &w->shared->shards[w->index];
	struct server_setup server = {
		.gather = &w->env,
		.admission = &w->admission,
		.admission_wait_ns = w->shared->gen->conf->overload.queue_timeout_ns,
		.metrics = metrics,
		.coding = &w->coding,
		.access_log = w->has_log ? &w->log_port : NULL,
		.seed = setup->seed + 1,
	};

	if (w->has_log)
		access_log_port_init(&w->log_port, setup->log, w->loop, metrics);
	server_init(&w->server, &server);
}

struct worker *
worker_new(const struct worker_setup *setup)
{
	struct worker *w = mem_calloc_lines(1, sizeof *w);

	w->index = setup->index;
	w->shared = setup->shared;
	w->loop = setup->loop;
	w->on_closed = setup->on_closed;
	w->arg = setup->arg;
	w->has_log = setup->log != NULL;
	w->drain.fn = on_drain_message;
	w->stop.fn = on_stop_message;
	timer_init(&w->settling, on_settling, w);
	json_scan_init(&w->js, setup->seed);
	limiter_init(&w->admission, w->shared->admission, w->index, w->loop);
	w->tls_io = tls_io_new();
	coding_store_init(&w->coding, w->shared->gen->conf->overload.compression_bytes,
	    &w->loop->blocks.large);
	init_upstreams(w);
	w->env = (struct gather_env){ w->loop, w->upstreams, &w->js };
	init_server(w, setup);
	w->n_listeners = w->shared->gen->conf->n_listeners;
	w->listeners = mem_calloc(w->n_listeners, sizeof(*w->listeners));
	return w;
}

void
worker_listen(struct worker *w, size_t index, int fd, struct tls_ctx *tls)
{
	const struct generation *gen = w->shared->gen;
	struct listener_setup setup = {
		.conf = &gen->conf->listeners[index],
		.kind = LISTENER_PUBLIC,
		.index = index,
		.site = gen->site,
		.shared = &w->shared->listeners[index],
		.tls = tls,
		.tls_io = w->tls_io,
		.fd = fd,
	};

	w->listeners[index] = listener_new(&w->server, &setup);
}

void
worker_accept(struct worker *w, size_t index, struct stream *stream, const struct addr *peer)
{
	listener_add(w->listeners[index], stream, peer);
}

void
worker_close(struct worker *w)
{
	if (w->is_closed)
		return;
	w->is_closed = true;
	loop_timer_drop(w->loop, &w->settling);
	server_close(&w->server);
	for (size_t i = 0; i < w->n_upstreams; i++)
		upstream_close(&w->upstreams[i]);
	if (w->has_log)
		access_log_port_fini(&w->log_port);
	if (w->on_closed != NULL)
		w->on_closed(w->arg);
}

struct certificates_msg {
	struct msg msg;
	struct worker *worker;
	size_t index;
	struct tls_ctx *ctx; /* owned until it is handed on */
};

static void
on_certificates_message(struct msg *m)
{
	struct certificates_msg *cm = CONTAINER_OF(m, struct certificates_msg, msg);

	if (cm->worker->is_closed)
		tls_ctx_close(&cm->ctx);
	else
		listener_use_certificates(cm->worker->listeners[cm->index], cm->ctx);
	free(cm);
}

void
worker_post_certificates(struct worker *w, size_t index, struct tls_ctx *ctx)
{
	struct certificates_msg *cm = mem_calloc(1, sizeof *cm);

	cm->msg.fn = on_certificates_message;
	cm->worker = w;
	cm->index = index;
	cm->ctx = ctx;
	loop_post(w->loop, &cm->msg);
}

void
worker_set_places(struct worker *w, const struct names_state *state)
{
	upstream_set_places(&w->upstreams[state->upstream], state->server, state->places,
	    state->n_places, state->error);
}

struct places_msg {
	struct msg msg;
	struct worker *worker;
	struct names_state state; /* its places are those below */
	struct place places[];
};

static void
on_places_message(struct msg *m)
{
	struct places_msg *pm = CONTAINER_OF(m, struct places_msg, msg);

	if (!pm->worker->is_closed)
		worker_set_places(pm->worker, &pm->state);
	free(pm);
}

void
worker_post_places(struct worker *w, const struct names_state *state)
{
	size_t bytes = state->n_places * sizeof *state->places;
	struct places_msg *pm = mem_calloc(1, sizeof *pm + bytes);

	pm->msg.fn = on_places_message;
	pm->worker = w;
	pm->state = *state;
	if (bytes != 0)
		memcpy(pm->places, state->places, bytes);
	pm->state.places = pm->places;
	loop_post(w->loop, &pm->msg);
}

struct client_msg {
	struct msg msg;
	struct worker *worker;
	size_t index;
	struct tls_client *client; /* owned until it is handed on */
};

static void
on_client_message(struct msg *m)
{
	struct client_msg *cm = CONTAINER_OF(m, struct client_msg, msg);

	if (cm->worker->is_closed)
		tls_client_free(cm->client);
	else
		tls_client_replace(cm->worker->upstreams[cm->index].tls, &cm->client);
	free(cm);
}

void
worker_post_client(struct worker *w, size_t index, struct tls_client *client)
{
	struct client_msg *cm = mem_calloc(1, sizeof *cm);

	cm->msg.fn = on_client_message;
	cm->worker = w;
	cm->index = index;
	cm->client = client;
	loop_post(w->loop, &cm->msg);
}

void
worker_post_drain(struct worker *w)
{
	loop_post(w->loop, &w->drain);
}

void
worker_post_stop(struct worker *w)
{
	loop_post(w->loop, &w->stop);
}

void
worker_free(struct worker *w)
{
	assert(w->is_closed);
	server_fini(&w->server);
	for (size_t i = 0; i < w->n_upstreams; i++)
		upstream_fini(&w->upstreams[i]);
	limiter_fini(&w->admission);
	free(w->upstreams);
	free(w->listeners);
	json_scan_fini(&w->js);
	assert(w->coding.n_states == 0);
	tls_io_free(w->tls_io);
	free(w);
}
