/* The area that threads share. Main thread makes and frees it; the rest is atomics. */
#include "daemon/shared.h"

#include <stdlib.h>

#include "base/mem.h"

static void
init_slots(struct shared *s)
{
	const struct conf *c = s->gen->conf;

	s->admission = mem_calloc_lines(1, sizeof *s->admission);
	s->upstreams = mem_calloc_lines(c->n_upstreams, sizeof *s->upstreams);
	s->limiters = mem_calloc(c->n_upstreams, sizeof(*s->limiters));
	limiter_slot_init(s->admission, c->overload.limit, c->overload.queue_size);
	for (size_t i = 0; i < c->n_upstreams; i++) {
		upstream_slots_init(&s->upstreams[i], &c->upstreams[i]);
		s->limiters[i] = &s->upstreams[i].permits;
	}
}

static void
init_view(struct shared *s)
{
	const struct conf *c = s->gen->conf;

	s->view = (struct admin_view){
		.listeners = c->listeners,
		.n_listeners = c->n_listeners,
		.site = s->gen->site,
		.upstreams = c->upstreams,
		.limiters = s->limiters,
		.n_upstreams = c->n_upstreams,
		.admission = s->admission,
	};
}

static void
init_metrics(struct shared *s)
{
	size_t sizes[DIM_COUNT] = { 0 };

	admin_metric_sizes(&s->view, sizes);
	metric_layout_init(&s->layout, sizes);
	s->shards = mem_calloc(s->n_shards, sizeof *s->shards);
	s->shard_list = mem_calloc(s->n_shards, sizeof(*s->shard_list));
	for (size_t i = 0; i < s->n_shards; i++) {
		metric_shard_init(&s->shards[i], &s->layout);
		s->shard_list[i] = &s->shards[i];
	}
	s->view.shards = s->shard_list;
	s->view.n_shards = s->n_shards;
}

void
shared_init(struct shared *s, const struct generation *gen, size_t n_workers)
{
	*s = (struct shared){ .gen = gen, .n_shards = n_workers + 1 };
	s->listeners = mem_calloc_lines(gen->conf->n_listeners, sizeof *s->listeners);
	init_slots(s);
	init_view(s);
	init_metrics(s);
}

void
shared_fini(struct shared *s)
{
	for (size_t i = 0; i < s->n_shards; i++)
		metric_shard_fini(&s->shards[i]);
	free(s->shards);
	free(s->shard_list);
	free(s->listeners);
	free(s->limiters);
	free(s->upstreams);
	free(s->admission);
	*s = (struct shared){ 0 };
}
