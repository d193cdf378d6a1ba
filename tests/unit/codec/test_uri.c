#include "codec/uri.h"

#include "unit.h"

START_TEST(takes_paths)
{
	static const char *const good[] = { "/", "//", "/a", "/a/b/", "/a%20b", "/%2F", "/a..", "/..a",
		"/...", "/.well-known/x", "/a;b=1", "/~u/@:x", "/%2e%2e%2e", "/a%5Cb", "/%2e%2ea" };
	static const char *const bad[] = { "", "a", "*", "/%", "/%2", "/%2g", "/%g0", "/ ", "/#", "/?",
		"/[", "/\\", "/\"", "/\x7f", "/\x80", "/\t", "/%00", "/a%00b", "/%0d", "/%0A", "/.", "/..", "/./a",
		"/../a", "/a/..", "/a/.", "/a/../b", "/%2e", "/%2E%2e/a", "/.%2e", "/a/%2e./b", "/..;x",
		"/..;/a", "/a/.;b/c" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(uri_check_path(str_c(good[i])), "refused %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!uri_check_path(str_c(bad[i])), "took %s", bad[i]);
	ck_assert(!uri_check_path(str_of("/\0", 2)));
}
END_TEST

/* A long path of bytes that need no look, with one piece that does at every place. */
START_TEST(refuses_what_is_wrong_wherever_it_stands)
{
	static const struct {
		const char *piece;
		bool is_taken;
	} rows[] = { { "/../", false }, { "/%2e%2E;a/", false }, { "/./", false }, { "/..a/", true },
		{ "/a../", true }, { "/%2/", false }, { "/%0a/", false }, { "/%41/", true },
		{ "/?/", false }, { "/\"/", false }, { "/~/", true } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t at = 0; at < 40; at++) {
			char path[64];
			size_t n = strlen(rows[i].piece);

			memset(path, 'x', sizeof path);
			path[0] = '/';
			memcpy(path + at, rows[i].piece, n);
			ck_assert_msg(uri_check_path(str_of(path, sizeof path)) == rows[i].is_taken,
			    "%s at %zu", rows[i].piece, at);
			ck_assert_int_eq(uri_check_path(str_of(path, at + n - 1)), rows[i].is_taken);
		}
	}
}
END_TEST

START_TEST(takes_queries)
{
	static const char *const good[] = { "", "a=1&b=2", "a[]=1", "?/?", "%00", "{x}|\\^`", "a=../b" };
	static const char *const bad[] = { "#", " ", "\"", "<", ">", "%", "%1", "\x80", "\x7f", "\n" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(uri_check_query(str_c(good[i])), "refused %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!uri_check_query(str_c(bad[i])), "took %s", bad[i]);
}
END_TEST

START_TEST(takes_authorities_apart)
{
	static const struct {
		const char *text, *host, *port; /* port NULL: none */
	} good[] = {
		{ "a", "a", NULL },
		{ "a.example:80", "a.example", "80" },
		{ "a:", "a", "" },
		{ "127.0.0.1:65535", "127.0.0.1", "65535" },
		{ "[::1]", "[::1]", NULL },
		{ "[::1]:8080", "[::1]", "8080" },
		{ "[2001:db8::192.0.2.1]", "[2001:db8::192.0.2.1]", NULL },
		{ "a_b-c.~!$&'()*+;=%20", "a_b-c.~!$&'()*+;=%20", NULL },
	};
	static const char *const bad[] = { "", ":80", "a:65536", "a:x", "a:+1", "a: 1", "a:1:2", "a@b",
		"a b", "a/b", "a?b", "a#b", "[", "[]", "[::1", "[::1]x", "[::1]80", "[::g]", "[1.2.3.4]",
		"[::1%25eth0]", "[v1.a]", "::1", "a%", "a%2", "a%zz", "\x80", "a\\b", "<a>", "a:99999999999",
		"[0:0:0:0:0:0:0:0:0]", "a\tb", "a,b/c", "[::1]]", "a,b", "a[::1]" };
	struct str host, port;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(uri_split_authority(str_c(good[i].text), &host, &port), "refused %s",
		    good[i].text);
		ck_assert(str_eq(host, str_c(good[i].host)));
		ck_assert(str_eq(port, str_c(good[i].port)));
		ck_assert(str_is_none(port) == (good[i].port == NULL));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!uri_split_authority(str_c(bad[i]), &host, &port), "took %s", bad[i]);
	ck_assert(!uri_split_authority(str_of("[::1\0]", 6), &host, &port));
}
END_TEST

START_TEST(walks_segments)
{
	struct str path = STR("/a//b%2Fc/"), s;

	ck_assert(uri_next_segment(&path, &s));
	ck_assert_str_is(s, "a");
	ck_assert(uri_next_segment(&path, &s));
	ck_assert_str_is(s, "");
	ck_assert(uri_next_segment(&path, &s));
	ck_assert_str_is(s, "b%2Fc");
	ck_assert(uri_next_segment(&path, &s));
	ck_assert_str_is(s, "");
	ck_assert(!uri_next_segment(&path, &s));
}
END_TEST

START_TEST(walks_pairs)
{
	struct str query = STR("a=1&&b&c==2&=x"), name, value;

	ck_assert(uri_next_pair(&query, &name, &value));
	ck_assert_str_is(name, "a");
	ck_assert_str_is(value, "1");
	ck_assert(uri_next_pair(&query, &name, &value));
	ck_assert_str_is(name, "b");
	ck_assert(str_is_none(value));
	ck_assert(uri_next_pair(&query, &name, &value));
	ck_assert_str_is(name, "c");
	ck_assert_str_is(value, "=2");
	ck_assert(uri_next_pair(&query, &name, &value));
	ck_assert_str_is(name, "");
	ck_assert_str_is(value, "x");
	ck_assert(!uri_next_pair(&query, &name, &value));
	query = str_none();
	ck_assert(!uri_next_pair(&query, &name, &value));
}
END_TEST

START_TEST(decodes)
{
	char b[32];

	ck_assert_str_is(str_of(b, uri_decode(b, STR("a%20b+%41%2f"))), "a b+A/");
	ck_assert_str_is(str_of(b, uri_decode_query(b, STR("a+b%2Bc"))), "a b+c");
	ck_assert_str_is(str_of(b, uri_decode(b, STR("%4%zz%"))), "%4%zz%");
	memcpy(b, "%41%42", 6);
	ck_assert_str_is(str_of(b, uri_decode(b, str_of(b, 6))), "AB");
	ck_assert(uri_decodes_to(STR("%61bc"), STR("abc")));
	ck_assert(!uri_decodes_to(STR("%61bc"), STR("ab")));
	ck_assert(!uri_decodes_to(STR("ab"), STR("abc")));
	ck_assert(!uri_decodes_to(STR("a%2Fc"), STR("a%2Fc")));
}
END_TEST

START_TEST(encodes_by_position)
{
	char b[64];

	ck_assert_str_is(str_of(b, uri_put_segment(b, STR("a/b?c#d%e f\xff;="))),
	    "a%2Fb%3Fc%23d%25e%20f%FF%3B%3D");
	ck_assert_str_is(str_of(b, uri_put_query_value(b, STR("a&b=c+d~"))), "a%26b%3Dc%2Bd~");
	ck_assert_str_is(str_of(b, uri_put_query(b, STR("a[0]=%41&{}"))), "a%5B0%5D=%41&%7B%7D");
	ck_assert(uri_is_dot_segment(STR("..")) && uri_is_dot_segment(STR("%2E")));
	ck_assert(uri_is_dot_segment(STR(".;a")) && !uri_is_dot_segment(STR("")));
	ck_assert(!uri_is_dot_segment(STR("...")) && !uri_is_dot_segment(STR(".a")));
}
END_TEST

UNIT_MAIN("uri", refuses_what_is_wrong_wherever_it_stands,
    takes_paths, takes_queries, takes_authorities_apart, walks_segments, walks_pairs,
    decodes, encodes_by_position)
