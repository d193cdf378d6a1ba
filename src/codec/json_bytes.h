/*
 * Where the next interesting byte of a JSON text is: the inner loops of scanning, sixteen bytes at
 * a time with SSE2. Nothing at or behind `end` is read. The _scalar forms say the same byte by
 * byte; they finish what is shorter than a vector, and are all there is on other machines. No
 * state.
 */
#ifndef CODEC_JSON_BYTES_H
#define CODEC_JSON_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Part of a string that needs no second look: no quote, backslash, control character; ASCII. */
static inline bool
json_bytes_is_plain(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

static inline bool
json_bytes_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool
json_bytes_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline const char *
json_bytes_plain_scalar(const char *p, const char *end)
{
	while (p < end && json_bytes_is_plain(*p))
		p++;
	return p;
}

static inline const char *
json_bytes_space_scalar(const char *p, const char *end)
{
	while (p < end && json_bytes_is_space(*p))
		p++;
	return p;
}

static inline const char *
json_bytes_digits_scalar(const char *p, const char *end)
{
	while (p < end && json_bytes_is_digit(*p))
		p++;
	return p;
}

static inline const char *
json_bytes_wide_scalar(const char *p, const char *end)
{
	while (p < end && (json_bytes_is_plain(*p) || (unsigned char)*p >= 0x80))
		p++;
	return p;
}

static inline const char *
json_bytes_quote_scalar(const char *p, const char *end)
{
	while (p < end && *p != '"')
		p++;
	return p;
}

/* Part of a number or a word, as far as they are valid. */
static inline bool
json_bytes_is_word(char c)
{
	return (unsigned char)c > ' ' && c != ',' && (c | 0x20) != '}';
}

static inline const char *
json_bytes_word_scalar(const char *p, const char *end)
{
	while (p < end && json_bytes_is_word(*p))
		p++;
	return p;
}

#ifdef __SSE2__

#define JSON_BYTES_VECTOR 16

static inline __m128i
json_bytes_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i
json_bytes_same(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static inline unsigned
json_bytes_bits(__m128i v)
{
	return (unsigned)_mm_movemask_epi8(v);
}

/* All ones where a byte is a quote, a backslash or a control character. */
static inline __m128i
json_bytes_syntax(__m128i v)
{
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i marks = _mm_or_si128(json_bytes_same(v, '"'), json_bytes_same(v, '\\'));

	return _mm_or_si128(control, marks);
}

/*
 * One bit per byte that is not plain: as signed bytes, what is not ASCII is below a space like the
 * control characters.
 */
static inline unsigned
json_bytes_special(__m128i v)
{
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));
	__m128i marks = _mm_or_si128(json_bytes_same(v, '"'), json_bytes_same(v, '\\'));

	return json_bytes_bits(_mm_or_si128(low, marks));
}

static inline unsigned
json_bytes_spaces(__m128i v)
{
	__m128i line = _mm_or_si128(json_bytes_same(v, '\n'), json_bytes_same(v, '\r'));
	__m128i gap = _mm_or_si128(json_bytes_same(v, ' '), json_bytes_same(v, '\t'));

	return json_bytes_bits(_mm_or_si128(line, gap));
}

static inline unsigned
json_bytes_digits_in(__m128i v)
{
	__m128i from_zero = _mm_sub_epi8(v, _mm_set1_epi8('0'));

	return json_bytes_bits(
	    _mm_cmpeq_epi8(_mm_min_epu8(from_zero, _mm_set1_epi8(9)), from_zero));
}

/* One bit per byte that no number and no word has: controls and the space, commas, ] and }. */
static inline unsigned
json_bytes_word_ends(__m128i v)
{
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(' ')), v);
	__m128i closing = json_bytes_same(_mm_or_si128(v, _mm_set1_epi8(0x20)), '}');

	return json_bytes_bits(_mm_or_si128(low, _mm_or_si128(closing, json_bytes_same(v, ','))));
}

/* Tries `stop`, a mask of bytes to stop at, on each vector up to end; `scalar` does the rest. */
#define JSON_BYTES_FIND(stop, scalar)                   \
	while (end - p >= JSON_BYTES_VECTOR) {          \
		unsigned hits = (stop);                 \
                                                        \
		if (hits != 0)                          \
			return p + __builtin_ctz(hits); \
		p += JSON_BYTES_VECTOR;                 \
	}                                               \
	return scalar(p, end)

#else

#define JSON_BYTES_FIND(stop, scalar) return scalar(p, end)

#endif

/* Each: the first byte of p .. end that is none of its kind, or end. */
static inline const char *
json_bytes_plain(const char *p, const char *end)
{
	JSON_BYTES_FIND(json_bytes_special(json_bytes_load(p)), json_bytes_plain_scalar);
}

/* Plain, or not ASCII. */
static inline const char *
json_bytes_wide(const char *p, const char *end)
{
	JSON_BYTES_FIND(
	    json_bytes_bits(json_bytes_syntax(json_bytes_load(p))), json_bytes_wide_scalar);
}

static inline const char *
json_bytes_space(const char *p, const char *end)
{
	JSON_BYTES_FIND(json_bytes_spaces(json_bytes_load(p)) ^ 0xffff, json_bytes_space_scalar);
}

static inline const char *
json_bytes_digits(const char *p, const char *end)
{
	JSON_BYTES_FIND(
	    json_bytes_digits_in(json_bytes_load(p)) ^ 0xffff, json_bytes_digits_scalar);
}

/* The end of a number or word in a valid text. */
static inline const char *
json_bytes_word(const char *p, const char *end)
{
	JSON_BYTES_FIND(json_bytes_word_ends(json_bytes_load(p)), json_bytes_word_scalar);
}

/* The first quote of p .. end, or end. */
static inline const char *
json_bytes_quote(const char *p, const char *end)
{
	JSON_BYTES_FIND(
	    json_bytes_bits(json_bytes_same(json_bytes_load(p), '"')), json_bytes_quote_scalar);
}

/* p behind an opening quote: the closing one, which is the first that is not escaped; or end. */
static inline const char *
json_bytes_string_end(const char *p, const char *end)
{
	for (;; p++) {
		const char *from;

		p = json_bytes_quote(p, end);
		if (LIKELY(p[-1] != '\\') || p == end)
			return p;
		for (from = p; from[-1] == '\\';)
			from--;
		if ((p - from) % 2 == 0)
			return p;
	}
}

/* As json_bytes_space(), for places where there is nearly always no space, or one. */
static inline const char *
json_bytes_skip_space(const char *p, const char *end)
{
	if (LIKELY(p < end && (unsigned char)*p > ' '))
		return p;
	if (LIKELY(end - p > 1 && *p == ' ' && (unsigned char)p[1] > ' '))
		return p + 1;
	return json_bytes_space(p, end);
}

#endif
