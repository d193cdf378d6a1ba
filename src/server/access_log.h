/*
 * The access log: one JSON object per line and request. Workers put lines into chunks and post full
 * or old ones to a thread that writes them; what it cannot keep up with is dropped and counted, so
 * that a slow disk never slows a request.
 */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include "base/metric.h"
#include "net/loop.h"
#include "server/access_log_record.h"

struct exchange;

/* ---- the log, of the daemon; all functions on one thread */

struct access_log;

/*
 * path: a file (created 0640, appended to), or "stderr" / "stdout". NULL (logged) when it cannot be
 * opened.
 */
struct access_log *access_log_new(struct str path);
/*
 * Opens the file anew, after it was moved away; what was posted before still goes to the old one.
 * Keeps that when the new one cannot be opened (logged).
 */
void access_log_reopen(struct access_log *log);
/* Waits until all that was posted is written; false when that takes longer. */
bool access_log_flush(struct access_log *log, unsigned seconds);
/* Writes what was posted, unless nobody takes it. Every port has ended. */
void access_log_close(struct access_log **log);

/* ---- a worker's end */

struct access_log_chunk;

struct access_log_port {
	struct access_log *log;         /* borrowed */
	struct loop *loop;              /* the worker's */
	struct metric_shard *metrics;   /* the worker's: counts what is dropped */
	struct access_log_chunk *chunk; /* owned; NULL: empty */
	struct timer timer;             /* a chunk that does not fill leaves when it fires */
	struct access_log_record_clock clock;
};

void access_log_port_init(struct access_log_port *port, struct access_log *log, struct loop *loop,
    struct metric_shard *metrics);
/* Posts what is left. */
void access_log_port_fini(struct access_log_port *port);
/* Writes the record of an exchange that is done. */
void access_log_record(struct access_log_port *port, const struct exchange *x);

#endif
