/*
 * What a connection has to send: slices in order, borrowed until they are sent. The list itself
 * takes blocks from the thread's pool and gives them back when it is empty, so an idle connection
 * holds none.
 */
#ifndef NET_OUTQ_H
#define NET_OUTQ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "net/stream.h"

struct outq_seg;

struct outq {
	struct arena arena;    /* holds the segments; reset when the last byte has left */
	struct outq_seg *head; /* what is sent next; NULL: nothing is queued */
	struct outq_seg *tail;
	struct outq_seg *spare; /* sent segments: a stream that never runs dry uses them again */
	size_t bytes; /* queued and not sent */
};

/* pool is borrowed, outlives q, and is the thread's (loop->blocks); NULL: from the heap. */
void outq_init(struct outq *q, struct arena_pool *pool);
/* Forgets what is queued; q may be used again. */
void outq_clear(struct outq *q);
/* n bytes at p, which stay valid until they are sent or cleared. None is harmless. */
void outq_add(struct outq *q, const void *p, size_t n);
/*
 * Sends until all is gone (IO_OK), the stream is full (IO_AGAIN: on_writable comes) or dead
 * (IO_ERROR).
 */
enum io_status outq_flush(struct outq *q, struct stream *s);

static inline size_t
outq_bytes(const struct outq *q)
{
	return q->bytes;
}

static inline bool
outq_is_empty(const struct outq *q)
{
	return q->bytes == 0;
}

#endif
