/* A semaphore, and the turn beside it, with the views of two workers in a world of memory. */
#ifndef LIMITER_RIG_H
#define LIMITER_RIG_H

#include "net/mem_world.h"
#include "unit.h"
#include "upstream/limiter.h"

struct fixture {
	struct mem_world *world;
	struct loop *loops[2];
	struct limiter views[2];
	struct limiter turns[2];
	struct limiter_slot slot;
	struct limiter_slot turn;
};

/* What those that waited were told, in turn. */
static enum err_code settled[256];
static int n_settled;

static inline void
on_permit(struct permit *p, enum err_code e)
{
	(void)p;
	settled[n_settled++] = e;
}

static inline void
setup(struct fixture *f, uint64_t limit, uint64_t queue)
{
	n_settled = 0;
	f->world = mem_world_new(1);
	limiter_slot_init(&f->slot, limit, queue);
	limiter_slot_init(&f->turn, 1, UINT32_MAX);
	for (unsigned i = 0; i < 2; i++) {
		f->loops[i] = mem_world_loop(f->world);
		limiter_init(&f->views[i], &f->slot, i, f->loops[i]);
		limiter_init(&f->turns[i], &f->turn, i, f->loops[i]);
	}
}

/* All that was taken was given back. */
static inline void
teardown(struct fixture *f)
{
	while (mem_world_step(f->world))
		;
	ck_assert_uint_eq(limiter_inflight(&f->views[0]), 0);
	ck_assert_uint_eq(atomic_load(&f->slot.queued), 0);
	ck_assert(atomic_load(&f->slot.waiting_workers) == 0);
	ck_assert_uint_eq(limiter_inflight(&f->turns[0]), 0);
	ck_assert(atomic_load(&f->turn.waiting_workers) == 0);
	for (unsigned i = 0; i < 2; i++) {
		limiter_fini(&f->views[i]);
		limiter_fini(&f->turns[i]);
		loop_free(f->loops[i]);
	}
	mem_world_free(f->world);
}

#endif
