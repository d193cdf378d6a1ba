/* One upstream on one loop in a world of memory. */
#ifndef UPSTREAM_RIG_H
#define UPSTREAM_RIG_H

#include "net/mem_world.h"
#include "unit.h"
#include "upstream/upstream.h"

struct rig {
	struct mem_world *world;
	struct loop *loop;
	struct server_conf server;
	struct upstream_conf conf;
	struct upstream_slots slots;
	struct metric_layout layout;
	struct metric_shard metrics;
	struct upstream up;
};

/* The world and its loop; who wants other values than these in conf sets them before rig_start(). */
static inline void
rig_open(struct rig *r)
{
	*r = (struct rig){ .world = mem_world_new(1) };
	r->loop = mem_world_loop(r->world);
	r->server = (struct server_conf){ .host = STR("users"), .weight = 1 };
	r->conf = (struct upstream_conf){
		.servers = &r->server,
		.n_servers = 1,
		.pool = { .max_connections = 2, .max_idle = 2, .idle_timeout_ns = 10 * NS_PER_SEC },
		.timeouts = { .connect_ns = NS_PER_SEC, .first_byte_ns = 2 * NS_PER_SEC, .total_ns = 3 * NS_PER_SEC },
		.limits = { .header_bytes = 4096, .headers = 20 },
	};
}

static inline void
rig_start(struct rig *r)
{
	size_t sizes[DIM_COUNT];

	for (size_t i = 0; i < DIM_COUNT; i++)
		sizes[i] = 1;
	upstream_slots_init(&r->slots, &r->conf);
	metric_layout_init(&r->layout, sizes);
	metric_shard_init(&r->metrics, &r->layout);
	upstream_init(&r->up, &r->conf, 0, &r->slots, 0, r->loop, &r->metrics);
}

/* The upstream was closed before, and so was whatever else is in the world. */
static inline void
rig_close(struct rig *r)
{
	loop_turn(r->loop, 0);
	upstream_fini(&r->up);
	metric_shard_fini(&r->metrics);
	loop_free(r->loop);
	mem_world_free(r->world);
}

#endif
