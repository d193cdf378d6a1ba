/*
 * One request to one upstream: permit, connection, request out, answer in, within its deadlines. Usable with
 * or without an exchange around it.
 *
 *     INIT -> WAIT_PERMIT -> WAIT_STREAM -> SENDING -> WAIT_HEAD -> READING -> DONE
 *     a reused connection that dies before a byte of the answer -> WAIT_STREAM, once (the permit is kept)
 *     WAIT_HEAD -> TUNNEL -> DONE: the server has answered an upgrade
 *     a server that cannot be reached -> WAIT_STREAM for another one
 *
 * SENDING ends when the request is out; an answer may begin before that. on_done comes exactly once, never
 * from inside call_start(), never after call_cancel().
 */
#ifndef UPSTREAM_CALL_H
#define UPSTREAM_CALL_H

#include "base/arena.h"
#include "upstream/limiter.h"
#include "upstream/uconn_h1.h"

struct upstream;
struct call;

struct call_events {
	/*
	 * The final answer's head (1xx are skipped) and how its body is framed; valid during this call
	 * only. Anything but ERR_NONE fails the call with it. NULL: every head is fine.
	 */
	enum err_code (*on_head)(
	    struct call *c, const struct h1_head *head, const struct h1_frame *frame);
	/*
	 * Streaming only: the next piece of payload. Returns how much was taken; less than all pauses
	 * reading until call_resume(). NULL: the payload is collected in c->body, up to max_body_bytes.
	 */
	size_t (*on_body)(struct call *c, struct str piece);
	/* Streamed requests: everything given to call_send_body() has left; more may be given. */
	void (*on_sent)(struct call *c);
	/*
	 * The request has an Upgrade field (h1_request.is_upgrade), and this is the head of the 101 that answers
	 * it; `early` came behind it. ERR_NONE: the call is in TUNNEL, and the stream of its connection, which
	 * call_stream() gives here, the owner's to read and write until call_leave() or call_cancel(). Counted as
	 * ended; on_done does not follow. Anything else fails the call with it.
	 */
	enum err_code (*on_upgrade)(struct call *c, const struct h1_head *head, struct str early);
	/* The end, c->error says which. The permit (unless shared) and the connection are given back before. Last. */
	void (*on_done)(struct call *c);
};

enum call_state {
	CALL_INIT,
	CALL_WAIT_PERMIT,
	CALL_WAIT_STREAM,
	CALL_SENDING,
	CALL_WAIT_HEAD,
	CALL_READING,
	CALL_TUNNEL,
	CALL_DONE,
};

/* Loop times in ns; 0: did not happen. */
struct call_times {
	uint64_t started;
	uint64_t permitted;
	uint64_t leased; /* a connected stream is ours */
	uint64_t first_byte;
	uint64_t done;
};

struct call {
	uint32_t tag;
	enum call_state state;
	enum err_code error; /* settled when DONE */
	struct upstream *upstream; /* borrowed, outlives the call */
	const struct call_events *events;
	void *owner;         /* back pointer; the owner outlives the call or cancels it */
	struct arena *arena; /* borrowed from the owner; holds everything received */
	const struct h1_request *request; /* borrowed until done */

	struct permit permit; /* may be PERMIT_HELD before call_start() */
	struct uconn_h1 attempt;
	struct endpoint *endpoint; /* while is_counted: where it is */
	struct str server;         /* the address that was tried last; none: it came to no server */
	struct timer timer;        /* of the next deadline */
	struct defer finish_later; /* completion of what failed at once */
	uint64_t deadline_ns;      /* total */
	bool is_counted;           /* in endpoint->active */
	bool was_retried;
	uint8_t n_redispatches; /* servers that could not be reached */
	bool is_reused; /* the connection had served another request */

	/* Set by the owner between call_init() and call_start(). */
	size_t max_body_bytes; /* of a collected body; 0: none may come */
	uint64_t max_ratio;    /* of a collected body that is decompressed; 0: it is not */
	size_t metric_index;   /* of the call over the whole configuration */
	bool shares_permit;    /* with siblings: one not held yet comes by call_hand_permit(); at the end it stays */

	/* The answer. */
	unsigned status; /* 0: none came */
	struct str body; /* collected payload, valid from on_done until the arena is reset */
	uint64_t bytes_in;
	uint64_t bytes_out;
	struct call_times times; /* the owner may set `started` earlier than call_start() would */
};

/* Prepares a call, embedded in or allocated by the owner; nothing moves yet. */
void call_init(struct call *c, struct upstream *up, struct arena *arena,
    const struct call_events *events, void *owner);
/*
 * deadline_ns: of the loop's clock; the upstream's timeouts.total applies as well. When the answer is streamed
 * (events->on_body), both hold until its head is there; then timeouts.total is the longest silence between
 * two pieces that the reader was ready for.
 */
void call_start(struct call *c, const struct h1_request *request, uint64_t deadline_ns);
/* Ends a call that was not started, for a reason that its owner found; counted, no event follows. */
void call_refuse(struct call *c, enum err_code e);
/* Drops everything at once: queue place, permit, connection. No event follows. Harmless when done. */
void call_cancel(struct call *c);
/* The permit of a call that is done, for one that was started and waits for it. Both have shares_permit. */
void call_hand_permit(struct call *to, struct call *from);
/* See on_upgrade. */
struct stream *call_stream(struct call *c);
/* So many bytes passed through a tunnel, for the log. */
static inline void
call_note_tunnel(struct call *c, uint64_t n_in, uint64_t n_out)
{
	c->attempt.bytes_in += n_in;
	c->attempt.bytes_out += n_out;
}
/* Ends a tunnel; is_cut: not all that the server should have got has left. No event follows. */
void call_leave(struct call *c, bool is_cut);
/* The reader of a paused stream can take more. */
void call_resume(struct call *c);
/*
 * A streamed request: writes more of the body (already framed). Returns how much was taken; less than all
 * means on_sent will come. is_last ends the request once all was taken.
 */
size_t call_send_body(struct call *c, struct str piece, bool is_last);

#endif
