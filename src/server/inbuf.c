/* Input buffers of client connections. Owned by connections; free ones by the server. One thread. */
#include "server/inbuf.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "server/server.h"

/* With its header and the heap's a page; larger ones are from the heap and go back there. */
#define INBUF_BYTES (4096 - sizeof(struct inbuf) - 16)
#define INBUF_MAX_FREE 256

static struct inbuf *
buffer_new(struct server *s, size_t cap)
{
	struct inbuf *in = SLIST_FIRST(&s->free_inbufs);

	if (cap <= INBUF_BYTES && in != NULL) {
		SLIST_REMOVE_HEAD(&s->free_inbufs, link);
		if (--s->n_free_inbufs < s->n_least_inbufs)
			s->n_least_inbufs = s->n_free_inbufs;
	} else {
		if (cap < INBUF_BYTES)
			cap = INBUF_BYTES;
		in = mem_alloc(sizeof(*in) + cap);
		in->cap = cap;
	}
	in->start = 0;
	in->end = 0;
	return in;
}

void
inbuf_drop(struct server *s, struct inbuf **in)
{
	struct inbuf *old = *in;

	*in = NULL;
	if (old == NULL)
		return;
	if (old->cap != INBUF_BYTES || s->n_free_inbufs >= INBUF_MAX_FREE) {
		free(old);
		return;
	}
	SLIST_INSERT_HEAD(&s->free_inbufs, old, link);
	s->n_free_inbufs++;
	server_trim_later(s);
}

/* Behind the bytes that are there; first by moving them to the front, then by taking a larger buffer. */
char *
inbuf_reserve(struct server *s, struct inbuf **in, size_t n, size_t *room)
{
	struct inbuf *old = *in, *larger;
	size_t used = old == NULL ? 0 : old->end - old->start;

	if (old != NULL && old->cap - old->end < n && old->start > 0) {
		memmove(old->bytes, old->bytes + old->start, used);
		old->start = 0;
		old->end = used;
	}
	if (old == NULL || old->cap - old->end < n) {
		larger = buffer_new(s, used + n > INBUF_BYTES ? 2 * used + n : n);
		if (used > 0)
			memcpy(larger->bytes, old->bytes + old->start, used);
		larger->end = used;
		inbuf_drop(s, in);
		*in = larger;
	}
	*room = (*in)->cap - (*in)->end;
	return (*in)->bytes + (*in)->end;
}

void
inbuf_commit(struct inbuf *in, size_t n)
{
	assert(n <= in->cap - in->end);
	in->end += n;
}

void
inbuf_add(struct server *s, struct inbuf **in, struct str bytes)
{
	size_t room;
	char *to;

	if (bytes.n == 0)
		return;
	to = inbuf_reserve(s, in, bytes.n, &room);
	memcpy(to, bytes.p, bytes.n);
	inbuf_commit(*in, bytes.n);
}

void
inbuf_take(struct server *s, struct inbuf **in, size_t n)
{
	if (*in == NULL)
		return;
	assert(n <= (*in)->end - (*in)->start);
	(*in)->start += n;
	if ((*in)->start == (*in)->end)
		inbuf_drop(s, in);
}
