/*
 * An upstream for measurements: it answers every request with the same bytes, and so costs next to nothing.
 *
 *     bench_stub PORTS ANSWER [DELAY_US]
 *
 * Listens on PORTS ports of loopback and prints them in one line. ANSWER is a file with a whole HTTP answer; when that
 * ends with its connection, the connection is closed behind it. DELAY_US: every answer waits that long. Runs until
 * its standard input ends. One thread, one epoll; owns its sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "wire.h"

#define MAX_PORTS 64
#define READ_BYTES (96 * 1024)
#define NS_PER_S 1000000000ull

enum kind {
	KIND_STDIN,
	KIND_LISTENER,
	KIND_CONNECTION,
};

/* What epoll tells of. A connection is freed where it is closed. */
struct source {
	enum kind kind;
	int fd; /* owned */
	/* of a connection */
	bool is_waiting; /* until due; linked by next */
	bool is_gone;    /* the client closed while the answer waited: freed when it is due */
	uint64_t due;
	struct source *next;
	struct wire wire;
	char *in; /* owned */
	size_t n_in;
	size_t n_out; /* bytes of the answer that are written */
};

static struct {
	int epoll;
	char *answer;
	size_t n_answer;
	bool closes;
	uint64_t delay_ns;
	struct source *first_waiting, **last_waiting; /* all wait equally long: first come, first due */
} stub;

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "bench_stub: %s (%s)\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void
watch(struct source *s, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = s };

	if (epoll_ctl(stub.epoll, operation, s->fd, &event) != 0)
		fail("epoll_ctl");
}

static struct source *
source_new(enum kind kind, int fd)
{
	struct source *s = calloc(1, sizeof *s);

	if (s == NULL || fd < 0)
		fail("a socket");
	s->kind = kind;
	s->fd = fd;
	watch(s, EPOLL_CTL_ADD, EPOLLIN);
	return s;
}

static void
source_close(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->is_gone = true;
	if (s->is_waiting)
		return;
	free(s->in);
	free(s);
}

static void
listen_here(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		fail("listen");
	source_new(KIND_LISTENER, fd);
	printf("%u ", ntohs(sa.sin_port));
}

static void
accept_all(int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct source *s = source_new(KIND_CONNECTION, fd);

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		s->in = malloc(READ_BYTES);
		if (s->in == NULL)
			fail("memory");
	}
}

static void
answer(struct source *s)
{
	ssize_t n = send(s->fd, stub.answer + s->n_out, stub.n_answer - s->n_out, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		source_close(s);
		return;
	}
	if (s->n_out > 0 || n < (ssize_t)stub.n_answer)
		watch(s, EPOLL_CTL_MOD, s->n_out + (size_t)(n > 0 ? n : 0) < stub.n_answer ? EPOLLOUT : EPOLLIN);
	s->n_out += n > 0 ? (size_t)n : 0;
	if (s->n_out < stub.n_answer)
		return;
	s->n_out = 0;
	if (stub.closes)
		source_close(s);
}

static void
answer_later(struct source *s)
{
	s->is_waiting = true;
	s->due = now_ns() + stub.delay_ns;
	s->next = NULL;
	*stub.last_waiting = s;
	stub.last_waiting = &s->next;
}

static void
read_request(struct source *s)
{
	ssize_t n = recv(s->fd, s->in + s->n_in, READ_BYTES - s->n_in, 0);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			source_close(s);
		return;
	}
	s->n_in += (size_t)n;
	if (!wire_feed(&s->wire, s->in, s->n_in))
		return;
	s->n_in = 0;
	s->wire = (struct wire){ 0 };
	if (stub.delay_ns > 0)
		answer_later(s);
	else
		answer(s);
}

static void
on_event(struct source *s)
{
	if (s->kind == KIND_STDIN)
		exit(EXIT_SUCCESS);
	if (s->kind == KIND_LISTENER)
		accept_all(s->fd);
	else if (s->n_out > 0)
		answer(s);
	else
		read_request(s);
}

static void
answer_due(void)
{
	struct source *s;

	while ((s = stub.first_waiting) != NULL && s->due <= now_ns()) {
		stub.first_waiting = s->next;
		if (s->next == NULL)
			stub.last_waiting = &stub.first_waiting;
		s->is_waiting = false;
		if (s->is_gone)
			source_close(s);
		else
			answer(s);
	}
}

static void
turn(void)
{
	struct epoll_event events[256];
	struct timespec wait = { 0 };
	uint64_t now = stub.first_waiting != NULL ? now_ns() : 0;
	int n;

	if (stub.first_waiting != NULL && stub.first_waiting->due > now) {
		wait.tv_sec = (time_t)((stub.first_waiting->due - now) / NS_PER_S);
		wait.tv_nsec = (long)((stub.first_waiting->due - now) % NS_PER_S);
	}
	n = epoll_pwait2(stub.epoll, events, 256, stub.first_waiting != NULL ? &wait : NULL, NULL);
	for (int i = 0; i < n; i++)
		on_event(events[i].data.ptr);
	answer_due();
}

static void
load_answer(const char *path)
{
	struct stat st;
	struct wire wire = { 0 };
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) != 0)
		fail(path);
	stub.n_answer = (size_t)st.st_size;
	stub.answer = malloc(stub.n_answer);
	if (stub.answer == NULL || read(fd, stub.answer, stub.n_answer) != st.st_size)
		fail(path);
	close(fd);
	wire_feed(&wire, stub.answer, stub.n_answer);
	stub.closes = wire.closes || wire.until_close;
}

int
main(int argc, char **argv)
{
	uint64_t n_ports, delay_us = 0;

	if (argc < 3 || !str_to_u64(str_c(argv[1]), &n_ports) || n_ports > MAX_PORTS ||
	    (argc > 3 && !str_to_u64(str_c(argv[3]), &delay_us)))
		fail("usage: bench_stub PORTS ANSWER [DELAY_US]");
	prctl(PR_SET_TIMERSLACK, 1000);
	load_answer(argv[2]);
	stub.delay_ns = delay_us * 1000;
	stub.last_waiting = &stub.first_waiting;
	stub.epoll = epoll_create1(0);
	source_new(KIND_STDIN, STDIN_FILENO);
	while (n_ports-- > 0)
		listen_here();
	printf("\n");
	fflush(stdout);
	for (;;)
		turn();
}
