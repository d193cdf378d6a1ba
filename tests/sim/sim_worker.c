/* Workers and their invariants. */
#include "sim_worker.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "daemon/worker.h"
#include "server/cconn_h1.h"
#include "server/proxy.h"
#include "server/tunnel.h"
#include "sim_batch.h"
#include "sim_env.h"
#include "sim_tls.h"
#include "sim_names.h"
#include "upstream/uconn.h"

struct sim_worker {
	struct sim *sim;
	struct worker *worker; /* owned */
	struct loop *loop;     /* owned */
	struct mem_listener *listener;
	bool is_draining;
	bool is_closed;
};

struct sim_workers {
	struct generation *gen; /* owned */
	struct shared shared;
	struct sim_worker at[SIM_WORKERS];
	unsigned n;
	bool is_stopped;
};

static void
on_accept(void *owner, struct stream *stream, const struct addr *peer)
{
	struct sim_worker *w = owner;

	worker_accept(w->worker, 0, stream, peer);
}

static const struct mem_listener_events listener_events = { .on_accept = on_accept };

static void
on_closed(void *arg)
{
	((struct sim_worker *)arg)->is_closed = true;
}

static void
start(struct sim *s, struct sim_workers *ws, unsigned i)
{
	struct sim_worker *w = &ws->at[i];
	struct worker_setup setup = { .index = i, .shared = &ws->shared, .seed = s->seed * 8 + i };

	w->sim = s;
	w->loop = mem_world_loop(s->world);
	setup.loop = w->loop;
	setup.on_closed = on_closed;
	setup.arg = w;
	w->worker = worker_new(&setup);
	sim_names_begin(s, w->worker);
	worker_listen(w->worker, 0, -1, sim_tls_context(s));
	w->listener = mem_world_listen(s->world, w->loop, &s->listen_at, &listener_events, w);
}

void
sim_worker_start_all(struct sim *s)
{
	struct sim_workers *ws = mem_calloc(1, sizeof *ws);
	struct buf yaml = BUF_INIT;

	s->workers = ws;
	sim_env_yaml(s, &yaml);
	if (s->is_verbose)
		printf("%s", buf_c(&yaml));
	ws->gen = generation_load_text(buf_str(&yaml));
	if (ws->gen == NULL)
		sim_fail(s, "the configuration is refused");
	buf_fini(&yaml);
	ws->n = s->env.n_workers;
	/* TLS comes from sim_tls.c, not from the file, which has no bounds of handshakes then. */
	ws->gen->conf->listeners[0].timeouts.handshake_ns = 5 * NS_PER_SEC;
	ws->gen->conf->listeners[0].limits.handshakes = 1000;
	shared_init(&ws->shared, ws->gen, ws->n);
	for (unsigned i = 0; i < ws->n; i++)
		start(s, ws, i);
}

/* ---- invariants */

/* What requests in flight hold, summed over all workers; and how much memory one of them may need. */
struct holdings {
	uint32_t permits[1 + SIM_UPSTREAMS]; /* by slot */
	size_t leases;
	bool has_fanout; /* its calls, or a batch's entries, are its own affair: the sums are lower bounds */
};

/* A streamed answer holds one piece and its frame, whatever the size of the body. */
#define MAX_STREAMED_BYTES 70000

static size_t
count_busy(const struct upstream *up)
{
	const struct endpoint *ep;
	size_t n = 0;

	for (size_t i = 0; i < up->n_endpoints; i++)
		n += up->endpoints[i]->pool.n_busy;
	LIST_FOREACH (ep, &up->leaving, link)
		n += ep->pool.n_busy;
	return n;
}

/* 0: the daemon's; 1 + i: that of upstream i. */
static const struct limiter_slot *
slot_of(const struct sim_workers *ws, size_t i)
{
	return i == 0 ? ws->shared.admission : &ws->shared.upstreams[i - 1].permits;
}

static void
add_permit(const struct sim *s, struct holdings *h, size_t slot, const struct permit *p)
{
	h->permits[slot] += p->n_held;
	if ((p->state != PERMIT_NONE) != (p->from != NULL))
		sim_fail(s, "a permit in state %d and where it is from disagree", p->state);
}

static void
add_call(const struct sim *s, struct holdings *h, const struct call *c)
{
	add_permit(s, h, 1 + c->upstream->index, &c->permit);
	if (c->attempt.lease.state == LEASE_HELD)
		h->leases++;
	if (c->state == CALL_DONE &&
	    (c->permit.state != PERMIT_NONE || c->attempt.lease.state != LEASE_NONE ||
		timer_is_set(&c->timer)))
		sim_fail(s, "a call that is done holds something");
}

/* The upstream whose permits it waits for. */
static void
add_group(const struct sim *s, struct holdings *h, const struct gather *g)
{
	add_permit(s, h, 1 + g->plan->admission[g->n_admitted].upstream, &g->group.all);
}

static void
check_tunnel(const struct sim *s, const struct tunnel *t)
{
	for (int i = 0; i < 2; i++)
		if (t->end[i].held.n > LOOP_SCRATCH_BYTES)
			sim_fail(s, "a tunnel holds %zu bytes", t->end[i].held.n);
}

static void
add_conn(const struct sim *s, struct holdings *h, const struct cconn *c)
{
	const struct exchange *x;

	if (c->h1 == NULL)
		return;
	if (c->h1->out.cap > MAX_STREAMED_BYTES)
		sim_fail(s, "an exchange holds %zu bytes of its answer", c->h1->out.cap);
	if (c->state != CCONN_ACTIVE && c->state != CCONN_TUNNEL)
		return;
	x = &c->h1->exchange;
	add_permit(s, h, 0, &x->permit);
	h->has_fanout |= x->batch != NULL;
	if (x->gather != NULL && x->gather->state == GATHER_ADMIT)
		add_group(s, h, x->gather);
	for (size_t i = 0; x->gather != NULL && i < x->gather->plan->n_calls; i++) {
		add_call(s, h, &x->gather->calls[i].task.call);
		h->has_fanout |= x->gather->calls[i].fanout != NULL;
	}
	if (x->proxy == NULL)
		return;
	add_call(s, h, &x->proxy->call);
	if (c->state == CCONN_TUNNEL)
		check_tunnel(s, x->proxy->tunnel);
	if (x->proxy->upload.cap > MAX_STREAMED_BYTES * 2)
		sim_fail(s, "an exchange holds %zu bytes of an upload", x->proxy->upload.cap);
}

static const struct limiter *
view_of(const struct sim_worker *w, size_t slot)
{
	return slot == 0 ? &w->worker->admission : &w->worker->upstreams[slot - 1].limiter;
}

/* Of those in flight, the units that are between two permits. */
static uint32_t
units_on_their_way(const struct sim *s, const struct sim_workers *ws, size_t slot)
{
	uint32_t inflight = atomic_load(&slot_of(ws, slot)->inflight), units = 0, n = 0;

	for (unsigned k = 0; k < ws->n; k++) {
		const struct limiter *view = view_of(&ws->at[k], slot);

		n += view->n_spare + atomic_load(&view->n_given);
		units += view->n_units;
	}
	if (units + n != inflight)
		sim_fail(s, "limiter %zu: workers have %u units, %u are counted", slot, units + n,
		    inflight);
	return n;
}

static void
check_holdings(const struct sim *s, const struct sim_workers *ws)
{
	struct holdings h = { 0 };
	size_t n_busy = 0;

	for (unsigned i = 0; i < ws->n; i++) {
		const struct worker *w = ws->at[i].worker;
		const struct listener *l;
		const struct cconn *c;

		TAILQ_FOREACH (l, &w->server.listeners, link)
			for (int state = 0; state < LISTENER_STATES; state++)
				TAILQ_FOREACH (c, &l->conns[state], link)
					add_conn(s, &h, c);
		for (size_t u = 0; u < w->n_upstreams; u++)
			n_busy += count_busy(&w->upstreams[u]);
	}
	for (size_t i = 0; i <= SIM_UPSTREAMS; i++) {
		uint32_t inflight = atomic_load(&slot_of(ws, i)->inflight);
		uint32_t held = h.permits[i] + units_on_their_way(s, ws, i);

		if (held > inflight || (held != inflight && !h.has_fanout))
			sim_fail(s, "limiter %zu: %u permits are held, %u are counted", i, held,
			    inflight);
	}
	if (h.leases > n_busy || (h.leases != n_busy && !h.has_fanout))
		sim_fail(s, "%zu leases on %zu busy connections", h.leases, n_busy);
}

static bool
has_work(const struct sim_workers *ws)
{
	for (unsigned i = 0; i < ws->n; i++)
		if (loop_has_work(ws->at[i].loop))
			return true;
	return false;
}

/* Units that one worker's permits wait for: those in the queue, and those of groups that wait for their turn. */
static uint32_t
count_waiting(const struct sim *s, const struct sim_worker *w, size_t slot)
{
	const struct limiter *view = view_of(w, slot);
	const struct permit *p;
	uint32_t units = 0, n = 0;

	TAILQ_FOREACH (p, &view->waiting, link) {
		units += p->n;
		n++;
	}
	if (n != view->n_waiting)
		sim_fail(s, "limiter %zu: a list of %u counted as %u", slot, n, view->n_waiting);
	if (slot == 0)
		return units;
	TAILQ_FOREACH (p, &w->worker->upstreams[slot - 1].turn.waiting, link)
		units += CONTAINER_OF(p, const struct permit_group, turn)->all.n;
	return units;
}

static void
check_limiter(const struct sim *s, const struct sim_workers *ws, size_t i)
{
	const struct limiter_slot *slot = slot_of(ws, i);
	uint32_t inflight = atomic_load(&slot->inflight), queued = atomic_load(&slot->queued);
	uint32_t n_waiting = 0;

	if (inflight > atomic_load(&slot->limit))
		sim_fail(s, "limiter %zu: %u in flight over the limit", i, inflight);
	if (queued > slot->queue_size)
		sim_fail(s, "limiter %zu: %u queued over the size", i, queued);
	for (unsigned k = 0; k < ws->n; k++)
		n_waiting += count_waiting(s, &ws->at[k], i);
	if (n_waiting != queued)
		sim_fail(s, "limiter %zu: %u wait, %u are counted", i, n_waiting, queued);
	/* With no message under way nobody is left to wake them. */
	if (queued > 0 && inflight < atomic_load(&slot->limit) && !has_work(ws))
		sim_fail(s, "limiter %zu: a wake-up is lost: %u wait, %u in flight", i, queued,
		    inflight);
}

static size_t
check_uconns(const struct sim *s, const struct uconn_list *list, enum uconn_state state)
{
	const struct uconn *uc;
	size_t n = 0;

	TAILQ_FOREACH (uc, list, link) {
		n++;
		if (uc->state != state)
			sim_fail(
			    s, "a connection in state %d is in the list of %d", uc->state, state);
		if ((state == UCONN_BUSY) != (uc->lease != NULL) ||
		    (uc->lease != NULL && uc->lease->uconn != uc))
			sim_fail(s, "a connection and its lease disagree");
	}
	return n;
}

static void
check_pool(const struct sim *s, const struct pool *p)
{
	const struct lease *l;
	size_t n = 0, n_all;

	if (check_uconns(s, &p->connecting, UCONN_CONNECT) != p->n_connecting ||
	    check_uconns(s, &p->idle, UCONN_IDLE) != p->n_idle ||
	    check_uconns(s, &p->busy, UCONN_BUSY) != p->n_busy)
		sim_fail(s, "a pool's lists and counts disagree");
	if (p->n_connecting + p->n_idle + p->n_busy > p->conf->pool.max_connections)
		sim_fail(s, "a pool has more connections than it may");
	if (p->n_idle > p->conf->pool.max_idle)
		sim_fail(s, "a pool has more idle connections than it may");
	TAILQ_FOREACH (l, &p->waiting, link) {
		n++;
		if (!l->is_fresh_wanted && p->n_idle > 0)
			sim_fail(s, "a lease waits beside an idle connection");
	}
	if (n != p->n_waiting)
		sim_fail(s, "a pool's queue and its count disagree");
	n_all = p->n_connecting + p->n_idle + p->n_busy;
	if (n > p->n_connecting && (n_all < p->conf->pool.max_connections || p->n_idle > 0))
		sim_fail(s, "a lease waits, and nothing is done for it");
}

/* One that is leaving is kept by the calls that are on it, and by nothing else. */
static void
check_endpoints(const struct sim *s, const struct upstream *up)
{
	const struct endpoint *ep;

	for (size_t i = 0; i < up->n_endpoints; i++) {
		check_pool(s, &up->endpoints[i]->pool);
		if (up->endpoints[i]->is_leaving ||
		    (i > 0 && up->endpoints[i - 1]->priority > up->endpoints[i]->priority))
			sim_fail(s, "an endpoint is where it should not be");
	}
	LIST_FOREACH (ep, &up->leaving, link) {
		check_pool(s, &ep->pool);
		if (!ep->is_leaving || ep->active == 0 || ep->pool.n_idle != 0)
			sim_fail(s, "an endpoint that is leaving stays without reason");
	}
}

static void
check_listener(const struct sim *s, const struct listener *l)
{
	const struct cconn *c;
	size_t n = 0;

	for (int state = 0; state < LISTENER_STATES; state++)
		TAILQ_FOREACH (c, &l->conns[state], link) {
			n++;
			if ((int)c->state != state || c->listener != l)
				sim_fail(s, "a client connection is in the wrong list");
			if ((c->stream == NULL) != (c->state == CCONN_CLOSED))
				sim_fail(s, "a client connection without a stream");
			if (c->state == CCONN_KEEPALIVE && (c->in != NULL || c->h1 != NULL))
				sim_fail(s, "an idle connection holds memory");
		}
	if (n != l->n_conns)
		sim_fail(s, "client connections and their count disagree");
}

static size_t
count_conns(const struct sim_worker *w)
{
	const struct listener *l;
	size_t n = 0;

	TAILQ_FOREACH (l, &w->worker->server.listeners, link)
		n += l->n_conns;
	return n;
}

static void
check_worker(const struct sim *s, const struct sim_worker *w)
{
	const struct server *server = &w->worker->server;
	const struct listener *l;

	for (size_t u = 0; u < w->worker->n_upstreams; u++)
		check_endpoints(s, &w->worker->upstreams[u]);
	TAILQ_FOREACH (l, &server->listeners, link)
		check_listener(s, l);
	/* A connection has one, and its entries when that is a batch. */
	if (server->n_exchanges > count_conns(w) * (1 + SIM_BATCH_PARALLEL))
		sim_fail(
		    s, "%zu exchanges on %zu connections", server->n_exchanges, count_conns(w));
}

static uint64_t
metric_of(const struct sim_workers *ws, enum metric_id id, size_t i, size_t j)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < ws->shared.n_shards; k++)
		sum += metric_get(&ws->shared.shards[k], id, i, j);
	return sum;
}

static void
check_gauges(const struct sim *s, const struct sim_workers *ws)
{
	size_t n_conns = 0, n_exchanges = 0;

	for (unsigned i = 0; i < ws->n; i++) {
		n_conns += count_conns(&ws->at[i]);
		n_exchanges += ws->at[i].worker->server.n_exchanges;
	}
	if (metric_of(ws, METRIC_CLIENT_CONNECTIONS, 0, 0) != n_conns ||
	    atomic_load(&ws->shared.listeners[0].connections) != n_conns)
		sim_fail(s, "%zu client connections are open, and the gauges disagree", n_conns);
	if (metric_of(ws, METRIC_REQUESTS_INFLIGHT, 0, 0) != n_exchanges)
		sim_fail(s, "%zu requests are in flight, and the gauge disagrees", n_exchanges);
}

/* What clients were told is what was counted, where every answer arrived. */
static void
check_counters(const struct sim *s, const struct sim_workers *ws)
{
	if (s->env.mode != SIM_EXACT || s->n_dropped != 0)
		return;
	for (size_t status = 100; status < 600; status++) {
		uint64_t n = 0;

		for (size_t r = 0; r < ws->shared.layout.sizes[DIM_ROUTE]; r++)
			n += metric_of(ws, METRIC_REQUESTS, r, status - 100);
		if (n != s->n_by_status[status])
			sim_fail(s, "%zu answers of %zu were seen, %" PRIu64 " are counted",
			    s->n_by_status[status], status, n);
	}
}

void
sim_worker_check(struct sim *s)
{
	const struct sim_workers *ws = s->workers;

	check_gauges(s, ws);
	for (size_t i = 0; i <= SIM_UPSTREAMS; i++)
		check_limiter(s, ws, i);
	check_holdings(s, ws);
	for (unsigned i = 0; i < ws->n; i++)
		check_worker(s, &ws->at[i]);
}

static void
check_worker_rest(const struct sim *s, const struct sim_worker *w)
{
	const struct worker *worker = w->worker;

	if (worker->server.n_exchanges != 0 || count_conns(w) != 0)
		sim_fail(s, "at rest: %zu exchanges, %zu client connections",
		    worker->server.n_exchanges, count_conns(w));
	if (w->worker->coding.n_states != 0 || w->worker->coding.used_bytes != 0)
		sim_fail(s, "at rest: %zu compressors are out", w->worker->coding.n_states);
	if (w->loop->blocks.n_used != 0)
		sim_fail(s, "at rest: %zu arena blocks are out", w->loop->blocks.n_used);
	for (size_t u = 0; u < worker->n_upstreams; u++) {
		if (!LIST_EMPTY(&worker->upstreams[u].leaving))
			sim_fail(s, "at rest: upstream %zu has endpoints that are leaving", u);
		for (size_t e = 0; e < worker->upstreams[u].n_endpoints; e++) {
			const struct endpoint *ep = worker->upstreams[u].endpoints[e];

			if (ep->active != 0 || ep->pool.n_busy != 0 || ep->pool.n_waiting != 0 ||
			    ep->pool.n_connecting != 0)
				sim_fail(s, "at rest: upstream %zu is not", u);
		}
	}
	if (timer_heap_count_set(&w->loop->timers) != 0 || loop_has_work(w->loop))
		sim_fail(s, "at rest: %zu timers are set", timer_heap_count_set(&w->loop->timers));
}

void
sim_worker_check_rest(struct sim *s)
{
	const struct sim_workers *ws = s->workers;

	for (size_t i = 0; i <= SIM_UPSTREAMS; i++) {
		const struct limiter_slot *slot = slot_of(ws, i);

		if (atomic_load(&slot->inflight) != 0 || atomic_load(&slot->queued) != 0 ||
		    atomic_load(&slot->waiting_workers) != 0)
			sim_fail(s,
			    "at rest: limiter %zu has %u in flight, %u queued, bits %" PRIx64, i,
			    atomic_load(&slot->inflight), atomic_load(&slot->queued),
			    atomic_load(&slot->waiting_workers));
	}
	if (atomic_load(&ws->shared.listeners[0].connections) != 0)
		sim_fail(s, "at rest: connections are counted");
	for (unsigned i = 0; i < ws->n; i++)
		check_worker_rest(s, &ws->at[i]);
	check_counters(s, ws);
}

/* ---- the end */

struct worker *
sim_worker_any(struct sim *s)
{
	return s->workers->at[sim_between(s, 0, s->workers->n - 1)].worker;
}

bool
sim_worker_drain_one(struct sim *s)
{
	struct sim_workers *ws = s->workers;
	struct sim_worker *w = &ws->at[sim_between(s, 0, ws->n - 1)];
	unsigned n_left = 0;

	for (unsigned i = 0; i < ws->n; i++)
		n_left += !ws->at[i].is_draining;
	if (n_left < 2 || w->is_draining)
		return false;
	sim_trace(s, "worker %td drains", w - ws->at);
	w->is_draining = true;
	mem_world_unlisten(&w->listener);
	worker_post_drain(w->worker);
	return true;
}

static bool
has_open(const struct sim_workers *ws)
{
	for (unsigned i = 0; i < ws->n; i++)
		if (!ws->at[i].is_closed)
			return true;
	return false;
}

void
sim_worker_stop(struct sim *s)
{
	struct sim_workers *ws = s->workers;

	if (ws->is_stopped)
		return;
	ws->is_stopped = true;
	for (unsigned i = 0; i < ws->n; i++) {
		mem_world_unlisten(&ws->at[i].listener);
		worker_post_stop(ws->at[i].worker);
	}
}

void
sim_worker_stop_all(struct sim *s)
{
	struct sim_workers *ws = s->workers;

	sim_worker_stop(s);
	while (has_open(ws))
		if (!mem_world_step(s->world))
			sim_fail(s, "a worker does not close");
	for (unsigned i = 0; i < ws->n; i++)
		loop_turn(ws->at[i].loop, 0);
	for (unsigned i = 0; i < ws->n; i++) {
		worker_free(ws->at[i].worker);
		loop_free(ws->at[i].loop);
	}
	shared_fini(&ws->shared);
	generation_free(ws->gen);
	free(ws);
	s->workers = NULL;
}
