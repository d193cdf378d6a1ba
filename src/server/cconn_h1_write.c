/*
 * Writes answers to HTTP/1.1 clients. A whole answer is sent from where its bytes lie; a short one that
 * has more requests behind it, with the next. Of a streamed one, large pieces are sent from where they
 * lie and copied only as far as the socket does not take them; small ones are collected until the turn
 * ends. No more than one piece ever waits. Worker thread.
 */
#include "server/cconn_h1_write.h"

#include "base/compiler.h"
#include "codec/h1_write.h"
#include "server/iobuf.h"
#include "server/respond.h"
#include "server/server.h"

/* A piece up to this size is copied and leaves with others of the turn. */
#define SMALL_PIECE_BYTES 2048

static struct cconn_h1_stream *
stream_of(struct exchange *x)
{
	return CONTAINER_OF(x, struct cconn_h1_stream, exchange);
}

static struct respond_context
context_of(struct cconn_h1_stream *stream, bool is_relayed)
{
	const struct exchange *x = &stream->exchange;

	return (struct respond_context){
		.date = h1_write_date_text(&x->server->date, x->server->loop->wall_ns),
		.minor = stream->is_head_complete ? stream->head.minor : 1,
		.is_persistent = stream->is_persistent,
		.is_relayed = is_relayed,
	};
}

/* Behind the last answer the connection ends at once: their last bytes leave together. */
static void
announce_end(struct cconn_h1_stream *stream)
{
	bool is_last = stream->answer == CCONN_H1_ENDED || stream->exchange.is_last_piece;

	if (is_last && !stream->is_persistent)
		stream_expect_end(stream->conn->stream);
}

static void
send_or_queue(struct cconn_h1_stream *stream, struct iovec *iov, size_t n)
{
	if (!cconn_is_sending(stream->conn)) {
		cconn_send(stream->conn, iov, n);
		return;
	}
	stream->next = iov;
	stream->n_next = n;
}

/* ---- a whole answer */

/* Another request follows, and may be answered in this very turn. */
static bool
can_wait(const struct cconn_h1_stream *stream, const struct iovec *iov, size_t n)
{
	const struct cconn *c = stream->conn;

	return c->in != NULL && stream->is_persistent && !cconn_is_sending(c) &&
	    iobuf_str(c->held).n + stream_total(iov, n) <= IOBUF_BYTES;
}

static void
send_answer(struct exchange *x, const struct answer *answer)
{
	struct cconn_h1_stream *stream = stream_of(x);
	bool has_body = respond_has_body(x->request.method, answer->status);
	struct respond_context ctx;
	struct iovec *iov;
	struct str head;
	size_t n = 1;

	if (!cconn_h1_settle_body(stream) || x->server->is_draining)
		stream->is_persistent = false;
	ctx = context_of(
	    stream, x->gather != NULL && (answer->reason == ERR_NONE || answer->is_partial));
	head = respond_answer(&ctx, answer, &x->arena);
	iov = arena_alloc(&x->arena, (answer->n_body + 1) * sizeof(*iov));
	iov[0] = str_iov(head);
	if (has_body && answer->n_body > 0) {
		memcpy(iov + 1, answer->body, answer->n_body * sizeof(*iov));
		n += answer->n_body;
	}
	stream->answer = CCONN_H1_ENDED;
	announce_end(stream);
	if (can_wait(stream, iov, n))
		cconn_hold(stream->conn, iov, n);
	else
		send_or_queue(stream, iov, n);
}

/* ---- a streamed one */

static void
send_head(struct exchange *x, const struct exchange_head *head)
{
	struct cconn_h1_stream *stream = stream_of(x);
	struct respond_context ctx;

	if (!h1_frame_is_done(&stream->frame) || x->server->is_draining)
		stream->is_persistent = false;
	if (head->length_kind == EXCHANGE_LENGTH_UNKNOWN && stream->head.minor == 0)
		stream->is_persistent = false; /* RFC 9112 6.3: the close is the end */
	ctx = context_of(stream, true);
	buf_add(&stream->out, respond_stream(&ctx, head, &x->arena, &stream->is_chunked));
	stream->is_until_close =
	    head->length_kind == EXCHANGE_LENGTH_UNKNOWN && !stream->is_chunked;
	stream->left = head->length_kind == EXCHANGE_LENGTH_KNOWN ? head->length : UINT64_MAX;
	stream->answer = CCONN_H1_STREAMING;
	loop_flush_later(x->server->loop, &stream->conn->later);
}

static void
frame_chunk(struct cconn_h1_stream *stream, size_t n)
{
	char *to = buf_reserve(&stream->out, H1_WRITE_CHUNK_BYTES);

	buf_commit(&stream->out, h1_write_chunk(to, n));
}

/* What the socket did not take of slices that will not stay is copied into `out`. */
static void
keep_rest(struct cconn_h1_stream *stream)
{
	struct cconn_out *under_way = &stream->conn->out;
	struct buf rest = BUF_INIT;

	for (size_t i = 0; i < under_way->n; i++)
		buf_add(&rest, str_of(under_way->iov[i].iov_base, under_way->iov[i].iov_len));
	buf_fini(&stream->out);
	stream->out = rest;
	stream->iov[0] = str_iov(buf_str(&rest));
	under_way->iov = stream->iov;
	under_way->n = 1;
	stream->is_out_in_flight = true;
}

/* What was copied has left: its memory is for the next pieces. */
static void
reuse_out(struct cconn_h1_stream *stream)
{
	if (stream->is_out_in_flight && !cconn_is_sending(stream->conn)) {
		buf_clear(&stream->out);
		stream->is_out_in_flight = false;
	}
}

static void
send_now(struct cconn_h1_stream *stream, struct str piece, struct str end)
{
	struct iovec *iov = stream->iov;
	size_t n = 0;

	if (stream->out.n > 0)
		iov[n++] = str_iov(buf_str(&stream->out));
	if (piece.n > 0)
		iov[n++] = str_iov(piece);
	if (end.n > 0)
		iov[n++] = str_iov(end);
	announce_end(stream);
	cconn_send(stream->conn, iov, n);
	if (cconn_is_sending(stream->conn))
		keep_rest(stream);
	else
		buf_clear(&stream->out);
}

static void
collect(struct cconn_h1_stream *stream, struct str piece, struct str end)
{
	buf_add(&stream->out, piece);
	buf_add(&stream->out, end);
	loop_flush_later(stream->exchange.server->loop, &stream->conn->later);
}

/* What stands behind a piece: the last chunk, too, where nothing comes in between. */
static struct str
end_of_piece(const struct cconn_h1_stream *stream)
{
	if (!stream->is_chunked)
		return str_none();
	return stream->exchange.is_last_piece ? STR(H1_WRITE_CHUNK_END H1_WRITE_LAST_CHUNK)
					      : STR(H1_WRITE_CHUNK_END);
}

static size_t
send_piece(struct exchange *x, struct str piece)
{
	struct cconn_h1_stream *stream = stream_of(x);
	struct str end = end_of_piece(stream);

	if (stream->conn->out.is_dead || piece.n == 0)
		return piece.n;
	if (cconn_is_sending(stream->conn)) {
		stream->is_piece_refused = true;
		return 0;
	}
	assert(stream->answer == CCONN_H1_STREAMING && piece.n <= stream->left);
	/* The last bytes may have left in this very turn, and on_later is still to come. */
	reuse_out(stream);
	stream->left -= piece.n;
	if (stream->is_chunked)
		frame_chunk(stream, piece.n);
	if (piece.n <= SMALL_PIECE_BYTES && stream->left > 0)
		collect(stream, piece, end);
	else
		send_now(stream, piece, end);
	return piece.n;
}

static void
send_end(struct exchange *x)
{
	struct cconn_h1_stream *stream = stream_of(x);

	stream->answer = CCONN_H1_ENDED;
	stream->is_last_chunk_due = stream->is_chunked && !x->is_last_piece;
	loop_defer(x->server->loop, &stream->conn->later);
}

static void
reset(struct exchange *x)
{
	struct cconn_h1_stream *stream = stream_of(x);

	stream->answer = CCONN_H1_RESET;
	loop_defer(x->server->loop, &stream->conn->later);
}

/* ---- an upgrade */

static struct stream *
upgrade(struct exchange *x, const struct exchange_head *head, struct buf *from, struct buf *first)
{
	struct cconn_h1_stream *stream = stream_of(x);
	struct cconn *c = stream->conn;
	struct respond_context ctx = context_of(stream, true);
	struct stream *lent = cconn_lend(c, first);

	assert(h1_frame_is_done(&stream->frame));
	stream->is_upgraded = true;
	buf_add(first, respond_upgrade(&ctx, head, &x->arena));
	buf_add(from, iobuf_str(c->in));
	iobuf_drop(x->server, &c->in);
	return lent;
}

static void
leave(struct exchange *x, bool has_client_ended)
{
	struct cconn *c = stream_of(x)->conn;

	exchange_on_flushed(x);
	if (has_client_ended || exchange_is_tunnel_cut(x)) {
		cconn_close(c);
		return;
	}
	cconn_take_back(c);
	cconn_linger(c);
}

/* ---- what waits */

static void
send_waiting(struct cconn_h1_stream *stream)
{
	reuse_out(stream);
	if (stream->n_next > 0) {
		size_t n = stream->n_next;

		stream->n_next = 0;
		cconn_send(stream->conn, stream->next, n);
		return;
	}
	if (stream->is_last_chunk_due)
		buf_add(&stream->out, STR(H1_WRITE_LAST_CHUNK));
	stream->is_last_chunk_due = false;
	if (stream->out.n > 0)
		send_now(stream, str_none(), str_none());
}

bool
cconn_h1_write_on_room(struct cconn_h1_stream *stream)
{
	send_waiting(stream);
	/* The answer to one who has gone is not out; nothing more is done for him. */
	if (cconn_is_sending(stream->conn) || stream->conn->out.is_dead)
		return false;
	if (stream->is_piece_refused && stream->answer == CCONN_H1_STREAMING) {
		stream->is_piece_refused = false;
		exchange_on_writable(&stream->exchange);
		return false;
	}
	return stream->answer == CCONN_H1_ENDED;
}

/* ---- the request's body */

/* RFC 9110 10.1.1: not when some of the body is here already, nor twice. */
static void
send_continue(struct cconn_h1_stream *stream)
{
	static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!stream->is_continue_due)
		return;
	stream->is_continue_due = false;
	if (stream->conn->in != NULL)
		return;
	stream->iov[0] = (struct iovec){ .iov_base = text, .iov_len = sizeof(text) - 1 };
	send_or_queue(stream, stream->iov, 1);
}

static void
want_body(struct exchange *x, bool is_wanted)
{
	struct cconn_h1_stream *stream = stream_of(x);
	struct cconn *c = stream->conn;

	if (stream->is_body_wanted == is_wanted || h1_frame_is_done(&stream->frame))
		return;
	stream->is_body_wanted = is_wanted;
	if (!is_wanted) {
		cconn_await_read(c, 0);
		return;
	}
	send_continue(stream);
	cconn_h1_ask_for_body(stream);
	if (c->in != NULL)
		loop_defer(x->server->loop, &c->later);
	else
		stream_want_read(c->stream, true);
}

const struct exchange_ops cconn_h1_write_ops = {
	.want_body = want_body,
	.send_answer = send_answer,
	.send_head = send_head,
	.send_piece = send_piece,
	.send_end = send_end,
	.reset = reset,
	.upgrade = upgrade,
	.leave = leave,
};
