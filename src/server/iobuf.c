/* Buffers of client connections. Owned by connections; free ones by the server. One thread. */
#include "server/iobuf.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "server/server.h"

#define IOBUF_MAX_FREE 256

static struct iobuf *
buffer_new(struct server *s, size_t cap)
{
	struct iobuf *b = SLIST_FIRST(&s->free_iobufs);

	if (cap <= IOBUF_BYTES && b != NULL) {
		SLIST_REMOVE_HEAD(&s->free_iobufs, link);
		if (--s->n_free_iobufs < s->n_least_iobufs)
			s->n_least_iobufs = s->n_free_iobufs;
	} else {
		if (cap < IOBUF_BYTES)
			cap = IOBUF_BYTES;
		b = mem_alloc(sizeof(*b) + cap);
		b->cap = cap;
	}
	b->start = 0;
	b->end = 0;
	return b;
}

void
iobuf_drop(struct server *s, struct iobuf **b)
{
	struct iobuf *old = *b;

	*b = NULL;
	if (old == NULL)
		return;
	if (old->cap != IOBUF_BYTES || s->n_free_iobufs >= IOBUF_MAX_FREE) {
		free(old);
		return;
	}
	SLIST_INSERT_HEAD(&s->free_iobufs, old, link);
	s->n_free_iobufs++;
	server_trim_later(s);
}

/* Behind the bytes that are there; first by moving them to the front, then by taking a larger buffer. */
char *
iobuf_reserve(struct server *s, struct iobuf **b, size_t n, size_t *room)
{
	struct iobuf *old = *b, *larger;
	size_t used = old == NULL ? 0 : old->end - old->start;

	if (old != NULL && old->cap - old->end < n && old->start > 0) {
		memmove(old->bytes, old->bytes + old->start, used);
		old->start = 0;
		old->end = used;
	}
	if (old == NULL || old->cap - old->end < n) {
		larger = buffer_new(s, used + n > IOBUF_BYTES ? 2 * used + n : n);
		if (used > 0)
			memcpy(larger->bytes, old->bytes + old->start, used);
		larger->end = used;
		iobuf_drop(s, b);
		*b = larger;
	}
	*room = (*b)->cap - (*b)->end;
	return (*b)->bytes + (*b)->end;
}

void
iobuf_commit(struct iobuf *b, size_t n)
{
	assert(n <= b->cap - b->end);
	b->end += n;
}

void
iobuf_add(struct server *s, struct iobuf **b, struct str bytes)
{
	size_t room;
	char *to;

	if (bytes.n == 0)
		return;
	to = iobuf_reserve(s, b, bytes.n, &room);
	memcpy(to, bytes.p, bytes.n);
	iobuf_commit(*b, bytes.n);
}

void
iobuf_take(struct server *s, struct iobuf **b, size_t n)
{
	if (*b == NULL)
		return;
	assert(n <= (*b)->end - (*b)->start);
	(*b)->start += n;
	if ((*b)->start == (*b)->end)
		iobuf_drop(s, b);
}
