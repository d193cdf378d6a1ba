/*
 * What upstreams with https are believed by, and what they are shown: authorities and client certificates, looked
 * after while the daemon runs. The first reading is the generation's. Main thread only.
 */
#ifndef DAEMON_TRUST_H
#define DAEMON_TRUST_H

#include "daemon/generation.h"
#include "net/loop.h"

struct trust;
struct tls_client;

struct trust_events {
	/* An upstream's files have changed and can be used: clients[i] now belongs to worker i. */
	void (*on_changed)(void *owner, size_t upstream, struct tls_client *const *clients);
};

/* From now on the files are looked at every few seconds. gen and loop outlive it. */
struct trust *trust_new(const struct generation *gen, struct loop *loop, size_t n_workers,
    const struct trust_events *events, void *owner);
/* Harmless when NULL. */
void trust_free(struct trust *trust);
/* Reads all of them again, changed or not: the system's authorities too. Harmless when NULL. */
void trust_reread(struct trust *trust);

#endif
