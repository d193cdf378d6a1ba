/* The loops of json_block.h with SSE2, which every x86-64 has: four vectors. */
#include "codec/json_block.h"

#ifdef __SSE2__

#include <emmintrin.h>
#include <string.h>

#include "codec/json_skip_block.h"

#define VECTOR 16

static inline __m128i
load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i
equals(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static inline uint64_t
bits(__m128i v)
{
	return (uint64_t)(unsigned)_mm_movemask_epi8(v);
}

static inline uint64_t
special(__m128i v)
{
	/* as signed bytes, what is not ASCII is below a space like the control characters */
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));

	return bits(_mm_or_si128(low, _mm_or_si128(equals(v, '"'), equals(v, '\\'))));
}

static inline uint64_t
digits(__m128i v)
{
	__m128i from_zero = _mm_sub_epi8(v, _mm_set1_epi8('0'));

	return bits(_mm_cmpeq_epi8(_mm_min_epu8(from_zero, _mm_set1_epi8(9)), from_zero));
}

static void
read_block(struct json_block *b, const char *p)
{
	uint64_t all_special = 0, all_digits = 0;

	for (unsigned i = 0; i < JSON_BLOCK_BYTES; i += VECTOR) {
		__m128i v = load(p + i);

		all_special |= special(v) << i;
		all_digits |= digits(v) << i;
	}
	*b = (struct json_block){ all_special, ~all_digits };
}

static inline void
read_marks(struct json_skip_marks *m, const char *p)
{
	*m = (struct json_skip_marks){ .quotes = 0 };
	for (unsigned i = 0; i < JSON_BLOCK_BYTES; i += VECTOR) {
		__m128i v = load(p + i);
		__m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20)); /* [ to {, ] to } */

		m->quotes |= bits(equals(v, '"')) << i;
		m->backslashes |= bits(equals(v, '\\')) << i;
		m->opening |= bits(equals(folded, '{')) << i;
		m->closing |= bits(equals(folded, '}')) << i;
	}
}

/* Each bit becomes the parity of the bits up to it: ones from an opening quote up to its partner. */
static inline uint64_t
fill_between(uint64_t quotes)
{
	for (unsigned shift = 1; shift < 64; shift *= 2)
		quotes ^= quotes << shift;
	return quotes;
}

static const char *
skip(const char *p, const char *end)
{
	struct json_skip s = { .open = 0 };
	char rest[JSON_BLOCK_BYTES] = { 0 };
	struct json_skip_marks m;
	unsigned n;

	for (; end - p >= JSON_BLOCK_BYTES; p += JSON_BLOCK_BYTES) {
		read_marks(&m, p);
		n = json_skip_block(&s, &m, fill_between(json_skip_quotes(&s, &m)));
		if (n != 0)
			return p + n;
	}
	memcpy(rest, p, (size_t)(end - p));
	read_marks(&m, rest);
	n = json_skip_block(&s, &m, fill_between(json_skip_quotes(&s, &m)));
	return n != 0 ? p + n : end;
}

const struct json_block_ops json_block_sse2 = { read_block, skip };

#endif
