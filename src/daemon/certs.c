/*
 * Certificates of listeners. A file that cannot be used is told of once and changes nothing; a pair
 * that is being replaced file by file is taken when both have come. Main thread; blocks on files,
 * which no worker ever does.
 */
#include "daemon/certs.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/file_stamp.h"
#include "net/tls_ctx.h"

struct certs_listener {
	const struct listener_conf *conf;
	struct tls_ctx_files files; /* what is shown now */
	struct tls_ticket tickets;
	uint64_t stamp; /* of the files when they were last read */
};

struct certs {
	struct loop *loop;         /* borrowed */
	struct certs_listener *at; /* owned; by index of the listener, plain ones are empty */
	size_t n;
	size_t n_workers;
	const struct certs_events *events; /* NULL: not watched */
	void *owner; /* back pointer */
	struct timer look;
};

/* ---- have they changed? */

static uint64_t
stamp_cert(uint64_t stamp, const struct tls_cert_conf *cert)
{
	stamp = file_stamp_add(stamp, &cert->certificate);
	stamp = file_stamp_add(stamp, &cert->key);
	return file_stamp_add(stamp, &cert->ocsp);
}

static uint64_t
stamp_of(const struct tls_server_conf *tls)
{
	uint64_t stamp = stamp_cert(FILE_STAMP_INIT, &tls->own);

	for (size_t i = 0; i < tls->n_certificates; i++)
		stamp = stamp_cert(stamp, &tls->certificates[i]);
	return file_stamp_add(stamp, &tls->client_ca);
}

/* ---- reading */

static void
tell_fault(const struct certs_listener *l, const struct tls_fault *fault, const char *consequence)
{
	log_error("listener %.*s: %s:%u:%u: %s%s", STR_FMT(l->conf->name),
	    fault->pos.file == NULL ? "built in" : fault->pos.file, fault->pos.line,
	    fault->pos.column, fault->text, consequence);
}

/* An expired certificate may stand in the file at start; it does not replace one that is good. */
static enum err_code
refuse_expired(
    const struct tls_ctx_files *old, const struct tls_ctx_files *files, struct tls_fault *fault)
{
	for (size_t i = 0; i < files->n_certs; i++) {
		const struct tls_cert_conf *at = tls_ctx_files_conf(files, i);

		if (tls_cert_validity(files->certs[i].leaf) != 0 &&
		    tls_cert_validity(old->certs[i].leaf) == 0)
			return tls_cert_refuse(fault, &at->certificate,
			    "the certificate in %s has expired or is not valid yet",
			    at->certificate.s.p);
	}
	return ERR_NONE;
}

static void
close_contexts(struct tls_ctx **contexts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		tls_ctx_close(&contexts[i]);
}

static enum err_code
make_contexts(struct certs *certs, struct certs_listener *l, const struct tls_ctx_files *files,
    struct tls_ctx **contexts, struct tls_fault *fault)
{
	/* Workers count periods by the same clock. */
	tls_ticket_advance(&l->tickets, certs->loop->now_ns);
	for (size_t i = 0; i < certs->n_workers; i++) {
		contexts[i] = tls_ctx_new(files, &l->tickets, fault);
		if (contexts[i] == NULL) {
			close_contexts(contexts, i);
			return ERR_BAD_CONFIG;
		}
	}
	return ERR_NONE;
}

static void
reread(struct certs *certs, size_t index)
{
	struct certs_listener *l = &certs->at[index];
	struct tls_ctx **contexts = mem_calloc(certs->n_workers, sizeof(*contexts));
	struct tls_ctx_files files;
	struct tls_fault fault;
	enum err_code e;

	/* Before reading: a change in the meantime is found the next time. */
	l->stamp = stamp_of(&l->conf->tls);
	e = tls_ctx_files_load(&files, &l->conf->tls, &fault);
	if (e == ERR_NONE)
		e = refuse_expired(&l->files, &files, &fault);
	if (e == ERR_NONE)
		e = make_contexts(certs, l, &files, contexts, &fault);
	if (e == ERR_NONE) {
		tls_ctx_files_fini(&l->files);
		l->files = files;
		log_info("listener %.*s: certificates read again", STR_FMT(l->conf->name));
		certs->events->on_changed(certs->owner, index, contexts);
	} else {
		tls_ctx_files_fini(&files);
		tell_fault(l, &fault, "; the certificates that were there stay");
	}
	free(contexts);
}

static void
on_look(void *arg)
{
	struct certs *certs = arg;

	for (size_t i = 0; i < certs->n; i++)
		if (certs->at[i].conf->tls.is_on &&
		    certs->at[i].stamp != stamp_of(&certs->at[i].conf->tls))
			reread(certs, i);
	loop_timer_set(certs->loop, &certs->look, certs->loop->now_ns + FILE_STAMP_LOOK_NS);
}

void
certs_reread(struct certs *certs)
{
	for (size_t i = 0; i < certs->n; i++)
		if (certs->at[i].conf->tls.is_on)
			reread(certs, i);
}

/* ---- making */

static enum err_code
load(struct certs *certs, struct certs_listener *l)
{
	struct tls_fault fault;
	struct tls_ctx *trial = NULL;
	enum err_code e;

	l->stamp = stamp_of(&l->conf->tls);
	tls_ticket_init(&l->tickets, l->conf->tls.ticket_lifetime_ns, certs->loop->now_ns);
	e = tls_ctx_files_load(&l->files, &l->conf->tls, &fault);
	if (e == ERR_NONE)
		trial = tls_ctx_new(&l->files, &l->tickets, &fault);
	if (trial == NULL) {
		tell_fault(l, &fault, "");
		return ERR_BAD_CONFIG;
	}
	tls_ctx_close(&trial);
	return ERR_NONE;
}

struct certs *
certs_new(const struct conf *conf, struct loop *loop, size_t n_workers)
{
	struct certs *certs = mem_calloc(1, sizeof *certs);
	enum err_code e = ERR_NONE;

	certs->loop = loop;
	certs->n = conf->n_listeners;
	certs->n_workers = n_workers;
	certs->at = mem_calloc(certs->n, sizeof *certs->at);
	timer_init(&certs->look, on_look, certs);
	for (size_t i = 0; i < certs->n; i++) {
		certs->at[i].conf = &conf->listeners[i];
		if (e == ERR_NONE && conf->listeners[i].tls.is_on)
			e = load(certs, &certs->at[i]);
	}
	if (e != ERR_NONE) {
		certs_free(certs);
		certs = NULL;
	}
	return certs;
}

void
certs_free(struct certs *certs)
{
	if (certs == NULL)
		return;
	loop_timer_drop(certs->loop, &certs->look);
	for (size_t i = 0; i < certs->n; i++) {
		tls_ctx_files_fini(&certs->at[i].files);
		tls_ticket_wipe(&certs->at[i].tickets);
	}
	free(certs->at);
	free(certs);
}

struct tls_ctx *
certs_context(struct certs *certs, size_t listener)
{
	struct certs_listener *l = &certs->at[listener];
	struct tls_fault fault;
	struct tls_ctx *ctx;

	if (!l->conf->tls.is_on)
		return NULL;
	ctx = tls_ctx_new(&l->files, &l->tickets, &fault);
	/* load() has made one of the same already. */
	assert(ctx != NULL);
	return ctx;
}

void
certs_watch(struct certs *certs, const struct certs_events *events, void *owner)
{
	bool has_tls = false;

	certs->events = events;
	certs->owner = owner;
	for (size_t i = 0; i < certs->n; i++)
		has_tls |= certs->at[i].conf->tls.is_on;
	if (has_tls)
		loop_timer_set(certs->loop, &certs->look, certs->loop->now_ns + FILE_STAMP_LOOK_NS);
}
