/* The nearest valid spelling of a word that is not known, for messages. */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include "base/arena.h"
#include "base/str.h"

/* One search: fill with near_add(), then ask. */
struct near {
	struct str word; /* borrowed */
	struct str best; /* borrowed; none: nothing is near */
	size_t distance;
	struct str known; /* all candidates, with commas; in the arena */
	size_t n;
	struct arena *arena;
};

void near_init(struct near *near, struct str word, struct arena *a);
void near_add(struct near *near, struct str candidate);
/* `did you mean "x"?`, or `known are: a, b, c`, or `none is defined`. In the arena. */
struct str near_hint(const struct near *near);
/* Optimal string alignment: a swap of two neighbours counts as one. SIZE_MAX when a word is too long. */
size_t near_distance(struct str a, struct str b);

#endif
