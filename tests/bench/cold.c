/*
 * Preloaded into a server (tests/bench/cold.py): how long its turns take in user space, and how
 * long when caches have forgotten it. A turn begins where epoll_wait() returns and ends behind its
 * last write; the time inside of system calls is not counted. Before each wait the lines that COLD
 * names are flushed from all caches of the processor: `program`, the server's own code,
 * `libraries`, those of libevent and the C library, `data`, all that is written to, `all` of these.
 *
 * A row for each turn that read something goes to the shared memory of the file COLD_ROWS. State is
 * the thread's own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define LINE 64
#define PAGE 4096
#define MAX_ROWS 65536
#define MAX_REGIONS 256
#define MAX_REGION_BYTES ((size_t)8 * 1024 * 1024) /* larger ones are reserved, not used */
#define TURNS_OF_A_MAP 64 /* after so many it is read again: the heap has grown */

struct row {
	uint32_t user; /* in ticks of the processor's clock */
	uint32_t writes;
};

struct rows {
	double ticks_per_us;
	uint64_t n;
	struct row row[MAX_ROWS];
};

struct region {
	char *begin;
	size_t n;
};

static struct rows *rows; /* NULL: nobody asks */
static const char *cold = "";

static __thread struct {
	uint64_t woken;
	uint64_t inside; /* of system calls, since then */
	uint64_t user;   /* up to the end of the last write */
	uint32_t reads;
	uint32_t writes;
	bool is_turning;
} turn;

static __thread struct region regions[MAX_REGIONS];
static __thread size_t n_regions;
static __thread unsigned n_flushes;

static void *
real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void
begin(void)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	const char *path = getenv("COLD_ROWS");
	int fd = path == NULL ? -1 : open(path, O_RDWR);
	uint64_t ticks;

	if (fd < 0)
		return;
	rows = mmap(NULL, sizeof *rows, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (rows == MAP_FAILED)
		_exit(1);
	if (getenv("COLD") != NULL)
		cold = getenv("COLD");
	ticks = __rdtsc();
	nanosleep(&pause, NULL);
	rows->ticks_per_us = (double)(__rdtsc() - ticks) / 20000;
}

/* ---- flushing */

static bool
is_wanted(const char *flags, const char *path)
{
	bool is_all = strcmp(cold, "all") == 0;

	if (flags[0] != 'r' || strstr(path, "/cold.so") != NULL || strstr(path, "[v") != NULL)
		return false;
	if (flags[1] == 'w')
		return is_all || strcmp(cold, "data") == 0;
	if (flags[2] != 'x')
		return is_all;
	if (strstr(path, "/lib/") == NULL)
		return is_all || strcmp(cold, "program") == 0;
	return (is_all || strcmp(cold, "libraries") == 0) &&
	       (strstr(path, "/libevent") != NULL || strstr(path, "/libc.") != NULL);
}

/* Hexadecimal digits; *at is behind them afterwards. */
static uintptr_t
take_hex(const char **at)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;
	uintptr_t n = 0;

	while (**at != '\0' && (digit = strchr(digits, **at)) != NULL) {
		n = n * 16 + (uintptr_t)(digit - digits);
		++*at;
	}
	return n;
}

/* A line of the map: begin-end flags ... path */
static void
take_line(const char *line)
{
	const char *path = strpbrk(line, "/[");
	uintptr_t begin = take_hex(&line);
	uintptr_t end;

	line++;
	end = take_hex(&line);
	line++;
	if (is_wanted(line, path == NULL ? "" : path) && end - begin <= MAX_REGION_BYTES)
		regions[n_regions++] = (struct region){ (char *)begin, end - begin };
}

static void
read_map(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];

	n_regions = 0;
	while (f != NULL && n_regions < MAX_REGIONS && fgets(line, sizeof line, f) != NULL)
		take_line(line);
	if (f != NULL)
		fclose(f);
}

/* Pages that are not there stay so. */
static void
flush_region(const struct region *r)
{
	static __thread unsigned char is_there[MAX_REGION_BYTES / PAGE];

	if (mincore(r->begin, r->n, is_there) != 0)
		return;
	for (size_t at = 0; at < r->n; at += LINE)
		if ((is_there[at / PAGE] & 1) != 0)
			_mm_clflush(r->begin + at);
}

static void
flush(void)
{
	if (n_flushes++ % TURNS_OF_A_MAP == 0)
		read_map();
	for (size_t i = 0; i < n_regions; i++)
		flush_region(&regions[i]);
	_mm_mfence();
}

/* ---- turns */

static void
end_turn(void)
{
	if (turn.writes == 0)
		turn.user = __rdtsc() - turn.woken - turn.inside;
	if (turn.reads > 0 && rows->n < MAX_ROWS)
		rows->row[rows->n++] = (struct row){ (uint32_t)turn.user, turn.writes };
}

int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
	static int (*next)(int, struct epoll_event *, int, int);
	int rc;

	if (next == NULL)
		next = real("epoll_wait");
	if (rows != NULL && turn.is_turning) {
		end_turn();
		if (cold[0] != '\0' && turn.writes > 0)
			flush();
	}
	rc = next(fd, events, n, timeout);
	memset(&turn, 0, sizeof turn);
	turn.is_turning = true;
	turn.woken = __rdtsc();
	return rc;
}

static ssize_t
did_read(uint64_t asked, ssize_t rc)
{
	turn.inside += __rdtsc() - asked;
	turn.reads++;
	return rc;
}

static ssize_t
did_write(uint64_t asked, ssize_t rc)
{
	uint64_t now = __rdtsc();

	turn.inside += now - asked;
	turn.user = now - turn.woken - turn.inside;
	turn.writes++;
	return rc;
}

#define WRAP(did, name, parameters, arguments)     \
	ssize_t name parameters                    \
	{                                          \
		static __typeof__(name) *next;     \
		uint64_t asked;                    \
                                                   \
		if (next == NULL)                  \
			next = real(#name);        \
		asked = __rdtsc();                 \
		return did(asked, next arguments); \
	}

WRAP(did_read, recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags))
WRAP(did_read, read, (int fd, void *to, size_t n), (fd, to, n))
WRAP(did_write, send, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags))
WRAP(did_write, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(did_write, write, (int fd, const void *from, size_t n), (fd, from, n))
WRAP(did_write, writev, (int fd, const struct iovec *iov, int n), (fd, iov, n))
