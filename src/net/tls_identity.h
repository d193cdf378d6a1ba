/* Who a client is by its certificate, as text that can stand in a header field. */
#ifndef NET_TLS_IDENTITY_H
#define NET_TLS_IDENTITY_H

#include <openssl/ssl.h>

#include "base/buf.h"

enum tls_identity_part {
	TLS_IDENTITY_SUBJECT, /* distinguished name, RFC 2253 */
	TLS_IDENTITY_SAN,     /* "DNS:a, email:b, URI:c, IP:d"; what else a byte may mean is %XX */
	TLS_IDENTITY_FINGERPRINT, /* SHA-256 of the certificate, hex */
	TLS_IDENTITY_PARTS
};

struct tls_identity {
	struct str parts[TLS_IDENTITY_PARTS]; /* into text; none: the certificate has none */
	struct buf text;                      /* owned */
};

/* "subject", "san", "fingerprint". */
bool tls_identity_find(struct str name, size_t *part);
/*
 * Of a connection whose handshake is done; NULL: the client showed no certificate that was
 * verified.
 */
struct tls_identity *tls_identity_new(const SSL *ssl);
/* Harmless when NULL. */
void tls_identity_free(struct tls_identity *identity);

#endif
