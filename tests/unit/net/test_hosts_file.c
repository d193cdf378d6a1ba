#include "net/hosts_file.h"

#include "base/buf.h"
#include "unit.h"

static const char text[] = "# a comment 10.0.0.9 users\n"
			   "127.0.0.1\tlocalhost here\r\n"
			   "::1 localhost\n"
			   "\n"
			   "10.0.0.1   users  Users.internal # 10.0.0.3 orders\n"
			   "10.0.0.2 users\n"
			   "10.0.0.1 users\n"
			   "fd00::1 users\n"
			   "not-an-address users\n"
			   "10.0.0.300 users\n"
			   "10.0.0.4\n"
			   "10.0.0.5 last";

static struct dns_addrs found[DNS_FAMILIES];

static bool
find(const char *name)
{
	return hosts_file_find(str_c(text), str_c(name), found);
}

START_TEST(a_name_has_every_address_of_its_lines)
{
	ck_assert(find("users"));
	ck_assert_int_eq(found[DNS_V4].error, ERR_NONE);
	ck_assert_uint_eq(found[DNS_V4].n, 2);
	ck_assert_mem_eq(found[DNS_V4].ip[0], "\x0a\0\0\1", 4);
	ck_assert_mem_eq(found[DNS_V4].ip[1], "\x0a\0\0\2", 4);
	ck_assert_uint_eq(found[DNS_V6].n, 1);
	ck_assert_uint_eq(found[DNS_V6].ip[0][0], 0xfd);
}
END_TEST

START_TEST(names_are_found_whatever_their_case_and_place)
{
	ck_assert(find("USERS.Internal"));
	ck_assert(find("here"));
	ck_assert(find("last"));
	ck_assert_int_eq(found[DNS_V6].error, ERR_DNS_NOT_FOUND);
	ck_assert(!find("orders"));
	ck_assert(!find("user"));
	ck_assert(!find("10.0.0.4"));
	ck_assert(!find(""));
}
END_TEST

START_TEST(localhost_is_known_without_a_line)
{
	ck_assert(hosts_file_find(str_none(), STR("LocalHost"), found));
	ck_assert_mem_eq(found[DNS_V4].ip[0], "\x7f\0\0\1", 4);
	ck_assert_uint_eq(found[DNS_V6].ip[0][15], 1);
	ck_assert(!hosts_file_find(str_none(), STR("users"), found));
	ck_assert(hosts_file_look_up("/nowhere/hosts", STR("localhost"), found));
}
END_TEST

START_TEST(more_addresses_than_there_is_room_for_are_passed_over)
{
	struct buf many = BUF_INIT;

	for (unsigned i = 0; i < DNS_ADDRS_MAX + 10u; i++)
		buf_printf(&many, "10.0.1.%u users\n", i);
	ck_assert(hosts_file_find(buf_str(&many), STR("users"), found));
	ck_assert_uint_eq(found[DNS_V4].n, DNS_ADDRS_MAX);
	buf_fini(&many);
}
END_TEST

UNIT_MAIN("hosts_file", a_name_has_every_address_of_its_lines,
    names_are_found_whatever_their_case_and_place, localhost_is_known_without_a_line,
    more_addresses_than_there_is_room_for_are_passed_over)
