/* One listening socket of one worker and the client connections that came through it. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "base/compiler.h"
#include "net/loop.h"
#include "net/tls_gate.h"
#include "server/listener_conf.h"

struct acceptor;
struct addr;
struct cconn;
struct preface;
struct server;
struct site;
struct stream;

enum listener_kind {
	LISTENER_PUBLIC, /* routes of the file; admission, access log, metrics */
	LISTENER_ADMIN,  /* /metrics, /healthz ...; none of that */
	LISTENER_MOCK,   /* mock services: reply routes with a delay; none of that */
};

/* In the area that workers share; one per listener of the file. Zeroed at start. */
struct listener_shared {
	_Alignas(CACHE_LINE) _Atomic uint64_t connections; /* open now, over all workers */
};

TAILQ_HEAD(cconn_list, cconn);
TAILQ_HEAD(preface_list, preface);

#define LISTENER_STATES 6

struct listener {
	TAILQ_ENTRY(listener) link;       /* in server.listeners */
	struct server *server;            /* owner */
	const struct listener_conf *conf; /* borrowed, outlives the listener */
	enum listener_kind kind;
	size_t index;                             /* of the label in metrics; PUBLIC only */
	const struct site *site;                  /* NULL for ADMIN */
	struct listener_shared *shared;           /* borrowed; NULL: connections are not limited */
	struct tls_gate *tls;                     /* owned; NULL: plain HTTP */
	const char *scheme;                       /* that requests come by; a constant */
	struct acceptor *acceptor;                /* owned; NULL: closed, or none (simulator) */
	struct cconn_list conns[LISTENER_STATES]; /* by enum cconn_state */
	struct preface_list prefaces;             /* those whose PROXY header is not here yet */
	size_t n_conns; /* prefaces, and CLOSED ones, which are freed at the end of the turn, included */
	uint64_t refusal_told_ns; /* when the last message of listener_refuse() was written */
	bool is_closed;
	struct grave grave;
};

/* Borrowed and outliving the listener, but for tls and fd. */
struct listener_setup {
	const struct listener_conf *conf;
	enum listener_kind kind;
	size_t index;
	const struct site *site;
	struct listener_shared *shared;
	struct tls_ctx *tls;   /* taken over; NULL: plain HTTP */
	struct tls_io *tls_io; /* borrowed, the worker's; with tls */
	int fd; /* listening socket, taken over; -1: none, connections come through listener_add() */
};

struct listener *listener_new(struct server *server, const struct listener_setup *setup);
/* Takes over an accepted connection. */
void listener_add(struct listener *l, struct stream *stream, const struct addr *peer);
/* Its PROXY header has come, or none is needed: from now on it is a client connection from `client`. */
void listener_admit(struct listener *l, struct stream *stream, const struct addr *client);
/* Counts a connection that is closed for want of a PROXY header, and says so, not too often. */
void listener_refuse(struct listener *l, const struct addr *peer, const char *why);
/* Other certificates for the handshakes to come; takes ctx over. */
void listener_use_certificates(struct listener *l, struct tls_ctx *ctx);
/*
 * Takes in who has already connected and stops; connections close after their answer, idle ones when their
 * client has asked for nothing more within a second.
 */
void listener_drain(struct listener *l);
/* Closes everything at once and frees at the end of the turn; sets *l to NULL. */
void listener_close(struct listener **l);
/* A connection of this listener is gone. */
void listener_forget(struct listener *l);

#endif
