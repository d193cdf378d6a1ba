/* Escaping. No state. */
#include "codec/json_write.h"

#include "base/compiler.h"
#include "codec/json_bytes.h"
#include "codec/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define LONGEST_ESCAPE 6           /* \u001f */

size_t
json_write_bound(struct str s)
{
	size_t bound;

	/* a text that long cannot be in memory: SIZE_MAX makes the allocation say so */
	if (__builtin_mul_overflow(s.n, LONGEST_ESCAPE, &bound) ||
	    __builtin_add_overflow(bound, 2, &bound))
		return SIZE_MAX;
	return bound;
}

/* RFC 8259 7: the short form where there is one. */
static size_t
put_escape(char *dst, char c)
{
	static const char digits[] = "0123456789abcdef";
	static const char from[] = "\"\\\b\f\n\r\t";
	static const char to[] = "\"\\bfnrt";
	const char *known = memchr(from, c, sizeof from - 1);

	dst[0] = '\\';
	if (known != NULL) {
		dst[1] = to[known - from];
		return 2;
	}
	memcpy(dst + 1, "u00", 3);
	dst[4] = digits[(unsigned char)c >> 4];
	dst[5] = digits[c & 0xf];
	return LONGEST_ESCAPE;
}

/* One character that is not plain, at *p, which moves behind it. */
static size_t
put_special(char *dst, const char **p, const char *end)
{
	size_t n;

	if ((unsigned char)**p < 0x80)
		return put_escape(dst, *(*p)++);
	n = utf8_length(*p, end);
	if (n == 0) {
		(*p)++;
		memcpy(dst, REPLACEMENT, 3);
		return 3;
	}
	memcpy(dst, *p, n);
	*p += n;
	return n;
}

size_t
json_write_to(char *dst, struct str s)
{
	const char *p = s.p;
	const char *end = p + s.n;
	char *to = dst;

	*to++ = '"';
	while (p < end) {
		const char *stop = json_bytes_plain(p, end);

		memcpy(to, p, (size_t)(stop - p));
		to += stop - p;
		p = stop;
		if (p < end)
			to += put_special(to, &p, end);
	}
	*to++ = '"';
	return (size_t)(to - dst);
}

/* Exactly what json_write_to() will write. */
static size_t
measure(struct str s)
{
	const char *p = s.p;
	const char *end = p + s.n;
	char scratch[LONGEST_ESCAPE];
	size_t n = 2;

	while (p < end) {
		const char *stop = json_bytes_plain(p, end);

		n += (size_t)(stop - p);
		p = stop;
		if (p < end)
			n += put_special(scratch, &p, end);
	}
	return n;
}

struct str
json_write_str(struct arena *a, struct str s)
{
	char *dst = arena_alloc(a, measure(s));

	return str_of(dst, json_write_to(dst, s));
}

void
json_write_buf(struct buf *b, struct str s)
{
	buf_commit(b, json_write_to(buf_reserve(b, measure(s)), s));
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes become four digits; what is missing becomes padding. */
static void
put_base64(char *dst, const unsigned char *p, size_t n)
{
	unsigned bits =
	    (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) | (n > 2 ? (unsigned)p[2] : 0);

	dst[0] = base64_digits[bits >> 18];
	dst[1] = base64_digits[bits >> 12 & 63];
	dst[2] = n > 1 ? base64_digits[bits >> 6 & 63] : '=';
	dst[3] = n > 2 ? base64_digits[bits & 63] : '=';
}

struct str
json_write_base64(struct arena *a, struct str s)
{
	size_t groups = s.n / 3 + (s.n % 3 != 0);
	size_t bytes;
	char *dst;

	if (__builtin_mul_overflow(groups, 4, &bytes) || __builtin_add_overflow(bytes, 2, &bytes))
		bytes = SIZE_MAX;
	dst = arena_alloc(a, bytes);
	dst[0] = '"';
	for (size_t i = 0; i < groups; i++) {
		size_t left = s.n - 3 * i;

		put_base64(dst + 1 + 4 * i, (const unsigned char *)s.p + 3 * i, left);
	}
	dst[bytes - 1] = '"';
	return str_of(dst, bytes);
}
