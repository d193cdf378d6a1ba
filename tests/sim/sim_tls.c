/* TLS of an episode. OpenSSL's random numbers are the program's own here, so that a seed gives the same run. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method(): what replaces it takes a provider \
				       of one's own */
#include "sim_tls.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/stream_tls.h"
#include "net/tls_client.h"
#include "net/tls_ctx.h"
#include "net/tls_io.h"

#define NAME "sim.example"
#define DAY 86400

struct sim_tls {
	struct tls_io *io;
	struct tls_client *client;
	struct tls_peer peer;
	struct tls_ticket tickets;
};

static struct rnd numbers;

/* Of the program, made of the same numbers in every run. */
static EVP_PKEY *key;
static X509 *certificate;

static int
give_numbers(unsigned char *to, int n)
{
	for (int i = 0; i < n; i++)
		to[i] = (unsigned char)rnd_below(&numbers, 256);
	return 1;
}

static int
has_numbers(void)
{
	return 1;
}

static void
make_certificate(void)
{
	X509_NAME *subject;
	X509_EXTENSION *names;

	key = EVP_EC_gen("P-256");
	certificate = X509_new();
	subject = X509_get_subject_name(certificate);
	names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" NAME);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY);
	X509_gmtime_adj(X509_getm_notAfter(certificate), DAY * 365);
	X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_ASC, (const unsigned char *)NAME, -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	X509_set_pubkey(certificate, key);
	X509_add_ext(certificate, names, -1);
	X509_EXTENSION_free(names);
	if (X509_sign(certificate, key, EVP_sha256()) <= 0)
		abort();
}

static void
use_numbers(uint64_t seed)
{
	static const RAND_METHOD method = {
		.bytes = give_numbers, .pseudorand = give_numbers, .status = has_numbers
	};

	RAND_set_rand_method(&method);
	if (certificate == NULL) {
		rnd_init(&numbers, 1);
		make_certificate();
	}
	rnd_init(&numbers, seed);
}

static struct tls_client *
make_client(struct tls_io *io)
{
	static const struct tls_client_conf conf = { .min_version = TLS_VERSION_1_2 };
	struct tls_client_files files = { .conf = &conf, .trusted = X509_STORE_new() };
	struct tls_fault fault;
	struct tls_client *client;

	X509_STORE_set_flags(files.trusted, X509_V_FLAG_PARTIAL_CHAIN);
	X509_STORE_add_cert(files.trusted, certificate);
	client = tls_client_new(&files, io, &fault);
	assert(client != NULL);
	tls_client_files_fini(&files);
	return client;
}

void
sim_tls_open(struct sim *s)
{
	struct sim_tls *t;

	if (!s->env.has_tls)
		return;
	use_numbers(s->seed);
	t = s->tls = mem_calloc(1, sizeof *t);
	t->io = tls_io_new();
	t->client = make_client(t->io);
	if (sim_chance(s, 500000))
		SSL_CTX_set_max_proto_version(t->client->ctx, TLS1_2_VERSION);
	tls_client_peer_init(&t->peer, t->client, STR(NAME));
	tls_ticket_init(&t->tickets, 3600 * NS_PER_SEC, s->world->now_ns);
}

void
sim_tls_close(struct sim *s)
{
	if (s->tls == NULL)
		return;
	tls_client_peer_fini(&s->tls->peer);
	tls_client_free(s->tls->client);
	tls_io_free(s->tls->io);
	free(s->tls);
	s->tls = NULL;
}

struct tls_ctx *
sim_tls_context(const struct sim *s)
{
	static const struct tls_server_conf conf = {
		.is_on = true,
		.ciphers = { .s = STR_INIT("ECDHE-ECDSA-AES128-GCM-SHA256") },
		.ciphersuites = { .s = STR_INIT("TLS_AES_128_GCM_SHA256") },
		.groups = { .s = STR_INIT("X25519") },
		.has_tickets = true,
	};
	struct tls_cert cert = { .leaf = certificate, .key = key, .chain = NULL };
	struct tls_ctx_files files = { .conf = &conf, .certs = &cert, .n_certs = 1 };
	struct tls_fault fault;
	struct tls_ctx *ctx;

	if (s->tls == NULL)
		return NULL;
	cert.chain = sk_X509_new_null();
	ctx = tls_ctx_new(&files, &s->tls->tickets, &fault);
	assert(ctx != NULL);
	sk_X509_free(cert.chain);
	return ctx;
}

struct stream *
sim_tls_connect(struct sim *s, const struct stream_events *events, void *owner)
{
	if (s->tls == NULL)
		return stream_connect(s->client_loop, &s->listen_at, events, owner);
	return stream_tls_connect(&s->tls->peer, s->client_loop, &s->listen_at, events, owner);
}
