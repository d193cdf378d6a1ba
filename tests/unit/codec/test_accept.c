#include "codec/accept.h"

#include "unit.h"

static unsigned
quality(const char *accept, const char *type)
{
	struct header at[2];
	struct header_list list;

	header_list_init(&list, at, 2);
	if (accept != NULL)
		ck_assert(header_list_add(&list, STR("accept"), str_c(accept)));
	return accept_quality(&list, str_c(type));
}

START_TEST(everything_is_wanted_by_default)
{
	ck_assert_uint_eq(quality(NULL, "a/b"), 1000);
	ck_assert_uint_eq(quality("", "a/b"), 1000);
	ck_assert_uint_eq(quality(" , ,", "a/b"), 1000);
	ck_assert_uint_eq(quality("nonsense", "a/b"), 1000);
}
END_TEST

START_TEST(ranges_match)
{
	ck_assert_uint_eq(quality("a/b", "a/b"), 1000);
	ck_assert_uint_eq(quality("A/B", "a/b"), 1000);
	ck_assert_uint_eq(quality("a/*", "a/b"), 1000);
	ck_assert_uint_eq(quality("*/*", "a/b"), 1000);
	ck_assert_uint_eq(quality("a/c", "a/b"), 0);
	ck_assert_uint_eq(quality("a/bc", "a/b"), 0);
	ck_assert_uint_eq(quality("ab/*", "a/b"), 0);
	ck_assert_uint_eq(quality("a/*", "ab/c"), 0);
	ck_assert_uint_eq(quality("*", "a/b"), 1000);
	ck_assert_uint_eq(quality("x/y, a/b", "a/b"), 1000);
}
END_TEST

START_TEST(weights_count)
{
	ck_assert_uint_eq(quality("a/b;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b ; Q=0.125", "a/b"), 125);
	ck_assert_uint_eq(quality("a/b;q=0", "a/b"), 0);
	ck_assert_uint_eq(quality("a/b;q=1.000", "a/b"), 1000);
	ck_assert_uint_eq(quality("a/b;version=\"1\";q=0.2", "a/b"), 200);
	ck_assert_uint_eq(quality("a/b;q=0.2, a/b;q=0.3", "a/b"), 300);
}
END_TEST

START_TEST(the_most_specific_range_decides)
{
	ck_assert_uint_eq(quality("*/*;q=0.1, a/*;q=0.2, a/b;q=0.3", "a/b"), 300);
	ck_assert_uint_eq(quality("a/b;q=0.3, a/*;q=0.2, */*;q=0.1", "a/c"), 200);
	ck_assert_uint_eq(quality("a/b;q=0.3, a/*;q=0.2, */*;q=0.1", "x/y"), 100);
	ck_assert_uint_eq(quality("*/*, a/b;q=0", "a/b"), 0);
}
END_TEST

START_TEST(malformed_weights_are_ignored)
{
	ck_assert_uint_eq(quality("a/b;q=2, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=1.001, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=0.1234, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=-1, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=0.x, a/*;q=0.5", "a/b"), 500);
	ck_assert_uint_eq(quality("a/b;q=00, a/*;q=0.5", "a/b"), 500);
}
END_TEST

static enum coding
coding_for(const char *accept, const char *offered)
{
	enum coding offers[CODING_COUNT];
	struct str rest = str_c(offered), one;
	struct header_list list;
	struct header at[2];
	size_t n = 0;

	header_list_init(&list, at, 2);
	if (accept != NULL)
		ck_assert(header_list_add(&list, STR("accept-encoding"), str_c(accept)));
	while (str_split(&rest, ' ', &one))
		ck_assert(coding_find(one, &offers[n++]));
	return accept_coding(&list, offers, n);
}

START_TEST(codings_are_chosen_by_their_weights)
{
	static const struct {
		const char *accept, *offers;
		enum coding want;
	} rows[] = {
		{ NULL, "br gzip", CODING_IDENTITY },
		{ "", "br gzip", CODING_IDENTITY },
		{ "gzip", "br gzip", CODING_GZIP },
		{ "GZIP", "br gzip", CODING_GZIP },
		{ "x-gzip", "br gzip", CODING_GZIP },
		{ "gzip", "br", CODING_IDENTITY },
		{ "gzip, deflate, br", "br gzip", CODING_BR },
		{ "gzip, deflate, br", "gzip br", CODING_GZIP },
		{ "deflate, gzip;q=1.0, *;q=0.5", "br gzip", CODING_GZIP },
		{ "gzip;q=0.5, br;q=0.4", "br gzip", CODING_GZIP },
		{ "gzip;q=0", "gzip", CODING_IDENTITY },
		{ "gzip;q=0.000, br;q=0", "br gzip", CODING_IDENTITY },
		{ "*", "br gzip", CODING_BR },
		{ "*", "gzip br", CODING_GZIP },
		{ "*;q=0", "br gzip", CODING_IDENTITY },
		{ "br;q=0, *", "br gzip", CODING_GZIP },
		{ "gzip;q=0.3, *;q=0.5", "br gzip", CODING_BR },
		{ "gzip;q=0.3, *;q=0.5", "gzip", CODING_IDENTITY },
		{ "identity", "br gzip", CODING_IDENTITY },
		{ "identity, gzip", "br gzip", CODING_GZIP },
		{ "identity;q=0.5, gzip;q=0.3", "gzip", CODING_IDENTITY },
		{ "identity;q=0.5, gzip;q=0.5", "gzip", CODING_GZIP },
		/* neither is there, so what there is is sent, as nginx and others do */
		{ "identity;q=0", "br gzip", CODING_IDENTITY },
		{ "identity;q=0, zstd", "br gzip", CODING_IDENTITY },
		{ "identity;q=0, gzip;q=0.001", "br gzip", CODING_GZIP },
		{ "gzip;q=2", "gzip", CODING_IDENTITY },
		{ "gzip;q=", "gzip", CODING_IDENTITY },
		{ "gzip;q=0.1234", "gzip", CODING_IDENTITY },
		{ "gzip;q=1.001", "gzip", CODING_IDENTITY },
		{ "gzip ; q=0.5", "gzip", CODING_GZIP },
		{ ",, gzip ,,", "gzip", CODING_GZIP },
		{ "zstd, br;level=4", "br", CODING_BR },
		{ "gzipped", "gzip", CODING_IDENTITY },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(coding_for(rows[i].accept, rows[i].offers) == rows[i].want, "%s",
		    rows[i].accept);
}
END_TEST

UNIT_MAIN("accept", everything_is_wanted_by_default, ranges_match, weights_count,
    the_most_specific_range_decides, malformed_weights_are_ignored,
    codings_are_chosen_by_their_weights)
