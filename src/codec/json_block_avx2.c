/* The masks of json_block.h with AVX2: two vectors. Not to be called where the processor has none. */
#include "codec/json_block.h"

#ifdef __SSE2__

#include <immintrin.h>
#include <string.h>

#include "codec/json_skip_block.h"

#define VECTOR 32
#define WITH_AVX2 __attribute__((target("avx2,pclmul,popcnt")))

static inline WITH_AVX2 __m256i
load(const char *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline WITH_AVX2 __m256i
equals(__m256i v, char c)
{
	return _mm256_cmpeq_epi8(v, _mm256_set1_epi8(c));
}

static inline WITH_AVX2 uint64_t
bits(__m256i v)
{
	return (uint64_t)(unsigned)_mm256_movemask_epi8(v);
}

static inline WITH_AVX2 uint64_t
special(__m256i v)
{
	/* as signed bytes, what is not ASCII is below a space like the control characters */
	__m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), v);

	return bits(_mm256_or_si256(low, _mm256_or_si256(equals(v, '"'), equals(v, '\\'))));
}

static inline WITH_AVX2 uint64_t
digits(__m256i v)
{
	__m256i from_zero = _mm256_sub_epi8(v, _mm256_set1_epi8('0'));

	return bits(_mm256_cmpeq_epi8(_mm256_min_epu8(from_zero, _mm256_set1_epi8(9)), from_zero));
}

static WITH_AVX2 void
read_block(struct json_block *b, const char *p)
{
	__m256i low = load(p), high = load(p + VECTOR);

	*b = (struct json_block){ special(low) | special(high) << VECTOR,
		~(digits(low) | digits(high) << VECTOR) };
}

static inline WITH_AVX2 void
read_marks(struct json_skip_marks *m, const char *p)
{
	__m256i low = load(p), high = load(p + VECTOR);
	__m256i fold = _mm256_set1_epi8(0x20); /* [ to {, ] to } */
	__m256i low_folded = _mm256_or_si256(low, fold), high_folded = _mm256_or_si256(high, fold);

	m->quotes = bits(equals(low, '"')) | bits(equals(high, '"')) << VECTOR;
	m->backslashes = bits(equals(low, '\\')) | bits(equals(high, '\\')) << VECTOR;
	m->opening = bits(equals(low_folded, '{')) | bits(equals(high_folded, '{')) << VECTOR;
	m->closing = bits(equals(low_folded, '}')) | bits(equals(high_folded, '}')) << VECTOR;
}

/*
 * Each bit becomes the parity of the bits up to it: ones from an opening quote up to its partner.
 * That is a product without carries, by all ones.
 */
static inline WITH_AVX2 uint64_t
fill_between(uint64_t quotes)
{
	__m128i product =
	    _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)quotes), _mm_set1_epi8(-1), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

static WITH_AVX2 const char *
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

const struct json_block_ops json_block_avx2 = { read_block, skip };

#endif
