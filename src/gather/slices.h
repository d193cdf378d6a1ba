/*
 * A list of slices under construction, for writev: bytes that lie somewhere are pointed at, short
 * ones are copied into glue. Neighbours in memory become one slice. Lives in an arena.
 */
#ifndef GATHER_SLICES_H
#define GATHER_SLICES_H

#include <sys/uio.h>

#include "base/arena.h"

struct slices {
	struct arena *arena;
	struct iovec *iov; /* in the arena */
	size_t n;
	size_t cap;
	size_t bytes;
	char *glue; /* free room for copies, in the arena */
	size_t glue_bytes;
	size_t glue_next_bytes; /* size of the room after this one */
};

/* expected: how many slices there will probably be. */
void slices_init(struct slices *s, struct arena *a, size_t expected);
/* The bytes must live as long as the list, even when they happen to be copied. */
void slices_add(struct slices *s, struct str bytes);
/* Copies; for text that does not live long. */
void slices_copy(struct slices *s, struct str bytes);
/* n slices, of so many bytes together, as one text: a copy in the arena unless there is only one. */
struct str slices_join(struct arena *a, const struct iovec *iov, size_t n, size_t bytes);

#endif
