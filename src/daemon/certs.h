/*
 * The certificates of the listeners: read at start, looked after while the daemon runs, and made
 * into a context per worker. Main thread only.
 */
#ifndef DAEMON_CERTS_H
#define DAEMON_CERTS_H

#include "conf/conf.h"
#include "net/loop.h"

struct certs;
struct tls_ctx;

struct certs_events {
	/* A listener's files have changed and can be used: contexts[i] now belongs to worker i. */
	void (*on_changed)(void *owner, size_t listener, struct tls_ctx *const *contexts);
};

/* NULL after saying why not. conf and loop outlive it. */
struct certs *certs_new(const struct conf *conf, struct loop *loop, size_t n_workers);
/* Harmless when NULL. */
void certs_free(struct certs *certs);
/* For a worker about to listen; NULL: the listener speaks plain HTTP. */
struct tls_ctx *certs_context(struct certs *certs, size_t listener);
/* From now on the files are looked at every few seconds. */
void certs_watch(struct certs *certs, const struct certs_events *events, void *owner);
/* Reads all of them again, changed or not. */
void certs_reread(struct certs *certs);

#endif
