/* The insides of valid JSON strings: `raw` is what stands between the quotes. No state. */
#ifndef CODEC_JSON_STR_H
#define CODEC_JSON_STR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/*
 * Writes the characters of raw as UTF-8 to dst, which has room for raw.n bytes; returns how many
 * were written. A lone surrogate escape becomes the three bytes that its code point would have, so
 * that different strings stay different; json_write_str() turns them into U+FFFD.
 */
size_t json_str_unescape(char *dst, struct str raw);
/* The characters of raw: raw itself when it has no escapes, else a copy in the arena. */
struct str json_str_text(struct arena *a, struct str raw);
/* Whether both stand for the same characters, whatever their escapes. */
bool json_str_eq(struct str a, struct str b);
/*
 * Equal for strings with the same characters; not to be guessed without the seed, which is a
 * factor: with few of its bits set, hashes of different strings would often be equal.
 */
uint32_t json_str_hash(struct str raw, uint64_t seed);
/* The same, for strings that are known to have escapes. */
uint32_t json_str_hash_escaped(struct str raw, uint64_t seed);

static inline uint64_t
json_str_load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* Both halves of the product, so that no bit of either factor is lost. */
static inline uint64_t
json_str_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static inline uint64_t
json_str_hash_begin(size_t n, uint64_t seed)
{
	return seed + n * UINT64_C(0x9e3779b97f4a7c15);
}

#define JSON_STR_SHORT 16 /* bytes of a string whose hash is one step */

/* The same, for n <= JSON_STR_SHORT bytes without escapes, when as many are readable: no branch on the length. */
static inline uint32_t
json_str_hash_short(const char *p, size_t n, uint64_t seed)
{
	static const unsigned char keep[2 * JSON_STR_SHORT] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 255 };
	const char *mask = (const char *)keep + JSON_STR_SHORT - n;
	uint64_t low = json_str_load8(p) & json_str_load8(mask);
	uint64_t high = json_str_load8(p + 8) & json_str_load8(mask + 8);
	uint64_t state = json_str_hash_begin(n, seed);

	return (uint32_t)(json_str_mix(low ^ state, high ^ seed) >> 32);
}

/*
 * The same, for any strings that are known to have no escapes. Bytes up to `limit` (at or behind
 * the end of raw) may be read.
 */
uint32_t json_str_hash_plain(struct str raw, const char *limit, uint64_t seed);

#endif
