/* Unescaping, comparing and hashing the insides of validated JSON strings. No state. */
#include "codec/json_str.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"

static unsigned
hex_value(char c)
{
	if (c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a') + 10;
}

/* The four hex digits at p. */
static unsigned
hex4(const char *p)
{
	return hex_value(p[0]) << 12 | hex_value(p[1]) << 8 | hex_value(p[2]) << 4 |
	       hex_value(p[3]);
}

/* Surrogates get the three bytes that their number asks for. */
static size_t
put_utf8(char *dst, unsigned c)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xc0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		dst[0] = (char)(0xe0 | c >> 12);
		dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | c >> 18);
	dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* One escape, p behind its backslash; returns p behind it. Pairs of surrogates: RFC 8259 7. */
static const char *
read_escape(const char *p, const char *end, unsigned *c)
{
	unsigned low;

	switch (*p) {
	case 'b':
		*c = '\b';
		return p + 1;
	case 'f':
		*c = '\f';
		return p + 1;
	case 'n':
		*c = '\n';
		return p + 1;
	case 'r':
		*c = '\r';
		return p + 1;
	case 't':
		*c = '\t';
		return p + 1;
	case 'u':
		*c = hex4(p + 1);
		p += 5;
		if ((*c & 0xfc00) != 0xd800 || end - p < 6 || p[0] != '\\' || p[1] != 'u')
			return p;
		low = hex4(p + 2);
		if ((low & 0xfc00) != 0xdc00)
			return p;
		*c = 0x10000 + ((*c & 0x3ff) << 10 | (low & 0x3ff));
		return p + 6;
	default: /* the quote, the backslash and the slash stand for themselves */
		*c = (unsigned char)*p;
		return p + 1;
	}
}

size_t
json_str_unescape(char *dst, struct str raw)
{
	const char *p = raw.p;
	const char *end = p + raw.n;
	size_t n = 0;

	while (p < end) {
		const char *escape = memchr(p, '\\', (size_t)(end - p));
		size_t run = (size_t)((escape == NULL ? end : escape) - p);
		unsigned c;

		memcpy(dst + n, p, run);
		n += run;
		p += run;
		if (escape == NULL)
			break;
		p = read_escape(p + 1, end, &c);
		n += put_utf8(dst + n, c);
	}
	return n;
}

struct str
json_str_text(struct arena *a, struct str raw)
{
	char *dst;

	if (str_find(raw, '\\') == raw.n)
		return raw;
	dst = arena_alloc(a, raw.n);
	return str_of(dst, json_str_unescape(dst, raw));
}

/* The bytes of one character at *p, which moves behind it; returns how many. */
static size_t
next_char(const char **p, const char *end, char dst[4])
{
	unsigned c;

	if (**p != '\\') {
		dst[0] = *(*p)++;
		return 1;
	}
	*p = read_escape(*p + 1, end, &c);
	return put_utf8(dst, c);
}

/* Compares what the strings stand for; their lengths say nothing about that. */
static bool
eq_unescaped(struct str a, struct str b)
{
	const char *pa = a.p, *pb = b.p;
	const char *end_a = pa + a.n, *end_b = pb + b.n;
	char ca[4], cb[4];
	size_t na = 0, nb = 0, ia = 0, ib = 0;

	for (;;) {
		if (ia == na) {
			ia = 0;
			na = pa < end_a ? next_char(&pa, end_a, ca) : 0;
		}
		if (ib == nb) {
			ib = 0;
			nb = pb < end_b ? next_char(&pb, end_b, cb) : 0;
		}
		if (na == 0 || nb == 0)
			return na == nb;
		if (ca[ia++] != cb[ib++])
			return false;
	}
}

bool
json_str_eq(struct str a, struct str b)
{
	if (str_eq(a, b))
		return true;
	if (str_find(a, '\\') == a.n && str_find(b, '\\') == b.n)
		return false;
	return eq_unescaped(a, b);
}

/* More than 16 bytes: sixteen at a time, the last sixteen whatever was taken of them before. */
static uint32_t
hash_long(struct str raw, uint64_t seed)
{
	const char *p = raw.p, *last = raw.p + raw.n - 16;
	uint64_t state = json_str_hash_begin(raw.n, seed);

	for (; p < last; p += 16)
		state = json_str_mix(json_str_load8(p) ^ state, json_str_load8(p + 8) ^ seed);
	state = json_str_mix(json_str_load8(last) ^ state, json_str_load8(last + 8) ^ seed);
	return (uint32_t)(state >> 32);
}

uint32_t
json_str_hash_plain(struct str raw, const char *limit, uint64_t seed)
{
	char padded[JSON_STR_SHORT] = { 0 };

	if (raw.n > sizeof padded)
		return hash_long(raw, seed);
	if (raw.n > 0 && limit - raw.p >= (ptrdiff_t)sizeof padded)
		return json_str_hash_short(raw.p, raw.n, seed);
	if (raw.n > 0)
		memcpy(padded, raw.p, raw.n);
	return json_str_hash_short(padded, raw.n, seed);
}

uint32_t
json_str_hash_escaped(struct str raw, uint64_t seed)
{
	char small[256];
	char *text = raw.n <= sizeof small ? small : mem_alloc(raw.n);
	size_t n = json_str_unescape(text, raw);
	uint32_t hash = json_str_hash_plain(str_of(text, n), text + n, seed);

	if (text != small)
		free(text);
	return hash;
}

uint32_t
json_str_hash(struct str raw, uint64_t seed)
{
	if (str_find(raw, '\\') != raw.n)
		return json_str_hash_escaped(raw, seed);
	return json_str_hash_plain(raw, raw.p + raw.n, seed);
}
