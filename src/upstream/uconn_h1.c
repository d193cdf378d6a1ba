/*
 * One HTTP/1.1 request and its answer on a leased connection. Runs on its worker's thread; what arrives is
 * owned by the arena of whoever asked.
 *
 * The head and a collected body share one buffer, so that a typical answer takes one read and no copy. The
 * parsed head lives in scratch space of the upstream as long as it comes in one piece; only a head that
 * comes in several gets memory of its own.
 */
#include "upstream/uconn_h1.h"

#include <string.h>

#include "net/stream_tls.h"
#include "upstream/endpoint.h"
#include "upstream/uconn.h"
#include "upstream/uconn_decode.h"
#include "upstream/upstream.h"

#define MAX_INTERIM 16           /* 1xx answers before the final one */
#define STREAM_BUFFER_BYTES 32768 /* an answer of 16 KiB passes in one read and one write, head included */
#define READ_BUDGET_BYTES 65536  /* per readiness */
#define GROW_MIN_BYTES 4096
#define SLACK_BYTES 16 /* room beyond a body of known length, to notice bytes that nobody asked for */
#define OWN_BYTES 65536 /* a buffer from here on is no part of the arena: it can grow, and the budget is not its */

static const struct lease_events lease_events;

/* ---- the end */

static bool
is_clean(const struct uconn_h1 *x, bool is_persistent)
{
	return is_persistent && x->is_request_out && !x->is_eof && !x->frame.must_close &&
	    x->raw_at == x->in_n;
}

static void
end(struct uconn_h1 *x, enum err_code e, bool may_reuse)
{
	if (UNLIKELY(x->decode != NULL))
		uconn_decode_stop(x->decode);
	pool_unlease(&x->lease, may_reuse);
	x->events->on_end(x->owner, e);
}

static void
fail(struct uconn_h1 *x, enum err_code e)
{
	end(x, e, false);
}

void
uconn_h1_leave(struct uconn_h1 *x, bool is_cut)
{
	assert(x->is_upgraded);
	if (is_cut)
		stream_reset(&x->lease.uconn->stream);
	pool_unlease(&x->lease, false);
}

void
uconn_h1_cancel(struct uconn_h1 *x)
{
	if (UNLIKELY(x->decode != NULL))
		uconn_decode_stop(x->decode);
	if (x->lease.state != LEASE_NONE)
		pool_unlease(&x->lease, false);
}

/* ---- the request */

static void
push_out(struct uconn_h1 *x, struct str s)
{
	if (s.n != 0)
		x->out[x->n_out++] = str_iov(s);
}

static void
consume_out(struct uconn_h1 *x, size_t n)
{
	x->bytes_out += n;
	while (n > 0) {
		struct iovec *v = &x->out[x->out_at];
		size_t take = n < v->iov_len ? n : v->iov_len;

		v->iov_base = (char *)v->iov_base + take;
		v->iov_len -= take;
		n -= take;
		if (v->iov_len == 0)
			x->out_at++;
	}
}

/*
 * Writes what is left of the head and a body given with it. A write error is not an end: the peer may have
 * answered before it closed, and reading tells both.
 */
static void
write_out(struct uconn_h1 *x)
{
	size_t put;

	while (x->out_at < x->n_out) {
		enum io_status io = stream_writev(x->lease.uconn->stream, x->out + x->out_at,
		    (size_t)(x->n_out - x->out_at), &put);

		x->is_blocked = io == IO_AGAIN;
		if (io != IO_OK)
			return;
		consume_out(x, put);
	}
	if (!x->request->is_streamed)
		x->is_request_out = true;
}

/* The pool lends each connection once then. */
static struct str
proxy_header(struct uconn_h1 *x)
{
	enum proxy_header_version version = x->lease.pool->conf->proxy_protocol;
	char *to;

	if (version == PROXY_HEADER_NONE)
		return str_none();
	to = arena_alloc(x->arena, PROXY_HEADER_V1_MAX);
	return str_of(to, proxy_header_write(to, version, x->request->client_ip));
}

static void
begin(struct uconn_h1 *x)
{
	const struct h1_request *r = x->request;

	x->events->on_leased(x->owner);
	x->n_out = x->out_at = 0;
	push_out(x, proxy_header(x));
	push_out(x, r->start_line);
	push_out(x, str_is_none(r->host_line) ? x->lease.pool->endpoint->host_line : r->host_line);
	push_out(x, r->shared);
	push_out(x, r->fields);
	push_out(x, r->body);
	write_out(x);
}

size_t
uconn_h1_send_body(struct uconn_h1 *x, struct str piece, bool is_last)
{
	size_t put;

	if (x->lease.state != LEASE_HELD || x->is_blocked || x->out_at < x->n_out)
		return 0;
	x->is_blocked = stream_push(x->lease.uconn->stream, piece, &put) == IO_AGAIN;
	x->bytes_out += put;
	if (is_last && put == piece.n)
		x->is_request_out = true;
	return put;
}

static void
on_writable(struct lease *l)
{
	struct uconn_h1 *x = CONTAINER_OF(l, struct uconn_h1, lease);

	x->is_blocked = false;
	write_out(x);
	if (x->request->is_streamed && !x->is_blocked && x->out_at == x->n_out && !x->is_request_out)
		x->events->on_sent(x->owner);
}

/* ---- the buffer */

static struct freelist *
free_memory(const struct uconn_h1 *x)
{
	return x->arena->pool != NULL ? &x->arena->pool->large : NULL;
}

static void
give_own(void *arg)
{
	struct uconn_h1 *x = arg;

	if (x->is_own)
		freelist_give(free_memory(x), x->in);
	x->in = NULL;
	x->is_own = false;
}

/* Room for n bytes in all, keeping what is there. */
static void
grow(struct uconn_h1 *x, size_t n)
{
	char *old = x->in;

	if (n <= x->in_cap)
		return;
	x->in_cap = n;
	if (x->is_own) {
		x->in = freelist_grow(free_memory(x), x->in, x->in_n, n);
		return;
	}
	if (n < OWN_BYTES) {
		x->in = arena_alloc(x->arena, n);
	} else {
		x->in = freelist_take(free_memory(x), n);
		x->is_own = true;
		arena_on_reset(x->arena, give_own, x);
	}
	if (x->in_n != 0)
		memcpy(x->in, old, x->in_n);
}

/* Makes room for the next read; false when there is none to be made (a full streaming buffer). */
static bool
make_room(struct uconn_h1 *x)
{
	size_t limit = x->lease.pool->conf->limits.header_bytes;

	if (x->in_n < x->in_cap)
		return true;
	if (!x->has_head) {
		/* The parser refuses a head over the limit before the buffer is that large. */
		grow(x, x->in_cap * 2 < limit + GROW_MIN_BYTES ? x->in_cap * 2 :
								  limit + GROW_MIN_BYTES);
		return x->in_n < x->in_cap;
	}
	if (!x->is_collecting)
		return false;
	grow(x, x->in_cap + (x->in_cap < GROW_MIN_BYTES ? GROW_MIN_BYTES : x->in_cap / 2));
	return true;
}

/* ---- the answer's body */

/* A body of known length gets its room at once, a bounded one. */
static void
reserve_body(struct uconn_h1 *x)
{
	if (x->frame.kind == H1_FRAME_LENGTH)
		grow(x, x->body_at + (size_t)x->frame.length + SLACK_BYTES);
}

static enum err_code
collect(struct uconn_h1 *x, struct str payload)
{
	if (UNLIKELY(x->decode != NULL))
		return uconn_decode_feed(x->decode, payload);
	if (payload.n > x->max_body_bytes - (x->body_end - x->body_at))
		return ERR_RESPONSE_TOO_LARGE;
	if (payload.n != 0 && payload.p != x->in + x->body_end)
		memmove(x->in + x->body_end, payload.p, payload.n);
	x->body_end += payload.n;
	return ERR_NONE;
}

/* Hands payload on; what the reader does not take is left in the buffer, decoded, and pauses the stream. */
static void
hand_on(struct uconn_h1 *x, struct str payload)
{
	size_t taken = x->events->on_body(x->owner, payload);

	if (x->lease.state != LEASE_HELD || taken == payload.n)
		return;
	x->body_at = (size_t)(payload.p - x->in) + taken;
	x->body_end = (size_t)(payload.p - x->in) + payload.n;
	x->is_paused = true;
	stream_want_read(x->lease.uconn->stream, false);
}

/* After on_body anything may have happened: is this still the same answer? */
static bool
is_live(const struct uconn_h1 *x)
{
	return x->lease.state == LEASE_HELD;
}

/* Once the buffer holds nothing that is still wanted, reading starts at its front again. */
static void
rewind_stream(struct uconn_h1 *x)
{
	if (x->is_collecting && LIKELY(x->decode == NULL)) {
		/* Payload was moved down over the framing; what was read so far is decoded. */
		x->in_n = x->raw_at = x->body_end;
	} else if (!x->is_paused) {
		x->in_n = x->raw_at = x->body_at = x->body_end = 0;
	}
}

static void
complete(struct uconn_h1 *x)
{
	enum err_code e = UNLIKELY(x->decode != NULL) ? uconn_decode_end(x->decode) : ERR_NONE;

	end(x, e, is_clean(x, x->is_persistent));
}

/* What there is of the payload is one piece, and where the end is in the buffer its reader can tell. */
static enum h1_progress
stream_on(struct uconn_h1 *x)
{
	enum h1_progress progress;
	struct str payload;
	size_t used;

	progress = h1_frame_feed_all(
	    &x->frame, x->in + x->raw_at, x->in_n - x->raw_at, &used, &payload);
	x->raw_at += used;
	x->bytes_in += payload.n;
	if (payload.n != 0)
		hand_on(x, payload);
	return progress;
}

static enum h1_progress
collect_on(struct uconn_h1 *x, enum err_code *e)
{
	enum h1_progress progress;

	do {
		struct str raw = str_of(x->in + x->raw_at, x->in_n - x->raw_at), payload;
		size_t used;

		progress = h1_frame_feed(&x->frame, raw, &used, &payload);
		x->raw_at += used;
		x->bytes_in += payload.n;
		if (progress != H1_REFUSED)
			*e = collect(x, payload);
	} while (progress == H1_MORE && *e == ERR_NONE && x->raw_at < x->in_n);
	return progress;
}

/* Decodes what is in the buffer. False when the answer has ended or reading is paused. */
static bool
decode(struct uconn_h1 *x)
{
	enum err_code e = ERR_NONE;
	enum h1_progress progress = x->is_collecting ? collect_on(x, &e) : stream_on(x);

	if (!is_live(x))
		return false;
	if (progress == H1_REFUSED)
		e = x->frame.error;
	if (e != ERR_NONE) {
		fail(x, e);
		return false;
	}
	if (x->is_paused)
		return false;
	if (progress == H1_DONE) {
		complete(x);
		return false;
	}
	rewind_stream(x);
	return true;
}

void
uconn_h1_resume(struct uconn_h1 *x)
{
	struct str rest = str_of(x->in + x->body_at, x->body_end - x->body_at);

	if (!x->is_paused || !is_live(x))
		return;
	x->is_paused = false;
	hand_on(x, rest);
	if (!is_live(x) || x->is_paused)
		return;
	stream_want_read(x->lease.uconn->stream, true);
	if (x->raw_at < x->in_n || h1_frame_is_done(&x->frame))
		decode(x);
	else
		rewind_stream(x);
}

/* ---- the answer's head */

/* The head came in pieces: it gets memory of its own, and the parser goes over the first piece again. */
static enum h1_progress
keep_head(struct uconn_h1 *x, struct str bytes)
{
	const struct upstream_conf *conf = x->lease.pool->conf;
	struct h1_limits limits = { .head_bytes = conf->limits.header_bytes };

	x->head = arena_alloc(x->arena, sizeof *x->head);
	h1_head_init_response(x->head, &limits,
	    arena_calloc(x->arena, conf->limits.headers, sizeof(struct header)),
	    conf->limits.headers);
	return h1_head_feed(x->head, bytes);
}

static enum h1_progress
feed_head(struct uconn_h1 *x, struct h1_head **head)
{
	struct upstream *up = x->lease.pool->endpoint->upstream;
	struct str bytes = str_of(x->in, x->in_n);
	enum h1_progress progress;

	if (x->head != NULL) {
		*head = x->head;
		return h1_head_feed(x->head, bytes);
	}
	*head = upstream_scratch_head(up);
	progress = h1_head_feed(*head, bytes);
	if (progress == H1_MORE) {
		progress = keep_head(x, bytes);
		*head = x->head;
	}
	return progress;
}

/* RFC 9110 15.2: any number of interim answers may come first; a flood of them is no answer. */
static enum err_code
skip_interim(struct uconn_h1 *x, const struct h1_head *head)
{
	/* RFC 9110 15.2.2: 101 only answers an Upgrade; that is take_upgrade(). */
	if (head->status == 101 || ++x->n_interim > MAX_INTERIM)
		return ERR_INVALID_RESPONSE;
	x->in_n -= head->n_bytes;
	memmove(x->in, x->in + head->n_bytes, x->in_n);
	x->head = NULL;
	return ERR_NONE;
}

/* RFC 9110 7.8: only once the whole request is there. What came behind the head is in the new protocol. */
static enum err_code
take_upgrade(struct uconn_h1 *x, const struct h1_head *head)
{
	struct str early = str_of(x->in + head->n_bytes, x->in_n - head->n_bytes);
	enum err_code e;

	if (!x->is_request_out)
		return ERR_INVALID_UPGRADE;
	x->has_head = true;
	e = x->events->on_upgrade(x->owner, head, early);
	x->is_upgraded = e == ERR_NONE;
	if (x->is_upgraded && x->lease.pool->endpoint->tls != NULL)
		stream_tls_take_bare_end(x->lease.uconn->stream);
	return e;
}

/* RFC 9110 8.4: a body that is merged, and so read, is needed without its coding. */
static enum err_code
begin_decoding(struct uconn_h1 *x, const struct h1_head *head)
{
	const struct coding_limits limits = { x->max_body_bytes, x->max_ratio };
	enum err_code e;

	if (!x->is_collecting || x->max_ratio == 0 || x->frame.kind == H1_FRAME_NONE)
		return ERR_NONE;
	e = uconn_decode_start(
	    &x->decode, &head->fields, x->lease.pool->endpoint->upstream, &limits, x->arena);
	if (x->decode != NULL) /* the buffer is emptied after each read, and needs not hold it all */
		grow(x, STREAM_BUFFER_BYTES);
	return e;
}

static enum err_code
take_head(struct uconn_h1 *x, const struct h1_head *head)
{
	enum err_code e = h1_frame_response(&x->frame, head, x->request->method);

	if (e != ERR_NONE)
		return e;
	x->is_persistent = head->is_persistent;
	x->has_head = true;
	x->body_at = x->body_end = x->raw_at = head->n_bytes;
	e = x->events->on_head(x->owner, head, &x->frame);
	if (!is_live(x) || e != ERR_NONE)
		return e;
	if (x->is_collecting && x->frame.kind == H1_FRAME_LENGTH &&
	    x->frame.length > x->max_body_bytes)
		return ERR_RESPONSE_TOO_LARGE;
	if (UNLIKELY(header_find(&head->fields, HEADER_CONTENT_ENCODING) != NULL))
		e = begin_decoding(x, head);
	if (x->is_collecting && x->decode == NULL)
		reserve_body(x);
	return e;
}

/* False when more bytes are needed or the answer has ended. */
static bool
parse_heads(struct uconn_h1 *x)
{
	while (!x->has_head) {
		struct h1_head *head;
		enum h1_progress progress = feed_head(x, &head);
		enum err_code e = ERR_NONE;

		if (progress == H1_MORE)
			return false;
		if (progress == H1_REFUSED)
			e = head->error;
		else if (head->status == 101 && x->request->is_upgrade)
			e = take_upgrade(x, head);
		else if (head->status < 200)
			e = skip_interim(x, head);
		else
			e = take_head(x, head);
		if (!is_live(x))
			return false;
		if (e != ERR_NONE) {
			fail(x, e);
			return false;
		}
		if (x->is_upgraded || (!x->has_head && x->in_n == 0))
			return false;
	}
	return true;
}

/* ---- reading */

/* The peer's end, or a dead connection. */
static void
read_ended(struct uconn_h1 *x, enum io_status io)
{
	enum err_code known = x->lease.uconn->stream->failure;
	enum err_code e = known == ERR_NONE ? ERR_RESET : known;

	x->is_eof = true;
	if (io == IO_EOF && x->has_head)
		e = h1_frame_eof(&x->frame);
	if (e == ERR_NONE && x->decode != NULL)
		e = uconn_decode_end(x->decode);
	end(x, e, false);
}

static void
take_bytes(struct uconn_h1 *x, size_t got)
{
	bool is_first = !x->has_begun;

	x->in_n += got;
	x->has_begun = true;
	if (is_first)
		x->events->on_first_byte(x->owner);
}

static void
on_readable(struct lease *l)
{
	struct uconn_h1 *x = CONTAINER_OF(l, struct uconn_h1, lease);
	size_t budget = READ_BUDGET_BYTES, got;

	while (budget > 0 && make_room(x)) {
		size_t room = x->in_cap - x->in_n;
		enum io_status io = stream_read(l->uconn->stream, x->in + x->in_n, room, &got);

		if (io == IO_AGAIN)
			return;
		if (io != IO_OK) {
			read_ended(x, io);
			return;
		}
		take_bytes(x, got);
		if (!x->has_head && !parse_heads(x)) {
			if (!is_live(x) || x->is_upgraded || got < room)
				return;
			continue;
		}
		/* A short read emptied the socket: asking again would only say so. */
		if (!decode(x) || got < room)
			return;
		budget -= got < budget ? got : budget;
	}
}

/* As if the peer had closed just before: tried again where that is safe. */
static void
on_stale(struct lease *l)
{
	fail(CONTAINER_OF(l, struct uconn_h1, lease), ERR_RESET);
}

static void
on_leased(struct lease *l, enum err_code e)
{
	struct uconn_h1 *x = CONTAINER_OF(l, struct uconn_h1, lease);

	if (e != ERR_NONE) {
		x->events->on_end(x->owner, e);
		return;
	}
	begin(x);
	if (x->request->is_streamed && !x->is_blocked)
		x->events->on_sent(x->owner);
}

static const struct lease_events lease_events = {
	.on_leased = on_leased,
	.on_stale = on_stale,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

static void
reset(struct uconn_h1 *x)
{
	x->is_request_out = x->is_blocked = x->has_head = x->is_paused = x->is_eof = false;
	x->has_begun = x->is_upgraded = false;
	x->n_interim = 0;
	x->head = NULL;
	x->decode = NULL; /* of an attempt before this one; the arena has it */
	x->in_n = x->body_at = x->body_end = x->raw_at = 0;
}

void
uconn_h1_start(struct uconn_h1 *x, struct pool *pool, const struct h1_request *request,
    size_t first_buffer)
{
	reset(x);
	x->request = request;
	x->is_collecting = x->events->on_body == NULL;
	/* What stands idle for hours should not be large; it is all that a tunnel needs of it. */
	if (request->is_upgrade)
		first_buffer = GROW_MIN_BYTES;
	else if (!x->is_collecting)
		first_buffer = STREAM_BUFFER_BYTES;
	grow(x, first_buffer);
	pool_lease(pool, &x->lease, &lease_events);
	if (x->lease.state == LEASE_HELD)
		begin(x);
}

struct str
uconn_h1_body(const struct uconn_h1 *x)
{
	if (UNLIKELY(x->decode != NULL))
		return buf_str(&x->decode->body);
	return str_of(x->in + x->body_at, x->body_end - x->body_at);
}
