/* Bump allocator over pooled blocks. One thread per pool. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

struct arena_block {
	struct arena_block *next;
	char data[] __attribute__((aligned(8)));
};

/* Memory for one large piece. */
struct arena_piece {
	struct arena_piece *next;
	bool is_kept; /* goes back to the pool's free lists, not to the heap */
	char data[] __attribute__((aligned(8)));
};

#define BLOCK_DATA (ARENA_BLOCK_BYTES - sizeof(struct arena_block))
/* Without a pool nothing is used again: a larger piece from the heap has just the size that it needs. */
#define HEAP_PIECE_BYTES (BLOCK_DATA / 4)

void
arena_pool_init(struct arena_pool *pool, size_t max_free, size_t max_large_bytes)
{
	*pool = (struct arena_pool){ .max_free = max_free };
	freelist_init(&pool->large, max_large_bytes);
}

static void
free_blocks(struct arena_pool *pool, size_t n)
{
	pool->n_free -= n;
	while (n-- > 0) {
		struct arena_block *b = pool->free;

		pool->free = b->next;
		free(b);
	}
	pool->n_least = pool->n_free;
}

void
arena_pool_fini(struct arena_pool *pool)
{
	assert(pool->n_used == 0);
	free_blocks(pool, pool->n_free);
	freelist_fini(&pool->large);
}

void
arena_pool_trim(struct arena_pool *pool)
{
	free_blocks(pool, (pool->n_least + 1) / 2);
	freelist_trim(&pool->large);
}

static struct arena_block *
block_take(struct arena_pool *pool)
{
	struct arena_block *b;

	if (pool == NULL)
		return mem_alloc(ARENA_BLOCK_BYTES);
	pool->n_used++;
	b = pool->free;
	if (b == NULL)
		return mem_alloc(ARENA_BLOCK_BYTES);
	pool->free = b->next;
	if (--pool->n_free < pool->n_least)
		pool->n_least = pool->n_free;
	return b;
}

static void
block_give(struct arena_pool *pool, struct arena_block *b)
{
	if (pool != NULL)
		pool->n_used--;
	if (pool == NULL || pool->n_free >= pool->max_free) {
		free(b);
		return;
	}
	b->next = pool->free;
	pool->free = b;
	pool->n_free++;
}

static struct arena_piece *
piece_take(struct arena_pool *pool, size_t n)
{
	bool is_kept = pool != NULL;
	struct arena_piece *p;

	if (n > SIZE_MAX - sizeof *p)
		n = SIZE_MAX - sizeof *p; /* mem_alloc() says so and aborts */
	n += sizeof *p;
	p = is_kept ? freelist_take(&pool->large, n) : mem_alloc(n);
	p->is_kept = is_kept;
	return p;
}

static void
piece_give(struct arena_pool *pool, struct arena_piece *p)
{
	if (p->is_kept)
		freelist_give(&pool->large, p);
	else
		free(p);
}

void
arena_init(struct arena *a, struct arena_pool *pool, size_t budget_bytes)
{
	*a = (struct arena){ .pool = pool, .budget_bytes = budget_bytes };
}

void
arena_reset(struct arena *a)
{
	while (a->cleanups != NULL) {
		struct arena_cleanup *c = a->cleanups;

		a->cleanups = c->next;
		c->fn(c->arg);
	}
	while (a->large != NULL) {
		struct arena_piece *p = a->large;

		a->large = p->next;
		piece_give(a->pool, p);
	}
	while (a->blocks != NULL) {
		struct arena_block *b = a->blocks;

		a->blocks = b->next;
		block_give(a->pool, b);
	}
	arena_init(a, a->pool, a->budget_bytes);
}

static void
account(struct arena *a, size_t n)
{
	if (__builtin_add_overflow(a->used_bytes, n, &a->used_bytes))
		a->used_bytes = SIZE_MAX;
	if (a->budget_bytes != 0 && a->used_bytes > a->budget_bytes)
		a->is_over = true;
}

static void *
alloc_large(struct arena *a, size_t n)
{
	struct arena_piece *p = piece_take(a->pool, n);

	p->next = a->large;
	a->large = p;
	account(a, n);
	return p->data;
}

void *
arena_alloc_slow(struct arena *a, size_t n)
{
	size_t rounded = (n + 7) & ~(size_t)7;
	struct arena_block *b;
	char *end;

	if (n > (a->pool != NULL ? BLOCK_DATA : HEAP_PIECE_BYTES))
		return alloc_large(a, n);
	b = block_take(a->pool);
	b->next = a->blocks;
	a->blocks = b;
	end = (char *)b + ARENA_BLOCK_BYTES;
	/* Of the two the one with more room left is for what comes next. */
	if (a->at == NULL || end - (b->data + rounded) >= a->end - a->at) {
		a->at = b->data + rounded;
		a->end = end;
	}
	account(a, ARENA_BLOCK_BYTES);
	return b->data;
}

void *
arena_calloc(struct arena *a, size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n))
		n = SIZE_MAX;
	p = arena_alloc(a, n);
	memset(p, 0, n);
	return p;
}

struct str
arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n != 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return str_of(p, s.n);
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	int n;
	char *p;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return str_of(p, (size_t)n);
}

void
arena_on_reset(struct arena *a, void (*fn)(void *), void *arg)
{
	struct arena_cleanup *c = arena_alloc(a, sizeof *c);

	*c = (struct arena_cleanup){ .next = a->cleanups, .fn = fn, .arg = arg };
	a->cleanups = c;
}
