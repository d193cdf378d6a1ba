/* Which certificates answer to which name: exact names first, then wildcards of one label (RFC 6125 6.4.3). */
#ifndef NET_TLS_NAMES_H
#define NET_TLS_NAMES_H

#include <stdbool.h>

#include "net/tls_cert.h"

/* Of keys: RSA, RSA-PSS, EC, Ed25519. Certificates of each can stand side by side. */
#define TLS_NAMES_KINDS 4

/* Certificates that are shown together: the client's algorithms decide between them. */
struct tls_names_set {
	size_t certs[TLS_NAMES_KINDS]; /* indexes, in the order of the file */
	size_t n;
};

struct tls_names_entry {
	struct str name; /* owned copy, in lower case */
	size_t set;
};

struct tls_names {
	struct tls_names_entry *entries; /* owned, sorted by name */
	size_t n_entries;
	struct tls_names_set *sets; /* owned; the first is for unknown names */
	size_t n_sets;
};

/*
 * Of certificates with the same name and kind of key the first counts. The first set is that of the
 * first name of the first certificate; there is at least one certificate.
 */
void tls_names_init(struct tls_names *names, const struct tls_cert *certs, size_t n_certs);
void tls_names_fini(struct tls_names *names);
/* The set of a name, compared without case. */
bool tls_names_find(const struct tls_names *names, struct str name, size_t *set);

#endif
