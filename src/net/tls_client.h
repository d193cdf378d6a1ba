/*
 * TLS to servers: what one worker needs for one upstream, and what it asks of each of its servers.
 * Used on the worker's thread.
 */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include <openssl/ssl.h>

#include "net/tls_cert.h"

struct tls_io;

/* The files of an upstream, read once for all workers. Any thread may use it, none changes it. */
struct tls_client_files {
	const struct tls_client_conf *conf; /* borrowed */
	X509_STORE *trusted; /* owned; OpenSSL locks it, and only handshakes look into it */
	struct tls_cert own; /* owned; empty: no client certificate */
};

/* On ERR_BAD_CONFIG *fault says why and *files is empty. Blocks. */
enum err_code tls_client_files_load(
    struct tls_client_files *files, const struct tls_client_conf *conf, struct tls_fault *fault);
/* Harmless when empty (zeroed). Clients made of it live on. */
void tls_client_files_fini(struct tls_client_files *files);

struct tls_client {
	struct tls_io *io; /* borrowed, the thread's */
	SSL_CTX *ctx;      /* owned */
	unsigned era;      /* how often it was replaced */
};

/*
 * NULL and *fault when OpenSSL does not take what is in the files. Free with tls_client_free(). io may be NULL for
 * one that is made to replace another.
 */
struct tls_client *tls_client_new(
    const struct tls_client_files *files, struct tls_io *io, struct tls_fault *fault);
/* Every connection is closed. Harmless when NULL. */
void tls_client_free(struct tls_client *client);
/*
 * From now on it trusts and shows what `fresh` does, which is freed. Connections stay as they are; their sessions, and
 * those that were kept, are not resumed: to resume is to believe without looking.
 */
void tls_client_replace(struct tls_client *client, struct tls_client **fresh);

/* One server. */
struct tls_peer {
	struct tls_client *client; /* borrowed */
	char *name;                /* owned: asked for, and looked for in the certificate */
	bool is_address;      /* the name is an IP address, which is not asked for (RFC 6066 3) */
	SSL_SESSION *session; /* owned: the newest, for the next connection; NULL: none */
	unsigned era;         /* of the client, when the session was kept */
};

/* name is a DNS name or an IP address without brackets. */
void tls_client_peer_init(struct tls_peer *peer, struct tls_client *client, struct str name);
void tls_client_peer_fini(struct tls_peer *peer);
/* For stream_tls: a connection about to begin its handshake. */
SSL *tls_client_begin(struct tls_peer *peer);

#endif
