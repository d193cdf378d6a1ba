/*
 * A stack of keys, eight bytes each: the upper half of a record is a seeded hash of the unescaped
 * key, the lower half says where the key stands. Whoever needs to know which keys are equal pushes
 * them, sorts its part of the stack, compares neighbours with equal hashes, and pops. That costs no
 * memory but the records, has no bad case that a peer can choose, and for the usual small object is
 * a handful of compares.
 *
 * Belongs to one thread.
 */
#ifndef CODEC_JSON_KEYS_H
#define CODEC_JSON_KEYS_H

#include <stddef.h>
#include <stdint.h>

struct json_keys {
	uint64_t seed;
	uint64_t *at; /* owned */
	size_t n;
	size_t cap;
};

void json_keys_init(struct json_keys *keys, uint64_t seed);
void json_keys_fini(struct json_keys *keys);
/* Forgets every key; gives the memory back when one document made it unusually large. */
void json_keys_clear(struct json_keys *keys);
void json_keys_grow(struct json_keys *keys);
/* Sorts n records, ascending. The order of the upper halves must not be a peer's choice. */
void json_keys_sort(uint64_t *records, size_t n);

static inline void
json_keys_push(struct json_keys *keys, uint32_t hash, uint32_t place)
{
	if (__builtin_expect(keys->n == keys->cap, 0))
		json_keys_grow(keys);
	keys->at[keys->n++] = (uint64_t)hash << 32 | place;
}

#endif
