/* Growing byte buffer. Owned by one thread. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"

void
buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf)BUF_INIT;
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t need;

	if (__builtin_add_overflow(b->n, n, &need))
		need = SIZE_MAX; /* mem_realloc() says so and aborts */
	if (need > b->cap) {
		size_t cap = b->cap < SIZE_MAX / 2 ? b->cap * 2 : need;

		if (cap < need)
			cap = need;
		if (cap < 256)
			cap = 256;
		b->p = mem_realloc(b->p, cap);
		b->cap = cap;
	}
	return b->p + b->n;
}

void
buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->n);
	b->n += n;
}

void
buf_add(struct buf *b, struct str s)
{
	if (s.n == 0)
		return;
	memcpy(buf_reserve(b, s.n), s.p, s.n);
	b->n += s.n;
}

void
buf_add_c(struct buf *b, const char *c)
{
	buf_add(b, str_c(c));
}

void
buf_add_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->n++;
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	b->n += str_put_u64(buf_reserve(b, STR_U64_MAX), v);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
	va_end(again);
	b->n += (size_t)n;
}

struct str
buf_str(const struct buf *b)
{
	return str_of(b->p == NULL ? "" : b->p, b->n);
}

const char *
buf_c(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->p;
}
