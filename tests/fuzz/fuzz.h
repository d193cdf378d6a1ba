/* What fuzz targets share. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define MUST(x) \
	do { \
		if (!(x)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy with nothing behind it, as long as the arena: the sanitizer sees every read too far. */
static inline struct str
fuzz_tight(struct arena *arena, struct str s)
{
	char *p = malloc(s.n == 0 ? 1 : s.n);

	MUST(p != NULL);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	arena_on_reset(arena, free, p);
	return str_of(p, s.n);
}

#endif
