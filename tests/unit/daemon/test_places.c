/* What answers of DNS make of a server. */
#include "daemon/places.h"

#include "unit.h"

#define HOSTS 3

static const struct server_conf plain = { .port = 80, .weight = 7 };
static const struct server_conf service = { .is_srv = true, .weight = 1 };
static struct places places;

/* Hosts "a", "b", ... with one address each, 10.0.0.1 and so on, and these weights; priority 1. */
static struct dns_answer *
answer_of(const uint16_t *weights, size_t n)
{
	struct dns_answer *a = calloc(1, sizeof *a + n * sizeof a->hosts[0]);

	a->n_hosts = n;
	for (size_t i = 0; i < n; i++) {
		struct dns_host *h = &a->hosts[i];

		h->name[0] = (char)('a' + i);
		h->port = (uint16_t)(8000 + i);
		h->priority = 1;
		h->weight = weights[i];
		h->family[DNS_V4].n = 1;
		memcpy(h->family[DNS_V4].ip[0], (uint8_t[]){ 10, 0, 0, (uint8_t)(i + 1) }, 4);
		h->family[DNS_V6].error = ERR_DNS_NOT_FOUND;
	}
	return a;
}

START_TEST(weights_of_srv_are_as_small_as_they_can_be)
{
	static const struct {
		uint16_t said[HOSTS];
		uint64_t want[HOSTS];
	} rows[] = {
		{ { 10, 20, 30 }, { 1, 2, 3 } },
		{ { 0, 0, 0 }, { 1, 1, 1 } },
		{ { 65535, 65535, 65535 }, { 1, 1, 1 } },
		{ { 0, 10, 30 }, { 1, 64, 192 } },
		{ { 7, 11, 13 }, { 7, 11, 13 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_answer *a = answer_of(rows[i].said, HOSTS);

		places_make(&places, a, &service);
		ck_assert_uint_eq(places.n, HOSTS);
		for (size_t k = 0; k < HOSTS; k++) {
			ck_assert_uint_eq(places.at[k].weight, rows[i].want[k]);
			ck_assert_uint_eq(places.at[k].priority, 1);
			ck_assert_uint_eq(addr_port(&places.at[k].addr), 8000 + k);
		}
		places_fini(&places);
		free(a);
	}
}
END_TEST

START_TEST(a_name_has_the_port_and_the_weight_of_its_server)
{
	struct dns_answer *a = answer_of((uint16_t[]){ 5 }, 1);

	places_make(&places, a, &plain);
	ck_assert_uint_eq(places.n, 1);
	ck_assert_uint_eq(places.at[0].weight, 7);
	ck_assert_uint_eq(places.at[0].priority, 0);
	ck_assert_uint_eq(addr_port(&places.at[0].addr), 80);
	places_fini(&places);
	free(a);
}
END_TEST

START_TEST(the_lowest_priorities_come_first)
{
	struct dns_answer *a = answer_of((uint16_t[]){ 1, 1, 1 }, HOSTS);

	a->hosts[0].priority = 9;
	places_make(&places, a, &service);
	ck_assert_uint_eq(places.at[HOSTS - 1].priority, 9);
	ck_assert_uint_eq(addr_port(&places.at[HOSTS - 1].addr), 8000);
	places_fini(&places);
	free(a);
}
END_TEST

START_TEST(what_nobody_knows_is_kept_by_the_name_of_its_host)
{
	struct dns_answer *old = answer_of((uint16_t[]){ 1, 1, 1 }, HOSTS);
	struct dns_answer *now = answer_of((uint16_t[]){ 1, 1, 1 }, HOSTS);
	struct dns_addrs *of_b = &now->hosts[1].family[DNS_V4];

	of_b->n = 0;
	of_b->error = ERR_DNS_TIMEOUT;
	now->hosts[2].family[DNS_V4].n = 0;
	now->hosts[2].family[DNS_V4].error = ERR_DNS_NOT_FOUND;
	places_keep(now, NULL);
	ck_assert_uint_eq(of_b->n, 0);
	places_keep(now, old);
	ck_assert_int_eq(of_b->error, ERR_NONE);
	ck_assert_uint_eq(of_b->ip[0][3], 2);
	ck_assert_uint_eq(now->hosts[2].family[DNS_V4].n, 0);
	places_make(&places, now, &service);
	ck_assert_uint_eq(places.n, 2);
	places_fini(&places);
	free(old);
	free(now);
}
END_TEST

START_TEST(changes_are_told_address_by_address)
{
	struct dns_answer *a = answer_of((uint16_t[]){ 1, 1, 1 }, HOSTS), *b = answer_of((uint16_t[]){ 1, 1 }, 2);
	struct places other;
	struct buf text = BUF_INIT;

	b->hosts[1].port = 9999;
	places_make(&places, a, &service);
	places_make(&other, b, &service);
	ck_assert(!places_equal(&places, &other));
	places_describe_change(&places, &other, &text);
	ck_assert_str_eq(buf_c(&text), "2 servers +10.0.0.2:9999 -10.0.0.2:8001 -10.0.0.3:8002");
	buf_fini(&text);
	places_fini(&places);
	places_fini(&other);
	free(a);
	free(b);
}
END_TEST

UNIT_MAIN("places", weights_of_srv_are_as_small_as_they_can_be,
    a_name_has_the_port_and_the_weight_of_its_server, the_lowest_priorities_come_first,
    what_nobody_knows_is_kept_by_the_name_of_its_host, changes_are_told_address_by_address)
