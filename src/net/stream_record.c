/*
 * Streams with records over memory streams. A record is a kind, the length of its payload and the
 * payload, turned round so that raw bytes are taken for nothing else.
 *
 *     connecting                       accepted
 *         HELLO, any length  ───────>
 *                            <───────  HELLO, any length
 *         FINISHED           ───────>
 *                            <───────  TICKET, none or more
 *         DATA               <──────>  DATA
 *         ASK, at any time   <──────>  the other end has to send UPDATE before it reads on
 *         CLOSE              <──────>  CLOSE
 *
 * Owns the stream below; used on its loop's thread.
 */
#include "net/stream_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "net/mem_world.h"
#include "net/stream_mem.h"

#define TAG_STREAM_RECORD 0x73726563
#define HEAD_BYTES 3
#define RECORD_BYTES 16384
#define MASK 0x5a
/* A write waits so long for the UPDATE of a peer that does not read. */
#define PATIENCE_NS (20 * NS_PER_MS)

enum kind { KIND_HELLO, KIND_FINISHED, KIND_TICKET, KIND_DATA, KIND_ASK, KIND_UPDATE, KIND_CLOSE };

/*
 *     CONNECTING ──> HANDSHAKE ──> OPEN       an accepted one begins with HANDSHAKE
 *          └────────────┴──> FAILED           only of a connecting one, whose owner is told
 *     any ──> CLOSED                          by stream_close()
 */
enum record_state {
	RECORD_STATE_CONNECTING,
	RECORD_STATE_HANDSHAKE,
	RECORD_STATE_OPEN,
	RECORD_STATE_FAILED,
	RECORD_STATE_CLOSED,
};

struct stream_record {
	uint32_t tag;
	enum record_state state;
	struct stream base;
	struct stream *below; /* owned; NULL once closed */
	bool is_accepted;
	bool is_read_wanted;   /* by the owner */
	bool is_write_blocked; /* the owner was told IO_AGAIN by a write */
	bool is_reply_due;     /* nothing is read until the UPDATE is with the stream below */
	bool is_reply_awaited; /* nothing is written until the UPDATE has come */
	bool is_end_due;       /* shutting down, when what is held has left */
	bool is_end_said;
	bool is_failed;           /* the owner was told IO_ERROR by a write */
	bool is_ended;            /* the peer has said so */
	enum io_status below_end; /* of the stream below; IO_OK: not yet */
	struct buf in;            /* a record that is not whole */
	struct buf plain;         /* what the owner has not read, from plain_at on */
	size_t plain_at;
	struct buf out; /* what the stream below did not take, from out_at on */
	size_t out_at;
	size_t n_owed;      /* the owner's bytes in `out`, not told as written, */
	uint64_t owed_hash; /* and what they were */
	struct timer again;
	struct timer patience;
	struct grave grave;
};

static struct stream_record *
record_of(struct stream *s)
{
	struct stream_record *r = CONTAINER_OF(s, struct stream_record, base);

	TAG_CHECK(r, TAG_STREAM_RECORD);
	return r;
}

static struct mem_world *
world_of(const struct stream_record *r)
{
	return ((struct mem_loop *)r->base.loop->world)->world;
}

static uint64_t
below(struct stream_record *r, uint64_t n)
{
	return rnd_below(&world_of(r)->rnd, n);
}

/* ---- records out */

static bool
is_held(const struct stream_record *r)
{
	return r->out_at < r->out.n;
}

static void
add_record(struct stream_record *r, enum kind kind, const char *payload, size_t n)
{
	char *to = buf_reserve(&r->out, HEAD_BYTES + n);

	to[0] = (char)(kind ^ MASK);
	to[1] = (char)(n >> 8);
	to[2] = (char)(n & 0xff);
	for (size_t i = 0; i < n; i++)
		to[HEAD_BYTES + i] = (char)((payload == NULL ? 0 : payload[i]) ^ MASK);
	buf_commit(&r->out, HEAD_BYTES + n);
}

/* IO_OK: all is with the stream below. IO_AGAIN: its on_writable will come. */
static enum io_status
flush(struct stream_record *r)
{
	enum io_status io;
	size_t put;

	if (!is_held(r))
		return IO_OK;
	io = stream_push(r->below, str_of(r->out.p + r->out_at, r->out.n - r->out_at), &put);
	r->out_at += put;
	if (io == IO_AGAIN)
		return io;
	buf_clear(&r->out);
	r->out_at = 0;
	return io;
}

/* ---- records in */

static bool
has_plain(const struct stream_record *r)
{
	return r->plain_at < r->plain.n;
}

static void
open_up(struct stream_record *r)
{
	r->state = RECORD_STATE_OPEN;
	for (uint64_t n = r->is_accepted ? below(r, 3) : 0; n > 0; n--)
		add_record(r, KIND_TICKET, NULL, (size_t)below(r, 300));
	flush(r);
}

static void
take_hello(struct stream_record *r)
{
	if (r->is_accepted) {
		add_record(r, KIND_HELLO, NULL, (size_t)below(r, 4000));
		flush(r);
		return;
	}
	add_record(r, KIND_FINISHED, NULL, (size_t)below(r, 100));
	open_up(r);
}

static void
take_record(struct stream_record *r, enum kind kind, char *payload, size_t n)
{
	switch (kind) {
	case KIND_HELLO:
		take_hello(r);
		break;
	case KIND_FINISHED:
		open_up(r);
		break;
	case KIND_TICKET:
		break;
	case KIND_DATA:
		for (size_t i = 0; i < n; i++)
			payload[i] = (char)(payload[i] ^ MASK);
		buf_add(&r->plain, str_of(payload, n));
		break;
	case KIND_ASK:
		if (r->is_end_said)
			break; /* nothing follows a CLOSE; who asks does without */
		r->is_reply_due = true;
		add_record(r, KIND_UPDATE, NULL, 0);
		flush(r);
		break;
	case KIND_UPDATE:
		r->is_reply_awaited = false;
		break;
	case KIND_CLOSE:
		r->is_ended = true;
		break;
	}
}

/* The first record, when it is whole and may be looked at. False: it is not. */
static bool
take_next(struct stream_record *r)
{
	size_t n;

	r->is_reply_due = r->is_reply_due && is_held(r);
	if (r->in.n < HEAD_BYTES || r->is_ended || r->is_reply_due)
		return false;
	n = (size_t)(unsigned char)r->in.p[1] << 8 | (unsigned char)r->in.p[2];
	if (r->in.n < HEAD_BYTES + n)
		return false;
	take_record(r, (enum kind)(r->in.p[0] ^ MASK), r->in.p + HEAD_BYTES, n);
	memmove(r->in.p, r->in.p + HEAD_BYTES + n, r->in.n - HEAD_BYTES - n);
	r->in.n -= HEAD_BYTES + n;
	return true;
}

/* Records up to the first with something for the owner. */
static void
take_records(struct stream_record *r)
{
	while (!has_plain(r) && take_next(r))
		continue;
}

/* What the stream below has, once. */
static void
fill(struct stream_record *r)
{
	size_t got;
	enum io_status io;

	if (r->is_ended || r->below_end != IO_OK || r->is_reply_due)
		return;
	io = stream_read(r->below, buf_reserve(&r->in, RECORD_BYTES), RECORD_BYTES, &got);
	if (io == IO_OK)
		buf_commit(&r->in, got);
	else if (io != IO_AGAIN)
		r->below_end = io;
}

/* How reading ends when nothing is left to read; IO_OK: it goes on. */
static enum io_status
end_of(const struct stream_record *r)
{
	if (r->is_ended)
		return IO_EOF;
	return r->is_reply_due && r->below_end == IO_EOF ? IO_OK : r->below_end;
}

/* ---- events */

static bool
has_news(struct stream_record *r)
{
	if (r->state != RECORD_STATE_OPEN)
		return false;
	take_records(r);
	return has_plain(r) || end_of(r) != IO_OK;
}

static void
tell_next_turn(struct stream_record *r)
{
	if (r->is_read_wanted && has_news(r))
		loop_timer_set(r->base.loop, &r->again, r->base.loop->now_ns);
}

static void
want_below(struct stream_record *r)
{
	bool is_wanted =
	    r->is_read_wanted || r->is_reply_awaited || r->state == RECORD_STATE_HANDSHAKE;

	stream_want_read(r->below, is_wanted && end_of(r) == IO_OK && !r->is_reply_due);
}

static void
on_again(void *arg)
{
	struct stream_record *r = arg;

	TAG_CHECK(r, TAG_STREAM_RECORD);
	if (!r->is_read_wanted || !has_news(r))
		return;
	tell_next_turn(r);
	r->base.events->on_readable(r->base.owner);
}

/* The upward call is last, here and below: the owner may close the stream. */
static void
unblock(struct stream_record *r)
{
	if (!r->is_write_blocked || is_held(r) || r->is_reply_awaited)
		return;
	r->is_write_blocked = false;
	r->base.events->on_writable(r->base.owner);
}

static void
on_patience(void *arg)
{
	struct stream_record *r = arg;

	TAG_CHECK(r, TAG_STREAM_RECORD);
	r->is_reply_awaited = false;
	unblock(r);
}

static void
fail(struct stream_record *r, enum err_code e)
{
	r->state = RECORD_STATE_FAILED;
	stream_want_read(r->below, false);
	r->base.events->on_connected(r->base.owner, e);
}

static void
shake_hands(struct stream_record *r)
{
	fill(r);
	while (r->state == RECORD_STATE_HANDSHAKE && take_next(r))
		continue;
	if (r->state == RECORD_STATE_HANDSHAKE && end_of(r) == IO_OK)
		return;
	if (r->state == RECORD_STATE_HANDSHAKE && !r->is_accepted) {
		fail(r, ERR_CONNECT_FAILED);
		return;
	}
	r->state = RECORD_STATE_OPEN;
	want_below(r);
	tell_next_turn(r);
	if (r->is_accepted)
		unblock(r);
	else
		r->base.events->on_connected(r->base.owner, ERR_NONE);
}

static void
on_connected(void *owner, enum err_code e)
{
	struct stream_record *r = owner;

	TAG_CHECK(r, TAG_STREAM_RECORD);
	if (e != ERR_NONE) {
		fail(r, e);
		return;
	}
	r->state = RECORD_STATE_HANDSHAKE;
	add_record(r, KIND_HELLO, NULL, (size_t)below(r, 600));
	flush(r);
	want_below(r);
}

static void
on_readable(void *owner)
{
	struct stream_record *r = owner;
	bool is_for_nobody;

	TAG_CHECK(r, TAG_STREAM_RECORD);
	if (r->state == RECORD_STATE_HANDSHAKE) {
		shake_hands(r);
		return;
	}
	if (r->state != RECORD_STATE_OPEN)
		return;
	fill(r);
	is_for_nobody = !has_news(r);
	want_below(r);
	tell_next_turn(r);
	/* A server may be told of nothing; a client that is idle would take it for an answer. */
	if (r->is_read_wanted && (!is_for_nobody || (r->is_accepted && below(r, 4) == 0)))
		r->base.events->on_readable(r->base.owner);
	if (r->state == RECORD_STATE_OPEN)
		unblock(r);
}

static void
on_writable(void *owner)
{
	struct stream_record *r = owner;

	TAG_CHECK(r, TAG_STREAM_RECORD);
	if (flush(r) == IO_AGAIN)
		return;
	if (r->is_end_due)
		stream_shutdown_write(r->below);
	r->is_end_due = false;
	if (r->state != RECORD_STATE_OPEN)
		return;
	take_records(r); /* a read may have waited for this write */
	want_below(r);
	tell_next_turn(r);
	unblock(r);
}

static const struct stream_events below_events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

/* ---- the operations of a stream */

static enum io_status
record_read(struct stream *s, char *to, size_t n, size_t *got)
{
	struct stream_record *r = record_of(s);

	*got = 0;
	assert(n > 0);
	if (r->state != RECORD_STATE_OPEN)
		return r->state == RECORD_STATE_FAILED ? IO_ERROR : IO_AGAIN;
	take_records(r);
	if (!has_plain(r)) {
		fill(r);
		take_records(r);
	}
	if (has_plain(r)) {
		*got = n < r->plain.n - r->plain_at ? n : r->plain.n - r->plain_at;
		memcpy(to, r->plain.p + r->plain_at, *got);
		r->plain_at += *got;
	}
	if (!has_plain(r)) {
		buf_clear(&r->plain);
		r->plain_at = 0;
	}
	want_below(r);
	tell_next_turn(r);
	if (*got > 0)
		return IO_OK;
	return end_of(r) == IO_OK ? IO_AGAIN : end_of(r);
}

static uint64_t
hash_of(const struct iovec *iov, size_t n_iov, size_t n)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n_iov; i++)
		for (size_t k = 0; k < iov[i].iov_len && n > 0; k++, n--)
			hash = (hash ^ ((unsigned char *)iov[i].iov_base)[k]) *
			       UINT64_C(0x100000001b3);
	return n == 0 ? hash : 0;
}

/* A record of some of it. */
static void
add_data(struct stream_record *r, const struct iovec *iov, size_t n_iov)
{
	char bytes[RECORD_BYTES] = { 0 };
	size_t n = stream_total(iov, n_iov);

	n = n < RECORD_BYTES ? n : RECORD_BYTES;
	if (mem_world_chance(world_of(r), world_of(r)->faults.split_chance))
		n = 1 + (size_t)below(r, n);
	str_copy_iov(bytes, n, iov, n_iov);
	add_record(r, KIND_DATA, bytes, n);
	r->n_owed = n;
	r->owed_hash = hash_of(iov, n_iov, n);
}

static void
ask(struct stream_record *r)
{
	r->is_reply_awaited = true;
	add_record(r, KIND_ASK, NULL, 0);
	loop_timer_set(r->base.loop, &r->patience, r->base.loop->now_ns + PATIENCE_NS);
	want_below(r);
}

/* What goes out next: data, or something that has to be answered before. */
static void
prepare(struct stream_record *r, const struct iovec *iov, size_t n)
{
	if (r->n_owed > 0 || r->is_reply_awaited)
		return;
	if (mem_world_chance(world_of(r), world_of(r)->faults.cross_chance))
		ask(r);
	else
		add_data(r, iov, n);
}

static enum io_status
try_write(struct stream_record *r, const struct iovec *iov, size_t n)
{
	enum io_status io;

	if (r->state == RECORD_STATE_FAILED || r->is_end_said || r->is_failed)
		return IO_ERROR;
	if (r->state != RECORD_STATE_OPEN)
		return IO_AGAIN;
	io = flush(r);
	if (io != IO_OK)
		return io;
	prepare(r, iov, n);
	io = flush(r);
	return io == IO_OK && r->is_reply_awaited ? IO_AGAIN : io;
}

static enum io_status
record_writev(struct stream *s, const struct iovec *iov, size_t n, size_t *put)
{
	struct stream_record *r = record_of(s);
	enum io_status io;

	*put = 0;
	assert(r->state != RECORD_STATE_CONNECTING);
	/* What was read before a server ended may be its answer; to a client that has gone nothing is said. */
	assert(!r->is_failed || !r->is_accepted);
	if (stream_total(iov, n) == 0)
		return IO_OK;
	io = try_write(r, iov, n);
	r->is_write_blocked = io == IO_AGAIN;
	r->is_failed = io == IO_ERROR;
	if (io != IO_OK)
		return io;
	if (hash_of(iov, n, r->n_owed) != r->owed_hash)
		assert(!"a write that was refused was not made again with the same bytes");
	*put = r->n_owed;
	r->n_owed = 0;
	return IO_OK;
}

static void
record_want_read(struct stream *s, bool is_wanted)
{
	struct stream_record *r = record_of(s);

	r->is_read_wanted = is_wanted;
	if (r->state != RECORD_STATE_OPEN)
		return;
	want_below(r);
	tell_next_turn(r);
}

static void
say_end(struct stream_record *r)
{
	if (r->state == RECORD_STATE_OPEN && !r->is_end_said)
		add_record(r, KIND_CLOSE, NULL, 0);
	r->is_end_said = true;
	flush(r);
}

static void
record_shutdown_write(struct stream *s)
{
	struct stream_record *r = record_of(s);

	say_end(r);
	r->is_end_due = is_held(r);
	if (!r->is_end_due)
		stream_shutdown_write(r->below);
}

static void
record_free(void *arg)
{
	struct stream_record *r = arg;

	r->tag = 0;
	free(r);
}

static void
detach(struct stream_record *r)
{
	loop_timer_drop(r->base.loop, &r->again);
	loop_timer_drop(r->base.loop, &r->patience);
	buf_fini(&r->in);
	buf_fini(&r->plain);
	buf_fini(&r->out);
	r->state = RECORD_STATE_CLOSED;
	loop_bury(r->base.loop, &r->grave, record_free, r);
}

static void
record_close(struct stream *s)
{
	struct stream_record *r = record_of(s);

	if (r->state == RECORD_STATE_OPEN && r->below_end != IO_ERROR)
		say_end(r);
	stream_close(&r->below);
	detach(r);
}

static void
record_reset(struct stream *s)
{
	struct stream_record *r = record_of(s);

	stream_reset(&r->below);
	detach(r);
}

static const struct stream_ops record_ops = {
	.read = record_read,
	.writev = record_writev,
	.want_read = record_want_read,
	.shutdown_write = record_shutdown_write,
	.close = record_close,
	.reset = record_reset,
};

bool
stream_record_is_coming(const struct stream *s)
{
	return s->ops == &record_ops && CONTAINER_OF(s, const struct stream_record, base)->in.n > 0;
}

/* ---- making */

static struct stream_record *
record_new(struct loop *loop, enum record_state state)
{
	struct stream_record *r = mem_calloc(1, sizeof *r);

	r->tag = TAG_STREAM_RECORD;
	r->state = state;
	r->base = (struct stream){ .ops = &record_ops, .loop = loop };
	timer_init(&r->again, on_again, r);
	timer_init(&r->patience, on_patience, r);
	return r;
}

struct stream *
stream_record_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner)
{
	struct stream_record *r = record_new(loop, RECORD_STATE_CONNECTING);

	r->base.events = events;
	r->base.owner = owner;
	r->below = stream_mem_connect(loop, to, &below_events, r);
	return &r->base;
}

struct stream *
stream_record_accept(struct stream *below_stream)
{
	struct stream_record *r = record_new(below_stream->loop, RECORD_STATE_HANDSHAKE);

	r->is_accepted = true;
	r->below = below_stream;
	stream_set_owner(r->below, &below_events, r);
	stream_want_read(r->below, true);
	return &r->base;
}
