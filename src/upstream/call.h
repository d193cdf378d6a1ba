/*
 * One request to one upstream: permit, connection, request out, answer in, within its deadlines. Usable with
 * or without an exchange around it.
 *
 *     INIT -> WAIT_PERMIT -> WAIT_STREAM -> SENDING -> WAIT_HEAD -> READING -> DONE
 *     a reused connection that dies before a byte of the answer -> WAIT_STREAM, once (the permit is kept)
 *
 * SENDING ends when the request is out; an answer may begin before that. on_done comes exactly once, never
 * from inside call_start(), never after call_cancel().
 */
#ifndef UPSTREAM_CALL_H
#define UPSTREAM_CALL_H

#include "base/arena.h"
#include "codec/h1_frame.h"
#include "codec/h1_head.h"
#include "upstream/limiter.h"
#include "upstream/pool.h"

struct upstream;
struct call;

/* What goes out, in canonical form; the memory stays until the call is done. */
struct call_request {
	struct str start_line; /* "GET /users/7 HTTP/1.1\r\n" */
	struct str host_line;  /* "Host: x\r\n"; none: the server's own */
	struct str fields;     /* every other field line and the empty line */
	struct str body;       /* the whole body, or what is there of it when is_streamed */
	enum http_method method;
	bool is_idempotent; /* may be sent again (method, or Idempotency-Key) */
	bool is_streamed;   /* more of the body follows through call_send_body(), already framed */
};

struct call_events {
	/*
	 * The final answer's head (1xx are skipped); slices are valid until on_done returns. Anything but
	 * ERR_NONE fails the call with it. NULL: every head is fine.
	 */
	enum err_code (*on_head)(struct call *c);
	/*
	 * Streaming only: the next piece of payload. Returns how much was taken; less than all pauses
	 * reading until call_resume(). NULL: the payload is collected in c->body, up to max_body_bytes.
	 */
	size_t (*on_body)(struct call *c, struct str piece);
	/* Streamed requests: everything given to call_send_body() has left; more may be given. */
	void (*on_sent)(struct call *c);
	/* The end, c->error says which. The permit and the connection are given back before. Last. */
	void (*on_done)(struct call *c);
};

enum call_state {
	CALL_INIT,
	CALL_WAIT_PERMIT,
	CALL_WAIT_STREAM,
	CALL_SENDING,
	CALL_WAIT_HEAD,
	CALL_READING,
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
	struct upstream *upstream;
	const struct call_events *events;
	void *owner;         /* back pointer; the owner outlives the call or cancels it */
	struct arena *arena; /* borrowed from the owner; holds everything received */
	const struct call_request *request;

	struct permit permit; /* may be PERMIT_HELD before call_start() */
	struct lease lease;
	struct timer timer;      /* of the next deadline */
	struct defer fail_later; /* completion of what failed at once */
	uint64_t deadline_ns;    /* total */
	size_t max_body_bytes;
	size_t expected_bytes; /* guess of the answer's size, head included, for the first buffer */
	bool was_retried;
	bool is_paused;

	/* the answer */
	struct h1_response head; /* valid from on_head */
	struct header *header_slots;
	struct str body; /* collected payload, valid from on_done */
	uint64_t bytes_in; /* payload received */
	uint64_t bytes_out;

	/* for the access log */
	struct call_times times;
	const struct endpoint *endpoint; /* the last one tried; NULL: none yet */
	bool is_reused;                  /* the connection had served another request */
};

/*
 * Prepares a call; nothing moves yet. deadline_ns: of the loop's clock; the upstream's timeouts.total applies
 * as well. The call is embedded in or allocated by the owner.
 */
void call_init(struct call *c, struct upstream *up, struct arena *arena,
    const struct call_events *events, void *owner);
void call_start(struct call *c, const struct call_request *request, uint64_t deadline_ns);
/* Drops everything at once: queue place, permit, connection. No event follows. Harmless when done. */
void call_cancel(struct call *c);
/* The reader of a paused stream can take more. */
void call_resume(struct call *c);
/*
 * A streamed request: writes more of the body (already framed). Returns how much was taken; less than all
 * means on_sent will come. is_last ends the request once all was taken.
 */
size_t call_send_body(struct call *c, struct str piece, bool is_last);
const char *call_state_name(enum call_state s);

#endif
