/*
 * TLS between simulated clients and the workers: the real thing, OpenSSL and all, on random numbers
 * of the episode's seed. It costs a hundred times what a plain connection does, so few episodes
 * have it.
 */
#ifndef SIM_TLS_H
#define SIM_TLS_H

#include "sim.h"

struct tls_ctx;

/* Does nothing unless s->env.has_tls. */
void sim_tls_open(struct sim *s);
void sim_tls_close(struct sim *s);
/* For a worker's listener; NULL: it speaks plain HTTP. */
struct tls_ctx *sim_tls_context(const struct sim *s);
/* As stream_connect(), over TLS where the episode has it. */
struct stream *sim_tls_connect(struct sim *s, const struct stream_events *events, void *owner);

#endif
