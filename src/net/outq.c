/* Queued output of one connection. Used on its loop's thread. */
#include "net/outq.h"

#include <sys/uio.h>

#include "base/compiler.h"

/* A segment is under a quarter of a block, so it comes from the pool and not from the heap. */
#define SEG_SLICES 60
/* Slices handed over in one write: 4 KiB of stack; IOV_MAX is 1024. */
#define BATCH 256

struct outq_seg {
	struct outq_seg *next;
	size_t at; /* first slice that is not sent */
	size_t n;
	struct iovec iov[SEG_SLICES];
};

void
outq_init(struct outq *q, struct arena_pool *pool)
{
	*q = (struct outq){ 0 };
	arena_init(&q->arena, pool, 0);
}

void
outq_clear(struct outq *q)
{
	arena_reset(&q->arena);
	q->head = NULL;
	q->tail = NULL;
	q->spare = NULL;
	q->bytes = 0;
}

static struct outq_seg *
seg_add(struct outq *q)
{
	struct outq_seg *seg = q->spare;

	if (seg != NULL)
		q->spare = seg->next;
	else
		seg = arena_alloc(&q->arena, sizeof *seg);
	seg->next = NULL;
	seg->at = 0;
	seg->n = 0;
	if (q->tail == NULL)
		q->head = seg;
	else
		q->tail->next = seg;
	q->tail = seg;
	return seg;
}

void
outq_add(struct outq *q, const void *p, size_t n)
{
	struct outq_seg *seg = q->tail;
	struct iovec *last;

	if (n == 0)
		return;
	q->bytes += n;
	if (seg != NULL && seg->n > seg->at) {
		/*
		 * What lies behind the last slice in memory makes it longer: fewer slices, less
		 * work below.
		 */
		last = &seg->iov[seg->n - 1];
		if ((const char *)last->iov_base + last->iov_len == (const char *)p) {
			last->iov_len += n;
			return;
		}
	}
	if (seg == NULL || seg->n == SEG_SLICES)
		seg = seg_add(q);
	seg->iov[seg->n++] = (struct iovec){ .iov_base = (void *)p, .iov_len = n };
}

static size_t
gather(const struct outq *q, struct iovec *iov)
{
	size_t n = 0;

	for (const struct outq_seg *seg = q->head; seg != NULL; seg = seg->next)
		for (size_t i = seg->at; i < seg->n; i++) {
			if (n == BATCH)
				return n;
			iov[n++] = seg->iov[i];
		}
	return n;
}

static void
take_off(struct outq *q, size_t sent)
{
	assert(sent <= q->bytes);
	q->bytes -= sent;
	if (q->bytes == 0) {
		outq_clear(q);
		return;
	}
	while (sent > 0) {
		struct outq_seg *seg = q->head;
		struct iovec *iov = &seg->iov[seg->at];

		if (sent < iov->iov_len) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= sent;
			return;
		}
		sent -= iov->iov_len;
		if (++seg->at == seg->n) {
			q->head = seg->next;
			seg->next = q->spare;
			q->spare = seg;
		}
	}
}

enum io_status
outq_flush(struct outq *q, struct stream *s)
{
	struct iovec iov[BATCH];
	size_t put;

	while (q->bytes > 0) {
		enum io_status io = stream_writev(s, iov, gather(q, iov), &put);

		if (io != IO_OK)
			return io;
		take_off(q, put);
	}
	return IO_OK;
}
