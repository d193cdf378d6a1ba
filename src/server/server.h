/*
 * The client-facing floor of one worker: its listeners, the exchanges in flight and what they
 * share. Made by the worker; everything here runs on the worker's thread.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <sys/queue.h>

#include "base/metric.h"
#include "base/rnd.h"
#include "codec/h1_write.h"
#include "gather/gather.h"
#include "server/listener.h"

struct access_log_port;
struct admin_view;
struct coding_store;
struct cconn_h1_stream;
struct iobuf;

/* What a worker gives to this floor; all of it is borrowed and outlives the server. */
struct server_setup {
	const struct gather_env *gather; /* loop, upstreams, scanner: the worker's */
	struct limiter *admission;          /* this worker's view of the daemon's semaphore */
	uint64_t admission_wait_ns;         /* overload.queue.timeout */
	struct metric_shard *metrics;       /* this worker's */
	struct coding_store *coding;        /* likewise; NULL: no route compresses */
	struct access_log_port *access_log; /* NULL: no log */
	const struct admin_view *admin;     /* NULL: no admin listener here */
	uint64_t seed;                      /* for trace ids */
};

struct server {
	struct server_setup setup; /* as given */
	struct loop *loop;         /* the worker's */
	bool is_draining;
	TAILQ_HEAD(, listener) listeners;
	size_t n_exchanges; /* requests being served */
	struct h1_write_date date;
	struct rnd rnd;
	struct header *fields; /* owned; lent to the head parser until the head is complete */
	size_t n_fields;
	SLIST_HEAD(, cconn_h1_stream) free_streams;
	size_t n_free_streams;
	size_t n_least_streams; /* of n_free_streams since the last look: so many were not needed */
	struct {
		uint64_t turn; /* of the loop, in which `bytes` went into compressors */
		size_t bytes;
	} compressed;
	SLIST_HEAD(, iobuf) free_iobufs;
	size_t n_free_iobufs;
	size_t n_least_iobufs; /* likewise */
	struct timer trim;     /* the next look, while more is free than a worker at rest keeps */
};

/* Streams and buffers that are not worth giving back. */
#define SERVER_REST_FREE 64

void server_init(struct server *s, const struct server_setup *setup);
/* Every listener is closed and a turn has passed since. */
void server_fini(struct server *s);
/*
 * Stops accepting, gives idle connections a second, answers what comes with Connection: close. The
 * worker waits for server_is_idle() and then, or when its deadline has come, calls server_close().
 * Harmless when done.
 */
void server_drain(struct server *s);
/* No connection of a public listener is left. */
bool server_is_idle(const struct server *s);
/* For listeners: the head parser needs n header fields. */
void server_lend_fields(struct server *s, size_t n);
/* For who has put something on a free list: what nobody needs for a while goes back to the heap. */
static inline void
server_trim_later(struct server *s)
{
	if (UNLIKELY(s->n_free_streams + s->n_free_iobufs > SERVER_REST_FREE) && !timer_is_set(&s->trim))
		loop_timer_set(s->loop, &s->trim, s->loop->now_ns + NS_PER_SEC);
}
/* Closes all listeners and connections at once; requests in flight are cancelled. */
void server_close(struct server *s);

#endif
