/*
 * One HTTP/1.1 request and its answer on a leased connection (RFC 9112): writes the request, skips interim
 * answers, frames and collects or streams the body, and knows whether the connection may be used again.
 */
#ifndef UPSTREAM_UCONN_H1_H
#define UPSTREAM_UCONN_H1_H

#include <sys/uio.h>

#include "base/arena.h"
#include "codec/h1_frame.h"
#include "codec/h1_head.h"
#include "upstream/pool.h"

struct uconn_decode;

/* What goes out, in canonical form; the memory stays until the answer is there. */
struct h1_request {
	struct str client_ip;  /* for a PROXY header, where the upstream wants one; empty: unknown */
	struct str start_line; /* "GET /users/7 HTTP/1.1\r\n" */
	struct str host_line;  /* "Host: x\r\n"; none: the server's own */
	struct str shared;     /* field lines that several requests have in common; may be empty */
	struct str fields;     /* every other field line, and the empty line */
	struct str body;       /* the whole body, framed; empty when there is none or it is streamed */
	enum http_method method;
	bool is_idempotent; /* may be sent again: by its method, or by Idempotency-Key */
	bool is_upgrade;    /* it has an Upgrade field, and the owner on_upgrade */
	bool is_streamed;   /* the body follows through uconn_h1_send_body(), already framed */
};

struct uconn_h1_events {
	/* The connection is ours, and the request is on its way. */
	void (*on_leased)(void *owner);
	/* The first byte of the answer. */
	void (*on_first_byte)(void *owner);
	/* See call_events. */
	enum err_code (*on_head)(
	    void *owner, const struct h1_head *head, const struct h1_frame *frame);
	size_t (*on_body)(void *owner, struct str piece);
	void (*on_sent)(void *owner);
	enum err_code (*on_upgrade)(void *owner, const struct h1_head *head, struct str early);
	/* The end; the lease is given back before. Last. */
	void (*on_end)(void *owner, enum err_code e);
};

struct uconn_h1 {
	struct lease lease;
	const struct uconn_h1_events *events;
	void *owner; /* back pointer; uconn_h1_cancel() cuts it */
	struct arena *arena; /* borrowed; holds what arrives */
	const struct h1_request *request;

	struct iovec out[6]; /* of the request, still to be written from out_at on */
	uint8_t n_out;
	uint8_t out_at;
	bool is_request_out; /* all of the request was written */
	bool is_blocked;     /* on_writable is awaited */

	bool is_collecting; /* no events->on_body: the body is kept, up to max_body_bytes */
	bool has_begun; /* a byte of the answer has come */
	bool has_head;
	bool is_persistent;
	bool is_upgraded; /* 101: the stream is somebody else's */
	bool is_paused;
	bool is_eof;
	uint8_t n_interim;
	struct h1_head *head; /* in the arena once a head came in pieces; else NULL */
	struct h1_frame frame;
	size_t max_body_bytes;
	uint64_t max_ratio; /* of a collected body that comes compressed; 0: it is left as it is */
	struct uconn_decode *decode; /* in the arena; NULL: the body is kept as it comes */

	/* What arrived: [0, body_at) the head, [body_at, body_end) payload, [raw_at, in_n) not decoded. */
	char *in;
	size_t in_cap;
	size_t in_n;
	size_t body_at;
	size_t body_end;
	size_t raw_at;
	bool is_own; /* `in` is no part of the arena, whose clean-up gives it back */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/*
 * Takes a lease for `request` and sends it when there is a connection. Zero the struct and set events, owner, arena
 * and max_body_bytes (perhaps max_ratio) before the first use; it may be started again after on_end. first_buffer:
 * bytes for the first read of a collected answer. Only on_leased comes from inside.
 */
void uconn_h1_start(struct uconn_h1 *x, struct pool *pool, const struct h1_request *request,
    size_t first_buffer);
/* Upgraded: ends the connection, so that the server sees it cut off when it is. */
void uconn_h1_leave(struct uconn_h1 *x, bool is_cut);
/* Gives the connection up (closing it) or leaves the queue; no event follows. Harmless when ended. */
void uconn_h1_cancel(struct uconn_h1 *x);
/* The reader of a stream that took less than it was given is ready again. */
void uconn_h1_resume(struct uconn_h1 *x);
/* See call_send_body(). */
size_t uconn_h1_send_body(struct uconn_h1 *x, struct str piece, bool is_last);
/* The collected payload. */
struct str uconn_h1_body(const struct uconn_h1 *x);

#endif
