/*
 * A stack of keys, eight bytes each: the upper half of a record is a seeded hash of the unescaped
 * key, the lower half says where the key stands. Whoever needs to know which keys are equal pushes
 * them, sorts its part of the stack, compares neighbours with equal hashes, and pops. That costs no
 * memory but the records, has no bad case that a peer can choose, and for the usual small object is
 * a handful of compares. Most objects need not even that: marks tell that no two hashes are equal.
 *
 * Belongs to one thread.
 */
#ifndef CODEC_JSON_KEYS_H
#define CODEC_JSON_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

#define JSON_KEYS_MARKS 1024 /* a power of two */

struct json_keys {
	uint64_t seed;
	uint64_t *at; /* owned */
	size_t n;
	size_t cap;
	uint16_t round;                  /* of json_keys_may_repeat() */
	uint16_t marks[JSON_KEYS_MARKS]; /* by bits of a hash: the last round that it was seen in */
};

void json_keys_init(struct json_keys *keys, uint64_t seed);
void json_keys_fini(struct json_keys *keys);
/* Forgets every key; gives the memory back when one document made it unusually large. */
void json_keys_clear(struct json_keys *keys);
void json_keys_grow(struct json_keys *keys);
/* The numbers of rounds have been used up: forgets the marks and begins with 1. */
uint16_t json_keys_first_round(struct json_keys *keys);
/* The records from `first` on; NULL when there are none. Moves when a key is pushed. */
static inline uint64_t *
json_keys_from(const struct json_keys *keys, size_t first)
{
	return keys->n > first ? keys->at + first : NULL;
}

/*
 * False: the records from `first` on all have different hashes. True: perhaps not; seldom for some
 * tens of them, and more often the more they are.
 */
static inline bool
json_keys_may_repeat(struct json_keys *keys, size_t first)
{
	uint16_t round = ++keys->round;

	if (UNLIKELY(round == 0))
		round = json_keys_first_round(keys);
	for (size_t i = first; i < keys->n; i++) {
		uint16_t *mark = &keys->marks[(keys->at[i] >> 32) % JSON_KEYS_MARKS];

		if (*mark == round)
			return true;
		*mark = round;
	}
	return false;
}

/*
 * Moves the records that may share their hash with another one to the front; returns how many they
 * are, nearly always few. So large objects with no duplicates need no sorting.
 */
size_t json_keys_suspects(uint64_t *records, size_t n);
/* Sorts n records, ascending. */
void json_keys_sort(uint64_t *records, size_t n);

/* The raw key that stands at a place. */
typedef struct str json_keys_at_fn(const void *texts, uint32_t place);

/*
 * Finds the keys that are equal among n records (places below 2^31, each once) and puts their links
 * in the records' stead, ordered by place. Returns how many links there are: none when every key
 * stands once.
 */
size_t json_keys_link(uint64_t *records, size_t n, json_keys_at_fn *key_at, const void *texts);

/* A link: one key that is not alone. */
static inline uint32_t
json_keys_place(uint64_t link)
{
	return (uint32_t)(link >> 32);
}

/* The place of the next equal key; 0 behind the last. */
static inline uint32_t
json_keys_next(uint64_t link)
{
	return (uint32_t)link >> 1;
}

static inline bool
json_keys_is_first(uint64_t link)
{
	return (link & 1) != 0;
}

/* The link at a place that has one; links as json_keys_link() left them. */
uint64_t json_keys_find(const uint64_t *links, size_t n, uint32_t place);

static inline void
json_keys_push(struct json_keys *keys, uint32_t hash, uint32_t place)
{
	if (UNLIKELY(keys->n == keys->cap))
		json_keys_grow(keys);
	keys->at[keys->n++] = (uint64_t)hash << 32 | place;
}

#endif
