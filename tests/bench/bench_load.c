/*
 * Clients for measurements: the same request over and over, each answer checked for its status and size.
 *
 *     bench_load PORT REQUEST BODY CLIENTS MILLISECONDS [RATE]
 *
 * REQUEST is a file with a whole HTTP request, BODY the size that every answer's body must have. Each of CLIENTS
 * connections sends its next request when it has the answer; with RATE they take turns, so many requests a second in
 * all, and latency counts from when a request was due. A connection that the server closes behind an answer is opened
 * again. Says "ready" when all are connected, waits for a line, measures, and prints one JSON object. One thread, one
 * epoll; owns its sockets.
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

#define NS_PER_S 1000000000ull
#define MAX_US 200000 /* longer ones count as so long */
#define PATIENCE_NS (2 * NS_PER_S)

struct client {
	int fd; /* owned */
	bool is_busy;
	uint64_t since;
	struct wire wire;
	char *in; /* owned */
	size_t n_in;
	size_t n_room;
	size_t n_out; /* bytes of the request that are written */
};

static struct {
	int epoll;
	in_port_t port;
	char *request;
	size_t n_request, n_body;
	bool is_paced;
	bool closes; /* the request says so */
	struct client *clients;
	size_t n_clients;
	uint64_t end; /* of the measurement */
	size_t n_busy;
	uint64_t n_done, n_wrong, n_late, n_connects;
	uint32_t by_us[MAX_US + 1];
} load;

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "bench_load: %s (%s)\n", what, strerror(errno));
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
watch(struct client *c, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (epoll_ctl(load.epoll, operation, c->fd, &event) != 0)
		fail("epoll_ctl");
}

/* A connection to loopback is made at once. */
static void
client_connect(struct client *c)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = load.port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		fail("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
	load.n_connects++;
}

/* Reset, not closed in peace: thousands of them would wait for their ports. */
static void
client_reconnect(struct client *c)
{
	struct linger at_once = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(c->fd);
	client_connect(c);
}

static void
client_write(struct client *c)
{
	bool was_short = c->n_out > 0;
	ssize_t n = send(c->fd, load.request + c->n_out, load.n_request - c->n_out, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		fail("write");
	c->n_out += n > 0 ? (size_t)n : 0;
	if (was_short || c->n_out < load.n_request)
		watch(c, EPOLL_CTL_MOD, c->n_out < load.n_request ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
client_start(struct client *c, uint64_t since)
{
	c->is_busy = true;
	load.n_busy++;
	c->since = since;
	c->wire = (struct wire){ 0 };
	c->n_in = c->n_out = 0;
	client_write(c);
}

static void
client_finish(struct client *c)
{
	uint64_t now = now_ns();
	uint64_t us = (now - c->since) / 1000;

	load.n_done++;
	if (c->wire.status != 200 || c->wire.body != load.n_body)
		load.n_wrong++;
	load.by_us[us < MAX_US ? us : MAX_US]++;
	c->is_busy = false;
	load.n_busy--;
	if (load.closes || c->wire.closes || c->wire.until_close)
		client_reconnect(c);
	if (!load.is_paced && now < load.end)
		client_start(c, now);
}

static void
client_read(struct client *c)
{
	ssize_t n;

	if (c->n_in == c->n_room) {
		c->n_room = c->n_room == 0 ? 16384 : 2 * c->n_room;
		c->in = realloc(c->in, c->n_room);
		if (c->in == NULL)
			fail("memory");
	}
	n = recv(c->fd, c->in + c->n_in, c->n_room - c->n_in, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 && !c->is_busy) {
		client_reconnect(c);
		return;
	}
	if (n < 0 || (n == 0 && !c->wire.until_close))
		fail("the server has closed a connection in the middle");
	c->n_in += (size_t)n;
	if (n == 0 || wire_feed(&c->wire, c->in, c->n_in))
		client_finish(c);
}

static void
on_event(struct client *c, uint32_t events)
{
	if ((events & EPOLLOUT) != 0)
		client_write(c);
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		client_read(c);
}

/* Waits no longer than until wake. */
static void
turn(uint64_t wake)
{
	struct epoll_event events[256];
	uint64_t now = now_ns();
	uint64_t left = wake > now ? wake - now : 0;
	struct timespec wait = { .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
	int n = epoll_pwait2(load.epoll, events, 256, &wait, NULL);

	for (int i = 0; i < n; i++)
		on_event(events[i].data.ptr, events[i].events);
}

static void
run_closed(void)
{
	for (size_t i = 0; i < load.n_clients; i++)
		client_start(&load.clients[i], now_ns());
	while (now_ns() < load.end)
		turn(load.end);
}

/* Whose turn it is while its last answer is not there: skipped, and counted. */
static void
run_paced(uint64_t rate)
{
	uint64_t start = now_ns();
	uint64_t due = start;

	for (uint64_t i = 0; due < load.end; i++) {
		struct client *c = &load.clients[i % load.n_clients];

		while (now_ns() < due)
			turn(due);
		if (c->is_busy)
			load.n_late++;
		else
			client_start(c, due);
		due = start + (i + 1) * NS_PER_S / rate;
	}
}

/* What is under way counts, so that what was sent is what was done. */
static void
await_answers(void)
{
	uint64_t end = now_ns() + PATIENCE_NS;

	while (load.n_busy > 0 && now_ns() < end)
		turn(end);
	if (load.n_busy > 0)
		fail("an answer does not come");
}

static unsigned
quantile(unsigned percent)
{
	uint64_t n = 0;
	unsigned us = 0;

	while (us < MAX_US && (n += load.by_us[us]) * 100 < load.n_done * percent)
		us++;
	return us;
}

static void
load_request(const char *path)
{
	struct stat st;
	struct wire wire = { 0 };
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) != 0)
		fail(path);
	load.n_request = (size_t)st.st_size;
	load.request = malloc(load.n_request);
	if (load.request == NULL || read(fd, load.request, load.n_request) != st.st_size)
		fail(path);
	close(fd);
	wire_feed(&wire, load.request, load.n_request);
	load.closes = wire.closes;
}

static void
open_clients(void)
{
	load.clients = calloc(load.n_clients, sizeof *load.clients);
	if (load.clients == NULL)
		fail("memory");
	for (size_t i = 0; i < load.n_clients; i++)
		client_connect(&load.clients[i]);
}

/* What connecting cost the server is not measured, unless the request ends its connection. */
static void
await_start(void)
{
	char line[2];

	printf("ready\n");
	fflush(stdout);
	if (read(STDIN_FILENO, line, 1) != 1)
		fail("nobody waits for the figures");
}

int
main(int argc, char **argv)
{
	uint64_t n[6] = { 0 };
	uint64_t start;

	for (int i = 1; i < argc && i < 7; i++)
		if (i != 2 && !str_to_u64(str_c(argv[i]), &n[i - 1]))
			fail("not a number");
	if (argc < 6)
		fail("usage: bench_load PORT REQUEST BODY CLIENTS MILLISECONDS [RATE]");
	prctl(PR_SET_TIMERSLACK, 1000);
	load_request(argv[2]);
	load.port = htons((uint16_t)n[0]);
	load.n_body = n[2];
	load.n_clients = n[3];
	load.is_paced = n[5] > 0;
	load.epoll = epoll_create1(0);
	open_clients();
	await_start();
	start = now_ns();
	load.end = start + n[4] * 1000000;
	if (load.is_paced)
		run_paced(n[5]);
	else
		run_closed();
	await_answers();
	printf("{\"done\": %lu, \"wrong\": %lu, \"late\": %lu, \"connects\": %lu, \"seconds\": %.3f, \"p50\": %u, "
	       "\"p99\": %u}\n", load.n_done, load.n_wrong, load.n_late, load.n_connects,
	    (double)(now_ns() - start) / 1e9, quantile(50), quantile(99));
	return EXIT_SUCCESS;
}
