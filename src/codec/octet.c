/*
 * The tables of octet.h and the searches that are not inlined. Constant data and pure functions;
 * any thread.
 */
#include "codec/octet.h"

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c) (((c) >= 'A' && (c) <= 'Z') || ((c) >= 'a' && (c) <= 'z'))
#define IS_UNRESERVED(c) \
	(IS_DIGIT(c) || IS_ALPHA(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define IS_SUB_DELIM(c) \
	((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' || \
	    (c) == '*' || (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=')
#define IS_TOKEN(c) \
	(IS_DIGIT(c) || IS_ALPHA(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || \
	    (c) == '&' || (c) == '\'' || (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' || \
	    (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
#define IS_REG_NAME(c) (IS_UNRESERVED(c) || (IS_SUB_DELIM(c) && (c) != ','))
#define IS_PATH(c) (IS_UNRESERVED(c) || IS_SUB_DELIM(c) || (c) == ':' || (c) == '@' || (c) == '/')
#define IS_QUERY(c) (IS_PATH(c) || (c) == '?')
#define IS_LOOSE(c) \
	((c) == '[' || (c) == ']' || (c) == '{' || (c) == '}' || (c) == '|' || (c) == '\\' || \
	    (c) == '^' || (c) == '`')
#define IS_QUOTED(c) \
	((c) == '\t' || ((c) >= ' ' && (c) != '"' && (c) != '\\' && (c) != 0x7f))

#define CLASSES(c) \
	((IS_TOKEN(c) ? OCTET_TOKEN : 0) | (IS_PATH(c) ? OCTET_PATH : 0) | \
	    (IS_QUERY(c) ? OCTET_QUERY : 0) | \
	    (IS_QUERY(c) || IS_LOOSE(c) ? OCTET_LOOSE_QUERY : 0) | \
	    (IS_UNRESERVED(c) ? OCTET_UNRESERVED : 0) | (IS_REG_NAME(c) ? OCTET_REG_NAME : 0) | \
	    (IS_QUOTED(c) ? OCTET_QUOTED : 0) | \
	    (IS_QUERY(c) || IS_LOOSE(c) || (c) == '%' ? OCTET_TARGET : 0))

#define FOUR(f, c) f(c), f((c) + 1), f((c) + 2), f((c) + 3)
#define SIXTEEN(f, c) FOUR(f, c), FOUR(f, (c) + 4), FOUR(f, (c) + 8), FOUR(f, (c) + 12)
#define SIXTY_FOUR(f, c) \
	SIXTEEN(f, c), SIXTEEN(f, (c) + 16), SIXTEEN(f, (c) + 32), SIXTEEN(f, (c) + 48)
#define ALL(f) SIXTY_FOUR(f, 0), SIXTY_FOUR(f, 64), SIXTY_FOUR(f, 128), SIXTY_FOUR(f, 192)

const uint8_t octet_classes[256] = { ALL(CLASSES) };

bool
octet_all(struct str s, unsigned classes)
{
	for (size_t i = 0; i < s.n; i++)
		if (!octet_is(s.p[i], classes))
			return false;
	return true;
}

size_t
octet_find_control_portable(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && !octet_is_control(p[i]))
		i++;
	return i;
}

size_t
octet_find_not_target_portable(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && octet_is(p[i], OCTET_TARGET))
		i++;
	return i;
}

#ifdef __SSE2__
static uint64_t
load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* Four bytes, and four spaces. */
static uint64_t
load4(const char *p)
{
	char padded[] = { ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ' };

	memcpy(padded, p, 4);
	return load8(padded);
}

/*
 * In the first `half` bytes of n and the last: where they overlap, a byte is found as one of the
 * first.
 */
static size_t
find_control_in_halves(uint64_t first, uint64_t last, size_t half, size_t n)
{
	unsigned bits = octet_controls(_mm_set_epi64x((int64_t)last, (int64_t)first));
	size_t at;

	if (bits == 0)
		return n;
	at = (size_t)__builtin_ctz(bits);
	return at < 8 ? at : n - half + at - 8;
}

size_t
octet_find_control_short(const char *p, size_t n)
{
	if (n >= 8)
		return find_control_in_halves(load8(p), load8(p + n - 8), 8, n);
	if (n >= 4)
		return find_control_in_halves(load4(p), load4(p + n - 4), 4, n);
	return octet_find_control_portable(p, n);
}

size_t
octet_find_not_target(const char *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= 16; i += 16) {
		__m128i x = octet_load(p + i);
		/* up to '#' but not '!' and '$', which is above it */
		__m128i low = _mm_andnot_si128(octet_equals(x, '!'), octet_at_most(x, '#'));
		__m128i angle = _mm_or_si128(octet_equals(x, '<'), octet_equals(x, '>'));
		/* 0x7f and all that is negative as a signed byte */
		__m128i high = _mm_or_si128(octet_equals(x, 0x7f), x);
		int bits = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, angle), high));

		if (bits != 0)
			return i + (size_t)__builtin_ctz((unsigned)bits);
	}
	return i + octet_find_not_target_portable(p + i, n - i);
}

/* Letters, digits, "/" and "-": the bytes of most paths. */
static bool
are_common_in_paths(__m128i x)
{
	__m128i lower = _mm_or_si128(x, _mm_set1_epi8(0x20));
	__m128i letter = octet_at_most(_mm_sub_epi8(lower, _mm_set1_epi8('a')), 25);
	/* "/" stands before the digits */
	__m128i digit = octet_at_most(_mm_sub_epi8(x, _mm_set1_epi8('/')), 10);
	__m128i common = _mm_or_si128(_mm_or_si128(letter, digit), octet_equals(x, '-'));

	return _mm_movemask_epi8(common) == 0xffff;
}

size_t
octet_skip_common_in_paths(const char *p, size_t n)
{
	size_t i = 0;

	while (n - i >= 16 && are_common_in_paths(octet_load(p + i)))
		i += 16;
	return i;
}
#else
size_t
octet_find_control_short(const char *p, size_t n)
{
	return octet_find_control_portable(p, n);
}

size_t
octet_find_not_target(const char *p, size_t n)
{
	return octet_find_not_target_portable(p, n);
}

size_t
octet_skip_common_in_paths(const char *p, size_t n)
{
	(void)p;
	(void)n;
	return 0;
}
#endif
