/*
 * One request and its answer. An exchange lives on a stream of a client connection and never touches a socket:
 * it asks for the body and gives its answer through exchange_ops, so that HTTP/2 is one more implementation.
 *
 *     ROUTE -> ADMIT -> BODY -> GATHER | PROXY | REPLY | ADMIN -> RESPOND -> FLUSH -> DONE
 *     any -> DONE through exchange_abort() (client gone, hard stop), which answers nothing
 *     any before RESPOND -> RESPOND with a problem (limits, deadline)
 *
 * exchange_run() walks a table of steps; each returns MORE (go on), WAIT (an event will call again) or DONE.
 */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "base/arena.h"
#include "gather/gather.h"
#include "gather/request.h"
#include "server/listener.h"
#include "server/site.h"

#define EXCHANGE_TAG UINT32_C(0x65786368)

struct exchange;
struct proxy;

enum exchange_state {
	EXCHANGE_ROUTE,
	EXCHANGE_ADMIT,
	EXCHANGE_BODY,
	EXCHANGE_GATHER,
	EXCHANGE_PROXY,
	EXCHANGE_REPLY,
	EXCHANGE_ADMIN,
	EXCHANGE_RESPOND,
	EXCHANGE_FLUSH,
	EXCHANGE_DONE,
	EXCHANGE_STATES,
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
};

/* What the client's connection does for an exchange. None of them calls back before it returns. */
struct exchange_ops {
	/* The body may come (again): exchange_on_body() follows; a 100 (Continue) goes out if one is due. */
	void (*want_body)(struct exchange *x, bool is_wanted);
	/* The whole answer; its memory stays until exchange_on_flushed(). */
	void (*send_answer)(struct exchange *x, const struct answer *answer);
	/* A streamed answer: head, pieces, end. The head's memory is not needed after the call. */
	void (*send_head)(struct exchange *x, const struct exchange_head *head);
	/* Returns how much was taken: all, or nothing: then exchange_on_writable() follows. */
	size_t (*send_piece)(struct exchange *x, struct str piece);
	void (*send_end)(struct exchange *x);
	/* The answer cannot be completed; the connection ends so that the client sees it is cut off. */
	void (*reset)(struct exchange *x);
};

struct exchange {
	uint32_t tag;
	enum exchange_state state;
	const struct exchange_ops *ops;
	struct listener *listener; /* of the connection; outlives the exchange */
	struct server *server;
	const struct site *site;
	struct arena arena; /* everything of this request */
	struct request request;
	bool is_running;    /* exchange_run() is on the stack */

	/* the body of the request */
	bool has_length;
	bool is_body_complete;
	bool is_body_discarded; /* nobody wants it */
	uint64_t length;        /* has_length */
	uint64_t body_limit;
	char *body_bytes; /* in the arena */
	size_t body_cap;

	const struct route *route; /* NULL: none found (yet) */
	struct permit permit;      /* the daemon's */
	struct timer timer;        /* the route's deadline, or a reply's delay */
	uint64_t deadline_ns;
	struct gather *gather; /* in the arena; NULL: not started */
	struct proxy *proxy;   /* likewise */
	struct str allow;      /* with ERR_METHOD_NOT_ALLOWED */
	struct answer answer;

	/* what the access log and the metrics tell */
	enum err_code reason; /* why it is not the full answer */
	unsigned status;      /* 499: the client left */
	uint64_t started_ns;  /* the head was complete */
	uint64_t ended_ns;
	uint64_t started_wall_ns;
	uint64_t bytes_in;  /* head and body, as they came */
	uint64_t bytes_out; /* as they went */
};

/* ---- for the connection that it lives on */

/* Readies a new exchange, or one that is done, for a request. */
void exchange_init(struct exchange *x, const struct exchange_ops *ops, struct listener *listener);
/* The head is parsed into x->request: begins. */
void exchange_start(struct exchange *x);
/* The head was refused, or did not come in time: answers with a problem. */
void exchange_start_refused(struct exchange *x, enum err_code e);
/* A piece of the body, after want_body; returns how much was taken. Less than all: want_body will follow. */
size_t exchange_on_body(struct exchange *x, struct str piece);
/* The body is complete, or will never be (e). */
void exchange_on_body_end(struct exchange *x, enum err_code e);
/* A streamed answer may go on. */
void exchange_on_writable(struct exchange *x);
/* The answer is with the kernel; the exchange is DONE when this returns. */
void exchange_on_flushed(struct exchange *x);
/* The client is gone (ERR_CLIENT_GONE, ...): cancels everything; nothing is sent. Harmless when DONE. */
void exchange_abort(struct exchange *x, enum err_code why);
/* Gives back what a DONE exchange holds; exchange_init() may follow. */
void exchange_fini(struct exchange *x);

/* ---- for the steps */

/* Goes on from where it waited; called by whatever it waited for, as the last thing. */
void exchange_run(struct exchange *x);
/* The answer is a problem; to be followed by exchange_run() unless inside a step. */
void exchange_fail(struct exchange *x, enum err_code e);
const char *exchange_state_name(enum exchange_state s);

#endif
