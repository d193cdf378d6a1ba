/* Edit distance over short words. No state; start-up and reload only. */
#include "base/near.h"

#include <stdint.h>

#define WORD_MAX 64
#define KNOWN_MAX 40 /* candidates that a message lists */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Case is no mistake of spelling. */
static bool
is_same(char a, char b)
{
	return str_ieq(str_of(&a, 1), str_of(&b, 1));
}

size_t
near_distance(struct str a, struct str b)
{
	size_t rows[3][WORD_MAX + 1];

	if (a.n > WORD_MAX || b.n > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *now = rows[i % 3], *prev = rows[(i + 2) % 3], *prev2 = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t change = is_same(a.p[i - 1], b.p[j - 1]) ? 0 : 1;

			now[j] = least(least(now[j - 1], prev[j]) + 1, prev[j - 1] + change);
			if (i > 1 && j > 1 && is_same(a.p[i - 1], b.p[j - 2]) &&
			    is_same(a.p[i - 2], b.p[j - 1]))
				now[j] = least(now[j], prev2[j - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

void
near_init(struct near *near, struct str word, struct arena *a)
{
	*near = (struct near){ .word = word, .known = STR(""), .arena = a };
	/* less than a third of the letters may be wrong */
	near->distance = word.n / 3 + 1;
}

void
near_add(struct near *near, struct str candidate)
{
	size_t d = near_distance(near->word, candidate);

	if (d < near->distance && d < candidate.n) {
		near->distance = d;
		near->best = candidate;
	}
	if (near->n < KNOWN_MAX)
		near->known = arena_printf(near->arena, "%.*s%s%.*s", STR_FMT(near->known),
		    near->n == 0 ? "" : ", ", STR_FMT(candidate));
	near->n++;
}

struct str
near_hint(const struct near *near)
{
	if (!str_is_none(near->best))
		return arena_printf(near->arena, "did you mean \"%.*s\"?", STR_FMT(near->best));
	if (near->n == 0)
		return STR("none is defined");
	return arena_printf(near->arena, "known are: %.*s%s", STR_FMT(near->known),
	    near->n > KNOWN_MAX ? ", …" : "");
}
