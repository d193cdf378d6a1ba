/*
 * Files of upstreams' TLS. What cannot be used is told of once and changes nothing; a pair that is
 * being replaced file by file is taken when both have come. Main thread; blocks on files, which no
 * worker ever does.
 */
#include "daemon/trust.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/file_stamp.h"
#include "net/tls_cert.h"

struct trust {
	const struct generation *gen; /* borrowed */
	struct loop *loop;            /* borrowed */
	uint64_t *stamps; /* owned; by upstream, of the files when they were last read */
	bool *is_expired; /* owned; by upstream: the client certificate was out of date when it was taken */
	size_t n_workers;
	const struct trust_events *events;
	void *owner; /* back pointer */
	struct timer look;
};

static bool
has_tls(const struct trust *trust, size_t upstream)
{
	return trust->gen->tls_files[upstream].trusted != NULL;
}

static uint64_t
stamp_of(const struct tls_client_conf *tls)
{
	uint64_t stamp = file_stamp_add(FILE_STAMP_INIT, &tls->ca);

	stamp = file_stamp_add(stamp, &tls->client_certificate);
	return file_stamp_add(stamp, &tls->client_key);
}

static bool
is_expired(const struct tls_client_files *files)
{
	return files->own.leaf != NULL && tls_cert_validity(files->own.leaf) != 0;
}

static enum err_code
refuse_expired(const struct trust *trust, size_t upstream, const struct tls_client_files *files,
    struct tls_fault *fault)
{
	const struct tls_client_conf *tls = files->conf;

	if (!is_expired(files) || trust->is_expired[upstream])
		return ERR_NONE;
	return tls_cert_refuse(fault, &tls->client_certificate,
	    "the certificate in %s has expired or is not valid yet", tls->client_certificate.s.p);
}

static enum err_code
make_clients(const struct trust *trust, const struct tls_client_files *files,
    struct tls_client **clients, struct tls_fault *fault)
{
	for (size_t i = 0; i < trust->n_workers; i++) {
		clients[i] = tls_client_new(files, NULL, fault);
		if (clients[i] != NULL)
			continue;
		while (i-- > 0)
			tls_client_free(clients[i]);
		return ERR_BAD_CONFIG;
	}
	return ERR_NONE;
}

static void
reread(struct trust *trust, size_t index)
{
	const struct upstream_conf *up = &trust->gen->conf->upstreams[index];
	struct tls_client **clients = mem_calloc(trust->n_workers, sizeof(*clients));
	struct tls_client_files files;
	struct tls_fault fault;
	enum err_code e;

	/* Before reading: a change in the meantime is found the next time. */
	trust->stamps[index] = stamp_of(&up->tls);
	e = tls_client_files_load(&files, &up->tls, &fault);
	if (e == ERR_NONE)
		e = refuse_expired(trust, index, &files, &fault);
	if (e == ERR_NONE)
		e = make_clients(trust, &files, clients, &fault);
	if (e == ERR_NONE) {
		trust->is_expired[index] = is_expired(&files);
		log_info("upstream %.*s: certificates read again", STR_FMT(up->name));
		trust->events->on_changed(trust->owner, index, clients);
	} else {
		log_error("upstream %.*s: %s:%u:%u: %s; the certificates that were there stay",
		    STR_FMT(up->name), fault.pos.file == NULL ? "built in" : fault.pos.file,
		    fault.pos.line, fault.pos.column, fault.text);
	}
	tls_client_files_fini(&files);
	free(clients);
}

static void
on_look(void *arg)
{
	struct trust *trust = arg;
	const struct conf *conf = trust->gen->conf;

	for (size_t i = 0; i < conf->n_upstreams; i++)
		if (has_tls(trust, i) && trust->stamps[i] != stamp_of(&conf->upstreams[i].tls))
			reread(trust, i);
	loop_timer_set(trust->loop, &trust->look, trust->loop->now_ns + FILE_STAMP_LOOK_NS);
}

void
trust_reread(struct trust *trust)
{
	if (trust == NULL)
		return;
	for (size_t i = 0; i < trust->gen->conf->n_upstreams; i++)
		if (has_tls(trust, i))
			reread(trust, i);
}

/* Of what the generation has read. True when there is something to look after. */
static bool
note_all(struct trust *trust)
{
	bool is_any = false;

	for (size_t i = 0; i < trust->gen->conf->n_upstreams; i++) {
		if (!has_tls(trust, i))
			continue;
		trust->stamps[i] = stamp_of(&trust->gen->conf->upstreams[i].tls);
		trust->is_expired[i] = is_expired(&trust->gen->tls_files[i]);
		is_any = true;
	}
	return is_any;
}

struct trust *
trust_new(const struct generation *gen, struct loop *loop, size_t n_workers,
    const struct trust_events *events, void *owner)
{
	struct trust *trust = mem_calloc(1, sizeof *trust);

	*trust = (struct trust){
		.gen = gen,
		.loop = loop,
		.stamps = mem_calloc(gen->conf->n_upstreams, sizeof *trust->stamps),
		.is_expired = mem_calloc(gen->conf->n_upstreams, sizeof *trust->is_expired),
		.n_workers = n_workers,
		.events = events,
		.owner = owner,
	};
	timer_init(&trust->look, on_look, trust);
	if (note_all(trust))
		loop_timer_set(loop, &trust->look, loop->now_ns + FILE_STAMP_LOOK_NS);
	return trust;
}

void
trust_free(struct trust *trust)
{
	if (trust == NULL)
		return;
	loop_timer_drop(trust->loop, &trust->look);
	free(trust->stamps);
	free(trust->is_expired);
	free(trust);
}
