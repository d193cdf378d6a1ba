/* A growing byte buffer on the heap, for text that is put together off the request path and for log lines. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

struct buf {
	char *p; /* owned */
	size_t n;
	size_t cap;
};

#define BUF_INIT { NULL, 0, 0 }

/* Frees the bytes; the buffer may be used again. */
void buf_fini(struct buf *b);
/* Forgets the bytes, keeps the memory. */
void buf_clear(struct buf *b);
/* Room for n more bytes; returns where they go. Pair with buf_commit(). */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
void buf_add(struct buf *b, struct str s);
void buf_add_c(struct buf *b, const char *c);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The bytes so far; valid until the next change. */
struct str buf_str(const struct buf *b);
/* As buf_str(), with a NUL behind that is not counted. */
const char *buf_c(struct buf *b);

#endif
