/*
 * UTF-8 over whole texts. Long ones are checked sixteen bytes at a time where the processor has
 * SSSE3 (asked at run time): "Validating UTF-8 In Less Than One Instruction Per Byte", Keiser and
 * Lemire 2020. No state.
 */
#include "codec/utf8.h"

#include "base/compiler.h"

#if defined(__x86_64__)
#include <tmmintrin.h>
#define HAVE_VECTORS 1
#endif

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

const char *
utf8_find_invalid_scalar(struct str s)
{
	const char *p = s.p;
	const char *end = p + s.n;

	while ((p = skip_ascii(p, end)) < end) {
		size_t n = utf8_length(p, end);

		if (n == 0)
			return p;
		p += n;
	}
	return NULL;
}

#ifdef HAVE_VECTORS

#define VECTOR 16
#define LONG_TEXT 32 /* below this, byte by byte is as fast */
#define WITH_SSSE3 __attribute__((target("ssse3")))

/*
 * What can be wrong with a byte and the one before it, one bit each. A pair is wrong when all three
 * look-ups (both halves of the first byte, the upper half of the second) have the bit.
 */
enum {
	TOO_SHORT = 1 << 0,  /* a lead without its tail */
	TOO_LONG = 1 << 1,   /* ASCII, then a tail */
	OVERLONG_3 = 1 << 2, /* E0 80..9F */
	TOO_LARGE = 1 << 3,  /* F4 90..BF, F5 and up */
	SURROGATE = 1 << 4,  /* ED A0..BF */
	OVERLONG_2 = 1 << 5, /* C0, C1 */
	OVERLONG_4 = 1 << 6, /* F0 80..8F; and F5 and up, 80..8F */
	TWO_TAILS = 1 << 7,  /* right only as third or fourth byte: checked against the leads */
	ANY_LOW = TOO_SHORT | TOO_LONG | TWO_TAILS,
	TAIL_LOW = TOO_LONG | OVERLONG_2 | TWO_TAILS,
};

/* One table of sixteen bytes; the bits are given as int. */
#define TABLE(...) _mm_setr_epi8(__VA_ARGS__)
#define BITS(b) ((char)(b))

static inline WITH_SSSE3 __m128i
first_upper(__m128i half)
{
	const char ascii = BITS(TOO_LONG), tail = BITS(TWO_TAILS);

	return _mm_shuffle_epi8(
	    TABLE(ascii, ascii, ascii, ascii, ascii, ascii, ascii, ascii, tail, tail, tail, tail,
		BITS(TOO_SHORT | OVERLONG_2), BITS(TOO_SHORT),
		BITS(TOO_SHORT | OVERLONG_3 | SURROGATE), BITS(TOO_SHORT | TOO_LARGE | OVERLONG_4)),
	    half);
}

static inline WITH_SSSE3 __m128i
first_lower(__m128i half)
{
	const char any = BITS(ANY_LOW), large = BITS(ANY_LOW | TOO_LARGE | OVERLONG_4);

	return _mm_shuffle_epi8(
	    TABLE(BITS(ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4), BITS(ANY_LOW | OVERLONG_2),
		any, any, BITS(ANY_LOW | TOO_LARGE), large, large, large, large, large, large,
		large, large, BITS(ANY_LOW | TOO_LARGE | OVERLONG_4 | SURROGATE), large, large),
	    half);
}

static inline WITH_SSSE3 __m128i
second_upper(__m128i half)
{
	const char other = BITS(TOO_SHORT), high = BITS(TAIL_LOW | SURROGATE | TOO_LARGE);

	return _mm_shuffle_epi8(
	    TABLE(other, other, other, other, other, other, other, other,
		BITS(TAIL_LOW | OVERLONG_3 | OVERLONG_4), BITS(TAIL_LOW | OVERLONG_3 | TOO_LARGE),
		high, high, other, other, other, other),
	    half);
}

static inline WITH_SSSE3 __m128i
upper_half(__m128i v)
{
	return _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(0x0f));
}

/* Not zero where `now` is wrong, `before` being the sixteen bytes in front of it. */
static inline WITH_SSSE3 __m128i
wrong_bytes(__m128i before, __m128i now)
{
	__m128i first = _mm_alignr_epi8(now, before, 15);
	__m128i lead3 =
	    _mm_subs_epu8(_mm_alignr_epi8(now, before, 14), _mm_set1_epi8((char)(0xe0 - 0x80)));
	__m128i lead4 =
	    _mm_subs_epu8(_mm_alignr_epi8(now, before, 13), _mm_set1_epi8((char)(0xf0 - 0x80)));
	__m128i must_be_tail = _mm_and_si128(_mm_or_si128(lead3, lead4), _mm_set1_epi8((char)0x80));
	__m128i pairs = _mm_and_si128(
	    first_upper(upper_half(first)), first_lower(_mm_and_si128(first, _mm_set1_epi8(0x0f))));

	/* TWO_TAILS is the sign bit: it must be there where a lead asks for it, and nowhere else */
	return _mm_xor_si128(_mm_and_si128(pairs, second_upper(upper_half(now))), must_be_tail);
}

static WITH_SSSE3 bool
is_valid_ssse3(struct str s)
{
	const char *p = s.p;
	const char *end = p + s.n;
	char rest[VECTOR] = { 0 };
	__m128i before = _mm_setzero_si128(), wrong = before, now;

	for (; end - p >= VECTOR; p += VECTOR) {
		now = _mm_loadu_si128((const __m128i *)(const void *)p);
		wrong = _mm_or_si128(wrong, wrong_bytes(before, now));
		before = now;
	}
	/* at least one zero behind the text: a sequence that is cut off shows */
	memcpy(rest, p, (size_t)(end - p));
	now = _mm_loadu_si128((const __m128i *)(const void *)rest);
	wrong = _mm_or_si128(wrong, wrong_bytes(before, now));
	return _mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) == 0xffff;
}

const char *
utf8_find_invalid(struct str s)
{
	if (s.n >= LONG_TEXT && __builtin_cpu_supports("ssse3") && is_valid_ssse3(s))
		return NULL;
	return utf8_find_invalid_scalar(s); /* slower, but it knows where */
}

#else

const char *
utf8_find_invalid(struct str s)
{
	return utf8_find_invalid_scalar(s);
}

#endif

bool
utf8_is_valid(struct str s)
{
	return utf8_find_invalid(s) == NULL;
}
