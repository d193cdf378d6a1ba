#include "codec/forwarded.h"

#include "unit.h"

START_TEST(elements_are_taken_apart)
{
	static const struct {
		const char *element, *ip, *proto, *host; /* NULL: none */
	} rows[] = {
		{ "for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60", "http", NULL },
		{ "for=192.0.2.60", "192.0.2.60", NULL, NULL },
		{ "For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17", NULL, NULL },
		{ "FOR=\"[2001:db8::1]\";HOST=\"a:80\"", "2001:db8::1", NULL, "a:80" },
		{ "for=\"192.0.2.60:47\"", "192.0.2.60", NULL, NULL },
		{ "for=\"192.0.2.60:_x\";", "192.0.2.60", NULL, NULL },
		{ "for=unknown;proto=https", NULL, "https", NULL },
		{ "for=_hidden", NULL, NULL, NULL },
		{ "for=\"_hidden:_port\"", NULL, NULL, NULL },
		{ "host=example.com;ext=\"a;b,c\";other=x", NULL, NULL, "example.com" },
		{ "proto=\"ht tp\"", NULL, NULL, NULL },
		{ "for=\"[::1\"", NULL, NULL, NULL },
		{ "for=\"[::1]x\"", NULL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forwarded f;

		ck_assert_msg(forwarded_parse(str_c(rows[i].element), &f), "%zu", i);
		ck_assert_msg(str_eq(f.ip, str_c(rows[i].ip)), "%zu", i);
		ck_assert_msg(str_eq(f.proto, str_c(rows[i].proto)), "%zu", i);
		ck_assert_msg(str_eq(f.host, str_c(rows[i].host)), "%zu", i);
	}
}
END_TEST

START_TEST(elements_of_x_forwarded_for_may_have_a_port)
{
	static const struct {
		const char *element, *ip;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1:80", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "::1", "::1" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "[2001:db8::1]", "2001:db8::1" },
		{ "[2001:db8::1]:80", "2001:db8::1" },
		{ "nonsense", "nonsense" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_str_is(forwarded_bare_ip(str_c(cases[i].element)), cases[i].ip);
	ck_assert(str_is_none(forwarded_bare_ip(STR("unknown"))));
	ck_assert(str_is_none(forwarded_bare_ip(STR("_x"))));
	ck_assert(str_is_none(forwarded_bare_ip(STR("[::1"))));
	ck_assert(str_is_none(forwarded_bare_ip(STR("[::1]x"))));
}
END_TEST

START_TEST(what_breaks_the_grammar_is_refused)
{
	static const char *const rows[] = {
		"192.0.2.60", "for", "for=", "=192.0.2.60", "for=\"\"", "for=\"192.0.2.60",
		"for=192.0.2.60\"", "for=[::1]", "for=192.0.2.60:80", "for =1.2.3.4", "for= 1.2.3.4",
		"for=1.2.3.4 ;proto=http", "for=1.2.3.4; proto=http", "for=1.2.3.4;;proto=http",
		"for=1.2.3.4;for=1.2.3.5", "for=1.2.3.4;FOR=1.2.3.4", "host=a;host=b", "by=a;by=b",
		"for=\"1.2.3.\\4\"", "fo\"r=1.2.3.4", "for=\"1.2.3.4\"x", "for=\"a\"\"b\"", ";",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forwarded f;

		ck_assert_msg(!forwarded_parse(str_c(rows[i]), &f), "%s", rows[i]);
	}
}
END_TEST

/* Cut anywhere, never a byte beyond the slice: the copy on the heap has nothing behind it. */
START_TEST(an_element_may_end_anywhere)
{
	struct str whole = STR("for=\"[2001:db8::1]:80\";proto=https;host=\"a:80\"");

	for (size_t n = 1; n <= whole.n; n++) {
		char *copy = malloc(n);
		struct forwarded f;

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, whole.p, n);
		if (forwarded_parse(str_of(copy, n), &f))
			ck_assert(n == whole.n || copy[n - 1] != '=');
		free(copy);
	}
}
END_TEST

UNIT_MAIN("forwarded", elements_are_taken_apart, elements_of_x_forwarded_for_may_have_a_port,
    what_breaks_the_grammar_is_refused, an_element_may_end_anywhere)
