/*
 * Skipping at memory speed: blocks become masks (json_block.h), strings are masked out, and as long
 * as a block cannot close the container its brackets are only counted. No state.
 */
#include "codec/json_skip.h"

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "codec/json_block.h"

/* Where in the container a skip has come to. */
struct skip {
	size_t open;      /* brackets without a partner yet */
	uint64_t quoted;  /* all ones: inside a string */
	uint64_t escaped; /* 1: a backslash stands before the next byte */
};

static const char *
skip_bytes(struct skip *s, const char *p, const char *end)
{
	for (; p < end; p++) {
		if (s->escaped != 0) {
			s->escaped = 0;
		} else if (*p == '"') {
			s->quoted = ~s->quoted;
		} else if (s->quoted != 0) {
			s->escaped = *p == '\\';
		} else if (*p == '{' || *p == '[') {
			s->open++;
		} else if ((*p == '}' || *p == ']') && --s->open == 0) {
			return p + 1;
		}
	}
	return end;
}

const char *
json_skip_container_scalar(const char *p, const char *end)
{
	struct skip s = { .open = 0 };

	return skip_bytes(&s, p, end);
}

/* The bytes that have a live backslash before them; few blocks have any. */
static inline uint64_t
find_escaped(struct skip *s, uint64_t backslashes)
{
	uint64_t escaped = s->escaped;

	backslashes &= ~escaped;
	s->escaped = 0;
	while (backslashes != 0) {
		uint64_t lowest = backslashes & -backslashes;

		escaped |= lowest << 1;
		if (lowest >> 63 != 0)
			s->escaped = 1;
		backslashes &= ~(lowest | lowest << 1);
	}
	return escaped;
}

/* Each bit becomes the parity of the bits up to it: ones from an opening quote up to its closing
 * one. */
static inline uint64_t
fill_between(uint64_t quotes)
{
	for (unsigned shift = 1; shift < 64; shift *= 2)
		quotes ^= quotes << shift;
	return quotes;
}

static inline size_t
count_bits(uint64_t bits)
{
	bits -= bits >> 1 & UINT64_C(0x5555555555555555);
	bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
	bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return bits * UINT64_C(0x0101010101010101) >> 56;
}

/* The offset behind the bracket that closes the container in this block; 0: none does. */
static unsigned
find_close(struct skip *s, uint64_t opening, uint64_t closing)
{
	for (uint64_t both = opening | closing; both != 0; both &= both - 1) {
		uint64_t lowest = both & -both;

		if ((opening & lowest) != 0)
			s->open++;
		else if (--s->open == 0)
			return (unsigned)__builtin_ctzll(lowest) + 1;
	}
	return 0;
}

/* The same for a block of text. */
static inline unsigned
skip_block(struct skip *s, struct json_block_marks *m)
{
	uint64_t inside;
	size_t n_closing;

	if (UNLIKELY((m->backslashes | s->escaped) != 0))
		m->quotes &= ~find_escaped(s, m->backslashes);
	inside = fill_between(m->quotes) ^ s->quoted;
	s->quoted = (uint64_t)((int64_t)inside >> 63);
	m->opening &= ~inside;
	m->closing &= ~inside;
	n_closing = count_bits(m->closing);
	if (n_closing >= s->open)
		return find_close(s, m->opening, m->closing);
	s->open += count_bits(m->opening) - n_closing;
	return 0;
}

const char *
json_skip_container(const char *p, const char *end)
{
	const struct json_block_ops *blocks = json_block_best();
	struct skip s = { .open = 0 };

	for (; end - p >= JSON_BLOCK_BYTES; p += JSON_BLOCK_BYTES) {
		struct json_block_marks marks;
		unsigned n;

		blocks->read_marks(&marks, p);
		n = skip_block(&s, &marks);
		if (n != 0)
			return p + n;
	}
	return skip_bytes(&s, p, end);
}
