/* An OCSP response to be stapled (RFC 6066 8): whether it can be, and until when. */
#ifndef NET_TLS_STAPLE_H
#define NET_TLS_STAPLE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/tls_conf.h"

struct tls_staple {
	struct buf der;   /* owned; empty: none */
	uint64_t until_s; /* since 1970: nextUpdate; UINT64_MAX: it has none */
};

/*
 * Reads a response and looks whether it is one, and of this certificate; the signature is the
 * client's to check. ERR_BAD_CONFIG: *fault says why, and *staple is empty.
 */
enum err_code tls_staple_load(struct tls_staple *staple, const struct conf_text *file,
    const X509 *leaf, struct tls_fault *fault);
void tls_staple_copy(struct tls_staple *to, const struct tls_staple *from);
void tls_staple_fini(struct tls_staple *staple);
/* There is one, and it is not out of date: clients refuse a certificate with one that is. */
bool tls_staple_is_fresh(const struct tls_staple *staple, uint64_t wall_s);

#endif
