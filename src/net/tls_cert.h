/* Certificates and keys, read from their files. Blocks on files: main thread. */
#ifndef NET_TLS_CERT_H
#define NET_TLS_CERT_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "net/tls_conf.h"
#include "net/tls_staple.h"

struct tls_cert {
	X509 *leaf;             /* owned, as all of them */
	STACK_OF(X509) * chain; /* the intermediates */
	EVP_PKEY *key;
	struct tls_staple staple;
	struct str *names; /* DNS names, in lower case; wildcards as "*.example.org" */
	size_t n_names;
};

/* ERR_BAD_CONFIG: *fault says why, and *cert is empty. Free with tls_cert_fini(). */
enum err_code tls_cert_load(
    struct tls_cert *cert, const struct tls_cert_conf *conf, struct tls_fault *fault);
/* Harmless when it is empty (zeroed). */
void tls_cert_fini(struct tls_cert *cert);
/* Makes it one that c shows; file is named when OpenSSL does not take it (ERR_BAD_CONFIG). */
enum err_code tls_cert_use(
    const struct tls_cert *cert, SSL_CTX *c, const struct conf_text *file, struct tls_fault *fault);
/* Every certificate of a PEM file, trusted. Adds the subjects to `subjects`, unless that is NULL. */
enum err_code tls_cert_load_ca(const struct conf_text *file, X509_STORE *store,
    STACK_OF(X509_NAME) * subjects, struct tls_fault *fault);
/* Negative: not valid yet; positive: expired; 0: fine. */
int tls_cert_validity(const X509 *cert);
/* "Jan  2 03:04:05 2026 GMT": the end of its validity. */
void tls_cert_end_text(const X509 *cert, char *to, size_t n);
/* The whole file, bounded. */
enum err_code tls_cert_read_file(
    const struct conf_text *file, struct buf *out, struct tls_fault *fault);
/* ERR_BAD_CONFIG, and *fault filled. */
enum err_code tls_cert_refuse(
    struct tls_fault *fault, const struct conf_text *at, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
