/* Texts for the tests of JSON: copies with nothing behind them, a document with all there is. */
#ifndef JSON_TEXTS_H
#define JSON_TEXTS_H

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/json_block.h"

#define JSON_TEXTS_MIXED                                                                        \
	" {\"id\" : 1234567890123456789, \"p\":1.10,\"e\":1E400 "                               \
	",\"z\":-0,\"s\":\"\\u003c<\\/\\n\",\n"                                                 \
	"\t\"u\":\"\xc3\xa9\xe3\x81\x82\xf0\x9f\x98\x80 long enough for two vectors\",\"o\":{ " \
	"},\"a\":[ ],\r\n"                                                                      \
	"\"n\":[null,true,false,[[{\"k\\u0061\":[1.5e-3,\"\"]}]]]} "

/* A copy on the heap, exactly as long as s, so that a sanitizer sees every read behind it. */
static inline struct str
json_texts_tight(struct str s)
{
	char *p = mem_alloc(s.n == 0 ? 1 : s.n);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return str_of(p, s.n);
}

static inline void
json_texts_free(struct str s)
{
	free((void *)(uintptr_t)s.p);
}

/* The forms of json_block.h that this machine can take; the last is the widest. */
static inline size_t
json_texts_n_forms(void)
{
#ifdef __SSE2__
	return json_block_has_avx2() ? 3 : 2;
#else
	return 1;
#endif
}

static inline const struct json_block_ops *
json_texts_form(size_t i)
{
	static const struct json_block_ops *const forms[] = {
		&json_block_scalar,
#ifdef __SSE2__
		&json_block_sse2,
		&json_block_avx2,
#endif
	};

	return forms[i];
}

#endif
