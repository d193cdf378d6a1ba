/*
 * One request and its answer. An exchange lives on a stream of a client connection and never
 * touches a socket: it asks for the body and gives its answer through exchange_ops, so that HTTP/2
 * is one more implementation.
 *
 *     HEAD -> ROUTE -> ADMIT -> BODY -> GATHER | PROXY | REPLY | BATCH | ADMIN -> RESPOND -> FLUSH -> DONE
 *     PROXY -> TUNNEL -> DONE: an upgrade was answered
 *     any before RESPOND -> RESPOND with a problem: exchange_fail() (limits, deadlines)
 *     any -> DONE: exchange_abort() (client gone, hard stop, a streamed answer cut off), which answers nothing
 *
 * exchange_go() walks a table of steps; each returns MORE (go on) or WAIT (an event will call again).
 */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "gather/gather.h"
#include "gather/request.h"
#include "server/listener.h"
#include "server/site.h"

#define EXCHANGE_TAG UINT32_C(0x65786368)

struct batch;
struct compress;
struct exchange;
struct parts;
struct proxy;

enum exchange_state {
	EXCHANGE_HEAD, /* not started */
	EXCHANGE_ROUTE,
	EXCHANGE_ADMIT,
	EXCHANGE_BODY,
	EXCHANGE_GATHER,
	EXCHANGE_PROXY,
	EXCHANGE_REPLY,
	EXCHANGE_BATCH,
	EXCHANGE_ADMIN,
	EXCHANGE_RESPOND,
	EXCHANGE_FLUSH,
	EXCHANGE_TUNNEL,
	EXCHANGE_DONE,
};

/* How long a streamed answer's body is. */
enum exchange_length { EXCHANGE_LENGTH_NONE, EXCHANGE_LENGTH_KNOWN, EXCHANGE_LENGTH_UNKNOWN };

/* The head of a streamed answer. */
struct exchange_head {
	unsigned status;
	const struct header_list *fields; /* those that cross are written */
	struct str more;                  /* further complete field lines */
	enum exchange_length length_kind;
	uint64_t length; /* KNOWN; with LENGTH_NONE and has_length: only declared (HEAD, 304) */
	bool has_length;
	uint8_t minor; /* of the HTTP/1 version in which it came: for Via */
	struct str upgrade; /* of a 101: the protocol */
};

/* What the client's connection does for an exchange. None of them calls back before it returns. */
struct exchange_ops {
	/* The body may come (again): exchange_on_body() follows; a 100 (Continue) goes out if one is due. */
	void (*want_body)(struct exchange *x, bool is_wanted);
	/* The whole answer; its memory stays until exchange_on_flushed(). */
	void (*send_answer)(struct exchange *x, const struct answer *answer);
	/* A streamed answer: head, pieces, end. Neither head nor pieces are needed after the call. */
	void (*send_head)(struct exchange *x, const struct exchange_head *head);
	/* Returns how much was taken: all of it, or nothing: then exchange_on_writable() follows. */
	size_t (*send_piece)(struct exchange *x, struct str piece);
	void (*send_end)(struct exchange *x);
	/* The answer cannot be completed: the connection ends, so that the client sees that it was cut off. */
	void (*reset)(struct exchange *x);
	/*
	 * The answer to an upgrade. The connection's stream is the caller's until leave(); to `from` is added
	 * what the client has sent behind its request, to *first what must go out before anything else: this
	 * head, too. Only where request.offers_upgrade.
	 */
	struct stream *(*upgrade)(struct exchange *x, const struct exchange_head *head,
	    struct buf *from, struct buf *first);
	/*
	 * The tunnel is over: the connection ends. Unless the client has ended its direction it gets time to
	 * notice. The exchange may be gone when this returns.
	 */
	void (*leave)(struct exchange *x, bool has_client_ended);
};

struct exchange {
	uint32_t tag;
	enum exchange_state state;
	const struct exchange_ops *ops;
	struct listener *listener; /* of the connection; outlives the exchange */
	struct server *server;
	const struct site *site; /* NULL: none (admin) */
	struct arena arena;      /* everything of this request */
	struct request request;

	/* the body of the request */
	bool has_length;
	bool is_body_complete;
	uint64_t length;     /* with has_length */
	uint64_t body_limit; /* of a body that is kept */
	char *body_bytes;    /* in the arena */
	size_t body_cap;

	const struct route *route; /* NULL: none found (yet) */
	struct permit permit;      /* the daemon's */
	struct timer timer; /* the route's deadline while no call keeps it, or a reply's delay */
	uint64_t deadline_ns;
	struct gather *gather; /* in the arena; NULL: none */
	struct parts *parts;   /* likewise: its answer is streamed */
	struct proxy *proxy;   /* likewise */
	struct batch *batch;   /* likewise */
	struct compress *compress; /* likewise; NULL: the answer leaves as it is */
	struct exchange *outer; /* the batch that it is an entry of, which outlives it; NULL: none */
	bool is_last_piece; /* of a streamed answer: send_end() follows it for certain */
	struct answer answer;

	/* what the access log and the metrics tell */
	enum err_code reason; /* why it is not the full answer */
	unsigned status;      /* 499: the client left */
	uint64_t started_ns;  /* the head was complete */
	uint64_t ended_ns;
	uint64_t bytes_in;  /* head and body, as they came */
	uint64_t bytes_out; /* as they went */
};

/* ---- for the connection that it lives on */

/* Once for new memory. */
void exchange_new(struct exchange *x);
/* Readies it for a request. */
void exchange_init(struct exchange *x, const struct exchange_ops *ops, struct listener *listener);
/* The head is parsed into x->request: begins. */
void exchange_start(struct exchange *x);
/* The head was refused, or did not come in time: answers with a problem. */
void exchange_start_refused(struct exchange *x, enum err_code e);
/* A piece of the body, after want_body; all of it is taken. is_last: exchange_on_body_end() follows at once. */
void exchange_on_body(struct exchange *x, struct str piece, bool is_last);
/* The body is complete, or will never be (e). */
void exchange_on_body_end(struct exchange *x, enum err_code e);
/* A streamed answer may go on. */
void exchange_on_writable(struct exchange *x);
/* The answer is with the kernel; the exchange is DONE when this returns. */
void exchange_on_flushed(struct exchange *x);
/* Upgraded: would a plain close of the client's connection look like the end of all that there was to say? */
bool exchange_is_tunnel_cut(const struct exchange *x);
/*
 * Cancels everything; nothing more is sent. With ERR_CLIENT_GONE the client is at fault, and it
 * counts as 499. Harmless when it was not started or is DONE.
 */
void exchange_abort(struct exchange *x, enum err_code why);
/* Gives back what an exchange holds that is DONE or was not started; exchange_init() may follow. */
void exchange_fini(struct exchange *x);
/* Before its memory goes. */
void exchange_free(struct exchange *x, struct loop *loop);

/* ---- for what it waits for */

/* Goes to a state and on from there. The last thing that its caller does. */
void exchange_go(struct exchange *x, enum exchange_state state);
/* An upgrade is answered with 101: it goes to TUNNEL, which counts as the end of the request. */
void exchange_be_tunnel(struct exchange *x);
/* The answer is a problem. The last thing that its caller does. */
void exchange_fail(struct exchange *x, enum err_code e);

#endif
