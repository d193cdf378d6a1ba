/*
 * The character classes of HTTP and URIs as one table, and searches for the end of a line or a
 * name. Part of the codec's inner loops: nothing outside this folder needs it.
 */
#ifndef CODEC_OCTET_H
#define CODEC_OCTET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	OCTET_TOKEN = 1,       /* tchar, RFC 9110 5.6.2 */
	OCTET_PATH = 2,        /* pchar without "%", and "/", RFC 3986 3.3 */
	OCTET_QUERY = 4,       /* the same and "?", RFC 3986 3.4 */
	OCTET_LOOSE_QUERY = 8, /* the same and what browsers leave raw: [ ] { } | \ ^ ` */
	OCTET_UNRESERVED = 16, /* RFC 3986 2.3 */
	OCTET_REG_NAME = 32,   /* without "%" and ",", RFC 3986 3.2.2 */
	OCTET_QUOTED = 64,     /* qdtext, RFC 9110 5.6.4 */
	OCTET_TARGET = 128,    /* may stand somewhere in a request target */
};

extern const uint8_t octet_classes[256];

/* The value of a hex digit; OCTET_NOT_HEX for any other byte. */
enum { OCTET_NOT_HEX = 0xff };

static inline unsigned
octet_hex(char c)
{
	unsigned digit = (unsigned)(unsigned char)c - '0';
	unsigned letter = ((unsigned)(unsigned char)c | 0x20) - 'a';

	if (digit < 10)
		return digit;
	return letter < 6 ? letter + 10 : OCTET_NOT_HEX;
}

static inline bool
octet_is(char c, unsigned classes)
{
	return (octet_classes[(unsigned char)c] & classes) != 0;
}

static inline bool
octet_is_digit(char c)
{
	return (unsigned)(unsigned char)c - '0' < 10;
}

/* A control byte other than HTAB: it cannot stand in a field value (RFC 9110 5.5). */
static inline bool
octet_is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return (u < 0x20 && u != '\t') || u == 0x7f;
}

/* True when every byte is of one of the classes; also for an empty slice. */
bool octet_all(struct str s, unsigned classes);

/* True when s begins with a whole percent triplet (RFC 3986 2.1). */
static inline bool
octet_is_triplet(const char *p, size_t n)
{
	return n >= 3 && p[0] == '%' && octet_hex(p[1]) != OCTET_NOT_HEX &&
	       octet_hex(p[2]) != OCTET_NOT_HEX;
}

/* In portable C: what the fast searches are tested against, and the end of theirs. */
size_t octet_find_control_portable(const char *p, size_t n);
size_t octet_find_not_target_portable(const char *p, size_t n);

#ifdef __SSE2__
static inline __m128i
octet_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* 0xff where x, unsigned, is at most `limit`. */
static inline __m128i
octet_at_most(__m128i x, char limit)
{
	return _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(limit)), x);
}

static inline __m128i
octet_equals(__m128i x, char c)
{
	return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

/* One bit for each control byte. */
static inline unsigned
octet_controls(__m128i x)
{
	__m128i low = _mm_andnot_si128(octet_equals(x, '\t'), octet_at_most(x, 0x1f));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, octet_equals(x, 0x7f)));
}
#endif

/* octet_find_control() for less than sixteen bytes. */
size_t octet_find_control_short(const char *p, size_t n);

/* Index of the first control byte (octet_is_control()), or n. */
static inline size_t
octet_find_control(const char *p, size_t n)
{
	size_t i = 0;

#ifdef __SSE2__
	for (; n - i >= 16; i += 16) {
		unsigned bits = octet_controls(octet_load(p + i));

		if (bits != 0)
			return i + (size_t)__builtin_ctz(bits);
	}
#endif
	return i + octet_find_control_short(p + i, n - i);
}

/* Index of the first byte c, or n; quick when it is one of the first sixteen. */
static inline size_t
octet_find(const char *p, size_t n, char c)
{
	const char *hit;

#ifdef __SSE2__
	if (n >= 16) {
		int bits = _mm_movemask_epi8(octet_equals(octet_load(p), c));

		if (bits != 0)
			return (size_t)__builtin_ctz((unsigned)bits);
	}
#endif
	hit = n == 0 ? NULL : memchr(p, c, n);
	return hit == NULL ? n : (size_t)(hit - p);
}

/* Index of the first byte that is not OCTET_TARGET, or n. */
size_t octet_find_not_target(const char *p, size_t n);
/* How many bytes, some of those at the beginning, are letters, digits, "/" and "-". */
size_t octet_skip_common_in_paths(const char *p, size_t n);

#endif
