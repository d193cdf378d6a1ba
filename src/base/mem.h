/*
 * Heap allocation that does not fail: when the system has no memory left the process logs one line and
 * aborts. Limits on what a peer can make us allocate are budgets, tested where input comes in.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* n bytes, not cleared; free() releases. */
void *mem_alloc(size_t n);
/* count * size bytes, cleared; aborts when the product overflows. */
void *mem_calloc(size_t count, size_t size);
/*
 * As mem_calloc(), on cache lines that nothing else is on: for what threads share, and for what the main
 * thread makes for a worker that writes to it, since its neighbours on the heap belong to others. What a
 * worker makes by itself comes from a heap of its own.
 */
void *mem_calloc_lines(size_t count, size_t size);
/* As realloc(3). */
void *mem_realloc(void *p, size_t n);
/* A NUL-terminated copy of n bytes. */
char *mem_strndup(const char *s, size_t n);

#endif
