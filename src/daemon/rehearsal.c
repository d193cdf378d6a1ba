/* One request through a worker in a world of its own. Main thread. */
#include "daemon/rehearsal.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "daemon/rehearsal_client.h"
#include "daemon/rehearsal_server.h"

#define SEED 1
#define CLIENT_ADDRESS "127.0.0.3:1" /* of the listener; nothing but names in the world */

/* A mock service, as a listener of the worker's own server. */
struct mock_port {
	struct listener *listener; /* borrowed: the server closes it */
	struct mem_listener *at;
};

struct rehearsal {
	const struct rehearsal_setup *setup;
	struct mem_world *world; /* owned, as all below */
	struct loop *inner;      /* the worker's */
	struct loop *outer;      /* the client's and the upstreams' */
	struct shared shared;
	struct worker *worker;
	struct addr listen_at;
	struct mem_listener *listener;
	struct mock_port *mocks;
	struct rehearsal_client client;
	struct rehearsal_servers servers;
};

static void
on_client(void *owner, struct stream *stream, const struct addr *peer)
{
	struct rehearsal *r = owner;
	struct addr local = *peer;

	/* Clients of the world have no address worth a name. */
	if (addr_parse(STR("127.0.0.1:1"), &local) == ERR_NONE)
		worker_accept(r->worker, r->setup->listener, stream, &local);
}

static const struct mem_listener_events client_events = { .on_accept = on_client };

static void
on_mock(void *owner, struct stream *stream, const struct addr *peer)
{
	struct mock_port *port = owner;

	listener_add(port->listener, stream, peer);
}

static const struct mem_listener_events mock_events = { .on_accept = on_mock };

static void
start_mocks(struct rehearsal *r)
{
	const struct generation *gen = r->setup->gen;

	r->mocks = mem_calloc(gen->n_mocks, sizeof *r->mocks);
	for (size_t i = 0; i < gen->n_mocks; i++) {
		const struct listener_setup setup = {
			.conf = &gen->mocks[i].listener,
			.kind = LISTENER_MOCK,
			.site = gen->mocks[i].site,
			.fd = -1,
		};

		r->mocks[i].listener = listener_new(&r->worker->server, &setup);
		r->mocks[i].at = mem_world_listen(
		    r->world, r->inner, &setup.conf->address, &mock_events, &r->mocks[i]);
	}
}

/* No TLS is spoken in memory: it is only said that the request came by it. */
static void
listen_plain(struct rehearsal *r, size_t index)
{
	worker_listen(r->worker, index, -1, NULL);
	if (r->setup->gen->conf->listeners[index].tls.is_on)
		r->worker->listeners[index]->scheme = "https";
}

static void
start(struct rehearsal *r, struct rehearsal_result *result)
{
	struct worker_setup worker = { .index = 0, .seed = SEED };
	const struct addr *to = &r->listen_at;

	r->world = mem_world_new(SEED);
	r->inner = mem_world_loop(r->world);
	r->outer = mem_world_loop(r->world);
	shared_init(&r->shared, r->setup->gen, 1);
	worker.shared = &r->shared;
	worker.loop = r->inner;
	r->worker = worker_new(&worker);
	listen_plain(r, r->setup->listener);
	if (addr_parse(STR(CLIENT_ADDRESS), &r->listen_at) != ERR_NONE)
		abort();
	r->listener = mem_world_listen(r->world, r->inner, to, &client_events, r);
	start_mocks(r);
	r->servers = (struct rehearsal_servers){
		.setup = r->setup,
		.world = r->world,
		.loop = r->outer,
		.worker = r->worker,
		.result = result,
		.started_ns = r->world->now_ns,
	};
	rehearsal_server_start_all(&r->servers);
	rehearsal_client_start(&r->client, r->outer, to, r->setup->bytes, r->setup->method);
}

static void
stop(struct rehearsal *r)
{
	mem_world_unlisten(&r->listener);
	for (size_t i = 0; i < r->setup->gen->n_mocks; i++)
		mem_world_unlisten(&r->mocks[i].at);
	rehearsal_client_fini(&r->client);
	rehearsal_server_stop_all(&r->servers);
	worker_close(r->worker);
	loop_turn(r->inner, 0);
	loop_turn(r->outer, 0);
	worker_free(r->worker);
	loop_free(r->inner);
	loop_free(r->outer);
	shared_fini(&r->shared);
	mem_world_free(r->world);
	free(r->mocks);
}

/* The first one that was counted; there was one request only. */
static enum err_code
reason_of(const struct rehearsal *r)
{
	for (size_t route = 0; route <= r->setup->gen->site->n_routes; route++)
		for (enum err_code e = ERR_NONE; e < ERR_COUNT; e++)
			if (metric_get(&r->shared.shards[0], METRIC_REQUEST_REASONS, route, e) != 0)
				return e;
	return ERR_NONE;
}

static void
keep_fields(struct arena *arena, const struct rehearsal_client *c, struct rehearsal_result *out)
{
	size_t n = c->head.fields.n;
	struct header *at = arena_calloc(arena, n, sizeof *at);

	header_list_init(&out->fields, at, n);
	for (size_t i = 0; i < n; i++)
		header_list_add(&out->fields, arena_str(arena, c->head.fields.at[i].name),
		    arena_str(arena, c->head.fields.at[i].value));
}

static void
settle(struct rehearsal *r, struct rehearsal_result *out)
{
	const struct rehearsal_client *c = &r->client;
	struct rehearsal_request *request;

	out->took_ns = r->world->now_ns - r->servers.started_ns;
	out->is_answered = c->is_answered;
	STAILQ_FOREACH (request, &out->requests, link)
		if (!request->has_ended)
			request->end_ns = out->took_ns;
	if (!c->has_head)
		return;
	out->status = c->head.status;
	keep_fields(r->setup->arena, c, out);
	out->body = arena_str(r->setup->arena, buf_str(&c->body));
	if (c->body_ns != 0)
		out->begun_ns = c->body_ns - r->servers.started_ns;
}

void
rehearsal_run(const struct rehearsal_setup *setup, struct rehearsal_result *out)
{
	struct rehearsal *r = mem_calloc(1, sizeof *r);

	*out = (struct rehearsal_result){ 0 };
	STAILQ_INIT(&out->requests);
	r->setup = setup;
	start(r, out);
	while (!r->client.is_done && mem_world_step(r->world))
		;
	settle(r, out);
	/* The exchange ends when its answer is with the client, perhaps in a turn of its own. */
	loop_turn(r->inner, 0);
	out->reason = reason_of(r);
	stop(r);
	free(r);
}
