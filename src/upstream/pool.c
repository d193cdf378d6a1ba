/* The connections of one worker to one server, and who waits for one. Runs on its worker's thread. */
#include "upstream/pool.h"

#include "upstream/endpoint.h"
#include "upstream/uconn.h"
#include "upstream/upstream.h"

void
pool_init(struct pool *p, struct loop *loop, const struct upstream_conf *conf,
    struct endpoint *endpoint)
{
	*p = (struct pool){ .loop = loop, .conf = conf, .endpoint = endpoint };
	TAILQ_INIT(&p->connecting);
	TAILQ_INIT(&p->idle);
	TAILQ_INIT(&p->busy);
	TAILQ_INIT(&p->waiting);
}

static void
close_all(struct uconn_list *list)
{
	while (!TAILQ_EMPTY(list))
		uconn_close(TAILQ_FIRST(list));
}

void
pool_close(struct pool *p)
{
	assert(TAILQ_EMPTY(&p->waiting) && TAILQ_EMPTY(&p->busy));
	close_all(&p->connecting);
	close_all(&p->idle);
}

void
pool_drain(struct pool *p)
{
	p->is_draining = true;
	close_all(&p->idle);
}

void
pool_forget(struct pool *p)
{
	struct uconn *uc, *next;

	for (uc = TAILQ_FIRST(&p->idle); uc != NULL; uc = next) {
		next = TAILQ_NEXT(uc, link);
		if (!uconn_is_wanted(uc))
			uconn_close(uc);
	}
}

static void
count(struct pool *p, enum metric_id id)
{
	struct upstream *up = p->endpoint->upstream;

	metric_add(up->metrics, id, up->index, 0, 1);
}

static bool
has_room(const struct pool *p)
{
	return p->n_connecting + p->n_idle + p->n_busy < p->conf->pool.max_connections;
}

static void
connect_one(struct pool *p)
{
	count(p, METRIC_UPSTREAM_CONNECTS);
	uconn_open(p);
}

/* Connections under way for as many of the waiting as there is room for. */
static void
connect_wanted(struct pool *p)
{
	while (p->n_connecting < p->n_waiting && has_room(p))
		connect_one(p);
}

/* Who waits beside idle connections wants a fresh one: when those take all the room, the oldest make way. */
static void
make_room(struct pool *p)
{
	while (p->n_connecting < p->n_waiting && !has_room(p) && p->n_idle > 0)
		uconn_close(TAILQ_LAST(&p->idle, uconn_list));
	connect_wanted(p);
}

static void
leave_queue(struct pool *p, struct lease *l)
{
	TAILQ_REMOVE(&p->waiting, l, link);
	p->n_waiting--;
	l->state = LEASE_NONE;
}

/* The first in the queue that this idle connection will do for. */
static struct lease *
next_for(struct pool *p, const struct uconn *uc)
{
	struct lease *l;

	TAILQ_FOREACH(l, &p->waiting, link)
		if (uc->n_requests == 0 || !l->is_fresh_wanted)
			return l;
	return NULL;
}

/* An idle connection serves who waits, or stays for later, or is one too many. */
static void
offer(struct pool *p, struct uconn *uc)
{
	struct lease *l = next_for(p, uc);

	if (l != NULL) {
		leave_queue(p, l);
		uconn_bind(uc, l);
		if (uconn_is_reused(uc))
			count(p, METRIC_UPSTREAM_REUSES);
		l->events->on_leased(l, ERR_NONE);
		return;
	}
	/* The list is LIFO; the one that was idle for longest goes. */
	if (p->is_draining)
		uconn_close(uc);
	else if (p->n_idle > p->conf->pool.max_idle)
		uconn_close(TAILQ_LAST(&p->idle, uconn_list));
	make_room(p);
}

void
pool_on_connected(struct pool *p, struct uconn *uc, enum err_code e)
{
	struct lease *l = TAILQ_FIRST(&p->waiting);

	if (e == ERR_NONE) {
		uconn_set_state(uc, UCONN_IDLE);
		offer(p, uc);
		return;
	}
	count(p, METRIC_UPSTREAM_CONNECT_FAILURES);
	uconn_close(uc);
	/* With fewer connections under way than waiting, this one was somebody's. */
	if (l != NULL && p->n_connecting < p->n_waiting) {
		leave_queue(p, l);
		connect_wanted(p);
		l->events->on_leased(l, e);
	}
}

static struct uconn *
idle_for(struct pool *p, const struct lease *l)
{
	struct uconn *uc;

	if (!l->is_fresh_wanted)
		return TAILQ_FIRST(&p->idle);
	TAILQ_FOREACH(uc, &p->idle, link)
		if (uc->n_requests == 0)
			return uc;
	return NULL;
}

void
pool_lease(struct pool *p, struct lease *l, const struct lease_events *events)
{
	struct uconn *uc = idle_for(p, l);

	assert(l->state == LEASE_NONE);
	l->pool = p;
	l->events = events;
	if (uc != NULL) {
		uconn_bind(uc, l);
		if (uconn_is_reused(uc))
			count(p, METRIC_UPSTREAM_REUSES);
		return;
	}
	l->state = LEASE_WAITING;
	TAILQ_INSERT_TAIL(&p->waiting, l, link);
	p->n_waiting++;
	make_room(p);
}

static bool
is_reusable(const struct pool *p, const struct uconn *uc)
{
	uint64_t max = p->conf->pool.max_requests;

	/* What its PROXY header says holds for one client. */
	if (p->conf->proxy_protocol != PROXY_HEADER_NONE)
		return false;
	return !p->is_draining && uconn_is_wanted(uc) && (max == 0 || uc->n_requests < max);
}

void
pool_unlease(struct lease *l, bool is_clean)
{
	struct pool *p = l->pool;
	struct uconn *uc = l->uconn;

	l->pool = NULL;
	if (l->state == LEASE_WAITING) {
		leave_queue(p, l);
		return;
	}
	if (l->state == LEASE_NONE)
		return;
	uconn_cut(uc);
	if (is_clean && is_reusable(p, uc)) {
		stream_want_read(uc->stream, true);
		uconn_set_state(uc, UCONN_IDLE);
		offer(p, uc);
		return;
	}
	uconn_close(uc);
	connect_wanted(p);
}
