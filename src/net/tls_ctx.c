/*
 * Server contexts. OpenSSL takes one certificate per kind of key into an SSL_CTX, so there is one
 * for each set of certificates that some name calls for; they share all else. Used by one thread
 * after they are made.
 */
#include "net/tls_ctx.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/tls_io.h"
#include "net/tls_names.h"

struct tls_ctx {
	unsigned n_refs;
	struct tls_names names; /* name to index of a context */
	SSL_CTX **contexts; /* owned; the first is for clients that ask for no name, or an unknown one */
	size_t n_contexts;
	X509 **leaves; /* owned references, with their staples below */
	struct tls_staple *staples;
	size_t n_leaves;
	EVP_CIPHER *ticket_cipher; /* owned: looking it up costs more than using it */
	struct tls_ticket tickets;
	bool has_tickets;
	uint64_t wall_ns; /* since 1970, when the last handshake began */
};

/* ---- files */

static enum err_code
load_certs(struct tls_ctx_files *files, struct tls_fault *fault)
{
	const struct tls_server_conf *conf = files->conf;
	size_t n = conf->n_certificates;
	enum err_code e = ERR_NONE;

	files->certs = mem_calloc(n + 1, sizeof *files->certs);
	if (!str_is_none(conf->own.certificate.s))
		e = tls_cert_load(&files->certs[files->n_certs++], &conf->own, fault);
	for (size_t i = 0; i < n && e == ERR_NONE; i++)
		e = tls_cert_load(&files->certs[files->n_certs++], &conf->certificates[i], fault);
	return e;
}

static enum err_code
load_client_ca(struct tls_ctx_files *files, struct tls_fault *fault)
{
	const struct tls_server_conf *conf = files->conf;

	if (conf->client_auth == TLS_CLIENT_AUTH_NONE || str_is_none(conf->client_ca.s))
		return ERR_NONE;
	files->client_ca = X509_STORE_new();
	files->client_ca_names = sk_X509_NAME_new_null();
	if (files->client_ca == NULL || files->client_ca_names == NULL)
		abort();
	return tls_cert_load_ca(&conf->client_ca, files->client_ca, files->client_ca_names, fault);
}

static void
hash_store(EVP_MD_CTX *md, X509_STORE *store)
{
	STACK_OF(X509) *all = X509_STORE_get1_all_certs(store);

	for (int i = 0; i < sk_X509_num(all); i++) {
		unsigned char digest[EVP_MAX_MD_SIZE];
		unsigned n = 0;

		if (X509_digest(sk_X509_value(all, i), EVP_sha256(), digest, &n))
			EVP_DigestUpdate(md, digest, n);
	}
	sk_X509_pop_free(all, X509_free);
}

/*
 * A session resumed skips the client's certificate: it must not come from another listener, nor
 * from the time of other authorities.
 */
static void
name_sessions(struct tls_ctx_files *files)
{
	const struct tls_server_conf *conf = files->conf;
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md == NULL || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		abort();
	EVP_DigestUpdate(md, conf->name.p, conf->name.n);
	EVP_DigestUpdate(md, &conf->client_auth, sizeof conf->client_auth);
	if (files->client_ca != NULL)
		hash_store(md, files->client_ca);
	EVP_DigestFinal_ex(md, files->id, NULL);
	EVP_MD_CTX_free(md);
}

enum err_code
tls_ctx_files_load(
    struct tls_ctx_files *files, const struct tls_server_conf *conf, struct tls_fault *fault)
{
	enum err_code e;

	*files = (struct tls_ctx_files){ .conf = conf };
	e = load_certs(files, fault);
	if (e == ERR_NONE)
		e = load_client_ca(files, fault);
	if (e == ERR_NONE)
		name_sessions(files);
	else
		tls_ctx_files_fini(files);
	return e;
}

void
tls_ctx_files_fini(struct tls_ctx_files *files)
{
	for (size_t i = 0; i < files->n_certs; i++)
		tls_cert_fini(&files->certs[i]);
	free(files->certs);
	X509_STORE_free(files->client_ca);
	sk_X509_NAME_pop_free(files->client_ca_names, X509_NAME_free);
	*files = (struct tls_ctx_files){ 0 };
}

const struct tls_cert_conf *
tls_ctx_files_conf(const struct tls_ctx_files *files, size_t i)
{
	size_t n_own = files->n_certs - files->conf->n_certificates;

	return i < n_own ? &files->conf->own : &files->conf->certificates[i - n_own];
}

/* ---- what OpenSSL asks in a handshake */

/* RFC 6066 3: a name that nobody has is no fault; the client looks at the certificate. */
static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_ctx *ctx = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t i;

	(void)alert;
	if (name == NULL || !tls_names_find(&ctx->names, str_c(name), &i))
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, ctx->contexts[i]);
	return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 3.2: who offers protocols, and not this one, is told so. */
static int
on_protocols(SSL *ssl, const unsigned char **out, unsigned char *n_out, const unsigned char *in,
    unsigned n_in, void *arg)
{
	static const unsigned char spoken[] = TLS_IO_PROTOCOLS;
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, n_out, spoken, sizeof spoken - 1, in, n_in) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int
set_staple(SSL *ssl, const struct tls_staple *staple, uint64_t wall_ns)
{
	unsigned char *copy;

	if (!tls_staple_is_fresh(staple, wall_ns / NS_PER_SEC))
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(staple->der.p, staple->der.n);
	if (copy == NULL)
		abort();
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->der.n); /* takes it over */
	return SSL_TLSEXT_ERR_OK;
}

static int
on_status(SSL *ssl, void *arg)
{
	const struct tls_ctx *ctx = arg;
	const X509 *shown = SSL_get_certificate(ssl);

	for (size_t i = 0; i < ctx->n_leaves; i++)
		if (ctx->leaves[i] == shown)
			return set_staple(ssl, &ctx->staples[i], ctx->wall_ns);
	return SSL_TLSEXT_ERR_NOACK;
}

static bool
key_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof key->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/*
 * SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0: full handshake, 1: fine, 2: fine, and issue a new
 * one.
 */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_new)
{
	const struct tls_ctx *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct tls_ticket_key *key;

	key = is_new ? &ctx->tickets.now : tls_ticket_find(&ctx->tickets, name);
	if (key == NULL)
		return 0;
	if (is_new) {
		memcpy(name, key->name, sizeof key->name);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(ctx->ticket_cipher)) != 1)
			return -1;
	}
	if (EVP_CipherInit_ex(cipher, ctx->ticket_cipher, NULL, key->cipher, iv, is_new) != 1 ||
	    !key_mac(mac, key))
		return -1;
	return key == &ctx->tickets.now ? 1 : 2;
}

/* ---- one SSL_CTX */

static enum err_code
set_algorithms(SSL_CTX *c, const struct tls_server_conf *conf, struct tls_fault *fault)
{
	if (!SSL_CTX_set_cipher_list(c, conf->ciphers.s.p))
		return tls_cert_refuse(fault, &conf->ciphers,
		    "\"%s\": no cipher of TLS 1.2 is in it; `openssl ciphers` lists them",
		    conf->ciphers.s.p);
	if (!SSL_CTX_set_ciphersuites(c, conf->ciphersuites.s.p))
		return tls_cert_refuse(fault, &conf->ciphersuites,
		    "\"%s\": expected cipher suites of TLS 1.3, such as TLS_AES_128_GCM_SHA256",
		    conf->ciphersuites.s.p);
	if (!SSL_CTX_set1_groups_list(c, conf->groups.s.p))
		return tls_cert_refuse(fault, &conf->groups,
		    "\"%s\": expected groups such as X25519:P-256", conf->groups.s.p);
	return ERR_NONE;
}

static void
set_sessions(SSL_CTX *c, struct tls_ctx *ctx, const struct tls_ctx_files *files)
{
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(c, files->id, sizeof files->id);
	if (!ctx->has_tickets) {
		SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(c, 0);
		return;
	}
	SSL_CTX_set_timeout(c, (long)(ctx->tickets.lifetime_ns / NS_PER_SEC));
	SSL_CTX_set_num_tickets(c, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_ticket);
}

static void
set_client_auth(SSL_CTX *c, const struct tls_ctx_files *files)
{
	int mode = SSL_VERIFY_PEER;

	if (files->client_ca == NULL)
		return;
	if (files->conf->client_auth == TLS_CLIENT_AUTH_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(c, mode, NULL);
	SSL_CTX_set1_cert_store(c, files->client_ca);
	SSL_CTX_set_client_CA_list(c, SSL_dup_CA_list(files->client_ca_names));
}

static enum err_code
use_set(SSL_CTX *c, const struct tls_ctx_files *files, const struct tls_names_set *set,
    struct tls_fault *fault)
{
	enum err_code e = ERR_NONE;

	for (size_t i = 0; i < set->n && e == ERR_NONE; i++)
		e = tls_cert_use(&files->certs[set->certs[i]], c,
		    &tls_ctx_files_conf(files, set->certs[i])->certificate, fault);
	return e;
}

static enum err_code
add_context(struct tls_ctx *ctx, const struct tls_ctx_files *files, const struct tls_names_set *set,
    struct tls_fault *fault)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	enum err_code e;

	if (c == NULL)
		abort();
	ctx->contexts[ctx->n_contexts++] = c;
	SSL_CTX_set_app_data(c, ctx);
	tls_io_set_up(c, files->conf->min_version);
	SSL_CTX_set_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
				   SSL_OP_PRIORITIZE_CHACHA);
	if (files->conf->has_ktls && !files->conf->is_ktls_missing)
		SSL_CTX_set_options(c, SSL_OP_ENABLE_KTLS);
	set_sessions(c, ctx, files);
	set_client_auth(c, files);
	SSL_CTX_set_alpn_select_cb(c, on_protocols, NULL);
	SSL_CTX_set_tlsext_status_cb(c, on_status);
	SSL_CTX_set_tlsext_status_arg(c, ctx);
	SSL_CTX_set_tlsext_servername_callback(c, on_name);
	SSL_CTX_set_tlsext_servername_arg(c, ctx);
	e = set_algorithms(c, files->conf, fault);
	return e == ERR_NONE ? use_set(c, files, set, fault) : e;
}

/* ---- the whole */

static void
keep_staples(struct tls_ctx *ctx, const struct tls_ctx_files *files)
{
	ctx->leaves = mem_calloc(files->n_certs, sizeof(*ctx->leaves));
	ctx->staples = mem_calloc(files->n_certs, sizeof *ctx->staples);
	ctx->n_leaves = files->n_certs;
	for (size_t i = 0; i < files->n_certs; i++) {
		X509_up_ref(files->certs[i].leaf);
		ctx->leaves[i] = files->certs[i].leaf;
		tls_staple_copy(&ctx->staples[i], &files->certs[i].staple);
	}
}

struct tls_ctx *
tls_ctx_new(
    const struct tls_ctx_files *files, const struct tls_ticket *tickets, struct tls_fault *fault)
{
	struct tls_ctx *ctx = mem_calloc(1, sizeof *ctx);
	enum err_code e = ERR_NONE;

	ctx->n_refs = 1;
	ctx->has_tickets = files->conf->has_tickets;
	ctx->tickets = *tickets;
	ctx->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (ctx->ticket_cipher == NULL)
		abort();
	keep_staples(ctx, files);
	tls_names_init(&ctx->names, files->certs, files->n_certs);
	ctx->contexts = mem_calloc(ctx->names.n_sets, sizeof(*ctx->contexts));
	for (size_t i = 0; i < ctx->names.n_sets && e == ERR_NONE; i++)
		e = add_context(ctx, files, &ctx->names.sets[i], fault);
	if (e != ERR_NONE)
		tls_ctx_close(&ctx);
	return ctx;
}

static void
destroy(struct tls_ctx *ctx)
{
	for (size_t i = 0; i < ctx->n_contexts; i++)
		SSL_CTX_free(ctx->contexts[i]);
	for (size_t i = 0; i < ctx->n_leaves; i++) {
		X509_free(ctx->leaves[i]);
		tls_staple_fini(&ctx->staples[i]);
	}
	free(ctx->contexts);
	free(ctx->leaves);
	free(ctx->staples);
	tls_names_fini(&ctx->names);
	EVP_CIPHER_free(ctx->ticket_cipher);
	tls_ticket_wipe(&ctx->tickets);
	free(ctx);
}

/*
 * A connection that is established holds on to its SSL_CTX, which OpenSSL counts, and asks nothing
 * more of what is here: tickets, names and staples belong to handshakes, and there is no
 * renegotiation.
 */
void
tls_ctx_close(struct tls_ctx **ctx)
{
	struct tls_ctx *gone = *ctx;

	*ctx = NULL;
	if (gone != NULL && --gone->n_refs == 0)
		destroy(gone);
}

struct tls_ctx *
tls_ctx_hold(struct tls_ctx *ctx)
{
	ctx->n_refs++;
	return ctx;
}

SSL *
tls_ctx_begin(struct tls_ctx *ctx, uint64_t now_ns, uint64_t wall_ns)
{
	SSL *ssl = SSL_new(ctx->contexts[0]);

	if (ssl == NULL)
		abort();
	ctx->wall_ns = wall_ns;
	if (ctx->has_tickets)
		tls_ticket_advance(&ctx->tickets, now_ns);
	return ssl;
}
