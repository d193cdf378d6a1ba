/* Certificates made on the spot, and two ends of TLS over memory streams. */
#ifndef TLS_RIG_H
#define TLS_RIG_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "unit.h"
#include "base/buf.h"
#include "net/mem_world.h"
#include "net/stream_tls.h"
#include "net/tls_client.h"
#include "net/tls_ctx.h"
#include "net/tls_gate.h"
#include "net/tls_io.h"

/* ---- files; in a directory that rig_fini() removes */

struct rig_dir {
	char path[64];
	struct arena arena;
	int n_files;
};

static inline void
rig_dir_init(struct rig_dir *d)
{
	snprintf(d->path, sizeof d->path, "/tmp/gatherd-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(d->path));
	arena_init(&d->arena, NULL, 0);
	d->n_files = 0;
}

static inline void
rig_dir_fini(struct rig_dir *d)
{
	for (int i = 0; i < d->n_files; i++)
		unlink(arena_printf(&d->arena, "%s/%d", d->path, i).p);
	rmdir(d->path);
	arena_reset(&d->arena);
}

static inline struct conf_text
rig_path(struct rig_dir *d)
{
	return (struct conf_text){ .s = arena_printf(&d->arena, "%s/%d", d->path, d->n_files++) };
}

static inline void
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* Signed by itself; `names` as in "DNS:a,IP:127.0.0.1"; from and to in seconds from now. */
static inline X509 *
rig_certificate(EVP_PKEY *key, const char *names, long from, long to)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), from);
	X509_gmtime_adj(X509_getm_notAfter(x), to);
	X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, subject);
	X509_set_pubkey(x, key);
	add_extension(x, NID_subject_alt_name, names);
	add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
	return x;
}

static inline void
write_pem(struct conf_text path, X509 *x, EVP_PKEY *key)
{
	FILE *f = fopen(path.s.p, "w");

	ck_assert_ptr_nonnull(f);
	if (x != NULL)
		PEM_write_X509(f, x);
	if (key != NULL)
		PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

enum rig_kind { RIG_EC, RIG_RSA };

static inline struct tls_cert_conf
rig_cert(struct rig_dir *d, enum rig_kind kind, const char *names, long from, long to)
{
	EVP_PKEY *key = kind == RIG_EC ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
	X509 *x = rig_certificate(key, names, from, to);
	struct tls_cert_conf conf = { .certificate = rig_path(d), .key = rig_path(d) };

	write_pem(conf.certificate, x, NULL);
	write_pem(conf.key, NULL, key);
	X509_free(x);
	EVP_PKEY_free(key);
	return conf;
}

static inline struct conf_text
rig_text(const char *text)
{
	return (struct conf_text){ .s = str_c(text) };
}

static inline struct tls_server_conf
rig_server_conf(struct tls_cert_conf cert)
{
	return (struct tls_server_conf){
		.is_on = true,
		.name = STR("main"),
		.own = cert,
		.ciphers = rig_text("ECDHE+AESGCM"),
		.ciphersuites = rig_text("TLS_AES_128_GCM_SHA256"),
		.groups = rig_text("X25519:P-256"),
		.has_tickets = true,
		.ticket_lifetime_ns = 3600 * NS_PER_SEC,
	};
}

static inline struct tls_ctx *
rig_ctx(const struct tls_server_conf *conf)
{
	struct tls_ctx_files files;
	struct tls_ticket tickets;
	struct tls_fault fault = { .text = "" };
	struct tls_ctx *ctx;

	ck_assert_msg(tls_ctx_files_load(&files, conf, &fault) == ERR_NONE, "%s", fault.text);
	tls_ticket_init(&tickets, conf->ticket_lifetime_ns, 1);
	ctx = tls_ctx_new(&files, &tickets, &fault);
	ck_assert_msg(ctx != NULL, "%s", fault.text);
	tls_ctx_files_fini(&files);
	return ctx;
}

static inline struct tls_client *
rig_client(const struct tls_client_conf *conf, struct tls_io *io)
{
	struct tls_client_files files;
	struct tls_fault fault = { .text = "" };
	struct tls_client *client;

	ck_assert_msg(tls_client_files_load(&files, conf, &fault) == ERR_NONE, "%s", fault.text);
	client = tls_client_new(&files, io, &fault);
	ck_assert_msg(client != NULL, "%s", fault.text);
	tls_client_files_fini(&files);
	return client;
}

/* ---- an owner that sends what is in `out` and collects what comes */

struct rig_end {
	struct stream *stream;
	struct buf in;
	struct str out;
	size_t n_sent;
	size_t read_bytes;       /* at most so many per event */
	int n_connected, n_idle; /* n_idle: times it was told to read and there was nothing */
	enum err_code result;
	bool is_ended, is_broken;
	bool ends_after; /* shuts down when all is sent */
	bool has_shut;
};

static inline void
rig_send(struct rig_end *e)
{
	while (e->n_sent < e->out.n) {
		struct iovec iov = str_iov(str_of(e->out.p + e->n_sent, e->out.n - e->n_sent));
		size_t put;
		enum io_status io = stream_writev(e->stream, &iov, 1, &put);

		e->is_broken |= io == IO_ERROR;
		if (io != IO_OK)
			return;
		e->n_sent += put;
	}
	if (e->ends_after && !e->has_shut) {
		e->has_shut = true;
		stream_shutdown_write(e->stream);
	}
}

static inline void
rig_on_connected(void *arg, enum err_code result)
{
	struct rig_end *e = arg;

	e->n_connected++;
	e->result = result;
	if (result != ERR_NONE) {
		stream_close(&e->stream);
		return;
	}
	stream_want_read(e->stream, true);
	rig_send(e);
}

static inline void
rig_on_readable(void *arg)
{
	struct rig_end *e = arg;
	char bytes[65536];
	size_t got;
	enum io_status io = stream_read(e->stream, bytes, e->read_bytes, &got);

	if (io == IO_OK)
		buf_add(&e->in, str_of(bytes, got));
	e->n_idle += io == IO_AGAIN;
	if (io == IO_OK || io == IO_AGAIN)
		return;
	e->is_ended = io == IO_EOF;
	e->is_broken = io == IO_ERROR;
	stream_want_read(e->stream, false);
}

static inline void
rig_on_writable(void *arg)
{
	rig_send(arg);
}

static const struct stream_events rig_events = {
	.on_connected = rig_on_connected,
	.on_readable = rig_on_readable,
	.on_writable = rig_on_writable,
};

/* ---- the scene: one server, one client at a time */

struct rig {
	struct rig_dir *dir;
	struct mem_world *world;
	struct loop *loop;
	struct tls_io *io;
	struct tls_gate gate;
	struct mem_listener *listener;
	struct addr at;
	struct tls_client *client;
	struct tls_peer peer;
	struct rig_end a, b; /* the client and the accepted one */
	SSL *server_ssl;     /* of the last handshake that went well */
	enum err_code ended; /* how the server's last handshake ended */
	int n_ended, n_resumed;
};

static inline void
rig_on_accept(void *owner, struct stream *stream, const struct addr *peer)
{
	struct rig *r = owner;

	(void)peer;
	r->b.stream = stream_tls_accept(&r->gate, stream);
	stream_set_owner(r->b.stream, &rig_events, &r->b);
}

static inline void
rig_on_ended(void *owner, enum err_code e, const SSL *ssl)
{
	struct rig *r = owner;

	r->ended = e;
	r->n_ended++;
	r->server_ssl = (SSL *)(uintptr_t)ssl;
	if (e == ERR_NONE)
		r->n_resumed += SSL_session_reused(ssl);
}

static const struct mem_listener_events rig_listener_events = { .on_accept = rig_on_accept };

static inline void
rig_open(struct rig *r, uint64_t seed, const struct tls_server_conf *server,
    const struct tls_client_conf *client, const char *name)
{
	struct tls_gate_setup setup = {
		.timeout_ns = 5 * NS_PER_SEC,
		.limit = 100,
		.on_ended = rig_on_ended,
		.owner = r,
	};

	*r = (struct rig){ .world = mem_world_new(seed) };
	r->loop = mem_world_loop(r->world);
	r->io = tls_io_new();
	setup.loop = r->loop;
	setup.io = r->io;
	setup.ctx = rig_ctx(server);
	tls_gate_init(&r->gate, &setup);
	ck_assert_int_eq(addr_parse(STR("127.0.0.1:443"), &r->at), ERR_NONE);
	r->listener = mem_world_listen(r->world, r->loop, &r->at, &rig_listener_events, r);
	r->client = rig_client(client, r->io);
	tls_client_peer_init(&r->peer, r->client, str_c(name));
	r->a.read_bytes = r->b.read_bytes = sizeof(char[65536]);
}

static inline void
rig_connect(struct rig *r)
{
	r->a.stream = stream_tls_connect(&r->peer, r->loop, &r->at, &rig_events, &r->a);
}

static inline void
rig_run(struct rig *r)
{
	for (int i = 0; mem_world_step(r->world); i++)
		ck_assert_int_lt(i, 5000000);
}

/* Both ends are closed and may connect again. */
static inline void
rig_hang_up(struct rig *r)
{
	struct rig_end *ends[] = { &r->a, &r->b };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		size_t read_bytes = ends[i]->read_bytes;

		stream_close(&ends[i]->stream);
		buf_fini(&ends[i]->in);
		*ends[i] = (struct rig_end){ .read_bytes = read_bytes };
	}
	rig_run(r);
}

static inline void
rig_close(struct rig *r)
{
	mem_world_unlisten(&r->listener);
	rig_hang_up(r);
	tls_client_peer_fini(&r->peer);
	tls_client_free(r->client);
	tls_gate_fini(&r->gate);
	rig_run(r);
	loop_free(r->loop);
	tls_io_free(r->io);
	mem_world_free(r->world);
}

#endif
