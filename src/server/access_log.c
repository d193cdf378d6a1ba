/*
 * The access log. A thread of its own writes: a disk or a pipe that does not take the lines blocks
 * neither workers nor the thread that obeys signals. A chunk of lines belongs to its port until it
 * is posted, then to the writer, which keeps it for the next that a port fills: lines of a steady load go round in the
 * same memory.
 */
#include "server/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
/* Most chunks that may wait for the writer (16 MiB); beyond it records are dropped. */
#define MAX_WAITING 256
/*
 * Most empty chunks that are kept for a port: it fills one while the writer empties another, and a writer that is late
 * leaves it one more. So little is not worth giving back when nothing is logged; beyond it chunks are freed.
 */
#define SPARES_PER_PORT 2
/*
 * How long a record may wait for others. Each flush costs the system call that wakes the writer: once in so long,
 * however many requests there are. A writer that looks by itself from time to time would need the call as well, to
 * begin with it and to end it, or would keep a machine at rest awake.
 */
#define FLUSH_NS (50 * NS_PER_MS)
/* How long access_log_close() waits for a writer that is stuck. */
#define CLOSE_WAIT_S 1

/* What the writer is to do: write lines, or go on in another file. */
struct access_log_chunk {
	STAILQ_ENTRY(access_log_chunk) link; /* in access_log.waiting or spare */
	struct buf lines;
	int new_fd; /* owned until the writer takes it; -1: none */
};

struct access_log {
	char *path; /* owned; NULL: a standard stream */
	pthread_t thread;
	bool has_thread;
	_Atomic uint32_t n_posted; /* not written yet, of all ports */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	STAILQ_HEAD(, access_log_chunk) waiting;
	STAILQ_HEAD(, access_log_chunk) spare; /* empty, of CHUNK_BYTES; the last one given is the first one taken */
	uint32_t n_spare;
	uint32_t max_spare;
	bool is_busy; /* the writer has taken a chunk off and is not done with it */
	bool is_closing;

	/* the writer's own */
	int fd;                           /* owned unless it is a standard stream */
	struct access_log_chunk *current; /* owned; what a cancelled writer leaves behind */
	bool is_failing;                  /* said so already */
};

/* ---- the writer's thread */

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
change_file(struct access_log *log, int fd)
{
	close(log->fd);
	log->fd = fd;
	log->is_failing = false;
}

static void
chunk_free(struct access_log_chunk *chunk)
{
	if (chunk->new_fd >= 0)
		close(chunk->new_fd);
	buf_fini(&chunk->lines);
	free(chunk);
}

/* A chunk that is done. One that a long record made larger is not kept. */
static void
give_back(struct access_log *log, struct access_log_chunk *chunk)
{
	bool is_kept;

	buf_clear(&chunk->lines);
	pthread_mutex_lock(&log->lock);
	is_kept = chunk->lines.cap == CHUNK_BYTES && log->n_spare < log->max_spare;
	if (is_kept) {
		STAILQ_INSERT_HEAD(&log->spare, chunk, link);
		log->n_spare++;
	}
	pthread_mutex_unlock(&log->lock);
	if (!is_kept)
		chunk_free(chunk);
}

static void
obey(struct access_log *log, struct access_log_chunk *chunk)
{
	if (chunk->new_fd >= 0)
		change_file(log, chunk->new_fd);
	chunk->new_fd = -1;
	write_lines(log, buf_str(&chunk->lines));
	log->current = NULL;
	give_back(log, chunk);
	atomic_fetch_sub(&log->n_posted, 1);
}

/* The next chunk, or NULL when the log closes and nothing is left. */
static struct access_log_chunk *
next_chunk(struct access_log *log)
{
	struct access_log_chunk *chunk;

	pthread_mutex_lock(&log->lock);
	log->is_busy = false;
	pthread_cond_broadcast(&log->changed);
	while (STAILQ_EMPTY(&log->waiting) && !log->is_closing)
		pthread_cond_wait(&log->changed, &log->lock);
	chunk = STAILQ_FIRST(&log->waiting);
	if (chunk != NULL)
		STAILQ_REMOVE_HEAD(&log->waiting, link);
	log->is_busy = chunk != NULL;
	pthread_mutex_unlock(&log->lock);
	return chunk;
}

static void *
run(void *arg)
{
	struct access_log *log = arg;
	struct access_log_chunk *chunk;

	while ((chunk = next_chunk(log)) != NULL) {
		log->current = chunk;
		obey(log, chunk);
	}
	return NULL;
}

/* Signals are the main thread's. */
static bool
start(struct access_log *log)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&log->thread, NULL, run, log);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		log_error("access log: no thread: %s", strerror(rc));
	log->has_thread = rc == 0;
	return rc == 0;
}

/* ---- open and close */

static int
open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0)
		log_error("access log %s: %s", path, strerror(errno));
	return fd;
}

struct access_log *
access_log_new(struct str path)
{
	struct access_log *log = mem_calloc_lines(1, sizeof(*log));

	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->changed, NULL);
	STAILQ_INIT(&log->waiting);
	STAILQ_INIT(&log->spare);
	if (str_eq(path, STR("stderr"))) {
		log->fd = STDERR_FILENO;
	} else if (str_eq(path, STR("stdout"))) {
		log->fd = STDOUT_FILENO;
	} else {
		log->path = mem_strndup(path.p, path.n);
		log->fd = open_file(log->path);
	}
	if (log->fd < 0 || !start(log))
		access_log_close(&log);
	return log;
}

/* Takes over the chunk. */
static void
enqueue(struct access_log *log, struct access_log_chunk *chunk)
{
	atomic_fetch_add(&log->n_posted, 1);
	pthread_mutex_lock(&log->lock);
	STAILQ_INSERT_TAIL(&log->waiting, chunk, link);
	pthread_mutex_unlock(&log->lock);
	/* Not before: who wakes would have to wait for the lock. */
	pthread_cond_broadcast(&log->changed);
}

static struct access_log_chunk *
chunk_new(void)
{
	struct access_log_chunk *chunk = mem_calloc(1, sizeof(*chunk));

	chunk->new_fd = -1;
	return chunk;
}

void
access_log_reopen(struct access_log *log)
{
	struct access_log_chunk *chunk;
	int fd;

	if (log->path == NULL)
		return;
	fd = open_file(log->path);
	if (fd < 0)
		return;
	chunk = chunk_new();
	chunk->new_fd = fd;
	enqueue(log, chunk);
}

bool
access_log_flush(struct access_log *log, unsigned seconds)
{
	struct timespec until;
	int rc = 0;
	bool is_idle;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&log->lock);
	while (rc == 0 && (log->is_busy || !STAILQ_EMPTY(&log->waiting)))
		rc = pthread_cond_timedwait(&log->changed, &log->lock, &until);
	is_idle = !log->is_busy && STAILQ_EMPTY(&log->waiting);
	pthread_mutex_unlock(&log->lock);
	return is_idle;
}

/* A writer that is stuck in the kernel is cancelled there: write(2) is a cancellation point. */
static void
end_thread(struct access_log *log)
{
	bool is_stuck = !access_log_flush(log, CLOSE_WAIT_S);

	pthread_mutex_lock(&log->lock);
	log->is_closing = true;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
	if (is_stuck) {
		log_warn("access log: nobody takes it; records are lost");
		pthread_cancel(log->thread);
	}
	pthread_join(log->thread, NULL);
}

static void
drop_chunks(struct access_log *log)
{
	struct access_log_chunk *chunk;

	STAILQ_CONCAT(&log->waiting, &log->spare);
	while ((chunk = STAILQ_FIRST(&log->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&log->waiting, link);
		chunk_free(chunk);
	}
	if (log->current != NULL)
		chunk_free(log->current);
}

void
access_log_close(struct access_log **plog)
{
	struct access_log *log = *plog;

	*plog = NULL;
	if (log == NULL)
		return;
	if (log->has_thread)
		end_thread(log);
	drop_chunks(log);
	if (log->path != NULL && log->fd >= 0)
		close(log->fd);
	pthread_cond_destroy(&log->changed);
	pthread_mutex_destroy(&log->lock);
	free(log->path);
	free(log);
}

/* ---- a worker's port */

static void
post(struct access_log_port *port)
{
	struct access_log_chunk *chunk = port->chunk;

	port->chunk = NULL;
	loop_timer_clear(&port->timer);
	if (chunk != NULL)
		enqueue(port->log, chunk);
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
	pthread_mutex_lock(&log->lock);
	log->max_spare += SPARES_PER_PORT;
	pthread_mutex_unlock(&log->lock);
}

void
access_log_port_fini(struct access_log_port *port)
{
	post(port);
	loop_timer_drop(port->loop, &port->timer);
}

/* An empty one, which the port owns. */
static struct access_log_chunk *
take_chunk(struct access_log *log)
{
	struct access_log_chunk *chunk;

	pthread_mutex_lock(&log->lock);
	chunk = STAILQ_FIRST(&log->spare);
	if (chunk != NULL) {
		STAILQ_REMOVE_HEAD(&log->spare, link);
		log->n_spare--;
	}
	pthread_mutex_unlock(&log->lock);
	if (chunk == NULL) {
		chunk = chunk_new();
		buf_reserve(&chunk->lines, CHUNK_BYTES);
	}
	return chunk;
}

/* Room for another line; false when the writer is too far behind. */
static bool
open_chunk(struct access_log_port *port)
{
	if (port->chunk != NULL)
		return true;
	if (atomic_load(&port->log->n_posted) >= MAX_WAITING) {
		metric_add(port->metrics, METRIC_LOG_DROPPED, 0, 0, 1);
		return false;
	}
	port->chunk = take_chunk(port->log);
	loop_timer_set(port->loop, &port->timer, port->loop->now_ns + FLUSH_NS);
	return true;
}

void
access_log_record(struct access_log_port *port, const struct exchange *x)
{
	if (!open_chunk(port))
		return;
	access_log_record_write(x, &port->clock, port->loop->wall_ns, &port->chunk->lines);
	if (port->chunk->lines.n > CHUNK_BYTES - CHUNK_BYTES / 8)
		post(port);
}
