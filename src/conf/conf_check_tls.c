/* Rules of TLS keys. Start-up and reload only; one thread; blocks on files. */
#include "conf/conf_check_tls.h"

#include "base/clock.h"
#include "conf/conf_expand.h"
#include "net/stream_tcp.h"
#include "net/tls_client.h"
#include "net/tls_ctx.h"

/* ---- texts that OpenSSL and the system want with a NUL */

static void
settle_path(const struct conf_check *check, struct conf_text *path)
{
	if (!str_is_none(path->s))
		path->s = conf_expand_path(path->pos.file, path->s, check->arena);
}

static void
settle_text(const struct conf_check *check, struct conf_text *text)
{
	if (!str_is_none(text->s))
		text->s = arena_str(check->arena, text->s);
}

static void
settle_cert(const struct conf_check *check, struct tls_cert_conf *cert)
{
	settle_path(check, &cert->certificate);
	settle_path(check, &cert->key);
	settle_path(check, &cert->ocsp);
}

static void
settle_server(const struct conf_check *check, struct tls_server_conf *tls)
{
	settle_cert(check, &tls->own);
	for (size_t i = 0; i < tls->n_certificates; i++)
		settle_cert(check, &tls->certificates[i]);
	settle_path(check, &tls->client_ca);
	settle_text(check, &tls->ciphers);
	settle_text(check, &tls->ciphersuites);
	settle_text(check, &tls->groups);
}

/* ---- listeners */

static bool
has_certificates(const struct conf_check *check, const struct listener_conf *l)
{
	const struct tls_server_conf *tls = &l->tls;

	if (!str_is_none(tls->own.certificate.s) || tls->n_certificates != 0)
		return true;
	conf_error_add(check->errors, conf_check_place(l->pos, "tls"),
	    "the key \"certificate\" is missing (or \"certificates\")");
	return false;
}

/* What stands beside a certificate that is not there. */
static void
check_own(const struct conf_check *check, const struct listener_conf *l)
{
	const struct tls_cert_conf *own = &l->tls.own;
	const struct conf_text *parts[] = { &own->key, &own->ocsp };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (str_is_none(own->certificate.s) && !str_is_none(parts[i]->s))
			conf_error_add(check->errors, parts[i]->pos,
			    "belongs to `certificate`, which is not there; put it into an item of "
			    "`certificates`");
}

static void
check_client_auth(const struct conf_check *check, const struct listener_conf *l)
{
	const struct tls_server_conf *tls = &l->tls;
	bool is_asked = tls->client_auth != TLS_CLIENT_AUTH_NONE;

	if (is_asked && str_is_none(tls->client_ca.s))
		conf_error_add(check->errors, conf_check_place(l->pos, "tls.client_auth"),
		    "needs `client_ca`: the authorities whose certificates are taken");
	if (!is_asked && !str_is_none(tls->client_ca.s))
		conf_error_add(check->errors, tls->client_ca.pos,
		    "has no effect without `client_auth: optional` or `required`");
}

/* Not an error: one certificate that was forgotten must not take the others down. */
static void
warn_of_validity(const struct conf_check *check, const struct conf_text *file, const X509 *cert)
{
	int validity = tls_cert_validity(cert);
	char end[64];

	if (validity == 0)
		return;
	tls_cert_end_text(cert, end, sizeof end);
	if (validity > 0)
		conf_error_warn(check->errors, file->pos,
		    "the certificate in %s has expired on %s; renew it", file->s.p, end);
	else
		conf_error_warn(check->errors, file->pos,
		    "the certificate in %s is not valid yet; look at the clock", file->s.p);
}

static void
warn_of_certs(const struct conf_check *check, const struct tls_ctx_files *files)
{
	for (size_t i = 0; i < files->n_certs; i++) {
		const struct tls_cert_conf *cert = tls_ctx_files_conf(files, i);

		warn_of_validity(check, &cert->certificate, files->certs[i].leaf);
		if (!str_is_none(cert->ocsp.s) &&
		    !tls_staple_is_fresh(&files->certs[i].staple, clock_wall_ns() / NS_PER_SEC))
			conf_error_warn(check->errors, cert->ocsp.pos,
			    "the OCSP response in %s is out of date and not stapled; fetch another",
			    cert->ocsp.s.p);
	}
}

/* What the rows have refused is not there. */
static bool
is_complete(const struct tls_server_conf *tls)
{
	for (size_t i = 0; i < tls->n_certificates; i++)
		if (str_is_none(tls->certificates[i].certificate.s))
			return false;
	return !str_is_none(tls->ciphers.s) && !str_is_none(tls->ciphersuites.s) &&
	       !str_is_none(tls->groups.s) && tls->ticket_lifetime_ns != 0;
}

/* Asked here, once, and not by every connection: to say no, it looks for its module. */
static void
ask_for_ktls(const struct conf_check *check, struct listener_conf *l)
{
	l->tls.is_ktls_missing = !stream_tcp_can_encrypt();
	if (l->tls.is_ktls_missing)
		conf_error_warn(check->errors, conf_check_place(l->pos, "tls.ktls"),
		    "the kernel does not offer TLS now, and what it does not do is done here; "
		    "`modprobe tls` loads its module, and a reload asks again");
}

static void
try_server(const struct conf_check *check, const struct tls_server_conf *tls)
{
	struct tls_fault fault = { .text = "" };
	struct tls_ctx_files files;
	struct tls_ticket tickets;
	struct tls_ctx *ctx = NULL;

	if (tls_ctx_files_load(&files, tls, &fault) == ERR_NONE) {
		tls_ticket_init(&tickets, tls->ticket_lifetime_ns, clock_mono_ns());
		ctx = tls_ctx_new(&files, &tickets, &fault);
		warn_of_certs(check, &files);
	}
	if (ctx == NULL)
		conf_error_add(check->errors, fault.pos, "%s", fault.text);
	tls_ctx_close(&ctx);
	tls_ctx_files_fini(&files);
}

void
conf_check_tls_listener(const struct conf_check *check, struct listener_conf *l)
{
	size_t n_before = check->errors->n_errors;

	l->tls.is_on = conf_check_has(l->pos, "tls");
	l->tls.name = l->name;
	if (!l->tls.is_on)
		return;
	settle_server(check, &l->tls);
	check_own(check, l);
	check_client_auth(check, l);
	if (l->tls.has_ktls)
		ask_for_ktls(check, l);
	if (has_certificates(check, l) && check->errors->n_errors == n_before &&
	    is_complete(&l->tls))
		try_server(check, &l->tls);
}

/* ---- upstreams */

static void
check_client_keys(const struct conf_check *check, const struct upstream_conf *up)
{
	const struct tls_client_conf *tls = &up->tls;

	if (!str_is_none(tls->client_key.s) && str_is_none(tls->client_certificate.s))
		conf_error_add(check->errors, tls->client_key.pos, "needs `client_certificate`");
	if (tls->is_unverified && !str_is_none(tls->ca.s))
		conf_error_add(check->errors, tls->ca.pos,
		    "has no effect with `insecure_skip_verify`; one of them must go");
	if (tls->is_unverified)
		conf_error_warn(check->errors,
		    conf_check_place(up->pos, "tls.insecure_skip_verify"),
		    "any certificate is taken, from anybody: set `ca` to the authority, or "
		    "`server_name`");
}

static void
try_client(const struct conf_check *check, const struct tls_client_conf *tls)
{
	struct tls_fault fault = { .text = "" };
	struct tls_client_files files;
	struct tls_client *client = NULL;

	if (tls_client_files_load(&files, tls, &fault) == ERR_NONE) {
		client = tls_client_new(&files, NULL, &fault);
		if (files.own.leaf != NULL)
			warn_of_validity(check, &tls->client_certificate, files.own.leaf);
	}
	if (client == NULL)
		conf_error_add(check->errors, fault.pos, "%s", fault.text);
	tls_client_free(client);
	tls_client_files_fini(&files);
}

void
conf_check_tls_upstream(const struct conf_check *check, struct upstream_conf *up)
{
	struct tls_client_conf *tls = &up->tls;
	size_t n_before = check->errors->n_errors;

	settle_path(check, &tls->ca);
	settle_path(check, &tls->client_certificate);
	settle_path(check, &tls->client_key);
	settle_text(check, &tls->server_name);
	if (!upstream_conf_has_tls(up))
		return;
	check_client_keys(check, up);
	if (check->errors->n_errors == n_before)
		try_client(check, tls);
}
