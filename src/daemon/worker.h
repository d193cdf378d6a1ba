/*
 * One worker: a loop, this worker's view of every upstream, and the client-facing floor on top. Everything in it
 * belongs to the thread that turns its loop; other threads only post.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include "codec/coding.h"
#include "codec/json_scan.h"
#include "daemon/shared.h"
#include "server/access_log.h"
#include "server/server.h"
#include "upstream/upstream.h"

struct names_state;

struct worker {
	unsigned index;
	struct shared *shared; /* borrowed */
	struct loop *loop;     /* borrowed */
	struct upstream *upstreams; /* owned, by index in the configuration */
	size_t n_upstreams;
	struct limiter admission;
	struct json_scan js;
	struct coding_store coding;
	struct gather_env env;
	struct access_log_port log_port;
	bool has_log;
	struct tls_io *tls_io; /* owned */
	struct server server;
	struct listener **listeners; /* owned list, by index in the configuration */
	size_t n_listeners;

	struct msg drain;      /* posted by worker_post_drain() */
	struct msg stop;       /* posted by worker_post_stop() */
	struct timer settling; /* looks whether draining has come to its end */
	uint64_t drain_deadline_ns;
	bool is_closed;
	void (*on_closed)(void *arg);
	void *arg; /* of whoever asks, see worker_setup */
};

/* Borrowed, and outlives the worker. */
struct worker_setup {
	unsigned index;
	struct shared *shared;
	struct loop *loop;
	struct access_log *log; /* NULL: none */
	uint64_t seed;
	/* Everything is closed; on the worker's thread. The loop may stop at the end of the turn. NULL: nobody asks. */
	void (*on_closed)(void *arg);
	void *arg;
};

struct worker *worker_new(const struct worker_setup *setup);
/*
 * Serves listener `index` of the configuration; fd is a listening socket, taken over, or -1: worker_accept() only.
 * tls is taken over; NULL: plain HTTP.
 */
void worker_listen(struct worker *w, size_t index, int fd, struct tls_ctx *tls);
/* Other certificates for listener `index`, from any thread; takes ctx over. */
void worker_post_certificates(struct worker *w, size_t index, struct tls_ctx *ctx);
/* What is known of the name of a server. Before the worker runs. */
void worker_set_places(struct worker *w, const struct names_state *state);
/* The same from any thread, while it runs. */
void worker_post_places(struct worker *w, const struct names_state *state);
/* Other authorities and certificates for upstream `index`, from any thread; takes client over. */
void worker_post_client(struct worker *w, size_t index, struct tls_client *client);
/* A connection that came through listener `index`; takes the stream over. */
void worker_accept(struct worker *w, size_t index, struct stream *stream, const struct addr *peer);
/* Closes everything at once. On its thread. Harmless when closed. */
void worker_close(struct worker *w);
/* The same from any thread, each at most once. */
void worker_post_drain(struct worker *w);
void worker_post_stop(struct worker *w);
/* After worker_close() and a turn of the loop, when no other worker runs; the loop is the caller's. */
void worker_free(struct worker *w);

#endif
