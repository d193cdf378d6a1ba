/*
 * What skipping an array or object does with a block of text, for each form of json_block.h:
 * strings are masked out, and as long as the block cannot close the container its brackets are only
 * counted.
 */
#ifndef CODEC_JSON_SKIP_BLOCK_H
#define CODEC_JSON_SKIP_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Where in the container a skip has come to. */
struct json_skip {
	size_t open;      /* brackets without a partner yet */
	uint64_t quoted;  /* all ones: inside a string */
	uint64_t escaped; /* 1: a backslash stands before the next byte */
};

/* One bit for each byte of a block, the first byte lowest. */
struct json_skip_marks {
	uint64_t quotes;
	uint64_t backslashes;
	uint64_t opening; /* [ and { */
	uint64_t closing; /* ] and } */
};

/* The rest of a text, byte by byte: what is behind the container, which ends before end, or end. */
static inline const char *
json_skip_bytes(struct json_skip *s, const char *p, const char *end)
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

/* The bytes that have a live backslash before them; few blocks have any. */
static inline uint64_t
json_skip_escaped(struct json_skip *s, uint64_t backslashes)
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

/* The quotes that begin or end a string. */
static inline uint64_t
json_skip_quotes(struct json_skip *s, const struct json_skip_marks *m)
{
	if (LIKELY((m->backslashes | s->escaped) == 0))
		return m->quotes;
	return m->quotes & ~json_skip_escaped(s, m->backslashes);
}

/* The offset behind the bracket that closes the container in this block; 0: none does. */
static inline unsigned
json_skip_close(const struct json_skip *s, uint64_t opening, uint64_t closing)
{
	for (size_t closed = 1; closing != 0; closing &= closing - 1, closed++) {
		uint64_t before = (closing & -closing) - 1;

		if (s->open + (size_t)__builtin_popcountll(opening & before) == closed)
			return (unsigned)__builtin_ctzll(closing) + 1;
	}
	return 0;
}

/*
 * The same, with `filled` having ones from each live quote up to the next one: where a string
 * begins outside of strings, and the other way round when the block begins inside one.
 */
static inline unsigned
json_skip_block(struct json_skip *s, const struct json_skip_marks *m, uint64_t filled)
{
	uint64_t inside = filled ^ s->quoted;
	uint64_t opening = m->opening & ~inside, closing = m->closing & ~inside;
	size_t n_closing = (size_t)__builtin_popcountll(closing);
	unsigned behind = 0;

	s->quoted = (uint64_t)((int64_t)inside >> 63);
	if (n_closing >= s->open)
		behind = json_skip_close(s, opening, closing);
	s->open += (size_t)__builtin_popcountll(opening) - n_closing;
	return behind;
}

#endif
