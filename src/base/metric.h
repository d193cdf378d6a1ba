/*
 * Counters, gauges and histograms: one row each in METRIC_TABLE. Every worker has a shard with a single
 * writer (relaxed stores, no lock prefix); the reader sums the shards. Labels are dimensions whose sizes
 * the configuration settles; a cell is named by its metric and an index in each of the metric's two dimensions.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Label dimensions. CALL carries route, call and upstream; STATUS is a code from 100 to 599, less 100. */
enum metric_dim { DIM_NONE, DIM_LISTENER, DIM_ROUTE, DIM_CALL, DIM_UPSTREAM, DIM_STATUS, DIM_REASON, DIM_COUNT };

/* X(id, kind, name, first dimension, second dimension, help) */
#define METRIC_TABLE(X) \
	X(CLIENT_CONNECTIONS, GAUGE, "gatherd_client_connections", LISTENER, NONE, \
	    "Client connections open now.") \
	X(CLIENT_ACCEPTED, COUNTER, "gatherd_client_connections_total", LISTENER, NONE, \
	    "Client connections accepted.") \
	X(CLIENT_REFUSED, COUNTER, "gatherd_client_connections_refused_total", LISTENER, NONE, \
	    "Client connections closed at once because limits.connections was reached.") \
	X(CLIENT_PROXY_REFUSED, COUNTER, "gatherd_client_proxy_headers_refused_total", LISTENER, NONE, \
	    "Client connections closed for want of a valid PROXY header from a trusted proxy.") \
	X(CLIENT_HANDSHAKES, COUNTER, "gatherd_client_handshakes_total", LISTENER, REASON, \
	    "TLS handshakes with clients ended, by reason (none: fine).") \
	X(CLIENT_RESUMPTIONS, COUNTER, "gatherd_client_resumptions_total", LISTENER, NONE, \
	    "TLS handshakes with clients that resumed a session.") \
	X(CLIENT_KTLS, COUNTER, "gatherd_client_ktls_total", LISTENER, NONE, \
	    "TLS handshakes with clients after which the kernel encrypts (ktls).") \
	X(REQUESTS, COUNTER, "gatherd_requests_total", ROUTE, STATUS, \
	    "Requests answered, by status; 499: the client left before.") \
	X(REQUEST_REASONS, COUNTER, "gatherd_request_failures_total", ROUTE, REASON, \
	    "Requests that did not get their full answer, by reason.") \
	X(REQUEST_SECONDS, HISTOGRAM, "gatherd_request_seconds", ROUTE, NONE, \
	    "Time from the end of a request's head to the end of its answer, of an upgrade to its 101.") \
	X(COMPRESSION_IN, COUNTER, "gatherd_compression_in_bytes_total", ROUTE, NONE, \
	    "Bytes of answers' bodies that were compressed.") \
	X(COMPRESSION_OUT, COUNTER, "gatherd_compression_out_bytes_total", ROUTE, NONE, \
	    "Bytes that they were compressed to.") \
	X(COMPRESSION_SKIPPED, COUNTER, "gatherd_compression_skipped_total", ROUTE, NONE, \
	    "Answers sent uncompressed because overload.compression_memory was used up.") \
	X(REQUESTS_INFLIGHT, GAUGE, "gatherd_requests_in_flight", NONE, NONE, \
	    "Requests being served now.") \
	X(TUNNELS, GAUGE, "gatherd_tunnels", ROUTE, NONE, \
	    "Upgraded connections open now; their requests count as in flight.") \
	X(TUNNEL_RECEIVED, COUNTER, "gatherd_tunnel_received_bytes_total", ROUTE, NONE, \
	    "Bytes that came from clients through tunnels.") \
	X(TUNNEL_SENT, COUNTER, "gatherd_tunnel_sent_bytes_total", ROUTE, NONE, \
	    "Bytes that went to clients through tunnels.") \
	X(CALLS, COUNTER, "gatherd_calls_total", CALL, REASON, \
	    "Calls finished, by reason (none: fine); an upgrade is finished by its 101.") \
	X(CALL_SECONDS, HISTOGRAM, "gatherd_call_seconds", CALL, NONE, \
	    "Time of a call from its start, waiting included, to its end.") \
	X(CALL_QUEUE_SECONDS, HISTOGRAM, "gatherd_call_queue_seconds", CALL, NONE, \
	    "Time that a call waited for its permit.") \
	X(UPSTREAM_CONNECTS, COUNTER, "gatherd_upstream_connects_total", UPSTREAM, NONE, \
	    "Connections to the upstream begun.") \
	X(UPSTREAM_CONNECT_FAILURES, COUNTER, "gatherd_upstream_connect_failures_total", UPSTREAM, NONE, \
	    "Connections to the upstream that failed or timed out.") \
	X(UPSTREAM_REUSES, COUNTER, "gatherd_upstream_reuses_total", UPSTREAM, NONE, \
	    "Requests sent on a connection that had served before.") \
	X(UPSTREAM_RETRIES, COUNTER, "gatherd_upstream_stale_retries_total", UPSTREAM, NONE, \
	    "Requests sent again because a reused connection had died.") \
	X(UPSTREAM_REDISPATCHES, COUNTER, "gatherd_upstream_redispatches_total", UPSTREAM, NONE, \
	    "Calls that tried another server because one could not be reached.") \
	X(DNS_LOOKUPS, COUNTER, "gatherd_dns_lookups_total", UPSTREAM, REASON, \
	    "Names of the upstream's servers looked up, by reason (none: found).") \
	X(DNS_FAILING, GAUGE, "gatherd_dns_names_failing", UPSTREAM, NONE, \
	    "Names of the upstream's servers whose last look-up has failed.") \
	X(DNS_SERVERS, GAUGE, "gatherd_dns_servers", UPSTREAM, NONE, \
	    "Servers that the upstream's names stand for; one with addresses of both families counts once.") \
	X(UPSTREAM_DECODED_IN, COUNTER, "gatherd_upstream_decompression_in_bytes_total", UPSTREAM, NONE, \
	    "Bytes of compressed answers that were decompressed.") \
	X(UPSTREAM_DECODED_OUT, COUNTER, "gatherd_upstream_decompression_out_bytes_total", UPSTREAM, NONE, \
	    "Bytes that came of them.") \
	X(UPSTREAM_INFLIGHT, GAUGE, "gatherd_upstream_inflight", UPSTREAM, NONE, \
	    "Calls that hold a permit of the upstream, over all workers.") \
	X(UPSTREAM_QUEUE, GAUGE, "gatherd_upstream_queue_length", UPSTREAM, NONE, \
	    "Calls that wait for a permit of the upstream.") \
	X(UPSTREAM_LIMIT, GAUGE, "gatherd_upstream_limit", UPSTREAM, NONE, \
	    "Permits that the upstream has; 0: no limit.") \
	X(ADMISSION_INFLIGHT, GAUGE, "gatherd_admission_inflight", NONE, NONE, \
	    "Requests that hold a permit of the daemon.") \
	X(ADMISSION_QUEUE, GAUGE, "gatherd_admission_queue_length", NONE, NONE, \
	    "Requests that wait for a permit of the daemon.") \
	X(LOG_DROPPED, COUNTER, "gatherd_access_log_dropped_total", NONE, NONE, \
	    "Access-log records dropped because the log could not keep up.")

enum metric_id {
#define X(id, kind, name, dim1, dim2, help) METRIC_##id,
	METRIC_TABLE(X)
#undef X
	    METRIC_COUNT
};

/* How many values each dimension has, and where each metric's cells begin. Made at load, read-only. */
struct metric_layout {
	size_t sizes[DIM_COUNT];
	size_t first[METRIC_COUNT];
	size_t second_size[METRIC_COUNT];
	size_t n_cells;
};

/* sizes[] of LISTENER, ROUTE, CALL, UPSTREAM are given by the caller; the rest is filled in. */
void metric_layout_init(struct metric_layout *layout, const size_t sizes[DIM_COUNT]);

/* One worker's cells. */
struct metric_shard {
	const struct metric_layout *layout; /* borrowed, outlives the shard */
	_Atomic uint64_t *cells;            /* in memory */
	void *memory;                       /* owned */
};

void metric_shard_init(struct metric_shard *shard, const struct metric_layout *layout);
void metric_shard_fini(struct metric_shard *shard);

#define METRIC_STATUSES 500

/* Adds to a counter or gauge (two's complement: add UINT64_MAX to take one off). Only its own thread. */
static inline void
metric_add(struct metric_shard *shard, enum metric_id id, size_t i, size_t j, uint64_t n)
{
	const struct metric_layout *l = shard->layout;
	_Atomic uint64_t *cell = &shard->cells[l->first[id] + i * l->second_size[id] + j];

	atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

/* What a cell of one shard holds. Any thread. */
static inline uint64_t
metric_get(const struct metric_shard *shard, enum metric_id id, size_t i, size_t j)
{
	const struct metric_layout *l = shard->layout;

	return atomic_load_explicit(
	    &shard->cells[l->first[id] + i * l->second_size[id] + j], memory_order_relaxed);
}

/* Enters a duration into a histogram. Only its own thread. */
void metric_observe_ns(struct metric_shard *shard, enum metric_id id, size_t i, uint64_t ns);

/* The label text of value `index` of a dimension, appended as `name="value"` pairs, escaped. */
typedef void metric_label_fn(void *arg, enum metric_dim dim, size_t index, struct buf *out);
/* One such pair. */
void metric_put_label(struct buf *out, const char *name, struct str value);
/* Prometheus text format 0.0.4 of the sum of the shards. Cells that are 0 are left out where a label has many. */
void metric_render(const struct metric_shard *const *shards, size_t n_shards,
    metric_label_fn *label, void *arg, struct buf *out);
/* The reference page of all metrics, Markdown. */
void metric_doc(struct buf *out);

#endif
