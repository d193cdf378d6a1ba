/* Free lists by size. See freelist.h; one thread per list. */
#include "base/freelist.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

#define MIN_BITS 14 /* of FREELIST_MIN_BYTES */
#define NO_SHELF FREELIST_SIZES

struct freelist_piece {
	struct freelist_piece *next; /* while it is free */
	size_t shelf;                /* where it goes back to; NO_SHELF: to the heap */
	char data[] __attribute__((aligned(16)));
};

/* Where n bytes are looked for: four shelves to a doubling, the first one for all that is smaller. */
static size_t
choose_shelf(size_t n)
{
	unsigned bits;

	if (n <= FREELIST_MIN_BYTES)
		return 0;
	if (n > FREELIST_MAX_BYTES)
		return NO_SHELF;
	bits = 63 - (unsigned)__builtin_clzll(n - 1);
	return (size_t)(bits - MIN_BITS) * 4 + ((n - 1) >> (bits - 2)) - 3;
}

static size_t
bytes_of(size_t shelf)
{
	if (shelf == 0)
		return FREELIST_MIN_BYTES;
	return ((shelf - 1) % 4 + 5) << ((shelf - 1) / 4 + MIN_BITS - 2);
}

void
freelist_init(struct freelist *f, size_t max_bytes)
{
	*f = (struct freelist){ .max_bytes = max_bytes };
}

static struct freelist_piece *
pop(struct freelist *f, size_t shelf)
{
	struct freelist_shelf *s = &f->shelves[shelf];
	struct freelist_piece *p = s->free;

	s->free = p->next;
	f->free_bytes -= bytes_of(shelf);
	if (--s->n_free < s->n_least)
		s->n_least = s->n_free;
	return p;
}

void
freelist_fini(struct freelist *f)
{
	for (size_t i = 0; i < FREELIST_SIZES; i++)
		while (f->shelves[i].free != NULL)
			free(pop(f, i));
}

static struct freelist_piece *
piece_new(size_t shelf, size_t n)
{
	struct freelist_piece *p;

	if (shelf != NO_SHELF)
		n = bytes_of(shelf);
	else if (n > SIZE_MAX - sizeof *p)
		n = SIZE_MAX - sizeof *p; /* mem_alloc() says so and aborts */
	p = mem_alloc(sizeof *p + n);
	p->shelf = shelf;
	return p;
}

void *
freelist_take(struct freelist *f, size_t n)
{
	size_t shelf = f == NULL ? NO_SHELF : choose_shelf(n);

	if (shelf != NO_SHELF && f->shelves[shelf].free != NULL)
		return pop(f, shelf)->data;
	return piece_new(shelf, n)->data;
}

static struct freelist_piece *
piece_of(void *p)
{
	return CONTAINER_OF(p, struct freelist_piece, data);
}

void
freelist_give(struct freelist *f, void *data)
{
	struct freelist_piece *p = data == NULL ? NULL : piece_of(data);
	struct freelist_shelf *s;

	if (p == NULL || p->shelf == NO_SHELF || bytes_of(p->shelf) > f->max_bytes - f->free_bytes) {
		free(p);
		return;
	}
	s = &f->shelves[p->shelf];
	p->next = s->free;
	s->free = p;
	s->n_free++;
	f->free_bytes += bytes_of(p->shelf);
}

void *
freelist_grow(struct freelist *f, void *data, size_t n_used, size_t n)
{
	struct freelist_piece *p = data == NULL ? NULL : piece_of(data);
	void *to;

	/* The heap can often do without a copy. */
	if (p != NULL && p->shelf == NO_SHELF && n <= SIZE_MAX - sizeof *p)
		return ((struct freelist_piece *)mem_realloc(p, sizeof *p + n))->data;
	to = freelist_take(f, n);
	if (n_used != 0)
		memcpy(to, data, n_used);
	freelist_give(f, data);
	return to;
}

void
freelist_trim(struct freelist *f)
{
	for (size_t i = 0; i < FREELIST_SIZES; i++) {
		struct freelist_shelf *s = &f->shelves[i];
		size_t n = (s->n_least + 1) / 2;

		while (n-- > 0)
			free(pop(f, i));
		s->n_least = s->n_free;
	}
}
