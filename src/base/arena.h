/*
 * Bump allocation for everything that dies together: an exchange, a configuration generation. Blocks come
 * from a pool (one per worker, not shared by threads) that keeps a bounded number of free ones and gives back what has
 * not been needed for a while; pieces larger than a block are from the pool's free lists.
 *
 * Allocation never returns NULL. Going over the budget sets a sticky flag which the owner tests at its next
 * step and answers with ERR_BUDGET: no branch per allocation, no path that is never tested.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/freelist.h"
#include "base/str.h"

#define ARENA_BLOCK_BYTES 4096

struct arena_block;
struct arena_piece;

/* Free memory of one thread. */
struct arena_pool {
	struct arena_block *free; /* owned */
	size_t n_free;
	size_t n_least;  /* of n_free since the last arena_pool_trim() */
	size_t max_free; /* blocks kept; more are given back to the heap */
	size_t n_used;   /* blocks out; 0 at rest */
	struct freelist large; /* for pieces larger than a block, and for whoever needs such memory outside an arena */
};

/* What is not worth giving back: a thread at rest keeps so much. */
#define ARENA_POOL_REST_BYTES ((size_t)256 * 1024)

/* max_free: blocks; max_large_bytes: of larger memory. */
void arena_pool_init(struct arena_pool *pool, size_t max_free, size_t max_large_bytes);
/* Frees what is free. Every arena must have been reset. */
void arena_pool_fini(struct arena_pool *pool);
/* Gives back to the heap half of what has been free all the time since it was last called. */
void arena_pool_trim(struct arena_pool *pool);

/* Is there anything that arena_pool_trim() should look at from time to time? */
static inline bool
arena_pool_is_trimmable(const struct arena_pool *pool)
{
	return pool->n_free * ARENA_BLOCK_BYTES + pool->large.free_bytes > ARENA_POOL_REST_BYTES;
}

struct arena_cleanup {
	struct arena_cleanup *next;
	void (*fn)(void *arg);
	void *arg;
};

struct arena {
	struct arena_pool *pool; /* borrowed, outlives the arena; NULL: every block is from the heap */
	struct arena_block *blocks;      /* owned */
	struct arena_piece *large;       /* owned */
	struct arena_cleanup *cleanups;  /* in the arena */
	char *at;
	char *end;
	size_t used_bytes;
	size_t budget_bytes;
	bool is_over; /* sticky: more than the budget was asked for */
};

/* budget_bytes 0: no limit. Takes no block until the first allocation. */
void arena_init(struct arena *a, struct arena_pool *pool, size_t budget_bytes);
/* Runs the clean-ups (last first), gives every block back; the arena is then as after arena_init(). */
void arena_reset(struct arena *a);

void *arena_alloc_slow(struct arena *a, size_t n);

/* n bytes aligned to 8, not cleared, valid until arena_reset(). */
static inline void *
arena_alloc(struct arena *a, size_t n)
{
	size_t rounded = (n + 7) & ~(size_t)7;
	char *p = a->at;

	/* >= and not >: the very first piece may be empty, and there is no block yet to point into. */
	if (UNLIKELY(rounded < n || rounded >= (size_t)(a->end - p)))
		return arena_alloc_slow(a, n);
	a->at = p + rounded;
	return p;
}

/* Gives the end of the latest allocation back: of the n bytes at p only `used` are wanted. */
static inline void
arena_trim(struct arena *a, char *p, size_t n, size_t used)
{
	if (a->at == p + ((n + 7) & ~(size_t)7))
		a->at = p + ((used + 7) & ~(size_t)7);
}

/* count * size bytes, cleared. */
void *arena_calloc(struct arena *a, size_t count, size_t size);
/* A copy of s, with a NUL behind it that is not counted. */
struct str arena_str(struct arena *a, struct str s);
/* A formatted string, NUL-terminated. */
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* fn(arg) runs at arena_reset(). */
void arena_on_reset(struct arena *a, void (*fn)(void *), void *arg);

#endif
