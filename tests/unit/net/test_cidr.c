#include "net/cidr.h"

#include "unit.h"

static void
check_in(const char *net, const char *ip, bool is_in)
{
	struct addr a;
	struct cidr c;

	ck_assert_int_eq(addr_parse(str_c(ip), &a), ERR_NONE);
	ck_assert_msg(cidr_parse(str_c(net), &c) == ERR_NONE, "%s", net);
	ck_assert_msg(cidr_has(&c, &a) == is_in, "%s in %s", ip, net);
}

START_TEST(networks_hold_their_addresses)
{
	check_in("10.0.0.0/8", "10.255.0.1:1", true);
	check_in("10.0.0.0/8", "11.0.0.0:1", false);
	check_in("10.0.0.0/8", "[::ffff:10.1.2.3]:1", true);
	check_in("10.0.0.0/8", "[::1]:1", false);
	check_in("10.1.2.3", "10.1.2.3:9", true);
	check_in("10.1.2.3", "10.1.2.2:9", false);
	check_in("192.168.128.0/17", "192.168.255.255:1", true);
	check_in("192.168.128.0/17", "192.168.127.255:1", false);
	check_in("0.0.0.0/0", "1.2.3.4:1", true);
	check_in("0.0.0.0/0", "[2001:db8::1]:1", false);
	check_in("::/0", "[2001:db8::1]:1", true);
	check_in("::/0", "1.2.3.4:1", true);
	check_in("::/0", "unix:/x", false);
	check_in("::ffff:10.0.0.0/104", "10.9.9.9:1", true);
	check_in("fd00::/8", "[fdff::1]:1", true);
	check_in("fd00::/8", "[fc00::1]:1", false);
	check_in("::1/128", "[::1]:1", true);
}
END_TEST

START_TEST(what_is_no_network_is_refused)
{
	static const char *const texts[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.1/8", "10.0.0.0/8/8", "10.0.0.0/+8", "10.0.0.0/0008", "::/129", "::1/64",
		"example.org/8", "10.0.0.0 /8", "[::]/0",
		"1.2.3.44444444444444444444444444444444444444444444444444444444444444/8",
		"::1]:0/1", "10.0.0/8" };
	struct cidr c;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(cidr_parse(str_c(texts[i]), &c) == ERR_BAD_CONFIG, "%s", texts[i]);
}
END_TEST

UNIT_MAIN("cidr", networks_hold_their_addresses, what_is_no_network_is_refused)
