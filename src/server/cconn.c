/* Client connections, below the protocol. Owned by their listener; run on the worker's thread. */
#include "server/cconn.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "net/stream_tls.h"
#include "net/tls_identity.h"
#include "server/cconn_h1.h"
#include "server/iobuf.h"
#include "server/peer.h"
#include "server/server.h"

/* How long and how much a client may go on sending after its last answer. */
#define LINGER_NS (5 * NS_PER_SEC)
#define LINGER_BYTES ((size_t)1 << 20)
/* In a drain: how long a request may take to come on a connection that looks idle. */
#define DRAIN_IDLE_NS NS_PER_SEC
/* Slices handed to one write; IOV_MAX of Linux is 1024. */
#define WRITE_SLICES 512
/* And with what is held before them. */
#define WRITE_SLICES_HELD 16

_Static_assert(CCONN_CLOSED < LISTENER_STATES, "a list per state");

static void on_connected(void *arg, enum err_code e);
static void on_readable(void *arg);
static void on_writable(void *arg);
static void on_timer(void *arg);
static void on_later(void *arg);

static const struct stream_events stream_events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

static void
note_peer(struct cconn *c, const struct addr *peer)
{
	char text[ADDR_TEXT_MAX];

	c->n_ip = (uint8_t)addr_format_ip(peer, text);
	assert(c->n_ip <= sizeof(c->ip));
	memcpy(c->ip, text, c->n_ip);
	c->is_peer_trusted = peer_is_trusted(c->listener->conf, peer);
}

struct cconn *
cconn_new(struct listener *l, struct stream *stream, const struct addr *peer)
{
	struct cconn *c = mem_calloc(1, sizeof(*c));

	c->tag = CCONN_TAG;
	c->listener = l;
	c->stream = stream;
	c->read_due_ns = TIMER_NEVER;
	c->write_due_ns = TIMER_NEVER;
	c->state = CCONN_HEAD;
	TAILQ_INSERT_TAIL(&l->conns[CCONN_HEAD], c, link);
	note_peer(c, peer);
	timer_init(&c->timer, on_timer, c);
	defer_init(&c->later, on_later, c);
	stream_set_owner(stream, &stream_events, c);
	stream_want_read(stream, true);
	/* A handshake has a time-out of its own, which the listener's gate keeps. */
	if (l->tls == NULL)
		cconn_await_read(c, l->conf->timeouts.header_ns);
	return c;
}

void
cconn_set_state(struct cconn *c, enum cconn_state state)
{
	if (c->state == state)
		return;
	TAILQ_REMOVE(&c->listener->conns[c->state], c, link);
	c->state = state;
	TAILQ_INSERT_TAIL(&c->listener->conns[state], c, link);
}

/* ---- the timer */

static void
set_timer(struct cconn *c)
{
	uint64_t due_ns = c->read_due_ns < c->write_due_ns ? c->read_due_ns : c->write_due_ns;

	if (due_ns == TIMER_NEVER)
		loop_timer_clear(&c->timer);
	else
		loop_timer_set(c->stream->loop, &c->timer, due_ns);
}

void
cconn_await_read(struct cconn *c, uint64_t ns)
{
	uint64_t due_ns = ns == 0 ? TIMER_NEVER : c->stream->loop->now_ns + ns;

	if (c->read_due_ns == due_ns)
		return;
	c->read_due_ns = due_ns;
	set_timer(c);
}

static void
await_write(struct cconn *c, uint64_t ns)
{
	uint64_t due_ns = ns == 0 ? TIMER_NEVER : c->stream->loop->now_ns + ns;

	if (c->write_due_ns == due_ns)
		return;
	c->write_due_ns = due_ns;
	set_timer(c);
}

static void
on_timer(void *arg)
{
	struct cconn *c = arg;
	uint64_t now_ns;

	TAG_CHECK(c, CCONN_TAG);
	now_ns = c->stream->loop->now_ns;
	if (c->write_due_ns <= now_ns) {
		cconn_close(c);
		return;
	}
	if (c->read_due_ns > now_ns) {
		set_timer(c);
		return;
	}
	if (c->state == CCONN_KEEPALIVE || c->state == CCONN_LINGER) {
		cconn_close(c);
		return;
	}
	cconn_await_read(c, 0);
	cconn_h1_on_read_timeout(c);
}

/* ---- output */

static void
take_off(struct cconn_out *out, size_t sent)
{
	while (out->n > 0 && sent >= out->iov->iov_len) {
		sent -= out->iov->iov_len;
		out->iov++;
		out->n--;
	}
	if (out->n > 0) {
		out->iov->iov_base = (char *)out->iov->iov_base + sent;
		out->iov->iov_len -= sent;
	}
}

/* What is held and the slices behind it, in one write. */
static enum io_status
write_with_held(struct cconn *c, size_t *put)
{
	struct iovec iov[1 + WRITE_SLICES_HELD];
	size_t n = 0;

	iov[0] = str_iov(iobuf_str(c->held));
	for (; n < c->out.n && n < WRITE_SLICES_HELD; n++)
		iov[1 + n] = c->out.iov[n];
	return stream_writev(c->stream, iov, 1 + n, put);
}

/* How much of what was put is of the slices. */
static size_t
take_off_held(struct cconn *c, size_t put)
{
	size_t held = iobuf_str(c->held).n, n = put < held ? put : held;

	iobuf_take(c->listener->server, &c->held, n);
	return put - n;
}

static enum io_status
write_some(struct cconn *c)
{
	struct cconn_out *out = &c->out;
	enum io_status io;
	size_t put;

	if (UNLIKELY(c->held != NULL)) {
		io = write_with_held(c, &put);
		put = take_off_held(c, put);
	} else {
		io = stream_writev(
		    c->stream, out->iov, out->n < WRITE_SLICES ? out->n : WRITE_SLICES, &put);
	}
	if (io == IO_OK) {
		cconn_h1_on_put(c, put);
		take_off(out, put);
	}
	return io;
}

/* Write first; what the stream does not take waits for on_writable. */
static void
flush(struct cconn *c)
{
	struct cconn_out *out = &c->out;

	while (out->n > 0 || c->held != NULL) {
		enum io_status io = write_some(c);

		if (io == IO_AGAIN) {
			out->is_blocked = true;
			await_write(c, c->listener->conf->timeouts.write_stall_ns);
			return;
		}
		if (io != IO_OK) {
			out->n = 0;
			out->is_dead = true;
			iobuf_drop(c->listener->server, &c->held);
			break;
		}
	}
	await_write(c, 0);
	loop_defer(c->stream->loop, &c->later);
}

void
cconn_send(struct cconn *c, struct iovec *iov, size_t n)
{
	assert(!cconn_is_sending(c));
	if (c->out.is_dead)
		return;
	c->out.iov = iov;
	c->out.n = n;
	if (!c->out.is_blocked)
		flush(c);
}

void
cconn_hold(struct cconn *c, const struct iovec *iov, size_t n)
{
	size_t total = stream_total(iov, n), room;
	char *to = iobuf_reserve(c->listener->server, &c->held, total, &room);

	assert(!cconn_is_sending(c));
	iobuf_commit(c->held, str_copy_iov(to, room, iov, n));
	cconn_h1_on_put(c, total);
	loop_defer(c->stream->loop, &c->later);
}

static void
on_writable(void *arg)
{
	struct cconn *c = arg;

	TAG_CHECK(c, CCONN_TAG);
	c->out.is_blocked = false;
	flush(c);
}

/* ---- input */

static void
discard(struct cconn *c)
{
	size_t got;
	enum io_status io =
	    stream_read(c->stream, c->stream->loop->scratch, LOOP_SCRATCH_BYTES, &got);

	if (io == IO_AGAIN)
		return;
	c->lingered_bytes += got;
	if (io != IO_OK || c->lingered_bytes > LINGER_BYTES)
		cconn_close(c);
}

/* Only streams with a handshake tell: the time of the first head begins now. */
static void
on_connected(void *arg, enum err_code e)
{
	struct cconn *c = arg;

	TAG_CHECK(c, CCONN_TAG);
	if (e == ERR_PLAIN_HTTP) {
		c->stream = stream_tls_unwrap(&c->stream);
		stream_set_owner(c->stream, &stream_events, c);
		cconn_h1_refuse(c, e);
		return;
	}
	if (e != ERR_NONE) {
		cconn_close(c);
		return;
	}
	if (c->listener->conf->tls.client_auth != TLS_CLIENT_AUTH_NONE)
		c->identity = stream_tls_identity(c->stream);
	cconn_await_read(c, c->listener->conf->timeouts.header_ns);
	if (c->listener->server->is_draining)
		cconn_drain(c);
}

static void
on_readable(void *arg)
{
	struct cconn *c = arg;

	TAG_CHECK(c, CCONN_TAG);
	if (c->state == CCONN_LINGER)
		discard(c);
	else
		cconn_h1_on_readable(c);
}

static void
on_later(void *arg)
{
	struct cconn *c = arg;

	TAG_CHECK(c, CCONN_TAG);
	if (c->out.is_dead)
		cconn_close(c);
	else if (c->state != CCONN_LINGER)
		cconn_h1_on_later(c);
}

/* ---- the stream of a tunnel */

struct stream *
cconn_lend(struct cconn *c, struct buf *unsent)
{
	buf_add(unsent, iobuf_str(c->held));
	iobuf_drop(c->listener->server, &c->held);
	for (size_t i = 0; i < c->out.n; i++)
		buf_add(unsent, str_of(c->out.iov[i].iov_base, c->out.iov[i].iov_len));
	c->out.n = 0;
	c->out.is_blocked = false;
	cconn_await_read(c, 0);
	await_write(c, 0);
	if (!c->out.is_dead) /* which is about to end it */
		loop_defer_cancel(c->stream->loop, &c->later);
	cconn_set_state(c, CCONN_TUNNEL);
	return c->stream;
}

void
cconn_take_back(struct cconn *c)
{
	stream_set_owner(c->stream, &stream_events, c);
}

/* ---- the end */

void
cconn_linger(struct cconn *c)
{
	assert(!cconn_is_sending(c) && c->held == NULL);
	cconn_h1_drop(c);
	iobuf_drop(c->listener->server, &c->in);
	cconn_set_state(c, CCONN_LINGER);
	stream_shutdown_write(c->stream);
	stream_want_read(c->stream, true);
	cconn_await_read(c, LINGER_NS);
}

static void
bury(void *arg)
{
	struct cconn *c = arg;

	TAILQ_REMOVE(&c->listener->conns[CCONN_CLOSED], c, link);
	listener_forget(c->listener);
	tls_identity_free(c->identity);
	c->tag = 0;
	free(c);
}

void
cconn_close(struct cconn *c)
{
	struct loop *loop;
	bool is_cut;

	if (c->state == CCONN_CLOSED)
		return;
	loop = c->stream->loop;
	is_cut = cconn_h1_is_cut(c);
	cconn_set_state(c, CCONN_CLOSED);
	c->out.n = 0;
	cconn_h1_drop(c);
	iobuf_drop(c->listener->server, &c->in);
	iobuf_drop(c->listener->server, &c->held);
	loop_timer_drop(loop, &c->timer);
	loop_defer_cancel(loop, &c->later);
	if (is_cut)
		stream_reset(&c->stream);
	else
		stream_close(&c->stream);
	loop_bury(loop, &c->grave, bury, c);
}

static bool
is_idle(const struct cconn *c)
{
	return c->state == CCONN_KEEPALIVE || (c->state == CCONN_HEAD && c->h1 == NULL);
}

/*
 * A close that crosses a request on its way is a reset for its client, who cannot know whether the request was
 * taken (RFC 9112 9.6). One that still comes is answered, and told that it was the last.
 */
void
cconn_drain(struct cconn *c)
{
	if (is_idle(c) && c->read_due_ns > c->stream->loop->now_ns + DRAIN_IDLE_NS)
		cconn_await_read(c, DRAIN_IDLE_NS);
}
