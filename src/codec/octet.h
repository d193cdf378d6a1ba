/*
 * The character classes of HTTP and URIs as one table, and the search for the end of a line. Part
 * of the codec's inner loops: nothing outside this folder needs it.
 */
#ifndef CODEC_OCTET_H
#define CODEC_OCTET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	OCTET_TOKEN = 1,       /* tchar, RFC 9110 5.6.2 */
	OCTET_PATH = 2,        /* pchar without "%", and "/", RFC 3986 3.3 */
	OCTET_QUERY = 4,       /* the same and "?", RFC 3986 3.4 */
	OCTET_LOOSE_QUERY = 8, /* the same and what browsers leave raw: [ ] { } | \ ^ ` */
	OCTET_UNRESERVED = 16, /* RFC 3986 2.3 */
	OCTET_REG_NAME = 32,   /* without "%" and ",", RFC 3986 3.2.2 */
	OCTET_QUOTED = 64,     /* qdtext, RFC 9110 5.6.4 */
	OCTET_TARGET = 128,    /* may stand somewhere in a request target */
};

extern const uint8_t octet_classes[256];

/* The value of a hex digit; OCTET_NOT_HEX for any other byte. */
enum { OCTET_NOT_HEX = 0xff };

static inline unsigned
octet_hex(char c)
{
	unsigned digit = (unsigned)(unsigned char)c - '0';
	unsigned letter = ((unsigned)(unsigned char)c | 0x20) - 'a';

	if (digit < 10)
		return digit;
	return letter < 6 ? letter + 10 : OCTET_NOT_HEX;
}

static inline bool
octet_is(char c, unsigned classes)
{
	return (octet_classes[(unsigned char)c] & classes) != 0;
}

static inline bool
octet_is_alpha(char c)
{
	return (unsigned)((unsigned char)c | 0x20) - 'a' < 26;
}

static inline bool
octet_is_digit(char c)
{
	return (unsigned)(unsigned char)c - '0' < 10;
}

/* A control byte other than HTAB: it cannot stand in a field value (RFC 9110 5.5). */
static inline bool
octet_is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return (u < 0x20 && u != '\t') || u == 0x7f;
}

/* True when every byte is of one of the classes; also for an empty slice. */
bool octet_all(struct str s, unsigned classes);

/* True when s begins with a whole percent triplet (RFC 3986 2.1). */
static inline bool
octet_is_triplet(const char *p, size_t n)
{
	return n >= 3 && p[0] == '%' && octet_hex(p[1]) != OCTET_NOT_HEX &&
	    octet_hex(p[2]) != OCTET_NOT_HEX;
}

/* Index of the first control byte (octet_is_control()), or n. */
size_t octet_find_control(const char *p, size_t n);
/* Index of the first byte that is not OCTET_TARGET, or n. */
size_t octet_find_not_target(const char *p, size_t n);
/* The same in portable C: what the fast ones are tested against. */
size_t octet_find_control_portable(const char *p, size_t n);
size_t octet_find_not_target_portable(const char *p, size_t n);

#endif
