/*
 * The connections of one worker to one server. A lease is the right to send one request on a connection;
 * waiting leases are served first come, first served by whichever connection is ready first.
 */
#ifndef UPSTREAM_POOL_H
#define UPSTREAM_POOL_H

#include <sys/queue.h>

#include "net/loop.h"
#include "upstream/upstream_conf.h"

struct pool;
struct uconn;
struct endpoint;
struct lease;

struct lease_events {
	/* A connection is ours (l->uconn), or never will be (e). Never from inside pool_lease(). */
	void (*on_leased)(struct lease *l, enum err_code e);
	/* Something came on l->uconn before the request can have been answered: it must not be used. */
	void (*on_stale)(struct lease *l);
	/* Bytes, the end, or an error can be read from l->uconn. */
	void (*on_readable)(struct lease *l);
	/* uconn_write() can go on. */
	void (*on_writable)(struct lease *l);
};

enum lease_state { LEASE_NONE, LEASE_WAITING, LEASE_HELD };

struct lease {
	TAILQ_ENTRY(lease) link; /* in pool.waiting */
	enum lease_state state;
	struct pool *pool;   /* while not LEASE_NONE */
	struct uconn *uconn; /* while LEASE_HELD; cut by uconn_cut() */
	const struct lease_events *events;
	bool is_fresh_wanted; /* a reused connection will not do */
};

TAILQ_HEAD(uconn_list, uconn);

struct pool {
	struct loop *loop;
	const struct upstream_conf *conf;
	struct endpoint *endpoint; /* owner */
	struct uconn_list connecting;
	struct uconn_list idle; /* most recently used first: under light load the oldest age out together */
	struct uconn_list busy;
	size_t n_connecting, n_idle, n_busy;
	TAILQ_HEAD(, lease) waiting;
	size_t n_waiting;
	bool is_draining;
};

void pool_init(struct pool *p, struct loop *loop, const struct upstream_conf *conf,
    struct endpoint *endpoint);
/* Closes every connection; no lease may be left. */
void pool_close(struct pool *p);
/* Either l is LEASE_HELD on return, or LEASE_WAITING and on_leased will come. */
void pool_lease(struct pool *p, struct lease *l, const struct lease_events *events);
/*
 * Gives the connection back. is_clean: the answer was complete, the request fully written, keep-alive holds on
 * both sides, no bytes are left over: the connection may serve again; otherwise it is closed. A waiting
 * lease leaves the queue. Harmless when there is none.
 */
void pool_unlease(struct lease *l, bool is_clean);
/* Closes idle connections and takes no more back. */
void pool_drain(struct pool *p);
/* Closes idle connections to an address that its endpoint does not have any more. */
void pool_forget(struct pool *p);
/* From the connection: it is there (ERR_NONE), or never will be. */
void pool_on_connected(struct pool *p, struct uconn *uc, enum err_code e);

#endif
