/* Copying a text with changes. No state but the struct. */
#include "gather/edit.h"

#include <string.h>

#include "base/compiler.h"

void
edit_init(struct edit *e, struct arena *arena, struct str in, size_t slack)
{
	*e = (struct edit){ .arena = arena, .in = in, .copied = in.p, .slack = slack };
}

void
edit_init_in_place(struct edit *e, struct arena *arena, struct str in, size_t slack)
{
	edit_init(e, arena, in, slack);
	e->out = (char *)(uintptr_t)in.p; /* only who owns the bytes asks for this */
	e->is_in_place = true;
}

static size_t
rest(const struct edit *e, const char *from)
{
	return (size_t)(e->in.p + e->in.n - from);
}

/* Room for `need` bytes in all. A text that outgrew its first room may go on growing: half as much again. */
static void
grow(struct edit *e, size_t need)
{
	bool is_first = e->out == NULL || e->is_in_place;
	size_t cap = need + (is_first ? e->slack : need / 2);
	char *out = arena_alloc(e->arena, cap);

	if (e->n > 0)
		memcpy(out, e->out, e->n);
	e->out = out;
	e->cap = cap;
	e->is_in_place = false;
	e->is_over = e->arena->is_over;
}

static void
put(struct edit *e, const char *p, size_t n)
{
	if (n > 0 && e->out + e->n != p)
		memmove(e->out + e->n, p, n);
	e->n += n;
}

/* Is there room in front of what follows the cut? */
static bool
fits_in_place(const struct edit *e, struct str cut, struct str with)
{
	size_t kept = (size_t)(cut.p - e->copied);

	return e->n + kept + with.n <= (size_t)(cut.p + cut.n - e->in.p);
}

void
edit_replace(struct edit *e, struct str cut, struct str with)
{
	size_t need = e->n + rest(e, e->copied) - cut.n + with.n;

	if (UNLIKELY(e->is_over))
		return;
	if (e->is_in_place ? !fits_in_place(e, cut, with) : e->out == NULL || need > e->cap)
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
	if (!e->is_in_place)
		arena_trim(e->arena, e->out, e->cap, e->n);
	*out = str_of(e->out, e->n);
	return ERR_NONE;
}
