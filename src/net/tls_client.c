/* Client contexts. Files are read by the main thread; the rest runs on the worker's. */
#include "net/tls_client.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/ip.h"
#include "base/mem.h"
#include "net/tls_io.h"

/* ---- files */

static enum err_code
load_trusted(struct tls_client_files *files, struct tls_fault *fault)
{
	files->trusted = X509_STORE_new();
	if (files->trusted == NULL)
		abort();
	if (str_is_none(files->conf->ca.s)) {
		X509_STORE_set_default_paths(files->trusted);
		return ERR_NONE;
	}
	/* What the operator lists is trusted as it is, be it an intermediate or the server's own. */
	X509_STORE_set_flags(files->trusted, X509_V_FLAG_PARTIAL_CHAIN);
	return tls_cert_load_ca(&files->conf->ca, files->trusted, NULL, fault);
}

static enum err_code
load_own(struct tls_client_files *files, struct tls_fault *fault)
{
	const struct tls_cert_conf conf = {
		.certificate = files->conf->client_certificate,
		.key = files->conf->client_key,
	};

	return str_is_none(conf.certificate.s) ? ERR_NONE : tls_cert_load(&files->own, &conf, fault);
}

enum err_code
tls_client_files_load(
    struct tls_client_files *files, const struct tls_client_conf *conf, struct tls_fault *fault)
{
	enum err_code e;

	*files = (struct tls_client_files){ .conf = conf };
	e = load_trusted(files, fault);
	if (e == ERR_NONE)
		e = load_own(files, fault);
	if (e != ERR_NONE)
		tls_client_files_fini(files);
	return e;
}

void
tls_client_files_fini(struct tls_client_files *files)
{
	X509_STORE_free(files->trusted);
	tls_cert_fini(&files->own);
	*files = (struct tls_client_files){ 0 };
}

/* ---- the context */

/* A session can serve any number of connections; the newest one lasts longest. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_peer *peer = SSL_get_app_data(ssl);

	if (SSL_get_SSL_CTX(ssl) != peer->client->ctx)
		return 0;
	SSL_SESSION_free(peer->session);
	peer->session = session;
	peer->era = peer->client->era;
	return 1; /* the reference is ours */
}

/*
 * An end without a goodbye is an error here: an answer that only the close ends would otherwise be
 * cut short by whoever can reset the connection (RFC 9112 9.8).
 */
static void
set_behaviour(SSL_CTX *c, const struct tls_client_conf *conf)
{
	static const unsigned char spoken[] = TLS_IO_PROTOCOLS;

	tls_io_set_up(c, conf->min_version);
	SSL_CTX_set_verify(c, conf->is_unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(
	    c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR);
	SSL_CTX_sess_set_new_cb(c, on_session);
	SSL_CTX_set_alpn_protos(c, spoken, sizeof spoken - 1);
}

struct tls_client *
tls_client_new(const struct tls_client_files *files, struct tls_io *io, struct tls_fault *fault)
{
	struct tls_client *client = mem_calloc(1, sizeof *client);

	client->io = io;
	client->ctx = SSL_CTX_new(TLS_client_method());
	if (client->ctx == NULL)
		abort();
	set_behaviour(client->ctx, files->conf);
	SSL_CTX_set1_cert_store(client->ctx, files->trusted);
	if (files->own.leaf != NULL && tls_cert_use(&files->own, client->ctx,
					   &files->conf->client_certificate, fault) != ERR_NONE) {
		tls_client_free(client);
		client = NULL;
	}
	return client;
}

void
tls_client_free(struct tls_client *client)
{
	if (client == NULL)
		return;
	SSL_CTX_free(client->ctx);
	free(client);
}

void
tls_client_replace(struct tls_client *client, struct tls_client **fresh)
{
	SSL_CTX *old = client->ctx;

	client->ctx = (*fresh)->ctx;
	client->era++;
	(*fresh)->ctx = old;
	tls_client_free(*fresh);
	*fresh = NULL;
}

/* ---- servers */

static bool
is_address(struct str name)
{
	uint8_t ip[16];

	return ip_parse_v4(name, ip) || ip_parse_v6(name, ip);
}

void
tls_client_peer_init(struct tls_peer *peer, struct tls_client *client, struct str name)
{
	*peer = (struct tls_peer){ .client = client, .name = mem_strndup(name.p, name.n) };
	peer->is_address = is_address(name);
}

void
tls_client_peer_fini(struct tls_peer *peer)
{
	SSL_SESSION_free(peer->session);
	free(peer->name);
	*peer = (struct tls_peer){ 0 };
}

/* RFC 9110 4.3.4: the certificate must be for the name that was asked for. */
static void
expect_name(SSL *ssl, const struct tls_peer *peer)
{
	if (peer->is_address) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), peer->name);
		return;
	}
	SSL_set_tlsext_host_name(ssl, peer->name);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	SSL_set1_host(ssl, peer->name);
}

/*
 * OpenSSL takes a session of TLS 1.3 for used up once it was offered; but until the next one comes,
 * several connections may begin, and servers take a ticket as often as it is shown.
 */
static void
resume(SSL *ssl, const struct tls_peer *peer)
{
	SSL_SESSION *session = peer->session, *copy = NULL;

	if (session == NULL || peer->era != peer->client->era ||
	    !SSL_SESSION_is_resumable(session))
		return;
	if (SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION)
		copy = SSL_SESSION_dup(session);
	SSL_set_session(ssl, copy == NULL ? session : copy);
	SSL_SESSION_free(copy);
}

SSL *
tls_client_begin(struct tls_peer *peer)
{
	SSL *ssl = SSL_new(peer->client->ctx);

	if (ssl == NULL)
		abort();
	SSL_set_app_data(ssl, peer);
	expect_name(ssl, peer);
	resume(ssl, peer);
	return ssl;
}
