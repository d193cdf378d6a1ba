/*
 * Memory of 16 KiB and more, kept for the next who asks: what the heap gives back to the system with every large
 * answer has to be cleared and mapped again for the next one, and costs more than reading it. Free pieces lie in lists
 * by size, four sizes to a doubling. There is a ceiling on all of them together, and what nobody has needed for a while
 * is given back. One per thread, not shared.
 */
#ifndef BASE_FREELIST_H
#define BASE_FREELIST_H

#include <stddef.h>

#define FREELIST_MIN_BYTES 16384
#define FREELIST_MAX_BYTES 1048576
#define FREELIST_SIZES 25

struct freelist_piece;

/* Free pieces of one size. */
struct freelist_shelf {
	struct freelist_piece *free; /* owned; the last one given is the first one taken */
	size_t n_free;
	size_t n_least; /* of n_free since the last freelist_trim(): so many were not needed */
};

struct freelist {
	struct freelist_shelf shelves[FREELIST_SIZES];
	size_t max_bytes;
	size_t free_bytes; /* never over max_bytes */
};

/* max_bytes: the ceiling on what is kept. */
void freelist_init(struct freelist *f, size_t max_bytes);
/* Frees what is free. Pieces that are out are given back before. */
void freelist_fini(struct freelist *f);

/*
 * At least n bytes, not cleared, aligned to 16; freelist_give() releases. Sizes that are not kept, because few ask for
 * them, are from the heap. Never NULL. f may be NULL: then all is.
 */
void *freelist_take(struct freelist *f, size_t n);
/* NULL is harmless. f: where the piece was taken from. */
void freelist_give(struct freelist *f, void *data);
/* Room for n bytes in place of data (NULL: none), whose first n_used bytes are kept. */
void *freelist_grow(struct freelist *f, void *data, size_t n_used, size_t n);

/* Gives back to the heap half of what has been free all the time since it was last called. */
void freelist_trim(struct freelist *f);

#endif
