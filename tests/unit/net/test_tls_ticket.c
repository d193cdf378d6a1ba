#include "net/tls_ticket.h"

#include <string.h>

#include "unit.h"

#define LIFETIME (100 * NS_PER_SEC)

static bool
is_same(const struct tls_ticket_key *a, const struct tls_ticket_key *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

START_TEST(copies_stay_in_step)
{
	struct tls_ticket a, b;

	tls_ticket_init(&a, LIFETIME, 5 * LIFETIME);
	b = a;
	tls_ticket_advance(&a, 6 * LIFETIME);
	tls_ticket_advance(&a, 7 * LIFETIME + 1);
	tls_ticket_advance(&b, 8 * LIFETIME - 1);
	ck_assert(is_same(&a.now, &b.now));
	ck_assert(is_same(&a.before, &b.before));
	ck_assert_mem_eq(a.secret, b.secret, sizeof a.secret);
}
END_TEST

START_TEST(a_key_is_known_for_two_periods)
{
	struct tls_ticket t;
	struct tls_ticket_key first;

	tls_ticket_init(&t, LIFETIME, 0);
	first = t.now;
	ck_assert_ptr_eq(tls_ticket_find(&t, first.name), &t.now);
	tls_ticket_advance(&t, LIFETIME - 1);
	ck_assert_ptr_eq(tls_ticket_find(&t, first.name), &t.now);
	tls_ticket_advance(&t, LIFETIME);
	ck_assert_ptr_eq(tls_ticket_find(&t, first.name), &t.before);
	ck_assert(is_same(tls_ticket_find(&t, first.name), &first));
	tls_ticket_advance(&t, 2 * LIFETIME);
	ck_assert_ptr_null(tls_ticket_find(&t, first.name));
}
END_TEST

/* Nothing of an earlier period is left from which its key could be made again. */
START_TEST(keys_and_secrets_all_differ)
{
	struct tls_ticket t, other;
	struct tls_ticket_key seen[8];

	tls_ticket_init(&t, LIFETIME, 0);
	tls_ticket_init(&other, LIFETIME, 0);
	ck_assert(!is_same(&t.now, &other.now));
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		unsigned char secret[TLS_TICKET_SECRET_BYTES];

		seen[i] = t.now;
		memcpy(secret, t.secret, sizeof secret);
		for (size_t k = 0; k < i; k++)
			ck_assert_mem_ne(seen[k].cipher, seen[i].cipher, sizeof seen[i].cipher);
		ck_assert_mem_ne(t.now.cipher, t.now.mac, sizeof t.now.mac);
		ck_assert_mem_ne(t.now.cipher, t.secret, sizeof t.secret);
		tls_ticket_advance(&t, (i + 1) * LIFETIME);
		ck_assert_mem_ne(secret, t.secret, sizeof secret);
	}
}
END_TEST

UNIT_MAIN(
    "tls_ticket", copies_stay_in_step, a_key_is_known_for_two_periods, keys_and_secrets_all_differ)
