/*
 * A TLS connection: OpenSSL between the owner and the stream below. Whatever OpenSSL writes it gets
 * rid of: what the stream below does not take is held here. So a read that has to write (a key
 * update) never waits for room; a write that has to read first is carried on by on_readable. What
 * OpenSSL has buffered raises no event below; a timer of the next turn tells of it instead. Owns
 * the SSL and the stream below; used on its loop's thread.
 */
#include "net/stream_tls.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "net/tls_client.h"
#include "net/tls_error.h"
#include "net/tls_gate.h"
#include "net/tls_identity.h"
#include "net/tls_io.h"

#define TAG_STREAM_TLS 0x73746c73

/*
 *     CONNECTING ──> HANDSHAKE ──> OPEN       CONNECTING: the stream below is not there yet
 *     WAITING ──────────^  └─────> FAILED     WAITING: accepted, not a byte has come: no SSL yet
 *     any ──> CLOSED                          by stream_close()
 */
enum tls_state {
	TLS_STATE_CONNECTING,
	TLS_STATE_WAITING,
	TLS_STATE_HANDSHAKE,
	TLS_STATE_OPEN,
	TLS_STATE_FAILED,
	TLS_STATE_CLOSED,
};

struct stream_tls {
	uint32_t tag;
	enum tls_state state;
	struct stream base;
	struct stream *below;            /* owned; NULL once closed */
	struct tls_io *io;               /* borrowed, the thread's */
	SSL *ssl;                        /* owned; NULL until there is something to do */
	struct tls_peer *peer;           /* borrowed; NULL: accepted */
	struct tls_handshake *handshake; /* owned; accepted ones, until it has ended */
	bool is_read_wanted;             /* by the owner */
	bool is_starved;       /* OpenSSL needs more bytes from below before a read can go on */
	bool is_ended;         /* the peer has ended its direction */
	bool is_below_ended;   /* not with a goodbye alone, but that of the stream below */
	bool is_broken;        /* no further call into OpenSSL makes sense */
	bool write_waits_read; /* a write has to read first */
	bool is_end_due;       /* shutting down: the stream below has to take close_notify first */
	bool is_write_blocked; /* the owner was told IO_AGAIN by a write */
	size_t n_owed; /* the owner's bytes that are encrypted and held, and not told as written */
	struct tls_held held; /* what the stream below did not take */
	struct timer again;   /* next turn: there is something to read that raises no event below */
	struct grave grave;
};

static struct stream_tls *
tls_of(struct stream *s)
{
	struct stream_tls *t = CONTAINER_OF(s, struct stream_tls, base);

	TAG_CHECK(t, TAG_STREAM_TLS);
	return t;
}

/* ---- what raises no event below */

static bool
has_news(const struct stream_tls *t)
{
	if (t->state != TLS_STATE_OPEN)
		return false;
	return t->is_ended || t->is_broken || (!t->is_starved && SSL_has_pending(t->ssl) != 0);
}

/* Not in this turn: who does not read would hold it for ever. */
static void
tell_next_turn(struct stream_tls *t)
{
	if (t->held.is_corked || (t->is_read_wanted && has_news(t)))
		loop_timer_set(t->base.loop, &t->again, t->base.loop->now_ns);
}

/* ---- reading and writing */

static enum io_status
fail_io(struct stream_tls *t)
{
	enum err_code e = tls_error_of(t->ssl);

	/* TLS 1.3: a server refuses our certificate when the handshake is over for us. */
	if (!t->is_broken && e == ERR_TLS_CLIENT_CERTIFICATE)
		t->base.failure = e;
	t->is_broken = true;
	return IO_ERROR;
}

/* What a call that moved nothing waits for. */
static enum io_status
why_not(struct stream_tls *t, int rc, bool is_read)
{
	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		t->is_starved = true;
		if (!is_read) {
			t->write_waits_read = true;
			stream_want_read(t->below, true);
		}
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		if (!is_read)
			return fail_io(t);
		t->is_ended = true;
		return IO_EOF;
	default:
		return fail_io(t);
	}
}

static enum io_status
read_once(struct stream_tls *t, char *to, size_t n, size_t *got)
{
	int rc;

	*got = 0;
	if (t->is_ended)
		return IO_EOF;
	if (t->is_broken)
		return IO_ERROR;
	rc = SSL_read_ex(t->ssl, to, n, got);
	t->is_below_ended = t->io->is_ended;
	return rc == 1 ? IO_OK : why_not(t, rc, true);
}

static enum io_status
tls_read(struct stream *s, char *to, size_t n, size_t *got)
{
	struct stream_tls *t = tls_of(s);
	enum io_status io;
	size_t part;

	*got = 0;
	if (t->state != TLS_STATE_OPEN)
		return t->state == TLS_STATE_FAILED ? IO_ERROR : IO_AGAIN;
	tls_io_begin(t->io, t->below, &t->held);
	do {
		io = read_once(t, to + *got, n - *got, &part);
		*got += part;
	} while (io == IO_OK && *got < n && SSL_has_pending(t->ssl));
	tell_next_turn(t);
	return *got > 0 ? IO_OK : io;
}

static enum io_status
block(struct stream_tls *t, enum io_status io)
{
	t->is_write_blocked = io == IO_AGAIN;
	return io;
}

static enum io_status
write_record(struct stream_tls *t, const struct iovec *iov, size_t n, size_t *put)
{
	const char *from;
	size_t len = tls_io_gather(t->io, iov, n, &from);
	int rc;

	if (len == 0)
		return IO_OK;
	tls_io_begin(t->io, t->below, &t->held);
	rc = SSL_write_ex(t->ssl, from, len, put);
	if (rc == 1)
		return IO_OK;
	*put = 0;
	return why_not(t, rc, false);
}

/*
 * One record. It counts as written when all of it is with the stream below: until then the owner is
 * told IO_AGAIN, and comes back with the same bytes, which are then not encrypted again.
 */
static enum io_status
tls_writev(struct stream *s, const struct iovec *iov, size_t n, size_t *put)
{
	struct stream_tls *t = tls_of(s);
	enum io_status io;

	*put = 0;
	if (t->state != TLS_STATE_OPEN || t->is_broken)
		return IO_ERROR;
	io = t->held.is_corked ? IO_OK : tls_io_flush(&t->held, t->below);
	if (io != IO_OK)
		return block(t, io);
	if (t->n_owed == 0) {
		io = write_record(t, iov, n, &t->n_owed);
		if (t->held.is_corked && io == IO_OK)
			io = tls_io_flush(&t->held, t->below);
		if (io == IO_OK && tls_io_is_held(&t->held))
			io = IO_AGAIN;
		if (t->held.is_broken)
			io = IO_ERROR;
		if (io != IO_OK)
			return block(t, io);
	}
	if (stream_total(iov, n) < t->n_owed)
		return fail_io(t); /* not the same bytes */
	*put = t->n_owed;
	t->n_owed = 0;
	return IO_OK;
}

static void
tls_want_read(struct stream *s, bool is_wanted)
{
	struct stream_tls *t = tls_of(s);

	t->is_read_wanted = is_wanted;
	if (t->state != TLS_STATE_OPEN)
		return;
	stream_want_read(t->below, is_wanted || t->write_waits_read);
	tell_next_turn(t);
}

/* ---- telling the owner */

/*
 * What a server sends of its own accord, session tickets above all, is not for the owner: to it, a
 * byte on an idle connection would be an answer that nobody asked for. Clients send no such thing.
 */
static bool
is_for_owner(struct stream_tls *t)
{
	size_t got;
	char c;
	int rc;

	if (t->peer == NULL || t->is_ended || t->is_broken)
		return true;
	tls_io_begin(t->io, t->below, &t->held);
	rc = SSL_peek_ex(t->ssl, &c, 1, &got);
	return rc == 1 || why_not(t, rc, true) != IO_AGAIN;
}

static void
on_again(void *arg)
{
	struct stream_tls *t = arg;

	TAG_CHECK(t, TAG_STREAM_TLS);
	if (t->is_read_wanted && has_news(t) && is_for_owner(t)) {
		tell_next_turn(t);
		t->base.events->on_readable(t->base.owner);
	}
	if (t->held.is_corked && t->state == TLS_STATE_OPEN)
		tls_io_flush(&t->held, t->below); /* a failure is told by reading, too */
}

/* ---- the end */

/* The one close_notify. */
static void
say_goodbye(struct stream_tls *t)
{
	if (t->is_broken || SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN)
		return;
	tls_io_begin(t->io, t->below, &t->held);
	SSL_shutdown(t->ssl);
	if (t->held.is_corked)
		tls_io_flush(&t->held, t->below);
}

static void
tls_shutdown_write(struct stream *s)
{
	struct stream_tls *t = tls_of(s);

	if (t->state == TLS_STATE_OPEN)
		say_goodbye(t);
	t->is_end_due = tls_io_is_held(&t->held);
	if (!t->is_end_due)
		stream_shutdown_write(t->below);
}

/* The goodbye is part of it. */
static void
tls_expect_end(struct stream *s)
{
	stream_expect_end(tls_of(s)->below);
}

static void
tls_free(void *arg)
{
	struct stream_tls *t = arg;

	t->tag = 0;
	free(t);
}

static void
leave_gate(struct stream_tls *t)
{
	if (t->handshake == NULL)
		return;
	tls_gate_leave(t->handshake);
	free(t->handshake);
	t->handshake = NULL;
}

static void
detach(struct stream_tls *t)
{
	leave_gate(t);
	loop_timer_drop(t->base.loop, &t->again);
	SSL_free(t->ssl);
	t->ssl = NULL;
	tls_io_drop(&t->held);
	t->state = TLS_STATE_CLOSED;
	loop_bury(t->base.loop, &t->grave, tls_free, t);
}

static void
tls_close(struct stream *s)
{
	struct stream_tls *t = tls_of(s);

	/*
	 * Not waited for: a peer that takes nothing sees the end of the stream below alone. One
	 * that has closed is not there to hear it, and its kernel would answer with a reset.
	 */
	if (t->state == TLS_STATE_OPEN && !t->is_below_ended)
		say_goodbye(t);
	stream_close(&t->below);
	detach(t);
}

static void
tls_reset(struct stream *s)
{
	struct stream_tls *t = tls_of(s);

	stream_reset(&t->below);
	detach(t);
}

static const struct stream_ops tls_ops = {
	.read = tls_read,
	.writev = tls_writev,
	.want_read = tls_want_read,
	.shutdown_write = tls_shutdown_write,
	.expect_end = tls_expect_end,
	.close = tls_close,
	.reset = tls_reset,
};

/* ---- the handshake */

/*
 * The tickets that OpenSSL writes at the end of a handshake leave with the answer when the request
 * has come along with the client's last flight, as with TLS 1.3 it does.
 */
static int
shake_hands(struct stream_tls *t)
{
	int rc;

	t->held.is_corked = t->peer == NULL && !tls_io_is_held(&t->held);
	tls_io_begin(t->io, t->below, &t->held);
	rc = SSL_do_handshake(t->ssl);
	if (t->held.is_corked && (rc != 1 || !SSL_has_pending(t->ssl)))
		tls_io_flush(&t->held, t->below);
	return rc;
}

/* The upward call is last: the owner may close the stream. */
static void
settle(struct stream_tls *t, enum err_code e)
{
	t->state = e == ERR_NONE ? TLS_STATE_OPEN : TLS_STATE_FAILED;
	if (t->handshake != NULL)
		tls_gate_count(t->handshake, e, t->ssl);
	leave_gate(t);
	stream_want_read(t->below, e == ERR_NONE && t->is_read_wanted);
	if (e == ERR_NONE)
		tell_next_turn(t);
	t->base.events->on_connected(t->base.owner, e);
}

static void
step(struct stream_tls *t)
{
	int rc = shake_hands(t);

	if (rc == 1) {
		settle(t, ERR_NONE);
		return;
	}
	if (SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ)
		stream_want_read(t->below, true);
	else
		settle(t, tls_error_of(t->ssl));
}

static void
begin(struct stream_tls *t, SSL *ssl)
{
	t->ssl = ssl;
	tls_io_attach(t->io, ssl);
	t->state = TLS_STATE_HANDSHAKE;
}

/* The gate has a turn for it. */
static void
on_turn(void *arg)
{
	struct stream_tls *t = arg;

	TAG_CHECK(t, TAG_STREAM_TLS);
	if (t->state == TLS_STATE_WAITING) {
		begin(t, tls_gate_begin(t->handshake));
		SSL_set_accept_state(t->ssl);
	}
	step(t);
}

static void
on_expired(void *arg, enum err_code e)
{
	struct stream_tls *t = arg;

	TAG_CHECK(t, TAG_STREAM_TLS);
	settle(t, e);
}

static const struct tls_gate_events gate_events = {
	.on_turn = on_turn,
	.on_expired = on_expired,
};

/* True when the stream is not open: the event was the handshake's, if anybody's. */
static bool
continue_handshake(struct stream_tls *t)
{
	if (t->state != TLS_STATE_WAITING && t->state != TLS_STATE_HANDSHAKE)
		return t->state != TLS_STATE_OPEN;
	if (t->handshake == NULL) {
		step(t);
		return true;
	}
	/* Until its turn has come nothing more is read: what is in the kernel can wait there. */
	stream_want_read(t->below, false);
	tls_gate_ask(t->handshake);
	return true;
}

/* ---- events from below */

static void
on_connected(void *owner, enum err_code e)
{
	struct stream_tls *t = owner;

	TAG_CHECK(t, TAG_STREAM_TLS);
	if (e != ERR_NONE) {
		settle(t, e);
		return;
	}
	begin(t, tls_client_begin(t->peer));
	SSL_set_connect_state(t->ssl);
	step(t);
}

/* A write that had to read can go on. True when the stream is still open afterwards. */
static bool
resume_write(struct stream_tls *t)
{
	t->write_waits_read = false;
	t->is_write_blocked = false;
	stream_want_read(t->below, t->is_read_wanted);
	t->base.events->on_writable(t->base.owner);
	return t->state == TLS_STATE_OPEN;
}

static void
on_readable(void *owner)
{
	struct stream_tls *t = owner;

	TAG_CHECK(t, TAG_STREAM_TLS);
	if (continue_handshake(t))
		return;
	t->is_starved = false;
	if (t->write_waits_read && !resume_write(t))
		return;
	if (t->is_read_wanted && is_for_owner(t))
		t->base.events->on_readable(t->base.owner);
}

static void
on_writable(void *owner)
{
	struct stream_tls *t = owner;
	enum io_status io;

	TAG_CHECK(t, TAG_STREAM_TLS);
	io = tls_io_flush(&t->held, t->below);
	if (io == IO_AGAIN)
		return;
	if (t->is_end_due)
		stream_shutdown_write(t->below);
	t->is_end_due = false;
	if (!t->is_write_blocked || t->write_waits_read)
		return;
	/* After a failure too: the write that the owner tries next tells it. */
	t->is_write_blocked = false;
	t->base.events->on_writable(t->base.owner);
}

static const struct stream_events below_events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

/* ---- making */

static struct stream_tls *
tls_new(struct loop *loop, struct tls_io *io, enum tls_state state)
{
	struct stream_tls *t = mem_calloc(1, sizeof *t);

	t->tag = TAG_STREAM_TLS;
	t->state = state;
	t->base = (struct stream){ .ops = &tls_ops, .loop = loop };
	t->io = io;
	timer_init(&t->again, on_again, t);
	return t;
}

struct stream *
stream_tls_accept(struct tls_gate *gate, struct stream *below)
{
	struct stream_tls *t = tls_new(below->loop, gate->io, TLS_STATE_WAITING);

	t->below = below;
	t->handshake = mem_calloc(1, sizeof *t->handshake);
	tls_gate_enter(gate, t->handshake, &gate_events, t);
	stream_set_owner(below, &below_events, t);
	stream_want_read(below, true);
	return &t->base;
}

struct stream *
stream_tls_connect(struct tls_peer *peer, struct loop *loop, const struct addr *to,
    const struct stream_events *events, void *owner)
{
	struct stream_tls *t = tls_new(loop, peer->client->io, TLS_STATE_CONNECTING);

	t->peer = peer;
	t->base.events = events;
	t->base.owner = owner;
	t->below = stream_connect(loop, to, &below_events, t);
	return &t->base;
}

struct stream *
stream_tls_unwrap(struct stream **s)
{
	struct stream_tls *t = tls_of(*s);
	struct stream *below = t->below;

	assert(t->state == TLS_STATE_FAILED);
	*s = NULL;
	t->below = NULL;
	t->base.events = NULL;
	t->base.owner = NULL;
	detach(t);
	return below;
}

struct tls_identity *
stream_tls_identity(struct stream *s)
{
	struct stream_tls *t = tls_of(s);

	assert(t->state == TLS_STATE_OPEN);
	return tls_identity_new(t->ssl);
}

void
stream_tls_take_bare_end(struct stream *s)
{
	struct stream_tls *t = tls_of(s);

	assert(t->state == TLS_STATE_OPEN);
	SSL_set_options(t->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
}
