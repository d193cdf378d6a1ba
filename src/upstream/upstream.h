/*
 * One worker's view of a named service: its endpoints with their pools, the views of its semaphore, and how a
 * call picks an endpoint.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "base/metric.h"
#include "base/rnd.h"
#include "codec/h1_head.h"
#include "upstream/endpoint.h"
#include "upstream/permit_group.h"
#include "upstream/upstream_conf.h"

/* What the workers share of it. */
struct upstream_slots {
	struct limiter_slot permits;
	struct limiter_slot turn; /* of the permit_group that collects */
};

void upstream_slots_init(struct upstream_slots *slots, const struct upstream_conf *conf);

struct coding_store;

struct upstream {
	const struct upstream_conf *conf;
	struct loop *loop;
	struct limiter limiter;
	struct limiter turn;
	struct endpoint **endpoints; /* owned list of owned; in the order of their priorities */
	size_t n_endpoints;
	struct endpoint **candidates;  /* owned; scratch space of balance_pick(), as long as the list */
	LIST_HEAD(, endpoint) leaving; /* owned; they serve the calls that are on them */
	struct defer sweep;            /* of those that serve none any more */
	enum err_code absence;         /* why there is no endpoint */
	bool is_draining;
	struct tls_client *tls; /* owned; NULL: no server has an https URL */
	struct rnd rnd;
	struct metric_shard *metrics; /* the worker's */
	struct coding_store *coding;  /* likewise; NULL: no call has a max_ratio */
	size_t index;                 /* in the configuration, for metrics */
	size_t expected_bytes;        /* of an answer, its head included; follows what comes */
	struct h1_head head;          /* scratch: see upstream_scratch_head() */
	struct header *fields;        /* owned; of the scratch head */
};

/* slots: of this upstream in the shared area. conf and slots outlive the upstream. */
void upstream_init(struct upstream *up, const struct upstream_conf *conf, size_t index,
    struct upstream_slots *slots, unsigned worker, struct loop *loop, struct metric_shard *metrics);
/*
 * Its servers with an https URL are spoken to by TLS. Of the files only the context is kept. ERR_BAD_CONFIG and
 * *fault when OpenSSL does not take them.
 */
enum err_code upstream_use_tls(struct upstream *up, const struct tls_client_files *files,
    struct tls_io *io, struct tls_fault *fault);
/*
 * The name of server `index` of the configuration has these addresses now: what is there already stays as it
 * is, what is not among them leaves. With n 0: why there is none; what was there stays.
 */
void upstream_set_places(struct upstream *up, size_t index, const struct place *places, size_t n,
    enum err_code absence);
/* A call has left an endpoint that is leaving. */
void upstream_sweep_later(struct upstream *up);
/* Closes every connection; every call on it is done. */
void upstream_close(struct upstream *up);
/* After upstream_close() and a turn of the loop, when no other worker can kick its limiter any more. */
void upstream_fini(struct upstream *up);
/* A head ready to be fed an answer, valid until the next call or the next turn. */
struct h1_head *upstream_scratch_head(struct upstream *up);
/* Room for a typical answer in one read, and a note of what one took. */
size_t upstream_expected_bytes(const struct upstream *up);
void upstream_note_bytes(struct upstream *up, size_t n);
/* Closes idle connections; those in use close when their call is done. */
void upstream_drain(struct upstream *up);

#endif
