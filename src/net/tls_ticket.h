/*
 * Keys of session tickets (RFC 5077, RFC 8446 4.6.1), the same in every worker without a word
 * between them: the key of each period is made from that of the period before by a hash that has no
 * way back. Who learns today's secret cannot open yesterday's sessions.
 */
#ifndef NET_TLS_TICKET_H
#define NET_TLS_TICKET_H

#include <openssl/evp.h>
#include <stdint.h>

#define TLS_TICKET_SECRET_BYTES 32
#define TLS_TICKET_NAME_BYTES 16

struct tls_ticket_key {
	unsigned char name[TLS_TICKET_NAME_BYTES];
	unsigned char cipher[32];
	unsigned char mac[32];
};

/* Copies taken at any time stay in step, as long as they follow the same clock. */
struct tls_ticket {
	uint64_t lifetime_ns; /* of a key; tickets of the last one are still taken */
	uint64_t period;
	unsigned char secret[TLS_TICKET_SECRET_BYTES]; /* makes this period's key and the next secret */
	struct tls_ticket_key now;
	struct tls_ticket_key before;
};

/* A secret of its own. lifetime_ns is not 0. */
void tls_ticket_init(struct tls_ticket *t, uint64_t lifetime_ns, uint64_t now_ns);
/* Cheap when the period has not changed. now_ns is monotonic. */
void tls_ticket_advance(struct tls_ticket *t, uint64_t now_ns);
/* Of this period or the last; NULL: nobody's. */
const struct tls_ticket_key *tls_ticket_find(
    const struct tls_ticket *t, const unsigned char name[TLS_TICKET_NAME_BYTES]);
void tls_ticket_wipe(struct tls_ticket *t);

#endif
