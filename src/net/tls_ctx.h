/*
 * What a listener shows to its clients on one worker: certificates chosen by the name that the
 * client asks for (SNI), versions, ciphers, ticket keys, client authorities. Made by the main
 * thread, used and closed by one worker; never shared by two.
 */
#ifndef NET_TLS_CTX_H
#define NET_TLS_CTX_H

#include <openssl/ssl.h>

#include "net/tls_cert.h"
#include "net/tls_conf.h"
#include "net/tls_ticket.h"

struct tls_ctx;

/* Files, read once: contexts for any number of workers are made of it without reading them again. */
struct tls_ctx_files {
	const struct tls_server_conf *conf; /* borrowed */
	struct tls_cert *certs;             /* owned */
	size_t n_certs;
	X509_STORE *client_ca; /* owned; NULL: clients are not asked */
	STACK_OF(X509_NAME) * client_ca_names;    /* owned; of client_ca */
	unsigned char id[SSL_MAX_SID_CTX_LENGTH]; /* sessions of contexts that differ in it are not taken */
};

/* What the file says of certs[i]. */
const struct tls_cert_conf *tls_ctx_files_conf(const struct tls_ctx_files *files, size_t i);
/* Reads and checks. On ERR_BAD_CONFIG *fault says why and *files is empty. Blocks. */
enum err_code tls_ctx_files_load(
    struct tls_ctx_files *files, const struct tls_server_conf *conf, struct tls_fault *fault);
/* Harmless when empty (zeroed). Contexts made of it live on. */
void tls_ctx_files_fini(struct tls_ctx_files *files);

/*
 * A context that the caller hands to a worker. NULL and *fault when OpenSSL does not take a value
 * of the configuration. tickets: copied; the others of the listener must be copies of the same.
 */
struct tls_ctx *tls_ctx_new(
    const struct tls_ctx_files *files, const struct tls_ticket *tickets, struct tls_fault *fault);
/* Gives a reference back and sets *ctx to NULL. Harmless when it is NULL. Connections need none. */
void tls_ctx_close(struct tls_ctx **ctx);
/* One more reference, of the same thread: while a handshake goes on. */
struct tls_ctx *tls_ctx_hold(struct tls_ctx *ctx);
/* A connection about to begin its handshake; the times are the loop's. */
SSL *tls_ctx_begin(struct tls_ctx *ctx, uint64_t now_ns, uint64_t wall_ns);

#endif
