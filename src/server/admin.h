/*
 * What admin listeners answer: /metrics, /healthz, /readyz, /upstreams. The view is made by the
 * daemon and shared by all threads; nothing in it changes but through atomics.
 */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include <stdatomic.h>

#include "base/metric.h"
#include "gather/gather.h"
#include "server/listener_conf.h"
#include "server/site.h"

/* What it points to is borrowed and outlives it. */
struct admin_view {
	const struct metric_shard *const *shards; /* of all workers */
	size_t n_shards;
	const struct listener_conf *listeners; /* the public ones, by metric index */
	size_t n_listeners;
	const struct site *site;
	const struct upstream_conf *upstreams;
	const struct limiter_slot *const *limiters; /* by upstream */
	size_t n_upstreams;
	const struct limiter_slot *admission;
	/* Members of an upstream's object that say what its names are known for; the main thread's. NULL: none. */
	void (*put_names)(void *owner, size_t upstream, struct buf *out);
	void *names_owner;
	atomic_bool is_ready; /* all workers listen; false again when the daemon drains */
};

/* How many values each metric dimension has; for metric_layout_init(). Route 0 is "no route". */
void admin_metric_sizes(const struct admin_view *view, size_t sizes[DIM_COUNT]);
/* The answer to a request on an admin listener; memory is the arena's. */
void admin_answer(const struct admin_view *view, const struct request *request, struct arena *arena,
    struct answer *out);

#endif
