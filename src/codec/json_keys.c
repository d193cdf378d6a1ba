/* Key records: growing, sorting. One thread per stack. */
#include "codec/json_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "codec/json_str.h"

#define FIRST_KEYS 256
#define MIN_WORDS 16      /* of a filter: a power of two */
#define FEW_WORDS 128     /* of a filter on the stack */
#define KEPT_KEYS 8192    /* a larger stack is given back after its document */
#define INSERTION_KEYS 32 /* below this, insertion beats counting */

void
json_keys_init(struct json_keys *keys, uint64_t seed)
{
	*keys = (struct json_keys){ .seed = seed };
}

void
json_keys_fini(struct json_keys *keys)
{
	free(keys->at);
	keys->at = NULL;
	keys->n = keys->cap = 0;
}

void
json_keys_clear(struct json_keys *keys)
{
	keys->n = 0;
	if (keys->cap > KEPT_KEYS)
		json_keys_fini(keys);
}

void
json_keys_grow(struct json_keys *keys)
{
	/* by half: what a hostile document makes us hold stays near the size of the document */
	keys->cap = keys->cap == 0 ? FIRST_KEYS : keys->cap + keys->cap / 2;
	keys->at = mem_realloc(keys->at, keys->cap * sizeof *keys->at);
}

uint16_t
json_keys_first_round(struct json_keys *keys)
{
	memset(keys->marks, 0, sizeof keys->marks);
	keys->round = 1;
	return keys->round;
}

/* A set of hashes, several of which may share a bit. */
struct filter {
	uint64_t *seen;  /* bits of hashes that are there */
	uint64_t *twice; /* bits that two or more share */
	uint64_t mask;   /* of the bits of a hash that choose its bit */
};

static inline uint64_t
filter_bit(const struct filter *f, uint64_t record, size_t *word)
{
	uint64_t bit = record >> 32 & f->mask;

	*word = bit / 64;
	return UINT64_C(1) << bit % 64;
}

/* Whether any two records share a bit. */
static bool
fill_filter(const struct filter *f, const uint64_t *records, size_t n)
{
	uint64_t shared = 0;

	for (size_t i = 0; i < n; i++) {
		size_t word;
		uint64_t bit = filter_bit(f, records[i], &word);
		uint64_t old = f->seen[word] & bit;

		f->twice[word] |= old;
		f->seen[word] |= bit;
		shared |= old;
	}
	return shared != 0;
}

static size_t
move_shared(const struct filter *f, uint64_t *records, size_t n)
{
	size_t n_shared = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t v = records[i];
		size_t word;
		uint64_t bit = filter_bit(f, v, &word);

		if ((f->twice[word] & bit) == 0)
			continue;
		records[i] = records[n_shared];
		records[n_shared++] = v;
	}
	return n_shared;
}

size_t
json_keys_suspects(uint64_t *records, size_t n)
{
	uint64_t few[2 * FEW_WORDS];
	size_t words = n <= FEW_WORDS ? MIN_WORDS : FEW_WORDS;
	uint64_t *bits = few;
	struct filter f;
	size_t n_suspects = 0;

	/* sixty-four bits per key for small objects, eight or more for large ones */
	while (words < n / (n <= FEW_WORDS ? 1 : 8))
		words *= 2;
	if (words > FEW_WORDS)
		bits = mem_calloc(2 * words, sizeof *bits);
	else
		memset(bits, 0, 2 * words * sizeof *bits);
	f = (struct filter){ bits, bits + words, words * 64 - 1 };
	if (fill_filter(&f, records, n))
		n_suspects = move_shared(&f, records, n);
	if (bits != few)
		free(bits);
	return n_suspects;
}

static void
insertion_sort(uint64_t *r, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint64_t v = r[i];
		size_t j = i;

		for (; j > 0 && r[j - 1] > v; j--)
			r[j] = r[j - 1];
		r[j] = v;
	}
}

/* Moves each record to the bucket of its byte at `shift`; bucket b is start[b] .. start[b + 1]. */
static void
deal(uint64_t *r, size_t n, unsigned shift, size_t start[257])
{
	size_t next[256];
	size_t count[256] = { 0 };

	for (size_t i = 0; i < n; i++)
		count[r[i] >> shift & 0xff]++;
	start[0] = 0;
	for (size_t b = 0; b < 256; b++) {
		next[b] = start[b];
		start[b + 1] = start[b] + count[b];
	}
	for (size_t b = 0; b < 256; b++) {
		while (next[b] < start[b + 1]) {
			uint64_t v = r[next[b]];
			size_t home = v >> shift & 0xff;

			r[next[b]] = r[next[home]];
			r[next[home]++] = v;
		}
	}
}

/* In place, most significant byte first (American flag sort, McIlroy, Bostic and McIlroy 1993). */
static void
radix_sort(uint64_t *r, size_t n, unsigned shift)
{
	size_t start[257];

	if (n <= INSERTION_KEYS) {
		insertion_sort(r, n);
		return;
	}
	deal(r, n, shift, start);
	if (shift == 0)
		return;
	for (size_t b = 0; b < 256; b++)
		radix_sort(r + start[b], start[b + 1] - start[b], shift - 8);
}

void
json_keys_sort(uint64_t *records, size_t n)
{
	radix_sort(records, n, 56);
}

/* Moves the records whose keys equal the first one's to the front; returns how many they are. */
static size_t
gather_equal(uint64_t *r, size_t n, json_keys_at_fn *key_at, const void *texts)
{
	struct str key = key_at(texts, (uint32_t)r[0]);
	size_t equal = 1;

	for (size_t i = 1; i < n; i++) {
		uint64_t v = r[i];

		if (!json_str_eq(key_at(texts, (uint32_t)v), key))
			continue;
		r[i] = r[equal];
		r[equal++] = v;
	}
	return equal;
}

/* Writes the links of n equal keys; to may be r, or lie before it. */
static size_t
link_equal(uint64_t *to, uint64_t *r, size_t n)
{
	if (n < 2)
		return 0;
	json_keys_sort(r, n);
	for (size_t i = 0; i < n; i++) {
		uint32_t next = i + 1 < n ? (uint32_t)r[i + 1] : 0;

		to[i] = r[i] << 32 | next << 1 | (i == 0);
	}
	return n;
}

size_t
json_keys_link(uint64_t *records, size_t n, json_keys_at_fn *key_at, const void *texts)
{
	size_t n_links = 0;

	n = json_keys_suspects(records, n);
	json_keys_sort(records, n);
	for (size_t i = 0; i < n;) {
		size_t run = 1; /* records with one hash: nearly always one key */

		while (i + run < n && (records[i] ^ records[i + run]) >> 32 == 0)
			run++;
		while (run > 0) {
			size_t equal = run == 1 ? 1 : gather_equal(records + i, run, key_at, texts);

			n_links += link_equal(records + n_links, records + i, equal);
			i += equal;
			run -= equal;
		}
	}
	json_keys_sort(records, n_links);
	return n_links;
}

uint64_t
json_keys_find(const uint64_t *links, size_t n, uint32_t place)
{
	size_t low = 0, high = n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (json_keys_place(links[middle]) <= place)
			low = middle;
		else
			high = middle;
	}
	assert(n > 0 && json_keys_place(links[low]) == place);
	return links[low];
}
