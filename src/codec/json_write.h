/* Writes JSON strings. What comes in may hold any bytes; what goes out is valid JSON. No state. */
#ifndef CODEC_JSON_WRITE_H
#define CODEC_JSON_WRITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* Bytes that json_write_to() needs at most for s. */
size_t json_write_bound(struct str s);
/*
 * Writes s as a JSON string, quotes included, to dst (room for json_write_bound(s) bytes); returns
 * the length. Only what RFC 8259 7 demands is escaped; each byte that is not part of valid UTF-8
 * becomes U+FFFD.
 */
size_t json_write_to(char *dst, struct str s);
/* The same into the arena: exactly as many bytes as needed. */
struct str json_write_str(struct arena *a, struct str s);
/* The same, appended to a buffer. */
void json_write_buf(struct buf *b, struct str s);
/* A JSON string of the base64 of s (RFC 4648 4, with padding), in the arena. */
struct str json_write_base64(struct arena *a, struct str s);

#endif
