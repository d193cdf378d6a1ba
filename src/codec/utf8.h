/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. No state. */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stdbool.h>

#include "base/str.h"

bool utf8_is_valid(struct str s);
/* The first byte that is not part of a valid sequence; NULL when there is none. */
const char *utf8_find_invalid(struct str s);
/* The same without vectors: for short texts, other machines, and comparison. */
const char *utf8_find_invalid_scalar(struct str s);

static inline bool
utf8_is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Length of the sequence at p, 1 to 4; 0 when the bytes up to end do not begin with a valid one. */
static inline size_t
utf8_length(const char *p, const char *end)
{
	unsigned char lead = (unsigned char)p[0];
	unsigned char second;

	if (lead < 0x80)
		return 1;
	if (end - p < 2)
		return 0;
	second = (unsigned char)p[1];
	if (lead < 0xe0)
		return lead >= 0xc2 && utf8_is_tail(p[1]) ? 2 : 0;
	if (lead < 0xf0) {
		/* E0 80..9F would be overlong, ED A0..BF a surrogate */
		if (end - p < 3 || !utf8_is_tail(p[1]) || !utf8_is_tail(p[2]) ||
		    (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f))
			return 0;
		return 3;
	}
	/* F0 80..8F would be overlong, F4 90 and up is beyond U+10FFFF */
	if (end - p < 4 || lead > 0xf4 || !utf8_is_tail(p[1]) || !utf8_is_tail(p[2]) ||
	    !utf8_is_tail(p[3]) || (lead == 0xf0 && second < 0x90) ||
	    (lead == 0xf4 && second > 0x8f))
		return 0;
	return 4;
}

#endif
