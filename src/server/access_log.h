/*
 * The access log: one JSON object per line and request. Workers put lines into chunks and post full
 * or old ones to the loop that writes the file; what the writer cannot keep up with is dropped and
 * counted, so that a slow disk never slows a request.
 */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include "base/metric.h"
#include "net/loop.h"

struct exchange;

/* ---- the writer's end, on the loop of the main thread */

struct access_log;

/* path: a file (created 0640, appended to), or "stderr" / "stdout". NULL (logged) when it cannot be
 * opened. */
struct access_log *access_log_new(struct loop *loop, struct str path);
/* Opens the file anew, after it was moved away. Keeps the old one when that fails (logged). */
void access_log_reopen(struct access_log *log);
/* Workers have stopped and all their chunks have arrived (a turn of the loop after they were
 * joined). */
void access_log_close(struct access_log **log);

/* ---- a worker's end */

struct access_log_chunk;

struct access_log_port {
	struct access_log *log;         /* borrowed */
	struct loop *loop;              /* the worker's */
	struct metric_shard *metrics;   /* the worker's: counts what is dropped */
	struct access_log_chunk *chunk; /* owned; NULL: empty */
	struct timer timer;             /* a chunk that does not fill leaves when it fires */
};

void access_log_port_init(struct access_log_port *port, struct access_log *log, struct loop *loop,
    struct metric_shard *metrics);
/* Posts what is left. */
void access_log_port_fini(struct access_log_port *port);
/* Writes the record of an exchange that is done. */
void access_log_record(struct access_log_port *port, const struct exchange *x);

#endif
