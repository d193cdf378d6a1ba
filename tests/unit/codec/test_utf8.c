#include "codec/utf8.h"

#include "base/rnd.h"
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

/* Every sequence of the table above and its neighbours at every place of a vector, and cut off at its end. */
START_TEST(finds_the_first_invalid_byte_of_long_texts)
{
	static const char *const pieces[] = { "\xc3\xa9", "\xe3\x81\x82", "\xf0\x9f\x98\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80",
		"\xe0\xa0\x80", "\xc2\x80", "\xdf\xbf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\x80", "\xc3",
		"\xe3\x81", "\xf0\x9f\x98", "\xf0\x9f", "\xc3\xa9\x80", "\xe3\x81\x82\x80",
		"\xf0\x9f\x98\x80\x80", "\xc3\xc3\xa9", "\xe3\xe3\x81\x82" };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		for (size_t before = 0; before < 40; before++) {
			for (size_t behind = 0; behind < 40; behind++) {
				char text[100];
				size_t n = strlen(pieces[i]);
				struct str tight;

				memset(text, 'x', sizeof text);
				memcpy(text + before, pieces[i], n);
				tight = json_texts_tight(str_of(text, before + n + behind));
				ck_assert_ptr_eq(
				    utf8_find_invalid(tight), utf8_find_invalid_scalar(tight));
				json_texts_free(tight);
			}
		}
	}
}
END_TEST

START_TEST(agrees_with_scalar_on_random_bytes)
{
	static const unsigned char likely[] = { 'a', 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2,
		0xdf, 0xe0, 0xe3, 0xed, 0xef, 0xf0, 0xf3, 0xf4, 0xf5 };
	struct rnd rnd;

	rnd_init(&rnd, 31);
	for (unsigned i = 0; i < 300000; i++) {
		char text[48];
		size_t n = 32 + rnd_below(&rnd, 17), at = rnd_below(&rnd, n);

		memset(text, 'x', sizeof text);
		for (size_t k = 0; k < 1 + rnd_below(&rnd, 6) && at + k < n; k++)
			text[at + k] = (char)likely[rnd_below(&rnd, ARRAY_LEN(likely))];
		ck_assert_ptr_eq(
		    utf8_find_invalid(str_of(text, n)), utf8_find_invalid_scalar(str_of(text, n)));
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

UNIT_MAIN("utf8", knows_every_sequence, finds_the_first_invalid_byte_of_long_texts,
    agrees_with_scalar_on_random_bytes, checks_whole_texts)
