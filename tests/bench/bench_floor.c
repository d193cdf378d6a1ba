/*
 * The least that a program on one thread can do for a gather: read the request, one write for each call, one read for
 * each answer, one write of all of them. It looks for where messages end, and for nothing else.
 *
 *     bench_floor FORM METHOD CALLS PORT...
 *
 * FORM says what the answer is: "proxy" (the upstream's), "object" ({"c0":..,"c1":..}) or "list" ({"all":[..,..]});
 * METHOD is GET, or POST: then the request's body goes to every call. Prints the port where it listens; call i goes
 * to the i-th PORT, round and round. Connections to both sides are kept unless a message says otherwise. Runs until its
 * standard input ends. One thread, one epoll; sockets block, which no other traffic has to wait for here.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/str.h"
#include "wire.h"

#define MAX_PORTS 16
#define MAX_CALLS 128
#define MAX_DEAD 1024
#define CLIENT_BYTES (72 * 1024)
#define UPSTREAM_BYTES (256 * 1024)
#define PIECE_BYTES 32

enum kind {
	KIND_STDIN,
	KIND_LISTENER,
	KIND_CLIENT,
	KIND_UPSTREAM,
};

struct source {
	enum kind kind;
	int fd;      /* owned */
	struct wire wire;
	char *in;    /* owned */
	size_t n_in;
	size_t port; /* of an upstream: its index */
	struct source *client; /* of an upstream: whom it serves, borrowed until its answer is there */
	struct source *next;   /* of an upstream: in its list of idle ones */
	struct source *calls[MAX_CALLS]; /* of a client: borrowed until its answer is sent */
	size_t n_pending;
};

static struct {
	int epoll;
	bool is_proxy, is_list, is_post;
	size_t n_calls, n_ports;
	in_port_t ports[MAX_PORTS];
	struct source *idle[MAX_PORTS];
	struct source *dead[MAX_DEAD]; /* freed after the turn */
	size_t n_dead;
	struct source *spare; /* upstreams that have ended, with their buffers; linked by next */
	char pieces[MAX_CALLS + 1][PIECE_BYTES]; /* what stands before each part, and behind the last */
} bench;

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "bench_floor: %s (%s)\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void
start_message(struct source *s)
{
	s->n_in = 0;
	s->wire = (struct wire){ 0 };
}

static struct source *
source_alloc(enum kind kind)
{
	struct source *s = bench.spare;
	size_t n_bytes = kind == KIND_UPSTREAM ? UPSTREAM_BYTES : CLIENT_BYTES;

	if (s != NULL && kind == KIND_UPSTREAM) {
		bench.spare = s->next;
		return s;
	}
	s = calloc(1, sizeof *s);
	if (s == NULL || (s->in = malloc(n_bytes)) == NULL)
		fail("memory");
	return s;
}

static struct source *
source_new(enum kind kind, int fd)
{
	struct source *s = source_alloc(kind);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = s };

	if (fd < 0 || epoll_ctl(bench.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("a socket");
	s->kind = kind;
	s->fd = fd;
	start_message(s);
	return s;
}

static void
source_close(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	if (bench.n_dead == MAX_DEAD)
		fail("too many connections have ended at once");
	bench.dead[bench.n_dead++] = s;
}

static void
free_dead(void)
{
	while (bench.n_dead > 0) {
		struct source *s = bench.dead[--bench.n_dead];

		if (s->kind == KIND_UPSTREAM) {
			s->next = bench.spare;
			bench.spare = s;
		} else {
			free(s->in);
			free(s);
		}
	}
}

/* ---- upstreams */

static struct source *
upstream_connect(size_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = bench.ports[port],
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct source *s;

	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	s = source_new(KIND_UPSTREAM, fd);
	s->port = port;
	return s;
}

static struct source *
upstream_get(size_t port)
{
	struct source *s = bench.idle[port];

	if (s == NULL)
		return upstream_connect(port);
	bench.idle[port] = s->next;
	return s;
}

static void
upstream_put(struct source *s)
{
	if (s->wire.closes || s->wire.until_close) {
		source_close(s);
		return;
	}
	start_message(s);
	s->next = bench.idle[s->port];
	bench.idle[s->port] = s;
}

static void
upstream_drop(struct source *s)
{
	struct source **at = &bench.idle[s->port];

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	source_close(s);
}

static void
start_call(struct source *client, size_t i)
{
	static const char get[] = "GET /c HTTP/1.1\r\nHost: u\r\n\r\n";
	struct source *s = client->calls[i] = upstream_get(i % bench.n_ports);
	char head[128];
	struct iovec iov[2] = { { .iov_base = (char *)get, .iov_len = sizeof get - 1 } };
	size_t n_body = client->wire.body;

	s->client = client;
	if (bench.is_post) {
		iov[0].iov_base = head;
		iov[0].iov_len = (size_t)snprintf(head, sizeof head, "POST /c HTTP/1.1\r\nHost: u\r\nContent-Type: "
		    "application/json\r\nContent-Length: %zu\r\n\r\n", n_body);
		iov[1] = (struct iovec){ .iov_base = client->in + client->wire.head, .iov_len = n_body };
	}
	if (writev(s->fd, iov, bench.is_post ? 2 : 1) < 0)
		fail("write to an upstream");
}

/* ---- clients */

static size_t
list_parts(const struct source *client, struct iovec *iov)
{
	size_t n = 0;

	for (size_t i = 0; i < bench.n_calls; i++) {
		struct source *s = client->calls[i];

		if (s->wire.is_chunked)
			wire_join_chunks(&s->wire, s->in);
		iov[n++] = (struct iovec){ .iov_base = bench.pieces[i], .iov_len = strlen(bench.pieces[i]) };
		iov[n++] = (struct iovec){ .iov_base = s->in + s->wire.head, .iov_len = s->wire.end - s->wire.head };
	}
	iov[n] = (struct iovec){ .iov_base = bench.pieces[bench.n_calls],
		.iov_len = strlen(bench.pieces[bench.n_calls]) };
	return n + 1;
}

static void
send_merged(struct source *client)
{
	struct iovec iov[2 * MAX_CALLS + 2];
	size_t n = 1 + list_parts(client, iov + 1);
	size_t n_body = 0;
	char head[160];

	for (size_t i = 1; i < n; i++)
		n_body += iov[i].iov_len;
	iov[0].iov_base = head;
	iov[0].iov_len = (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "%sContent-Length: %zu\r\n\r\n", client->wire.closes ? "Connection: close\r\n" : "", n_body);
	if (writev(client->fd, iov, (int)n) < 0 && errno != EPIPE && errno != ECONNRESET)
		fail("write to a client");
}

static void
send_answer(struct source *client)
{
	bool closes = client->wire.closes;

	if (!bench.is_proxy)
		send_merged(client);
	else if (send(client->fd, client->calls[0]->in, client->calls[0]->wire.end, MSG_NOSIGNAL) < 0)
		closes = true;
	for (size_t i = 0; i < bench.n_calls; i++)
		upstream_put(client->calls[i]);
	start_message(client);
	if (closes)
		source_close(client);
}

static void
accept_all(int listener)
{
	int fd, one = 1;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		source_new(KIND_CLIENT, fd);
	}
}

static void
read_client(struct source *s)
{
	ssize_t n = read(s->fd, s->in + s->n_in, CLIENT_BYTES - s->n_in);

	if (s->n_pending > 0)
		fail("a client has left in the middle, or sends twice");
	if (n <= 0) {
		source_close(s);
		return;
	}
	s->n_in += (size_t)n;
	if (!wire_feed(&s->wire, s->in, s->n_in))
		return;
	s->n_pending = bench.n_calls;
	for (size_t i = 0; i < bench.n_calls; i++)
		start_call(s, i);
}

static void
read_upstream(struct source *s)
{
	ssize_t n = read(s->fd, s->in + s->n_in, UPSTREAM_BYTES - s->n_in);

	if (n <= 0 && s->client == NULL) {
		upstream_drop(s);
		return;
	}
	if (n < 0 || (n == 0 && !s->wire.until_close))
		fail("an upstream has left in the middle");
	s->n_in += (size_t)n;
	if (n > 0 && !wire_feed(&s->wire, s->in, s->n_in))
		return;
	if (n == 0) {
		close(s->fd); /* or it would be told of again */
		s->fd = -1;
	}
	if (--s->client->n_pending == 0) {
		struct source *client = s->client;

		s->client = NULL;
		send_answer(client);
	} else {
		s->client = NULL;
	}
}

static void
on_event(struct source *s)
{
	switch (s->kind) {
	case KIND_STDIN:
		exit(EXIT_SUCCESS);
	case KIND_LISTENER:
		accept_all(s->fd);
		break;
	case KIND_CLIENT:
		read_client(s);
		break;
	case KIND_UPSTREAM:
		read_upstream(s);
		break;
	}
}

static void
turn(void)
{
	struct epoll_event events[256];
	int n = epoll_wait(bench.epoll, events, 256, -1);

	for (int i = 0; i < n; i++) {
		struct source *s = events[i].data.ptr;

		if (s->fd >= 0)
			on_event(s);
	}
	free_dead();
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
	printf("%u\n", ntohs(sa.sin_port));
	fflush(stdout);
}

static void
make_pieces(void)
{
	for (size_t i = 0; i < bench.n_calls; i++)
		if (bench.is_list)
			snprintf(bench.pieces[i], PIECE_BYTES, "%s", i == 0 ? "{\"all\":[" : ",");
		else
			snprintf(bench.pieces[i], PIECE_BYTES, "%s\"c%zu\":", i == 0 ? "{" : ",", i);
	snprintf(bench.pieces[bench.n_calls], PIECE_BYTES, "%s", bench.is_list ? "]}" : "}");
}

int
main(int argc, char **argv)
{
	uint64_t n;

	if (argc < 5 || !str_to_u64(str_c(argv[3]), &n) || n > MAX_CALLS || argc - 4 > MAX_PORTS)
		fail("usage: bench_floor proxy|object|list GET|POST CALLS PORT...");
	bench.is_proxy = str_eq(str_c(argv[1]), STR("proxy"));
	bench.is_list = str_eq(str_c(argv[1]), STR("list"));
	bench.is_post = str_eq(str_c(argv[2]), STR("POST"));
	bench.n_calls = n;
	for (int i = 4; i < argc; i++)
		if (str_to_u64(str_c(argv[i]), &n))
			bench.ports[bench.n_ports++] = htons((uint16_t)n);
	make_pieces();
	bench.epoll = epoll_create1(0);
	source_new(KIND_STDIN, STDIN_FILENO);
	listen_here();
	for (;;)
		turn();
}
