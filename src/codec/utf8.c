/* UTF-8 over whole texts. No state. */
#include "codec/utf8.h"

/* Past the ASCII bytes at p, eight at a time while there are eight. */
static const char *
skip_ascii(const char *p, const char *end)
{
	uint64_t word;

	while (end - p >= 8) {
		memcpy(&word, p, 8);
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
		p += 8;
	}
	while (p < end && (unsigned char)*p < 0x80)
		p++;
	return p;
}

bool
utf8_is_valid(struct str s)
{
	const char *p = s.p;
	const char *end = p + s.n;

	while ((p = skip_ascii(p, end)) < end) {
		size_t n = utf8_length(p, end);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}
