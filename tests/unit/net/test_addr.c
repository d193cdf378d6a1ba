#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "unit.h"

START_TEST(text_goes_in_and_out)
{
	static const char *const texts[] = {
		"127.0.0.1:80",
		"0.0.0.0:0",
		"255.255.255.255:65535",
		"[::1]:80",
		"[::]:8443",
		"[2001:db8::7]:1",
		"unix:/run/gatherd/http.sock",
		"unix:relative",
		"unix:@abstract",
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ck_assert_int_eq(addr_parse(str_c(texts[i]), &a), ERR_NONE);
		ck_assert_uint_eq(addr_format(&a, text), strlen(texts[i]));
		ck_assert_str_eq(text, texts[i]);
		ck_assert(addr_is_unix(&a) == (texts[i][0] == 'u'));
	}
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const struct str texts[] = {
		STR_INIT(""),
		STR_INIT(":"),
		STR_INIT(":80"),
		STR_INIT("80"),
		STR_INIT("localhost:80"),
		STR_INIT("127.0.0.1"),
		STR_INIT("127.0.0.1:"),
		STR_INIT("127.0.0.1:+80"),
		STR_INIT("127.0.0.1: 80"),
		STR_INIT("127.0.0.1:80 "),
		STR_INIT("127.0.0.1:65536"),
		STR_INIT("127.0.0.1:000080"),
		STR_INIT("127.0.0.1:-1"),
		STR_INIT("127.0.0.01:80"),
		STR_INIT("127.0.1:80"),
		STR_INIT("::1:80"),
		STR_INIT("["),
		STR_INIT("[]:80"),
		STR_INIT("[::1]"),
		STR_INIT("[::1]80"),
		STR_INIT("[::1]:"),
		STR_INIT("[::1%lo]:80"),
		STR_INIT("[127.0.0.1]:80"),
		STR_INIT("unix:"),
		STR_INIT("unix:@"),
		STR_INIT("unix:/a\0b"),
		STR_INIT("127.0.0.1\0:80"),
	};
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(addr_parse(texts[i], &a) == ERR_BAD_CONFIG, "%s", texts[i].p);
}
END_TEST

START_TEST(a_unix_path_has_a_greatest_length)
{
	char path[5 + 108] = "unix:";
	char text[ADDR_TEXT_MAX];
	struct addr a;

	memset(path + 5, 'x', 108);
	ck_assert_int_eq(addr_parse(str_of(path, sizeof path), &a), ERR_BAD_CONFIG);
	ck_assert_int_eq(addr_parse(str_of(path, sizeof path - 1), &a), ERR_NONE);
	ck_assert_uint_eq(addr_format(&a, text), sizeof path - 1);
}
END_TEST

static struct addr
parsed(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(str_c(text), &a), ERR_NONE);
	return a;
}

START_TEST(knows_parts_and_equality)
{
	struct addr a = parsed("127.0.0.1:80"), b = parsed("127.0.0.1:81");
	struct addr c = parsed("[::1]:80"), d = parsed("unix:/a"), e = parsed("unix:/ab");
	struct addr mapped = parsed("[::ffff:127.0.0.1]:80");
	char text[ADDR_TEXT_MAX];

	ck_assert(addr_eq(&a, &a) && addr_eq(&c, &c) && addr_eq(&d, &d));
	ck_assert(!addr_eq(&a, &b) && !addr_eq(&a, &c) && !addr_eq(&a, &d) && !addr_eq(&d, &e));
	/* A different family of the kernel's, so a different socket. */
	ck_assert(!addr_eq(&a, &mapped));
	ck_assert_uint_eq(addr_port(&b), 81);
	ck_assert_uint_eq(addr_port(&d), 0);
	addr_format_ip(&c, text);
	ck_assert_str_eq(text, "::1");
	ck_assert_uint_eq(addr_format_ip(&d, text), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(writes_addresses_as_inet_ntop)
{
	static const uint32_t ips[] = { 0, 0x7f000001, 0xffffffff, 0x01020304, 0x0a640063, 0xc0a8ff0a };
	struct addr a = parsed("0.0.0.0:80");
	struct sockaddr_in *in = (struct sockaddr_in *)&a.sa;

	for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
		char text[ADDR_TEXT_MAX], expected[INET_ADDRSTRLEN];

		in->sin_addr.s_addr = htonl(ips[i]);
		inet_ntop(AF_INET, &in->sin_addr, expected, sizeof expected);
		ck_assert_uint_eq(addr_format_ip(&a, text), strlen(expected));
		ck_assert_str_eq(text, expected);
	}
}
END_TEST

START_TEST(an_unnamed_peer_can_be_formatted)
{
	struct addr a = { .len = sizeof(sa_family_t) };
	char text[ADDR_TEXT_MAX];

	a.sa.ss_family = AF_UNIX;
	addr_format(&a, text);
	ck_assert_str_eq(text, "unix:");
	ck_assert(addr_eq(&a, &a));
}
END_TEST

START_TEST(ip_addresses_and_names)
{
	static const struct {
		const char *text;
		const char *address; /* NULL: none */
		bool is_name;
	} rows[] = {
		{ "127.0.0.1", "127.0.0.1:8080", true },
		{ "::1", "[::1]:8080", false },
		{ "[::1]", NULL, false },
		{ "users", NULL, true },
		{ "_http._tcp.users.internal.", NULL, true },
		{ "a-b.c", NULL, true },
		{ "a..b", NULL, false },
		{ ".", NULL, false },
		{ ".a", NULL, false },
		{ "a b", NULL, false },
		{ "", NULL, false },
		{ "a123456789b123456789c123456789d123456789e123456789f123456789abc", NULL, true },
		{ "a123456789b123456789c123456789d123456789e123456789f123456789abcd", NULL, false },
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str s = str_c(rows[i].text);

		ck_assert_msg(addr_is_name(s) == rows[i].is_name, "row %zu", i);
		ck_assert_msg((addr_of_ip(s, 8080, &a) == ERR_NONE) == (rows[i].address != NULL),
		    "row %zu", i);
		if (rows[i].address != NULL)
			ck_assert_str_is(str_of(text, addr_format(&a, text)), rows[i].address);
	}
	ck_assert_int_eq(addr_of_ip(STR("127.0.0.1"), 65536, &a), ERR_BAD_CONFIG);
}
END_TEST

START_TEST(ipv4_inside_ipv6_comes_out)
{
	static const char *const rows[][2] = {
		{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80" },
		{ "[::fffe:192.0.2.1]:80", "[::fffe:c000:201]:80" },
		{ "[2001:db8::1]:80", "[2001:db8::1]:80" },
		{ "192.0.2.1:80", "192.0.2.1:80" },
		{ "unix:/a", "unix:/a" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr a;

		ck_assert_int_eq(addr_parse(str_c(rows[i][0]), &a), ERR_NONE);
		addr_unmap(&a);
		addr_format(&a, text);
		ck_assert_str_eq(text, rows[i][1]);
	}
}
END_TEST

START_TEST(a_wildcard_takes_the_addresses_of_its_port)
{
	static const struct {
		const char *a, *b;
		bool takes, takes_without_v6only;
	} rows[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", true, true },
		{ "127.0.0.1:80", "127.0.0.2:80", false, false },
		{ "0.0.0.0:80", "127.0.0.1:80", true, true },
		{ "0.0.0.0:80", "127.0.0.1:81", false, false },
		{ "127.0.0.1:80", "0.0.0.0:80", false, false },
		{ "0.0.0.0:80", "[::1]:80", false, false },
		{ "[::]:80", "[::1]:80", true, true },
		{ "[::]:80", "[::1]:81", false, false },
		{ "[::]:80", "127.0.0.1:80", false, true },
		{ "[::1]:80", "127.0.0.1:80", false, false },
		{ "0.0.0.0:80", "unix:/a", false, false },
		{ "unix:/a", "unix:/a", true, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr a, b;

		ck_assert(addr_parse(str_c(rows[i].a), &a) == ERR_NONE);
		ck_assert(addr_parse(str_c(rows[i].b), &b) == ERR_NONE);
		ck_assert_msg(addr_takes(&a, true, &b) == rows[i].takes, "row %zu", i);
		ck_assert_msg(addr_takes(&a, false, &b) == rows[i].takes_without_v6only, "row %zu", i);
	}
}
END_TEST

UNIT_MAIN("addr", text_goes_in_and_out, what_is_no_address_is_refused,
    a_unix_path_has_a_greatest_length, knows_parts_and_equality, writes_addresses_as_inet_ntop,
    a_unix_path_has_a_greatest_length, knows_parts_and_equality, an_unnamed_peer_can_be_formatted,
    ip_addresses_and_names, ipv4_inside_ipv6_comes_out,
    a_wildcard_takes_the_addresses_of_its_port)
