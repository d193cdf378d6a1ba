/* Copying a text with changes. No state but the struct. */
#include "gather/edit.h"

#include <string.h>

#include "base/compiler.h"

void
edit_init(struct edit *e, struct arena *arena, struct str in, size_t slack)
{
	*e = (struct edit){ .arena = arena, .in = in, .copied = in.p, .slack = slack };
}

static size_t
rest(const struct edit *e, const char *from)
{
	return (size_t)(e->in.p + e->in.n - from);
}

/* Room for `need` bytes in all. A text that outgrew its first room may go on growing: half as much
 * again. */
static void
grow(struct edit *e, size_t need)
{
	size_t cap = need + (e->out == NULL ? e->slack : need / 2);
	char *out = arena_alloc(e->arena, cap);

	if (e->n > 0)
		memcpy(out, e->out, e->n);
	e->out = out;
	e->cap = cap;
	e->is_over = e->arena->is_over;
}

static void
put(struct edit *e, const char *p, size_t n)
{
	if (n > 0)
		memcpy(e->out + e->n, p, n);
	e->n += n;
}

void
edit_replace(struct edit *e, struct str cut, struct str with)
{
	size_t need = e->n + rest(e, e->copied) - cut.n + with.n;

	if (UNLIKELY(e->is_over))
		return;
	if (e->out == NULL || need > e->cap)
		grow(e, need);
	put(e, e->copied, (size_t)(cut.p - e->copied));
	put(e, with.p, with.n);
	e->copied = cut.p + cut.n;
}

enum err_code
edit_finish(struct edit *e, struct str *out)
{
	if (e->is_over)
		return ERR_BUDGET;
	*out = e->in;
	if (e->out == NULL)
		return ERR_NONE;
	put(e, e->copied, rest(e, e->copied));
	arena_trim(e->arena, e->out, e->cap, e->n);
	*out = str_of(e->out, e->n);
	return ERR_NONE;
}
