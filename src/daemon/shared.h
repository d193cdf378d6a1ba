/*
 * The flat area that threads share: the slots of the semaphores, the counts of connections, the metric shards,
 * all addressed by index. Made before the workers run, freed after they have ended.
 */
#ifndef DAEMON_SHARED_H
#define DAEMON_SHARED_H

#include "base/metric.h"
#include "daemon/generation.h"
#include "server/admin.h"
#include "server/listener.h"
#include "upstream/upstream.h"

struct shared {
	const struct generation *gen; /* borrowed, outlives it */
	struct limiter_slot *admission;       /* owned; the daemon's */
	struct upstream_slots *upstreams;     /* owned; by index in the configuration */
	const struct limiter_slot **limiters; /* owned list, for the admin pages */
	struct listener_shared *listeners;          /* owned; by index in the configuration */
	struct metric_layout layout;
	struct metric_shard *shards; /* owned; one per worker, and the last one the main thread's */
	const struct metric_shard **shard_list; /* owned */
	size_t n_shards;
	struct admin_view view;
};

void shared_init(struct shared *s, const struct generation *gen, size_t n_workers);
void shared_fini(struct shared *s);

#endif
