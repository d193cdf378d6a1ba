#include "codec/proxy_header.h"

#include "unit.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"

struct row {
	struct str bytes;
	enum proxy_header_family family;
	const char *ip; /* in network order, as a C text of bytes */
	unsigned port;
};

static const struct row good[] = {
	{ STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), PROXY_HEADER_IPV4,
	    "\xc0\0\x02\x01", 56324 },
	{ STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 0 65535\r\n"), PROXY_HEADER_IPV4, "\1\1\1\1", 0 },
	{ STR_INIT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_HEADER_IPV4,
	    "\xff\xff\xff\xff", 65535 },
	{ STR_INIT("PROXY TCP6 ::1 :: 1 2\r\n"), PROXY_HEADER_IPV6,
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 1 },
	{ STR_INIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    PROXY_HEADER_IPV6,
	    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 65535 },
	{ STR_INIT("PROXY UNKNOWN\r\n"), PROXY_HEADER_UNKNOWN, "", 0 },
	{ STR_INIT("PROXY UNKNOWN ffff:: what ever  stands here\r\n"), PROXY_HEADER_UNKNOWN, "", 0 },
	{ STR_INIT(V2 "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x34\x01\xbb"),
	    PROXY_HEADER_IPV4, "\xc0\0\x02\x01", 0x1234 },
	{ STR_INIT(V2 "\x21\x11\0\x10\xc0\0\x02\x01\xc6\x33\x64\x02\x12\x34\x01\xbb\x04\0\x01\x07"),
	    PROXY_HEADER_IPV4, "\xc0\0\x02\x01", 0x1234 },
	{ STR_INIT(V2 "\x21\x21\0\x24"
		      "0123456789abcdefABCDEFGHIJKLMNOP\x12\x34\x01\xbb"),
	    PROXY_HEADER_IPV6, "0123456789abcdef", 0x1234 },
	{ STR_INIT(V2 "\x20\0\0\0"), PROXY_HEADER_UNKNOWN, "", 0 },
	{ STR_INIT(V2 "\x20\x99\0\x03xyz"), PROXY_HEADER_UNKNOWN, "", 0 },
	{ STR_INIT(V2 "\x21\0\0\0"), PROXY_HEADER_UNKNOWN, "", 0 },
};

static const struct str bad[] = {
	STR_INIT("GET / HTTP/1.1\r\n"),
	STR_INIT("\x16\x03\x01"),
	STR_INIT("PROXX"),
	STR_INIT("proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n"),
	STR_INIT("PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n"),
	STR_INIT("PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2\r1 2\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n"),
	STR_INIT("PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n"),
	STR_INIT("PROXY TCP4 256.1.1.1 2.2.2.2 1 2\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 ::1 1 2\r\n"),
	STR_INIT("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n"),
	STR_INIT("PROXY TCP6 ::1\0 ::1 1 2\r\n"),
	STR_INIT("PROXY TCP6 ::1%lo ::1 1 2\r\n"),
	STR_INIT("PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 +2\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n"),
	STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 000001 2\r\n"),
	STR_INIT("PROXY UNKNOWNS\r\n"),
	STR_INIT("PROXY UNKNOWN\n\r\n"),
	STR_INIT("PROXY UNKNOWN a\nb\r\n"),
	STR_INIT("PROXY UNKNOWN 01234567890123456789012345678901234567890123456789012345678901234567"
		 "890123456789012345678901\r\n"),
	STR_INIT(V2 "\x11\x11\0\x0c"),
	STR_INIT(V2 "\x22\x11\0\x0c"),
	STR_INIT(V2 "\x21\x12\0\x0c"),
	STR_INIT(V2 "\x21\x41\0\x0c"),
	STR_INIT(V2 "\x21\x01\0\x0c"),
	STR_INIT(V2 "\x21\x11\0\x0b"),
	STR_INIT(V2 "\x21\x21\0\x23"),
	STR_INIT(V2 "\x21\x31\0\xd7"),
	STR_INIT(V2 "\x21\x11\x0f\xf1"),
	STR_INIT(V2 "\x20\0\xff\xff"),
	STR_INIT("\r\n\r\n\0\r\nQUIT\r"),
};

/*
 * Gives what the reader asks for, but at most `piece` bytes at once. Returns how it ended; *used is what it has
 * asked for by then.
 */
static enum proxy_header_progress
drive(struct proxy_header *h, struct str bytes, size_t piece, size_t *used)
{
	enum proxy_header_progress p = PROXY_HEADER_MORE;

	proxy_header_init(h);
	*used = 0;
	while (p == PROXY_HEADER_MORE && *used < bytes.n) {
		size_t n = h->need < piece ? h->need : piece;

		if (n > bytes.n - *used)
			n = bytes.n - *used;
		ck_assert_uint_gt(n, 0);
		p = proxy_header_feed(h, str_of(bytes.p + *used, n));
		*used += n;
	}
	return p;
}

/* With what comes behind the header in the same segment: none of it is ever asked for. */
static void
check_good(const struct row *row, size_t piece)
{
	char bytes[512];
	struct proxy_header h;
	size_t used;

	memcpy(bytes, row->bytes.p, row->bytes.n);
	memcpy(bytes + row->bytes.n, "\r\nGET / HTTP/1.1\r\n", 18);
	ck_assert_int_eq(
	    drive(&h, str_of(bytes, row->bytes.n + 18), piece, &used), PROXY_HEADER_DONE);
	ck_assert_uint_eq(used, row->bytes.n);
	ck_assert_uint_eq(h.need, 0);
	ck_assert_int_eq(h.family, row->family);
	ck_assert_uint_eq(h.port, row->port);
	if (row->family != PROXY_HEADER_UNKNOWN)
		ck_assert_int_eq(
		    memcmp(h.ip, row->ip, row->family == PROXY_HEADER_IPV4 ? 4 : 16), 0);
}

START_TEST(headers_are_understood_however_they_come)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		for (size_t piece = 1; piece <= good[i].bytes.n; piece++)
			check_good(&good[i], piece);
}
END_TEST

START_TEST(what_is_no_header_is_refused)
{
	struct proxy_header h;
	size_t used;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t piece = 1; piece <= bad[i].n; piece++)
			ck_assert_msg(
			    drive(&h, bad[i], piece, &used) == PROXY_HEADER_REFUSED, "%zu", i);
}
END_TEST

START_TEST(a_header_cut_off_is_not_complete)
{
	struct proxy_header h;
	size_t used;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		for (size_t n = 1; n < good[i].bytes.n; n++)
			ck_assert_int_eq(drive(&h, str_of(good[i].bytes.p, n), 1, &used),
			    PROXY_HEADER_MORE);
}
END_TEST

/* A unix client, and more extensions than the reader keeps. */
START_TEST(what_nobody_reads_is_passed_over)
{
	char bytes[PROXY_HEADER_V2_MAX] = V2 "\x21\x31\x0f\xf0";
	struct proxy_header h;
	size_t used;

	ck_assert_int_eq(
	    drive(&h, str_of(bytes, sizeof bytes), sizeof bytes, &used), PROXY_HEADER_DONE);
	ck_assert_uint_eq(used, sizeof bytes);
	ck_assert_int_eq(h.family, PROXY_HEADER_UNKNOWN);
	bytes[13] = 0x11;
	ck_assert_int_eq(drive(&h, str_of(bytes, sizeof bytes), 100, &used), PROXY_HEADER_DONE);
	ck_assert_int_eq(h.family, PROXY_HEADER_IPV4);
}
END_TEST

/* Written and read again. */
START_TEST(what_is_written_names_the_client)
{
	static const struct {
		const char *ip, *v1;
		enum proxy_header_family family;
	} rows[] = {
		{ "192.0.2.1", "PROXY TCP4 192.0.2.1 0.0.0.0 0 0\r\n", PROXY_HEADER_IPV4 },
		{ "2001:db8::1", "PROXY TCP6 2001:db8::1 :: 0 0\r\n", PROXY_HEADER_IPV6 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		    "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255 :: 0 0\r\n",
		    PROXY_HEADER_IPV6 },
		{ "", "PROXY UNKNOWN\r\n", PROXY_HEADER_UNKNOWN },
		{ "unknown", "PROXY UNKNOWN\r\n", PROXY_HEADER_UNKNOWN },
	};
	struct proxy_header h1, h2;
	char bytes[PROXY_HEADER_V1_MAX];
	size_t n, used;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		n = proxy_header_write(bytes, PROXY_HEADER_V1, str_c(rows[i].ip));
		ck_assert(str_eq(str_of(bytes, n), str_c(rows[i].v1)));
		ck_assert_int_eq(drive(&h1, str_of(bytes, n), n, &used), PROXY_HEADER_DONE);
		n = proxy_header_write(bytes, PROXY_HEADER_V2, str_c(rows[i].ip));
		ck_assert_int_eq(drive(&h2, str_of(bytes, n), n, &used), PROXY_HEADER_DONE);
		ck_assert_uint_eq(used, n);
		ck_assert_int_eq(h1.family, rows[i].family);
		ck_assert_int_eq(h2.family, rows[i].family);
		ck_assert_int_eq(memcmp(h1.ip, h2.ip, sizeof h1.ip), 0);
	}
	ck_assert_uint_eq(proxy_header_write(bytes, PROXY_HEADER_NONE, STR("::1")), 0);
}
END_TEST

UNIT_MAIN("proxy_header", headers_are_understood_however_they_come, what_is_no_header_is_refused,
    a_header_cut_off_is_not_complete, what_nobody_reads_is_passed_over,
    what_is_written_names_the_client)
