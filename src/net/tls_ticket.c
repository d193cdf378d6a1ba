/* The ratchet of ticket keys. Each thread has its copy. */
#include "net/tls_ticket.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void
derive(const unsigned char secret[TLS_TICKET_SECRET_BYTES], const char *label, unsigned char *to,
    size_t n)
{
	unsigned char mac[EVP_MAX_MD_SIZE];

	if (HMAC(EVP_sha256(), secret, TLS_TICKET_SECRET_BYTES, (const unsigned char *)label,
		strlen(label), mac, NULL) == NULL)
		abort();
	memcpy(to, mac, n);
	OPENSSL_cleanse(mac, sizeof mac);
}

static void
make_key(struct tls_ticket *t)
{
	derive(t->secret, "gatherd ticket name", t->now.name, sizeof t->now.name);
	derive(t->secret, "gatherd ticket cipher", t->now.cipher, sizeof t->now.cipher);
	derive(t->secret, "gatherd ticket mac", t->now.mac, sizeof t->now.mac);
}

void
tls_ticket_init(struct tls_ticket *t, uint64_t lifetime_ns, uint64_t now_ns)
{
	*t = (struct tls_ticket){ .lifetime_ns = lifetime_ns, .period = now_ns / lifetime_ns };
	if (RAND_priv_bytes(t->secret, sizeof t->secret) != 1) {
		log_error("tls: the system has no random numbers");
		abort();
	}
	make_key(t);
	t->before = t->now;
}

void
tls_ticket_advance(struct tls_ticket *t, uint64_t now_ns)
{
	uint64_t period = now_ns / t->lifetime_ns;

	while (t->period < period) {
		t->period++;
		t->before = t->now;
		derive(t->secret, "gatherd ticket next", t->secret, sizeof t->secret);
		make_key(t);
	}
}

const struct tls_ticket_key *
tls_ticket_find(const struct tls_ticket *t, const unsigned char name[TLS_TICKET_NAME_BYTES])
{
	if (memcmp(name, t->now.name, TLS_TICKET_NAME_BYTES) == 0)
		return &t->now;
	if (memcmp(name, t->before.name, TLS_TICKET_NAME_BYTES) == 0)
		return &t->before;
	return NULL;
}

void
tls_ticket_wipe(struct tls_ticket *t)
{
	OPENSSL_cleanse(t, sizeof *t);
}
