/* Addresses as text. */
#include "base/ip.h"

#include "unit.h"

START_TEST(reads_both_families)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 }, v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	uint8_t ip[16];

	ck_assert(ip_parse_v4(STR("192.0.2.1"), ip) && memcmp(ip, v4, sizeof v4) == 0);
	ck_assert(ip_parse_v6(STR("2001:db8::1"), ip) && memcmp(ip, v6, sizeof v6) == 0);
	ck_assert(ip_parse_v6(STR("::ffff:192.0.2.1"), ip) && memcmp(ip + 12, v4, sizeof v4) == 0);
	ck_assert(ip_parse_v6(STR("0000:0000:0000:0000:0000:ffff:255.255.255.255"), ip));
}
END_TEST

START_TEST(refuses_all_else)
{
	static const struct str bad[] = { { NULL, 0 }, STR_INIT(""), STR_INIT("1.2.3"), STR_INIT("1.2.3.256"),
		STR_INIT("1.2.3.4 "), STR_INIT("1.2.3.4\0"), STR_INIT("::1\0"), STR_INIT("[::1]"),
		STR_INIT("fe80::1%eth0"), STR_INIT(":::"),
		STR_INIT("0000:0000:0000:0000:0000:ffff:255.255.255.2555") };
	uint8_t ip[16];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert(!ip_parse_v4(bad[i], ip));
		ck_assert(!ip_parse_v6(bad[i], ip));
	}
	ck_assert(!ip_parse_v4(STR("::1"), ip));
	ck_assert(!ip_parse_v6(STR("127.0.0.1"), ip));
}
END_TEST

UNIT_MAIN("ip", reads_both_families, refuses_all_else)
