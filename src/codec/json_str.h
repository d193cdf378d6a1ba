/* The insides of JSON strings that were found valid: `raw` is what stands between the quotes. No
 * state. */
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
/* Equal for strings with the same characters; not to be guessed without the seed. */
uint32_t json_str_hash(struct str raw, uint64_t seed);

#endif
