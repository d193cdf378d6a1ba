/* A connection to a server: connecting, idling, lent to a lease. Runs on its worker's thread. */
#include "upstream/uconn.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "upstream/endpoint.h"
#include "upstream/race.h"

#define UCONN_TAG 0x75636f6eu

static struct uconn_list *
list_of(struct uconn *uc, size_t **count)
{
	struct pool *p = uc->pool;

	switch (uc->state) {
	case UCONN_CONNECT:
		*count = &p->n_connecting;
		return &p->connecting;
	case UCONN_IDLE:
		*count = &p->n_idle;
		return &p->idle;
	case UCONN_BUSY:
		*count = &p->n_busy;
		return &p->busy;
	case UCONN_CLOSED:
		break;
	}
	return NULL;
}

static void
link_in(struct uconn *uc)
{
	size_t *count;
	struct uconn_list *list = list_of(uc, &count);

	if (list == NULL)
		return;
	TAILQ_INSERT_HEAD(list, uc, link);
	++*count;
}

static void
link_out(struct uconn *uc)
{
	size_t *count;
	struct uconn_list *list = list_of(uc, &count);

	if (list == NULL)
		return;
	TAILQ_REMOVE(list, uc, link);
	--*count;
}

void
uconn_set_state(struct uconn *uc, enum uconn_state to)
{
	const struct upstream_conf *conf = uc->pool->conf;
	struct loop *loop = uc->pool->loop;

	link_out(uc);
	uc->state = to;
	link_in(uc);
	if (to == UCONN_CONNECT)
		loop_timer_set(loop, &uc->timer, loop->now_ns + conf->timeouts.connect_ns);
	else if (to == UCONN_IDLE)
		loop_timer_set(loop, &uc->timer, loop->now_ns + conf->pool.idle_timeout_ns);
	else
		loop_timer_clear(&uc->timer);
}

static void
uconn_free(void *arg)
{
	struct uconn *uc = arg;

	free(uc->other);
	free(uc);
}

void
uconn_close(struct uconn *uc)
{
	struct loop *loop = uc->pool->loop;

	if (uc->state == UCONN_CLOSED)
		return;
	uconn_cut(uc);
	uconn_set_state(uc, UCONN_CLOSED);
	loop_timer_drop(loop, &uc->timer);
	race_close(&uc->race);
	stream_close(&uc->stream);
	uc->tag = 0;
	loop_bury(loop, &uc->grave, uconn_free, uc);
}

bool
uconn_is_wanted(const struct uconn *uc)
{
	const struct endpoint *ep = uc->pool->endpoint;

	return uc->other == NULL || (ep->has_other && addr_eq(uc->other, &ep->other));
}

void
uconn_bind(struct uconn *uc, struct lease *l)
{
	assert(uc->state == UCONN_IDLE);
	uconn_set_state(uc, UCONN_BUSY);
	uc->n_requests++;
	uc->leased_turn = uc->pool->loop->turns;
	uc->lease = l;
	l->uconn = uc;
	l->state = LEASE_HELD;
}

void
uconn_cut(struct uconn *uc)
{
	struct lease *l = uc->lease;

	if (l == NULL)
		return;
	uc->lease = NULL;
	l->uconn = NULL;
	l->state = LEASE_NONE;
}

static void
on_timer(void *arg)
{
	struct uconn *uc = arg;

	TAG_CHECK(uc, UCONN_TAG);
	if (uc->state == UCONN_CONNECT)
		pool_on_connected(uc->pool, uc, ERR_CONNECT_TIMEOUT);
	else if (uc->state == UCONN_IDLE)
		uconn_close(uc);
}

static void
on_connected(void *owner, enum err_code e)
{
	struct uconn *uc = owner;

	TAG_CHECK(uc, UCONN_TAG);
	if (e == ERR_NONE)
		stream_want_read(uc->stream, true);
	pool_on_connected(uc->pool, uc, e);
}

/*
 * Readiness was asked for before this turn's leases: what is there was sent before the request was. On a
 * connection that served before it is the rest of an earlier exchange, such as the body of an answer to
 * HEAD, and would be taken for this one's answer.
 */
static bool
is_left_over(const struct uconn *uc)
{
	return uconn_is_reused(uc) && uc->leased_turn == uc->pool->loop->turns;
}

static void
on_readable(void *owner)
{
	struct uconn *uc = owner;

	TAG_CHECK(uc, UCONN_TAG);
	if (uc->state == UCONN_BUSY && is_left_over(uc))
		uc->lease->events->on_stale(uc->lease);
	else if (uc->state == UCONN_BUSY)
		uc->lease->events->on_readable(uc->lease);
	else
		uconn_close(uc);
}

static void
on_writable(void *owner)
{
	struct uconn *uc = owner;

	TAG_CHECK(uc, UCONN_TAG);
	if (uc->state == UCONN_BUSY)
		uc->lease->events->on_writable(uc->lease);
}

static const struct stream_events stream_events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

static void
on_settled(void *owner, struct stream *stream, const struct addr *other, enum err_code e)
{
	struct uconn *uc = owner;

	TAG_CHECK(uc, UCONN_TAG);
	uc->race = NULL;
	uc->stream = stream;
	if (other != NULL) {
		uc->other = mem_alloc(sizeof *uc->other);
		*uc->other = *other;
	}
	if (stream != NULL)
		stream_set_owner(stream, &stream_events, uc);
	on_connected(uc, e);
}

static const struct race_events race_events = { .on_settled = on_settled };

static void
connect_stream(struct uconn *uc)
{
	struct endpoint *ep = uc->pool->endpoint;

	if (ep->has_other)
		uc->race = race_new(ep, &race_events, uc);
	else
		uc->stream = endpoint_connect(ep, &ep->addr, &stream_events, uc);
}

struct uconn *
uconn_open(struct pool *pool)
{
	struct uconn *uc = mem_calloc(1, sizeof *uc);

	uc->tag = UCONN_TAG;
	uc->pool = pool;
	timer_init(&uc->timer, on_timer, uc);
	uc->state = UCONN_CLOSED;
	uconn_set_state(uc, UCONN_CONNECT);
	connect_stream(uc);
	return uc;
}
