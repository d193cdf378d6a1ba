#include "codec/utf8.h"

#include "codec/json_texts.h"
#include "unit.h"

/* What RFC 3629 4 says of one sequence, as ranges of its code point. */
static bool
is_one_character(const unsigned char *s, size_t n)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	static const unsigned char mark[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	static const unsigned char bits[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c;

	if (n == 1)
		return s[0] < 0x80;
	if ((s[0] & ~bits[n]) != mark[n])
		return false;
	c = s[0] & bits[n];
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c >= least[n] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

START_TEST(knows_every_sequence)
{
	static const unsigned char tails[] = { 0, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
		0xc0, 0xff };
	const size_t t = ARRAY_LEN(tails);

	for (unsigned a = 0x80; a < 256; a++) {
		for (size_t i = 0; i < t * t * t; i++) {
			unsigned char s[4] = { (unsigned char)a, tails[i % t], tails[i / t % t],
				tails[i / t / t] };
			size_t n = utf8_length((const char *)s, (const char *)s + 4);
			size_t want = 0;

			for (size_t k = 2; k <= 4; k++)
				want = is_one_character(s, k) ? k : want;
			ck_assert_uint_eq(n, want);
			for (size_t k = 1; k < want; k++)
				ck_assert_uint_eq(
				    utf8_length((const char *)s, (const char *)s + k), 0);
		}
	}
}
END_TEST

START_TEST(checks_whole_texts)
{
	static const char text[] =
	    "plain, then \xc3\xa9 and \xe3\x81\x82\xf0\x9f\x98\x80; plain again";

	ck_assert(utf8_is_valid(STR("")));
	ck_assert(utf8_is_valid(str_none()));
	ck_assert(utf8_is_valid(STR(text)));
	for (size_t i = 0; i < sizeof text - 1; i++) {
		char copy[sizeof text];

		memcpy(copy, text, sizeof text);
		copy[i] = (char)0xff;
		ck_assert(!utf8_is_valid(str_of(copy, sizeof text - 1)));
	}
	ck_assert(!utf8_is_valid(STR("\xe3\x81")));
}
END_TEST

UNIT_MAIN("utf8", knows_every_sequence, checks_whole_texts)
