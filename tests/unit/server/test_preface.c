#include "server/preface.h"

#include "server/server_rig.h"

#define HEADER "PROXY TCP4 203.0.113.9 198.51.100.2 56324 443\r\n"
#define REQUEST "GET /p/a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"

static struct rig r;
static struct cidr proxies[2];

/* The peer of every client of the rig is 192.0.2.7. */
static void
setup(const char *trusted)
{
	rig_open(&r);
	rig_proxy(&r, "/p/{rest...}");
	ck_assert_int_eq(cidr_parse(str_c(trusted), &proxies[0]), ERR_NONE);
	r.listener_conf.has_proxy_header = true;
	r.listener_conf.trusted_proxies = proxies;
	r.listener_conf.n_trusted_proxies = 1;
	rig_start(&r);
	rig_connect(&r, 0);
}

static uint64_t
n_refused(void)
{
	return metric_get(&r.metrics, METRIC_CLIENT_PROXY_REFUSED, 0, 0);
}

START_TEST(the_client_is_who_the_header_names)
{
	setup("192.0.2.0/24");
	ck_assert(!TAILQ_EMPTY(&r.listener->prefaces));
	rig_ask(&r, HEADER REQUEST);
	ck_assert(TAILQ_EMPTY(&r.listener->prefaces));
	rig_assert_has(&r.up[0], "\r\nX-Forwarded-For: 203.0.113.9\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(a_header_may_come_byte_by_byte)
{
	setup("192.0.2.0/24");
	for (const char *c = HEADER REQUEST; *c != '\0'; c++)
		rig_put(&r.client[0], str_of(c, 1)), rig_settle(&r);
	rig_assert_has(&r.up[0], "\r\nX-Forwarded-For: 203.0.113.9\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(a_named_client_that_is_trusted_speaks_for_others)
{
	setup("192.0.2.0/24");
	ck_assert_int_eq(cidr_parse(STR("203.0.113.9"), &proxies[1]), ERR_NONE);
	r.listener_conf.n_trusted_proxies = 2;
	rig_ask(&r, HEADER REQUEST);
	rig_assert_has(&r.up[0], "\r\nX-Forwarded-For: 1.2.3.4, 203.0.113.9\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(local_and_unknown_keep_the_peer)
{
	setup("192.0.2.0/24");
	rig_ask(&r, "PROXY UNKNOWN\r\n" REQUEST);
	rig_assert_has(&r.up[0], "\r\nX-Forwarded-For: 1.2.3.4, 192.0.2.7\r\n");
	rig_connect(&r, 1);
	rig_put(&r.client[1], STR("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"));
	rig_say(&r, &r.client[1], REQUEST);
	rig_assert_has(&r.up[1], "\r\nX-Forwarded-For: 1.2.3.4, 192.0.2.7\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(who_is_not_trusted_is_closed_unread)
{
	setup("192.0.3.0/24");
	ck_assert(r.client[0].is_ended || r.client[0].is_broken);
	ck_assert_uint_eq(r.listener->n_conns, 0);
	ck_assert_uint_eq(n_refused(), 1);
	rig_close(&r);
}
END_TEST

START_TEST(what_is_no_header_is_closed_without_an_answer)
{
	setup("192.0.2.0/24");
	rig_ask(&r, REQUEST);
	ck_assert(r.client[0].is_ended || r.client[0].is_broken);
	ck_assert_uint_eq(r.client[0].in.n, 0);
	ck_assert_uint_eq(r.n_up, 0);
	ck_assert_uint_eq(n_refused(), 1);
	rig_close(&r);
}
END_TEST

START_TEST(a_header_has_its_time)
{
	setup("192.0.2.0/24");
	rig_ask(&r, "PROXY TCP4 203.0.113.9");
	rig_wait(&r, 4 * NS_PER_SEC);
	ck_assert(!r.client[0].is_ended && !r.client[0].is_broken);
	rig_wait(&r, 2 * NS_PER_SEC);
	ck_assert(r.client[0].is_ended || r.client[0].is_broken);
	ck_assert_uint_eq(n_refused(), 1);
	rig_close(&r);
}
END_TEST

START_TEST(a_client_that_leaves_is_forgotten)
{
	setup("192.0.2.0/24");
	rig_ask(&r, "PROXY TCP4");
	rig_leave(&r, 0);
	ck_assert_uint_eq(r.listener->n_conns, 0);
	ck_assert_uint_eq(n_refused(), 0);
	rig_close(&r);
}
END_TEST

/* A request that has already arrived is answered. */
START_TEST(draining_takes_what_is_whole_and_closes_the_rest)
{
	setup("192.0.2.0/24");
	rig_connect(&r, 1);
	rig_ask(&r, "PROXY TCP4");
	rig_put(&r.client[1], STR(HEADER REQUEST));
	server_drain(&r.server);
	rig_settle(&r);
	ck_assert(r.client[0].is_ended || r.client[0].is_broken);
	rig_say(&r, &r.up[0], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	rig_assert_begins(&r.client[1], "HTTP/1.1 200 OK\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(closing_closes_those_that_wait)
{
	setup("192.0.2.0/24");
	rig_ask(&r, "PROXY TCP4");
	rig_close(&r);
}
END_TEST

UNIT_MAIN("preface", the_client_is_who_the_header_names, a_header_may_come_byte_by_byte,
    a_named_client_that_is_trusted_speaks_for_others, local_and_unknown_keep_the_peer,
    who_is_not_trusted_is_closed_unread, what_is_no_header_is_closed_without_an_answer,
    a_header_has_its_time, a_client_that_leaves_is_forgotten,
    draining_takes_what_is_whole_and_closes_the_rest, closing_closes_those_that_wait)
