/* Allocation that aborts instead of returning NULL. Any thread. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

static void *
checked(void *p, size_t n)
{
	if (UNLIKELY(p == NULL && n != 0)) {
		fprintf(stderr, "gatherd: out of memory (%zu bytes)\n", n);
		abort();
	}
	return p;
}

void *
mem_alloc(size_t n)
{
	return checked(malloc(n), n);
}

void *
mem_calloc(size_t count, size_t size)
{
	size_t n = SIZE_MAX;

	if (__builtin_mul_overflow(count, size, &n))
		return checked(NULL, SIZE_MAX);
	return checked(calloc(count, size), n);
}

void *
mem_calloc_lines(size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX - CACHE_LINE)
		return checked(NULL, SIZE_MAX);
	n = (n / CACHE_LINE + 1) * CACHE_LINE;
	p = checked(aligned_alloc(CACHE_LINE, n), n);
	memset(p, 0, n);
	return p;
}

void *
mem_realloc(void *p, size_t n)
{
	return checked(realloc(p, n), n);
}

char *
mem_strndup(const char *s, size_t n)
{
	char *p = mem_alloc(n + 1);

	if (n != 0)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}
