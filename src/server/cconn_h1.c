/*
 * HTTP/1.1 of client connections: requests in. The answers' side is cconn_h1_write.c. Streams
 * belong to their connection, free ones to the server; worker thread.
 */
#include "server/cconn_h1.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "net/tls_identity.h"
#include "server/cconn_h1_write.h"
#include "server/iobuf.h"
#include "server/peer.h"
#include "server/server.h"
#include "server/upgrade.h"

/* Most that is read ahead of need: pipelined requests, or a body that is not wanted yet. */
#define READ_AHEAD_BYTES 16384
#define STREAMS_MAX_FREE 1024
/* A body that comes more slowly on average uses up timeouts.body: with no end to that, bytes far apart hold for
 * days what a request holds. */
#define BODY_BYTES_PER_SEC 500
/* A stream on the free list keeps an output buffer up to this size. */
#define STREAM_KEEP_OUT_BYTES 16384

/* ---- streams */

static struct cconn_h1_stream *
stream_take(struct server *s)
{
	struct cconn_h1_stream *stream = SLIST_FIRST(&s->free_streams);

	if (stream != NULL) {
		SLIST_REMOVE_HEAD(&s->free_streams, link);
		if (--s->n_free_streams < s->n_least_streams)
			s->n_least_streams = s->n_free_streams;
		return stream;
	}
	stream = mem_calloc(1, sizeof(*stream));
	exchange_new(&stream->exchange);
	return stream;
}

void
cconn_h1_free_stream(struct server *s, struct cconn_h1_stream *stream)
{
	exchange_free(&stream->exchange, s->loop);
	buf_fini(&stream->out);
	free(stream);
}

static void
stream_give(struct server *s, struct cconn_h1_stream *stream)
{
	exchange_fini(&stream->exchange);
	if (stream->out.cap > STREAM_KEEP_OUT_BYTES)
		buf_fini(&stream->out);
	buf_clear(&stream->out);
	stream->conn = NULL;
	if (s->n_free_streams >= STREAMS_MAX_FREE) {
		cconn_h1_free_stream(s, stream);
		return;
	}
	SLIST_INSERT_HEAD(&s->free_streams, stream, link);
	s->n_free_streams++;
	server_trim_later(s);
}

static struct cconn_h1_stream *
stream_begin(struct cconn *c)
{
	struct listener *l = c->listener;
	struct cconn_h1_stream *stream = stream_take(l->server);
	const struct h1_limits limits = listener_conf_head_limits(l->conf);

	c->h1 = stream;
	stream->conn = c;
	stream->answer = CCONN_H1_NO_ANSWER;
	stream->has_own_fields = false;
	stream->is_head_complete = false;
	stream->is_body_wanted = false;
	stream->is_continue_due = false;
	stream->is_persistent = false;
	stream->is_chunked = false;
	stream->is_until_close = false;
	stream->is_upgraded = false;
	stream->is_feeding = false;
	stream->is_piece_refused = false;
	stream->is_last_chunk_due = false;
	stream->is_out_in_flight = false;
	stream->n_next = 0;
	stream->left = 0;
	exchange_init(&stream->exchange, &cconn_h1_write_ops, l);
	h1_head_init_request(&stream->head, &limits, l->server->fields, l->conf->limits.headers);
	return stream;
}

void
cconn_h1_drop(struct cconn *c)
{
	struct cconn_h1_stream *stream = c->h1;

	if (stream == NULL)
		return;
	c->h1 = NULL;
	/* A tunnel knows of its client by itself: who closes its connection is the server. */
	exchange_abort(&stream->exchange,
	    stream->is_upgraded && !c->out.is_dead ? ERR_DRAINING : ERR_CLIENT_GONE);
	stream_give(c->listener->server, stream);
}

/* ---- the head */

static void
fill_request(struct cconn_h1_stream *stream)
{
	struct cconn *c = stream->conn;
	struct exchange *x = &stream->exchange;
	struct request *r = &x->request;
	const struct h1_head *head = &stream->head;

	request_take_head(r, head, &stream->frame);
	r->scheme = c->listener->scheme;
	r->client_cert = c->identity == NULL ? NULL : c->identity->parts;
	r->peer_ip = str_of(c->ip, c->n_ip);
	r->is_peer_trusted = c->is_peer_trusted;
	peer_find_client(c->listener->conf, r);
	r->offers_upgrade = head->offers_upgrade && upgrade_is_offered(head);
	r->body = str_none();
	x->has_length = stream->frame.has_length;
	x->length = stream->frame.length;
	x->is_body_complete = !r->has_body;
}

/* The bytes and fields of a complete head move into the exchange's arena; `bytes` may then go. */
static void
keep_head(struct cconn_h1_stream *stream)
{
	struct h1_head *head = &stream->head;
	struct arena *arena = &stream->exchange.arena;

	h1_head_move(head, arena_str(arena, str_of(head->base, head->n_bytes)).p);
	if (!stream->has_own_fields) {
		struct header *fields = arena_alloc(arena, head->fields.n * sizeof(*fields));

		memcpy(fields, head->fields.at, head->fields.n * sizeof(*fields));
		head->fields.at = fields;
		head->fields.cap = head->fields.n;
	}
}

static void
refuse(struct cconn_h1_stream *stream, enum err_code e)
{
	struct cconn *c = stream->conn;

	stream->is_persistent = false;
	cconn_set_state(c, CCONN_ACTIVE);
	cconn_await_read(c, 0);
	exchange_start_refused(&stream->exchange, e);
}

static void
start(struct cconn_h1_stream *stream)
{
	struct cconn *c = stream->conn;
	enum err_code e = h1_frame_request(&stream->frame, &stream->head);

	fill_request(stream);
	stream->exchange.bytes_in = stream->head.n_bytes;
	if (e != ERR_NONE) {
		refuse(stream, e);
		return;
	}
	stream->is_head_complete = true;
	/*
	 * What follows an offer may be of the other protocol already, and chosen by somebody whom the client only
	 * speaks for: unless it is taken, nothing behind it is read as a request.
	 */
	stream->is_persistent = stream->head.is_persistent && !stream->frame.must_close &&
	    !stream->exchange.request.offers_upgrade;
	stream->is_continue_due =
	    stream->head.expects_continue && stream->exchange.request.has_body;
	cconn_set_state(c, CCONN_ACTIVE);
	cconn_await_read(c, 0);
	exchange_start(&stream->exchange);
}

/* The parser's fields were lent by the server for one call; a head that comes in pieces needs its own. */
static void
own_fields(struct cconn_h1_stream *stream)
{
	struct header_list *list = &stream->head.fields;
	struct header *fields;

	if (stream->has_own_fields)
		return;
	fields = arena_alloc(&stream->exchange.arena, list->cap * sizeof(*fields));
	memcpy(fields, list->at, list->n * sizeof(*fields));
	list->at = fields;
	stream->has_own_fields = true;
}

static void
await_rest_of_head(struct cconn *c)
{
	own_fields(c->h1);
	if (h1_head_is_blank(&c->h1->head) || c->state == CCONN_ACTIVE)
		return;
	if (c->state == CCONN_KEEPALIVE) {
		cconn_set_state(c, CCONN_HEAD);
		cconn_await_read(c, c->listener->conf->timeouts.header_ns);
	}
}

/* Parses from the first byte of a head on. Returns how many bytes are of no further use. */
static size_t
feed_head(struct cconn *c, struct str bytes)
{
	struct cconn_h1_stream *stream = c->h1 != NULL ? c->h1 : stream_begin(c);

	stream->progress = h1_head_feed(&stream->head, bytes);
	switch (stream->progress) {
	case H1_MORE:
		await_rest_of_head(c);
		return 0;
	case H1_DONE:
		keep_head(stream);
		return stream->head.n_bytes;
	case H1_REFUSED:
		break;
	}
	/* What the parser has understood of a refused head is not to be believed, nor are bytes behind it. */
	stream->exchange.bytes_in = bytes.n;
	return bytes.n;
}

static void
run_head(struct cconn *c)
{
	struct cconn_h1_stream *stream = c->h1;

	if (stream->progress == H1_REFUSED)
		refuse(stream, stream->head.error);
	else if (stream->progress == H1_DONE)
		start(stream);
}

static void
on_head_bytes(struct cconn *c, struct str bytes)
{
	size_t used;

	if (c->in == NULL) {
		used = feed_head(c, bytes);
		iobuf_add(c->listener->server, &c->in, str_of(bytes.p + used, bytes.n - used));
	} else {
		iobuf_add(c->listener->server, &c->in, bytes);
		used = feed_head(c, iobuf_str(c->in));
		iobuf_take(c->listener->server, &c->in, used);
	}
	run_head(c);
}

/* ---- the body */

/* How far the client is behind a pace of BODY_BYTES_PER_SEC. */
static uint64_t
behind_ns(const struct cconn_h1_stream *stream)
{
	uint64_t now_ns = stream->conn->stream->loop->now_ns;
	uint64_t elapsed_s = (now_ns - stream->body_since_ns) / NS_PER_SEC;
	uint64_t paid_s = (stream->exchange.bytes_in - stream->body_since_bytes) / BODY_BYTES_PER_SEC;

	return elapsed_s > paid_s ? (elapsed_s - paid_s) * NS_PER_SEC : 0;
}

static void
await_body(struct cconn_h1_stream *stream)
{
	uint64_t body_ns = stream->conn->listener->conf->timeouts.body_ns;
	uint64_t behind = behind_ns(stream);

	cconn_await_read(stream->conn, behind < body_ns ? body_ns - behind : 1);
}

void
cconn_h1_ask_for_body(struct cconn_h1_stream *stream)
{
	stream->body_since_ns = stream->conn->stream->loop->now_ns;
	stream->body_since_bytes = stream->exchange.bytes_in;
	await_body(stream);
}

static void
on_body_progress(struct cconn *c, enum h1_progress progress)
{
	struct cconn_h1_stream *stream = c->h1;

	if (progress == H1_MORE) {
		if (stream->is_body_wanted)
			await_body(stream);
		return;
	}
	stream->is_body_wanted = false;
	cconn_await_read(c, 0);
	if (progress == H1_REFUSED)
		stream->is_persistent = false;
	exchange_on_body_end(
	    &stream->exchange, progress == H1_DONE ? ERR_NONE : stream->frame.error);
}

/* Hands the exchange what it wants of the body; the bytes are this connection's. Returns how many were used. */
static size_t
feed_body(struct cconn *c, struct str bytes)
{
	struct cconn_h1_stream *stream = c->h1;
	enum h1_progress progress = H1_MORE;
	struct str payload;
	size_t used = 0;

	stream->is_feeding = true;
	if (stream->is_body_wanted && bytes.n > 0) {
		progress = h1_frame_feed_all(
		    &stream->frame, (char *)(uintptr_t)bytes.p, bytes.n, &used, &payload);
		stream->exchange.bytes_in += used;
		if (payload.n > 0)
			exchange_on_body(&stream->exchange, payload, progress == H1_DONE);
	}
	stream->is_feeding = false;
	on_body_progress(c, progress);
	return used;
}

static void
on_body_bytes(struct cconn *c, struct str bytes)
{
	size_t used = feed_body(c, bytes);

	iobuf_add(c->listener->server, &c->in, str_of(bytes.p + used, bytes.n - used));
}

/* What is here of a body that nobody wants is dropped, so that the connection may live on. */
static void
drop_body(struct cconn *c)
{
	struct cconn_h1_stream *stream = c->h1;
	enum h1_progress progress = H1_MORE;

	while (c->in != NULL && progress == H1_MORE) {
		struct str payload;
		size_t used;

		progress = h1_frame_feed(&stream->frame, iobuf_str(c->in), &used, &payload);
		stream->exchange.bytes_in += used;
		iobuf_take(c->listener->server, &c->in, used);
	}
}

bool
cconn_h1_settle_body(struct cconn_h1_stream *stream)
{
	stream->is_body_wanted = false;
	cconn_await_read(stream->conn, 0);
	if (!stream->is_persistent) /* which a broken head or body has seen to */
		return false;
	if (!h1_frame_is_done(&stream->frame) && !stream->is_feeding)
		drop_body(stream->conn);
	return h1_frame_is_done(&stream->frame);
}

/* ---- events */

/* At most n bytes through the loop's scratch space to whoever takes them. */
static void
read_to(struct cconn *c, size_t n, void (*on_bytes)(struct cconn *, struct str))
{
	char *scratch = c->stream->loop->scratch;
	size_t got;

	switch (stream_read(c->stream, scratch, n, &got)) {
	case IO_OK:
		on_bytes(c, str_of(scratch, got));
		break;
	case IO_AGAIN:
		break;
	case IO_EOF:
	case IO_ERROR:
		cconn_close(c);
		break;
	}
}

/*
 * While the exchange is busy: notices that the client is gone. A client that only shuts its sending
 * direction counts as gone, as with nginx: nothing tells it apart from one that has left, and a
 * request that nobody waits for must not cost its upstreams anything.
 */
static void
read_ahead(struct cconn *c)
{
	struct server *s = c->listener->server;
	size_t have = iobuf_str(c->in).n, room, got;
	char *to;

	if (have >= READ_AHEAD_BYTES) {
		stream_want_read(c->stream, false);
		return;
	}
	to = iobuf_reserve(s, &c->in, 1024, &room);
	switch (stream_read(c->stream, to, room, &got)) {
	case IO_OK:
		iobuf_commit(c->in, got);
		return;
	case IO_AGAIN:
		break;
	case IO_EOF:
	case IO_ERROR:
		cconn_close(c);
		return;
	}
	if (have == 0)
		iobuf_drop(s, &c->in);
}

void
cconn_h1_on_readable(struct cconn *c)
{
	if (c->state != CCONN_ACTIVE)
		read_to(c, READ_AHEAD_BYTES, on_head_bytes);
	else if (!c->h1->is_body_wanted)
		read_ahead(c);
	else if (c->in == NULL)
		read_to(c, LOOP_SCRATCH_BYTES, on_body_bytes);
	else
		loop_defer(c->stream->loop, &c->later);
}

void
cconn_h1_refuse(struct cconn *c, enum err_code e)
{
	refuse(stream_begin(c), e);
}

void
cconn_h1_on_read_timeout(struct cconn *c)
{
	struct cconn_h1_stream *stream = c->h1;

	if (c->state == CCONN_ACTIVE) {
		stream->is_body_wanted = false;
		stream->is_persistent = false;
		exchange_on_body_end(&stream->exchange, ERR_REQUEST_TIMEOUT);
		return;
	}
	/* RFC 9110 15.5.9: a 408 only when a request had begun. */
	if (stream == NULL || h1_head_is_blank(&stream->head)) {
		cconn_close(c);
		return;
	}
	stream->exchange.bytes_in = iobuf_str(c->in).n;
	refuse(stream, ERR_REQUEST_TIMEOUT);
}

void
cconn_h1_on_put(struct cconn *c, size_t n)
{
	if (c->h1 != NULL)
		c->h1->exchange.bytes_out += n;
}

/* The answer is out: what becomes of the connection? */
static void
finish(struct cconn *c)
{
	struct cconn_h1_stream *stream = c->h1;
	bool is_persistent = stream->is_persistent, is_silent;

	exchange_on_flushed(&stream->exchange);
	/*
	 * Only who has said that this request is the last sends nothing that would turn a close into a reset; but who
	 * has offered another protocol may speak it already.
	 */
	is_silent = stream->is_head_complete && !stream->head.is_persistent &&
	    !stream->head.offers_upgrade && h1_frame_is_done(&stream->frame) && c->in == NULL;
	/* An end that is part of the answer has to arrive: over TLS it is a record, which may have to wait. */
	if (!is_persistent && is_silent && !stream->is_until_close) {
		cconn_close(c);
		return;
	}
	if (!is_persistent) {
		cconn_linger(c);
		return;
	}
	c->h1 = NULL;
	stream_give(c->listener->server, stream);
	cconn_set_state(c, CCONN_KEEPALIVE);
	stream_want_read(c->stream, true);
	cconn_await_read(c, c->listener->conf->timeouts.idle_ns);
	/* A drain that began after the answer's head was written found the connection busy. */
	if (c->listener->server->is_draining)
		cconn_drain(c);
}

bool
cconn_h1_is_cut(const struct cconn *c)
{
	const struct cconn_h1_stream *stream = c->h1;

	if (stream != NULL && stream->is_upgraded)
		return exchange_is_tunnel_cut(&stream->exchange);
	if (stream == NULL || !stream->is_until_close)
		return false;
	if (stream->answer != CCONN_H1_ENDED || cconn_is_sending(c))
		return true;
	return stream->out.n > 0 && !stream->is_out_in_flight;
}

static void
next_request(struct cconn *c)
{
	size_t used = feed_head(c, iobuf_str(c->in));

	iobuf_take(c->listener->server, &c->in, used);
	run_head(c);
}

/* Empty lines before a request (RFC 9112 2.2) are none. */
static bool
is_next_here(const struct cconn *c)
{
	struct str rest = iobuf_str(c->in);

	return rest.n > 0 && *rest.p != '\r' && *rest.p != '\n';
}

/* Sends what is held. True when that is all out, else on_writable comes back to it. */
static bool
release(struct cconn *c)
{
	if (c->held != NULL && !c->out.is_blocked)
		cconn_send(c, NULL, 0);
	return c->held == NULL && !c->out.is_dead;
}

static void
on_active_later(struct cconn *c)
{
	struct cconn_h1_stream *stream = c->h1;

	if (stream->answer == CCONN_H1_RESET) {
		if (!release(c))
			return;
		/* An end in good order leaves the answers before this one alone; that it is short is seen. */
		if (stream->is_until_close || cconn_is_sending(c))
			cconn_close(c);
		else
			cconn_linger(c);
		return;
	}
	if (!cconn_is_sending(c) && cconn_h1_write_on_room(stream)) {
		if (is_next_here(c) || release(c))
			finish(c);
		return;
	}
	if (stream->is_body_wanted && c->in != NULL) {
		size_t used = feed_body(c, iobuf_str(c->in));

		iobuf_take(c->listener->server, &c->in, used);
	}
	if (iobuf_str(c->in).n < READ_AHEAD_BYTES)
		stream_want_read(c->stream, true);
}

void
cconn_h1_on_later(struct cconn *c)
{
	if (c->state == CCONN_ACTIVE)
		on_active_later(c);
	if (c->state == CCONN_KEEPALIVE && c->in != NULL && c->h1 == NULL)
		next_request(c);
	/* Answers wait for one that comes in this turn, not for one that takes its time. */
	if (c->h1 == NULL || c->h1->answer != CCONN_H1_ENDED)
		release(c);
}
