/*
 * A load generator that knows whose answer is whose. Each request carries an id of its own, and the answer must
 * hold that id as often as told and no other: a mixed-up connection, buffer or merge shows at once.
 *
 *     idload PORT TARGET [-c CONNECTIONS] [-n REQUESTS] [-k TIMES] [-l PERMILLE] [-e]
 *
 * TARGET holds one '@' where the id goes, for example /ids/@. -k: how often "ID" stands in an answer (1).
 * -l: this many of a thousand requests are abandoned, their connection closed at some point before the answer
 * is in. -e: answers of 502, 503 and 504 are counted, not failures, and so are broken connections; an answer of
 * 200 is checked all the same. Prints one line of JSON; exit status 0 when nothing was wrong.
 * One thread, epoll; owns nothing but its connections.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES 65536
#define ID_BYTES 16
#define STALL_MS 120000

struct conn {
	int fd;
	char id[ID_BYTES + 1];
	char in[BUFFER_BYTES];
	size_t n_in;
	bool is_waiting; /* a request is out */
};

static struct {
	uint16_t port;
	const char *before, *after; /* the target around the id */
	unsigned long n_conns, n_requests, times, leave_permille;
	bool accepts_errors;
} options = { .n_conns = 50, .n_requests = 1000, .times = 1 };

static struct {
	unsigned long started, right, refused, broken, left;
} counts;

static int epoll_fd;
static uint64_t seed;

/* xorshift64*; the ids only have to differ. */
static uint64_t
random_u64(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * UINT64_C(2685821657736338717);
}

static void
fail(const char *what, const struct conn *c)
{
	printf("{\"error\":\"%s\",\"right\":%lu}\n", what, counts.right);
	if (c)
		fprintf(stderr, "idload: %s; id %s, answer: %.*s\n", what, c->id,
		    (int)(c->n_in > 2000 ? 2000 : c->n_in), c->in);
	exit(1);
}

static void
conn_open(struct conn *c)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(options.port) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		fail("cannot connect", NULL);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
		fail("cannot watch a connection", NULL);
	c->n_in = 0;
	c->is_waiting = false;
}

static void
conn_reopen(struct conn *c)
{
	close(c->fd);
	conn_open(c);
}

/* Sends the next request, if one is left. Requests are small: what the socket does not take at once is a failure. */
static void
conn_send(struct conn *c)
{
	char out[1024];
	int n;

	if (counts.started == options.n_requests) {
		c->is_waiting = false;
		return;
	}
	counts.started++;
	snprintf(c->id, sizeof(c->id), "%016" PRIx64, random_u64());
	n = snprintf(out, sizeof(out), "GET %s%s%s HTTP/1.1\r\nHost: idload\r\n\r\n", options.before, c->id,
	    options.after);
	c->n_in = 0;
	c->is_waiting = true;
	if (write(c->fd, out, (size_t)n) == n)
		return;
	if (!options.accepts_errors)
		fail("cannot send", c);
	counts.broken++;
	conn_reopen(c);
	conn_send(c);
}

static unsigned long
occurrences(const char *in, size_t n, const char *word)
{
	unsigned long found = 0;
	const char *end = in + n;

	while ((in = memmem(in, (size_t)(end - in), word, strlen(word))) != NULL) {
		found++;
		in += strlen(word);
	}
	return found;
}

/* Bytes of the answer at the start of the buffer, once it is complete; 0: not yet. */
static size_t
answer_bytes(const struct conn *c, const char **body)
{
	static const char length[] = "\r\nContent-Length: ";
	const char *head_end = memmem(c->in, c->n_in, "\r\n\r\n", 4);
	const char *digits;
	size_t n = 0;

	if (!head_end)
		return 0;
	digits = memmem(c->in, (size_t)(head_end - c->in), length, sizeof(length) - 1);
	if (!digits)
		fail("an answer without Content-Length", c);
	for (digits += sizeof(length) - 1; *digits >= '0' && *digits <= '9' && n < BUFFER_BYTES; digits++)
		n = n * 10 + (size_t)(*digits - '0');
	*body = head_end + 4;
	if (n > BUFFER_BYTES - 4096)
		fail("an answer that is too big", c);
	return (size_t)(*body - c->in) + n <= c->n_in ? (size_t)(*body - c->in) + n : 0;
}

static void
check_answer(struct conn *c, const char *body, size_t bytes)
{
	char quoted[ID_BYTES + 3];
	int status = (c->in[9] - '0') * 100 + (c->in[10] - '0') * 10 + (c->in[11] - '0');
	size_t n_body = bytes - (size_t)(body - c->in);

	if (bytes != c->n_in)
		fail("bytes after the answer", c);
	if (options.accepts_errors && status >= 502 && status <= 504) {
		counts.refused++;
		return;
	}
	snprintf(quoted, sizeof(quoted), "\"%s\"", c->id);
	if (status != 200)
		fail("not 200", c);
	if (occurrences(body, n_body, quoted) != options.times ||
	    occurrences(body, n_body, "\"id\":") != options.times)
		fail("an answer that is not its own", c);
	counts.right++;
}

static void
conn_broken(struct conn *c)
{
	if (!options.accepts_errors && c->is_waiting)
		fail("the connection broke", c);
	counts.broken += c->is_waiting ? 1 : 0;
	conn_reopen(c);
	conn_send(c);
}

/* Whether the client lost its patience with this request. */
static bool
conn_leaves(struct conn *c)
{
	if (random_u64() % 1000 >= options.leave_permille)
		return false;
	counts.left++;
	conn_reopen(c);
	return true;
}

static void
conn_next(struct conn *c)
{
	do
		conn_send(c);
	while (c->is_waiting && conn_leaves(c));
}

static void
on_readable(struct conn *c)
{
	const char *body;
	size_t bytes;
	ssize_t n = read(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_broken(c);
		return;
	}
	c->n_in += (size_t)n;
	if (!c->is_waiting)
		fail("bytes that nobody asked for", c);
	bytes = answer_bytes(c, &body);
	if (bytes == 0)
		return;
	check_answer(c, body, bytes);
	conn_next(c);
}

static unsigned long
number(const char *text)
{
	unsigned long n = 0;

	for (; *text >= '0' && *text <= '9' && n < 100000000; text++)
		n = n * 10 + (unsigned long)(*text - '0');
	if (*text != '\0') {
		fprintf(stderr, "idload: not a number: %s\n", text);
		exit(2);
	}
	return n;
}

static void
parse_options(int argc, char **argv)
{
	char *at;
	int o;

	while ((o = getopt(argc, argv, "c:n:k:l:e")) != -1) {
		switch (o) {
		case 'c':
			options.n_conns = number(optarg);
			break;
		case 'n':
			options.n_requests = number(optarg);
			break;
		case 'k':
			options.times = number(optarg);
			break;
		case 'l':
			options.leave_permille = number(optarg);
			break;
		case 'e':
			options.accepts_errors = true;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 2 || (at = strchr(argv[optind + 1], '@')) == NULL) {
		fprintf(stderr, "usage: idload [-c N] [-n N] [-k N] [-l N] [-e] PORT TARGET-WITH-@\n");
		exit(2);
	}
	options.port = (uint16_t)number(argv[optind]);
	*at = '\0';
	options.before = argv[optind + 1];
	options.after = at + 1;
}

static void
run(void)
{
	struct epoll_event events[64];

	while (counts.right + counts.refused + counts.broken + counts.left < options.n_requests) {
		int n = epoll_wait(epoll_fd, events, 64, STALL_MS);

		if (n == 0)
			fail("nothing came for 20 s", NULL);
		for (int i = 0; i < n; i++)
			on_readable(events[i].data.ptr);
	}
}

int
main(int argc, char **argv)
{
	struct conn *conns;
	struct timespec now;

	parse_options(argc, argv);
	clock_gettime(CLOCK_REALTIME, &now);
	seed = (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)getpid() + 1;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(options.n_conns, sizeof(*conns));
	if (!conns || epoll_fd < 0)
		fail("out of resources", NULL);
	for (unsigned long i = 0; i < options.n_conns; i++)
		conn_open(&conns[i]);
	for (unsigned long i = 0; i < options.n_conns; i++)
		conn_next(&conns[i]);
	run();
	printf("{\"right\":%lu,\"refused\":%lu,\"broken\":%lu,\"left\":%lu}\n", counts.right, counts.refused,
	    counts.broken, counts.left);
	for (unsigned long i = 0; i < options.n_conns; i++)
		close(conns[i].fd);
	free(conns);
	close(epoll_fd);
	return 0;
}
