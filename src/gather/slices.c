/* Slices and the glue between them. No state of its own. */
#include "gather/slices.h"

#define COPIED_BYTES 48 /* up to this, copying costs less than one more slice in the kernel */
#define FIRST_GLUE_BYTES 256
#define MAX_GLUE_BYTES 65536

void
slices_init(struct slices *s, struct arena *a, size_t expected)
{
	*s = (struct slices){ .arena = a, .cap = expected, .glue_next_bytes = FIRST_GLUE_BYTES };
	s->iov = arena_alloc(a, s->cap * sizeof *s->iov);
}

static void
add_slice(struct slices *s, const char *p, size_t n)
{
	if (s->n == s->cap) {
		struct iovec *old = s->iov;

		s->cap = s->cap * 2 + 8;
		s->iov = arena_alloc(s->arena, s->cap * sizeof *s->iov);
		if (s->n > 0)
			memcpy(s->iov, old, s->n * sizeof *s->iov);
	}
	s->iov[s->n++] = str_iov(str_of(p, n));
}

/* n bytes at p come next; p does not move any more. */
static void
point_at(struct slices *s, const char *p, size_t n)
{
	s->bytes += n;
	if (s->n > 0) {
		struct iovec *last = &s->iov[s->n - 1];

		if ((const char *)last->iov_base + last->iov_len == p) {
			last->iov_len += n;
			return;
		}
	}
	add_slice(s, p, n);
}

static void
grow_glue(struct slices *s, size_t n)
{
	s->glue_bytes = n > s->glue_next_bytes ? n : s->glue_next_bytes;
	s->glue = arena_alloc(s->arena, s->glue_bytes);
	if (s->glue_next_bytes < MAX_GLUE_BYTES)
		s->glue_next_bytes *= 2;
}

void
slices_copy(struct slices *s, struct str bytes)
{
	if (bytes.n == 0)
		return;
	if (bytes.n > s->glue_bytes)
		grow_glue(s, bytes.n);
	memcpy(s->glue, bytes.p, bytes.n);
	point_at(s, s->glue, bytes.n);
	s->glue += bytes.n;
	s->glue_bytes -= bytes.n;
}

void
slices_add(struct slices *s, struct str bytes)
{
	if (bytes.n <= COPIED_BYTES)
		slices_copy(s, bytes);
	else
		point_at(s, bytes.p, bytes.n);
}

struct str
slices_join(struct arena *a, const struct iovec *iov, size_t n, size_t bytes)
{
	char *to;

	if (n == 1)
		return str_of(iov[0].iov_base, iov[0].iov_len);
	to = arena_alloc(a, bytes);
	return str_of(to, str_copy_iov(to, bytes, iov, n));
}
