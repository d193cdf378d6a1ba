/*
 * The access log. The writer lives on one loop, ports on the workers'; between them travel chunks
 * by message. A chunk belongs to its port until it is posted, then to the writer, which frees it.
 */
#include "server/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/access_log_record.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
/* Most chunks that may wait for the writer (16 MiB); beyond it records are dropped. */
#define MAX_WAITING 256
/* How long a record may wait for others. */
#define FLUSH_NS (50 * NS_PER_MS)

struct access_log {
	struct loop *loop;
	char *path; /* owned; NULL: a standard stream */
	int fd;
	bool is_failing;           /* said so already */
	_Atomic uint32_t n_chunks; /* filling or under way, of all ports */
};

struct access_log_chunk {
	struct msg msg;
	struct access_log *log;
	struct buf lines;
};

/* ---- the writer */

static int
open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0)
		log_error("access log %s: %s", path, strerror(errno));
	return fd;
}

struct access_log *
access_log_new(struct loop *loop, struct str path)
{
	struct access_log *log = mem_calloc(1, sizeof(*log));

	log->loop = loop;
	if (str_eq(path, STR("stderr"))) {
		log->fd = STDERR_FILENO;
	} else if (str_eq(path, STR("stdout"))) {
		log->fd = STDOUT_FILENO;
	} else {
		log->path = mem_strndup(path.p, path.n);
		log->fd = open_file(log->path);
	}
	if (log->fd < 0)
		access_log_close(&log);
	return log;
}

void
access_log_reopen(struct access_log *log)
{
	int fd;

	if (log->path == NULL)
		return;
	fd = open_file(log->path);
	if (fd < 0)
		return;
	close(log->fd);
	log->fd = fd;
	log->is_failing = false;
}

void
access_log_close(struct access_log **plog)
{
	struct access_log *log = *plog;

	*plog = NULL;
	if (log == NULL)
		return;
	if (log->path != NULL && log->fd >= 0)
		close(log->fd);
	free(log->path);
	free(log);
}

static void
write_lines(struct access_log *log, struct str lines)
{
	while (lines.n > 0) {
		ssize_t n = write(log->fd, lines.p, lines.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (!log->is_failing)
				log_error("access log: %s; records are lost", strerror(errno));
			log->is_failing = true;
			return;
		}
		lines.p += n;
		lines.n -= (size_t)n;
	}
	log->is_failing = false;
}

static void
on_chunk(struct msg *msg)
{
	struct access_log_chunk *chunk = CONTAINER_OF(msg, struct access_log_chunk, msg);

	write_lines(chunk->log, buf_str(&chunk->lines));
	buf_fini(&chunk->lines);
	atomic_fetch_sub(&chunk->log->n_chunks, 1);
	free(chunk);
}

/* ---- a worker's port */

static void
post(struct access_log_port *port)
{
	struct access_log_chunk *chunk = port->chunk;

	port->chunk = NULL;
	loop_timer_clear(&port->timer);
	if (chunk != NULL)
		loop_post(port->log->loop, &chunk->msg);
}

static void
on_timer(void *arg)
{
	post(arg);
}

void
access_log_port_init(struct access_log_port *port, struct access_log *log, struct loop *loop,
    struct metric_shard *metrics)
{
	*port = (struct access_log_port){ .log = log, .loop = loop, .metrics = metrics };
	timer_init(&port->timer, on_timer, port);
}

void
access_log_port_fini(struct access_log_port *port)
{
	post(port);
	loop_timer_drop(port->loop, &port->timer);
}

/* Room for another line; false when the writer is too far behind. */
static bool
open_chunk(struct access_log_port *port)
{
	struct access_log_chunk *chunk;

	if (port->chunk != NULL)
		return true;
	if (atomic_load(&port->log->n_chunks) >= MAX_WAITING) {
		metric_add(port->metrics, METRIC_LOG_DROPPED, 0, 0, 1);
		return false;
	}
	atomic_fetch_add(&port->log->n_chunks, 1);
	chunk = mem_calloc(1, sizeof(*chunk));
	chunk->msg.fn = on_chunk;
	chunk->log = port->log;
	buf_reserve(&chunk->lines, CHUNK_BYTES);
	port->chunk = chunk;
	loop_timer_set(port->loop, &port->timer, port->loop->now_ns + FLUSH_NS);
	return true;
}

void
access_log_record(struct access_log_port *port, const struct exchange *x)
{
	if (!open_chunk(port))
		return;
	access_log_record_write(x, port->loop->wall_ns, &port->chunk->lines);
	if (port->chunk->lines.n > CHUNK_BYTES - CHUNK_BYTES / 8)
		post(port);
}
