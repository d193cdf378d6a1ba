/* Answers of DNS servers, put together byte by byte; each also cut at every byte. */
#include "net/dns_message.h"

#include "base/buf.h"
#include "unit.h"

#define NXDOMAIN 3
#define SERVFAIL 2
#define TRUNCATED 0x0200u

static struct buf msg;
static struct dns_addrs addrs;
static struct dns_srv_list services;

/* ---- putting together */

static void
put_u16(unsigned v)
{
	buf_add_char(&msg, (char)(v >> 8 & 0xff));
	buf_add_char(&msg, (char)(v & 0xff));
}

static void
put_name(const char *name)
{
	struct str rest = str_c(name), label;

	while (rest.n != 0 && str_split(&rest, '.', &label)) {
		buf_add_char(&msg, (char)label.n);
		buf_add(&msg, label);
	}
	buf_add_char(&msg, 0);
}

/* Header and question; the name of the question stands at offset 12. */
static void
begin(unsigned flags, const char *name, unsigned n_answers, unsigned n_authorities)
{
	buf_fini(&msg);
	put_u16(0x1234);
	put_u16(0x8180 | flags);
	put_u16(1);
	put_u16(n_answers);
	put_u16(n_authorities);
	put_u16(0);
	put_name(name);
	put_u16(1);
	put_u16(1);
}

static void
put_record(const char *owner, unsigned type, unsigned ttl, struct str data)
{
	if (owner == NULL)
		put_u16(0xc00c); /* the question's */
	else
		put_name(owner);
	put_u16(type);
	put_u16(1);
	put_u16(ttl >> 16);
	put_u16(ttl & 0xffff);
	put_u16((unsigned)data.n);
	buf_add(&msg, data);
}

static void
put_name_record(const char *owner, unsigned type, unsigned ttl, struct str head, const char *name)
{
	struct buf whole = msg;

	msg = (struct buf)BUF_INIT;
	buf_add(&msg, head);
	put_name(name);
	struct buf data = msg;

	msg = whole;
	put_record(owner, type, ttl, buf_str(&data));
	buf_fini(&data);
}

#define put_a(owner, ttl, last) put_record(owner, 1, ttl, STR("\x0a\0\0" last))
#define put_cname(owner, ttl, to) put_name_record(owner, 5, ttl, str_none(), to)
#define put_soa(ttl, minimum) put_record("example", 6, ttl, STR("\0\0ssssrrrrtttteeee" minimum))

static void
look(const char *name)
{
	dns_message_addresses(buf_str(&msg), str_c(name), DNS_V4, &addrs);
}

/* Nothing is made of a part, but for what stands behind the answers. */
static void
cut_everywhere(const char *name, size_t n_answer_bytes)
{
	for (size_t n = 0; n < msg.n; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, msg.p, n);
		dns_message_addresses(str_of(copy, n), str_c(name), DNS_V4, &addrs);
		dns_message_services(str_of(copy, n), str_c(name), &services);
		if (n < n_answer_bytes) {
			ck_assert_int_eq(addrs.error, ERR_DNS_FAILED);
			ck_assert_int_eq(services.error, ERR_DNS_FAILED);
		}
		free(copy);
	}
}

START_TEST(addresses_and_the_shortest_time)
{
	begin(0, "users.example", 3, 0);
	put_a(NULL, 300, "\1");
	put_a("USERS.Example", 20, "\2");
	put_record(NULL, 28, 1, STR("0123456789abcdef"));
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_NONE);
	ck_assert_uint_eq(addrs.n, 2);
	ck_assert_uint_eq(addrs.ttl_s, 20);
	ck_assert_mem_eq(addrs.ip[1], "\x0a\0\0\2", 4);
	dns_message_addresses(buf_str(&msg), STR("users.example"), DNS_V6, &addrs);
	ck_assert_uint_eq(addrs.n, 1);
	ck_assert_uint_eq(addrs.ttl_s, 1);
	ck_assert_mem_eq(addrs.ip[0], "0123456789abcdef", 16);
	cut_everywhere("users.example", msg.n);
}
END_TEST

START_TEST(aliases_are_followed_in_whatever_order)
{
	begin(0, "users.example", 3, 0);
	put_a("b.example", 300, "\1");
	put_cname("a.example", 7, "b.example");
	put_cname(NULL, 60, "a.example");
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_NONE);
	ck_assert_uint_eq(addrs.n, 1);
	ck_assert_uint_eq(addrs.ttl_s, 7);
	cut_everywhere("users.example", msg.n);
}
END_TEST

START_TEST(a_circle_of_aliases_has_an_end)
{
	begin(0, "users.example", 3, 0);
	put_cname(NULL, 60, "a.example");
	put_cname("a.example", 60, "users.example");
	put_a("c.example", 60, "\1");
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_DNS_NOT_FOUND);
}
END_TEST

START_TEST(what_nobody_asked_for_is_passed_over)
{
	begin(0, "users.example", 4, 0);
	put_a("evil.example", 60, "\1");
	put_record(NULL, 1, 60, STR("\x0a\0\0"));
	put_record(NULL, 16, 60, STR("\x04text"));
	put_record(NULL, 1, 60, STR("\x0a\0\0\1\1"));
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_DNS_NOT_FOUND);
	look("");
	ck_assert_int_eq(addrs.error, ERR_DNS_FAILED);
}
END_TEST

START_TEST(a_denial_holds_for_the_lesser_time_of_its_soa)
{
	begin(NXDOMAIN, "users.example", 0, 1);
	put_soa(900, "\0\0\0\x3c");
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_DNS_NOT_FOUND);
	ck_assert_uint_eq(addrs.ttl_s, 60);
	begin(0, "users.example", 0, 1);
	put_soa(30, "\0\0\0\x3c");
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_DNS_NOT_FOUND);
	ck_assert_uint_eq(addrs.ttl_s, 30);
	begin(NXDOMAIN, "users.example", 0, 0);
	look("users.example");
	ck_assert_uint_eq(addrs.ttl_s, DNS_TTL_NONE);
}
END_TEST

START_TEST(failures_are_no_denials)
{
	begin(SERVFAIL, "users.example", 0, 0);
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_DNS_FAILED);
	begin(TRUNCATED, "users.example", 1, 0);
	put_a(NULL, 60, "\1");
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_DNS_FAILED);
	begin(0, "users.example", 2, 0);
	put_a(NULL, 60, "\1");
	look("users.example");
	ck_assert_int_eq(addrs.error, ERR_DNS_FAILED);
}
END_TEST

START_TEST(pointers_only_go_back)
{
	static const unsigned to[] = { 0xc000 | 31, 0xc000 | 33, 0xffff, 0x8000, 0x4000 };

	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		begin(0, "users.example", 1, 0);
		ck_assert_uint_eq(msg.n, 31);
		put_u16(to[i]);
		for (int k = 0; k < 20; k++)
			put_u16(0);
		look("users.example");
		ck_assert_int_eq(addrs.error, ERR_DNS_FAILED);
	}
}
END_TEST

START_TEST(a_time_beyond_31_bits_is_none)
{
	begin(0, "users.example", 1, 0);
	put_a(NULL, 0x80000001u, "\1");
	look("users.example");
	ck_assert_uint_eq(addrs.ttl_s, 0);
}
END_TEST

START_TEST(more_addresses_than_there_is_room_for_are_passed_over)
{
	begin(0, "users.example", 100, 0);
	for (int i = 0; i < 100; i++)
		put_a(NULL, 60, "\1");
	look("users.example");
	ck_assert_uint_eq(addrs.n, DNS_ADDRS_MAX);
}
END_TEST

START_TEST(services_with_all_they_say)
{
	begin(0, "_http._tcp.users.example", 4, 0);
	put_name_record(NULL, 33, 60, STR("\0\1\0\2\x1f\x90"), "A.users.example");
	put_name_record(NULL, 33, 30, STR("\0\2\0\0\0\x50"), "b.users.example");
	put_name_record(NULL, 33, 10, STR("\0\1\0\2\0\0"), "no-port.example");
	put_name_record(NULL, 33, 10, STR("\0\1\0\2\0\1"), "odd name.example");
	dns_message_services(buf_str(&msg), STR("_http._tcp.users.example"), &services);
	ck_assert_int_eq(services.error, ERR_NONE);
	ck_assert_uint_eq(services.n, 2);
	ck_assert_uint_eq(services.ttl_s, 30);
	ck_assert_str_eq(services.at[0].target, "a.users.example");
	ck_assert_uint_eq(services.at[0].priority, 1);
	ck_assert_uint_eq(services.at[0].weight, 2);
	ck_assert_uint_eq(services.at[0].port, 8080);
	ck_assert_uint_eq(services.at[1].port, 80);
	cut_everywhere("_http._tcp.users.example", msg.n);
}
END_TEST

START_TEST(a_service_that_is_not_available_is_not_found)
{
	begin(0, "_http._tcp.users.example", 1, 0);
	put_name_record(NULL, 33, 60, STR("\0\0\0\0\0\1"), "");
	dns_message_services(buf_str(&msg), STR("_http._tcp.users.example"), &services);
	ck_assert_int_eq(services.error, ERR_DNS_NOT_FOUND);
}
END_TEST

UNIT_MAIN("dns_message", addresses_and_the_shortest_time, aliases_are_followed_in_whatever_order,
    a_circle_of_aliases_has_an_end, what_nobody_asked_for_is_passed_over,
    a_denial_holds_for_the_lesser_time_of_its_soa, failures_are_no_denials, pointers_only_go_back,
    a_time_beyond_31_bits_is_none, more_addresses_than_there_is_room_for_are_passed_over,
    services_with_all_they_say, a_service_that_is_not_available_is_not_found)
