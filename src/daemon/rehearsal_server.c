/* The upstreams of a rehearsal. Main thread, on the rehearsal's outer loop. */
#include "daemon/rehearsal_server.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "codec/h1_frame.h"
#include "net/stream_mem.h"
#include "upstream/uconn.h"

#define READ_BYTES 65536
#define FIELDS 512

/*
 *     READ -> WAIT -> WRITE -> READ ...       an answer that was told
 *     READ -> MOCK                            the rest of the connection belongs to the mock service
 */
enum conn_state { CONN_READ, CONN_WAIT, CONN_WRITE, CONN_MOCK };

struct conn {
	TAILQ_ENTRY(conn) link;
	enum conn_state state;
	struct rehearsal_server *server; /* back pointer */
	struct stream *stream;           /* owned */
	struct stream *mock;             /* owned: the way to the mock service */
	struct buf in;                   /* owned: what came of the request */
	struct buf out;                  /* owned: what goes out to the stream */
	struct buf up;                   /* owned: what goes out to the mock */
	struct h1_head head;
	struct header fields[FIELDS];
	struct rehearsal_request *request; /* the one under way; NULL: none */
	struct rehearsal_answer answer;
	struct timer timer;
	struct grave grave;
};

struct rehearsal_server {
	struct rehearsal_servers *all; /* back pointer */
	size_t upstream;
	struct mem_listener *listener; /* NULL: refuses */
	TAILQ_HEAD(, conn) conns;
};

static uint64_t
now_ns(const struct conn *c)
{
	return c->server->all->loop->now_ns - c->server->all->started_ns;
}

static void
end_request(struct conn *c)
{
	if (c->request != NULL) {
		c->request->end_ns = now_ns(c);
		c->request->has_ended = true;
	}
	c->request = NULL;
}

static void
conn_free(void *arg)
{
	struct conn *c = arg;

	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->up);
	free(c);
}

static void
conn_close(struct conn *c, bool is_reset)
{
	struct loop *loop = c->server->all->loop;

	if (c->stream == NULL)
		return;
	end_request(c);
	if (is_reset)
		stream_reset(&c->stream);
	else
		stream_close(&c->stream);
	stream_close(&c->mock);
	loop_timer_drop(loop, &c->timer);
	TAILQ_REMOVE(&c->server->conns, c, link);
	loop_bury(loop, &c->grave, conn_free, c);
}

/* Writes what it can; false when the stream is dead. */
static bool
flush(struct stream *stream, struct buf *out)
{
	size_t put;

	if (stream_push(stream, buf_str(out), &put) == IO_ERROR)
		return false;
	out->n -= put;
	if (out->n > 0)
		memmove(out->p, out->p + put, out->n);
	return true;
}

/* ---- the way to the mock service and back */

/* "HTTP/1.1 200 ..." */
static void
note_status(struct conn *c)
{
	uint64_t status = 0;

	if (c->request != NULL && c->request->status == 0 && c->out.n >= 12 &&
	    str_to_u64(str_of(c->out.p + 9, 3), &status))
		c->request->status = (unsigned)status;
}

static void
on_mock_readable(void *arg)
{
	struct conn *c = arg;
	size_t got;

	switch (stream_read(c->mock, buf_reserve(&c->out, READ_BYTES), READ_BYTES, &got)) {
	case IO_OK:
		buf_commit(&c->out, got);
		note_status(c);
		if (!flush(c->stream, &c->out))
			conn_close(c, false);
		break;
	case IO_AGAIN:
		break;
	case IO_EOF:
		end_request(c);
		stream_close(&c->mock);
		if (c->out.n == 0)
			conn_close(c, false);
		break;
	case IO_ERROR:
		conn_close(c, true);
		break;
	}
}

static void
on_mock_writable(void *arg)
{
	struct conn *c = arg;

	if (!flush(c->mock, &c->up))
		conn_close(c, true);
}

static void
on_mock_connected(void *arg, enum err_code e)
{
	struct conn *c = arg;

	if (e != ERR_NONE) {
		conn_close(c, true);
		return;
	}
	stream_want_read(c->mock, true);
	on_mock_writable(c);
}

static const struct stream_events mock_events = {
	.on_connected = on_mock_connected,
	.on_readable = on_mock_readable,
	.on_writable = on_mock_writable,
};

static const struct generation_mock *
mock_of(const struct conn *c)
{
	const struct generation *gen = c->server->all->setup->gen;
	struct str name = gen->conf->upstreams[c->server->upstream].name;

	for (size_t i = 0; i < gen->n_mocks; i++)
		if (str_eq(gen->mocks[i].listener.name, name))
			return &gen->mocks[i];
	return NULL;
}

/* The mock ends the connection behind its answer, so that the end of the answer needs no parser here. */
static void
go_to_mock(struct conn *c, const struct generation_mock *mock)
{
	struct str bytes = buf_str(&c->in);
	size_t line = str_find(bytes, '\n') + 1;

	c->state = CONN_MOCK;
	buf_add(&c->up, str_of(bytes.p, line));
	buf_add_c(&c->up, "Connection: close\r\n");
	buf_add(&c->up, str_of(bytes.p + line, bytes.n - line));
	c->mock = stream_connect(c->server->all->loop, &mock->listener.address, &mock_events, c);
}

/* ---- answers that were told */

static void read_on(struct conn *c);

static void
write_answer(struct conn *c)
{
	if (!flush(c->stream, &c->out)) {
		conn_close(c, false);
		return;
	}
	if (c->out.n > 0)
		return;
	if (c->answer.end == REHEARSAL_KEEP) {
		end_request(c);
		buf_clear(&c->in);
		read_on(c);
	} else {
		conn_close(c, false);
	}
}

static void
on_timer(void *arg)
{
	struct conn *c = arg;

	if (c->answer.end == REHEARSAL_RESET) {
		conn_close(c, true);
		return;
	}
	c->state = CONN_WRITE;
	buf_add(&c->out, c->answer.bytes);
	write_answer(c);
}

/* The call whose request goes over the other end of this connection. */
static size_t
call_index(const struct conn *c)
{
	const struct worker *w = c->server->all->worker;
	const struct upstream *up = &w->upstreams[c->server->upstream];
	const struct mem_pair *pair = CONTAINER_OF(c->stream, struct stream_mem, base)->pair;

	for (size_t i = 0; i < up->n_endpoints; i++) {
		struct uconn *uc;

		TAILQ_FOREACH (uc, &up->endpoints[i]->pool.busy, link) {
			const struct uconn_h1 *x = CONTAINER_OF(uc->lease, struct uconn_h1, lease);
			const struct call *call = CONTAINER_OF(x, struct call, attempt);

			if (CONTAINER_OF(uc->stream, struct stream_mem, base)->pair == pair)
				return call->metric_index;
		}
	}
	return SIZE_MAX;
}

/* What comes at the same time comes in an order of chance; readers want that of the file. */
static void
insert(struct rehearsal_request_list *list, struct rehearsal_request *r)
{
	struct rehearsal_request *at, *before = NULL;

	STAILQ_FOREACH (at, list, link)
		if (at->begin_ns < r->begin_ns || at->call_index <= r->call_index)
			before = at;
	if (before == NULL)
		STAILQ_INSERT_HEAD(list, r, link);
	else
		STAILQ_INSERT_AFTER(list, before, r, link);
}

static void
note_request(struct conn *c)
{
	struct rehearsal_servers *all = c->server->all;
	struct arena *arena = all->setup->arena;
	struct rehearsal_request *r = arena_calloc(arena, 1, sizeof *r);

	r->upstream = c->server->upstream;
	r->call_index = call_index(c);
	r->call = r->call_index == SIZE_MAX ? STR("") : all->setup->gen->site->calls[r->call_index].call;
	r->method = arena_str(arena, c->head.method_text);
	r->target = arena_str(arena, c->head.target);
	r->begin_ns = now_ns(c);
	insert(&all->result->requests, r);
	all->result->n_requests++;
	c->request = r;
}

static void
begin_answer(struct conn *c)
{
	struct rehearsal_servers *all = c->server->all;
	const struct rehearsal_setup *setup = all->setup;
	const struct generation_mock *mock = mock_of(c);

	note_request(c);
	c->answer = (struct rehearsal_answer){ 0 };
	c->state = CONN_WAIT;
	if (setup->events->on_request(setup->owner, c->request, &c->answer)) {
		c->request->status = c->answer.status;
		if (c->answer.end != REHEARSAL_NEVER)
			loop_timer_set(all->loop, &c->timer, all->loop->now_ns + c->answer.delay_ns);
	} else if (mock != NULL) {
		go_to_mock(c, mock);
	} else {
		c->request->is_unforeseen = true;
		conn_close(c, true);
	}
}

/* ---- requests */

/* True when head and body are there. What gatherd sends is valid, so the rest need not be told apart. */
static bool
is_complete(struct conn *c)
{
	const struct h1_limits limits = { .head_bytes = 1 << 20, .target_bytes = 1 << 20 };
	struct h1_frame frame;
	struct str rest, payload;
	size_t used;

	h1_head_init_request(&c->head, &limits, c->fields, FIELDS);
	if (h1_head_feed(&c->head, buf_str(&c->in)) != H1_DONE ||
	    h1_frame_request(&frame, &c->head) != ERR_NONE)
		return false;
	rest = str_of(c->in.p + c->head.n_bytes, c->in.n - c->head.n_bytes);
	while (!h1_frame_is_done(&frame) && rest.n > 0) {
		if (h1_frame_feed(&frame, rest, &used, &payload) == H1_REFUSED)
			return false;
		rest = str_of(rest.p + used, rest.n - used);
	}
	return h1_frame_is_done(&frame);
}

static void
read_on(struct conn *c)
{
	c->state = CONN_READ;
	if (c->in.n > 0 && is_complete(c))
		begin_answer(c);
}

static void
on_readable(void *arg)
{
	struct conn *c = arg;
	size_t got;

	switch (stream_read(c->stream, buf_reserve(&c->in, READ_BYTES), READ_BYTES, &got)) {
	case IO_OK:
		buf_commit(&c->in, got);
		if (c->state == CONN_READ)
			read_on(c);
		break;
	case IO_AGAIN:
		break;
	case IO_EOF:
	case IO_ERROR:
		conn_close(c, false);
		break;
	}
}

static void
on_writable(void *arg)
{
	struct conn *c = arg;

	if (c->state == CONN_WRITE)
		write_answer(c);
	else if (!flush(c->stream, &c->out) || (c->mock == NULL && c->out.n == 0))
		conn_close(c, false);
}

static const struct stream_events conn_events = {
	.on_readable = on_readable,
	.on_writable = on_writable,
};

static void
on_accept(void *owner, struct stream *stream, const struct addr *peer)
{
	struct rehearsal_server *server = owner;
	struct conn *c = mem_calloc(1, sizeof *c);

	(void)peer;
	c->server = server;
	c->stream = stream;
	timer_init(&c->timer, on_timer, c);
	TAILQ_INSERT_TAIL(&server->conns, c, link);
	stream_set_owner(stream, &conn_events, c);
	stream_want_read(stream, true);
}

static const struct mem_listener_events listener_events = { .on_accept = on_accept };

void
rehearsal_server_start_all(struct rehearsal_servers *s)
{
	const struct conf *c = s->setup->gen->conf;

	s->at = mem_calloc(c->n_upstreams, sizeof *s->at);
	for (size_t i = 0; i < c->n_upstreams; i++) {
		s->at[i].all = s;
		s->at[i].upstream = i;
		TAILQ_INIT(&s->at[i].conns);
		if (!s->setup->events->is_refusing(s->setup->owner, i))
			s->at[i].listener = mem_world_listen(s->world, s->loop,
			    &c->upstreams[i].servers[0].addrs[0], &listener_events, &s->at[i]);
	}
}

void
rehearsal_server_stop_all(struct rehearsal_servers *s)
{
	for (size_t i = 0; i < s->setup->gen->conf->n_upstreams; i++) {
		struct conn *c;

		mem_world_unlisten(&s->at[i].listener);
		while ((c = TAILQ_FIRST(&s->at[i].conns)) != NULL)
			conn_close(c, false);
	}
	free(s->at);
	s->at = NULL;
}
