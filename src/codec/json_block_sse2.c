/* The loops of json_block.h with SSE2, which every x86-64 has: four vectors. */
#include "codec/json_block.h"

#ifdef __SSE2__

#include <string.h>

#include "codec/json_bytes.h"
#include "codec/json_skip_block.h"

static void
read_block(struct json_block *b, const char *p)
{
	uint64_t all_special = 0, all_digits = 0;

	for (unsigned i = 0; i < JSON_BLOCK_BYTES; i += JSON_BYTES_VECTOR) {
		__m128i v = json_bytes_load(p + i);

		all_special |= (uint64_t)json_bytes_special(v) << i;
		all_digits |= (uint64_t)json_bytes_digits_in(v) << i;
	}
	*b = (struct json_block){ all_special, ~all_digits };
}

static inline uint64_t
bits_of(__m128i v, char c)
{
	return json_bytes_bits(json_bytes_same(v, c));
}

static inline void
read_marks(struct json_skip_marks *m, const char *p)
{
	*m = (struct json_skip_marks){ .quotes = 0 };
	for (unsigned i = 0; i < JSON_BLOCK_BYTES; i += JSON_BYTES_VECTOR) {
		__m128i v = json_bytes_load(p + i);
		__m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20)); /* [ to {, ] to } */

		m->quotes |= bits_of(v, '"') << i;
		m->backslashes |= bits_of(v, '\\') << i;
		m->opening |= bits_of(folded, '{') << i;
		m->closing |= bits_of(folded, '}') << i;
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
