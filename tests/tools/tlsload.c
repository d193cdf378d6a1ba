/*
 * A load generator for TLS: what a handshake, a request or an idle connection costs a server, and what a server does
 * with clients that leave in the middle.
 *
 *     tlsload MODE PORT TARGET [-c CONNECTIONS] [-n TIMES] [-V 1.2|1.3] [-s SEED] [-w]
 *
 *     full       TIMES connections, each with a handshake, one request, and an orderly end
 *     resumed    the same with the session of the first one
 *     requests   TIMES requests on CONNECTIONS connections that stay
 *     idle       CONNECTIONS connections, one request on each; then holds them until standard input ends
 *     aborts     TIMES connections that end anywhere: after any number of bytes, by FIN or by reset, or with a byte
 *                that is wrong; some go well
 *
 * -w: says READY when it is connected (`requests`, `idle`) or about to begin, and goes on at a line of standard input.
 * At the end one line of JSON. Exit status 0 when everything went as it should: no failure but in `aborts`.
 * OpenSSL works on memory, so that this program decides which bytes leave. One thread, epoll; owns nothing but its
 * connections.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define STALL_MS 120000
#define BUFFER_BYTES 32768
/* Bytes that a client sends in a handshake and a request, roughly: aborts are spread over them. */
#define ABORT_SPAN 900

enum mode { FULL, RESUMED, REQUESTS, IDLE, ABORTS };

struct conn {
	int fd;
	SSL *ssl;
	BIO *in, *out; /* owned by ssl */
	char answer[BUFFER_BYTES];
	size_t n_answer;
	size_t n_sent;   /* bytes that left */
	size_t cut_at;   /* it ends after so many; SIZE_MAX: not that way */
	size_t wrong_at; /* the byte that is turned round; SIZE_MAX: none */
	bool is_reset;   /* at its end */
	bool is_waiting; /* a request is out */
	bool is_counted; /* `requests`: it has connected */
};

static struct {
	enum mode mode;
	uint16_t port;
	const char *target;
	unsigned long n_conns, n_times;
	int version;
	bool waits;
} options = { .n_conns = 16, .n_times = 1000 };

static struct {
	unsigned long begun, done, resumed, failed, open;
} counts;

static SSL_CTX *context;
static SSL_SESSION *session; /* the first one, for all */
static int epoll_fd;
static uint64_t seed = 1;

static void conn_begin(struct conn *c);

/* xorshift64*; the same seed and the same answers give the same run. */
static uint64_t
random_u64(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * UINT64_C(2685821657736338717);
}

static void
die(const char *what)
{
	fprintf(stderr, "tlsload: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void
conn_end(struct conn *c)
{
	struct linger hard = { .l_onoff = 1 };

	if (c->fd < 0)
		return;
	if (c->is_reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c->fd);
	SSL_free(c->ssl);
	c->ssl = NULL;
	c->fd = -1;
}

static void
conn_over(struct conn *c)
{
	conn_end(c);
	counts.done++;
	conn_begin(c);
}

static void
conn_fail(struct conn *c)
{
	counts.failed++;
	if (options.mode != ABORTS)
		die("a connection failed");
	conn_over(c);
}

/* What OpenSSL wants to say leaves, as far as this connection goes. False: it has ended. */
static bool
flush(struct conn *c)
{
	char bytes[BUFFER_BYTES];
	int n;

	while ((n = BIO_read(c->out, bytes, sizeof(bytes))) > 0) {
		size_t len = (size_t)n;

		if (c->wrong_at - c->n_sent < len && c->wrong_at >= c->n_sent)
			bytes[c->wrong_at - c->n_sent] ^= (char)0x55;
		if (c->cut_at - c->n_sent < len)
			len = c->cut_at - c->n_sent;
		if (len > 0 && send(c->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len) {
			conn_fail(c);
			return false;
		}
		c->n_sent += len;
		if (c->n_sent == c->cut_at) {
			conn_over(c);
			return false;
		}
	}
	return true;
}

static void
ask(struct conn *c)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", options.target);

	c->n_answer = 0;
	c->is_waiting = true;
	if (SSL_write(c->ssl, text, n) != n)
		die("a request does not fit");
}

/* Whether the answer is complete. */
static bool
is_answered(const struct conn *c)
{
	static const char length[] = "\r\nContent-Length: ";
	const char *end = memmem(c->answer, c->n_answer, "\r\n\r\n", 4);
	const char *digits;
	size_t n = 0;

	if (end == NULL)
		return false;
	digits = strcasestr(c->answer, length);
	if (digits == NULL || digits > end)
		die("an answer without Content-Length");
	for (digits += sizeof(length) - 1; *digits >= '0' && *digits <= '9'; digits++)
		n = n * 10 + (size_t)(*digits - '0');
	if (memcmp(c->answer, "HTTP/1.1 200", 12) != 0)
		die("not 200");
	return c->n_answer >= (size_t)(end + 4 - c->answer) + n;
}

/* An answer is here. False: the connection has ended. */
static bool
next(struct conn *c)
{
	c->is_waiting = false;
	if (options.mode == IDLE) {
		counts.done++;
		return true;
	}
	if (options.mode == REQUESTS) {
		counts.done += c->is_counted;
		if (!c->is_counted) {
			c->is_counted = true;
			counts.open++;
		} else if (counts.begun < options.n_times) {
			counts.begun++;
			ask(c);
		}
		return true;
	}
	SSL_shutdown(c->ssl);
	if (flush(c))
		conn_over(c);
	return false;
}

static bool
receive(struct conn *c)
{
	int n;

	while ((n = SSL_read(c->ssl, c->answer + c->n_answer, (int)(sizeof(c->answer) - 1 - c->n_answer))) > 0) {
		c->n_answer += (size_t)n;
		c->answer[c->n_answer] = '\0';
		if (c->is_waiting && is_answered(c))
			return next(c);
	}
	if (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ)
		return true;
	conn_fail(c);
	return false;
}

/* As far as it goes with what has come. */
static void
advance(struct conn *c)
{
	int rc;

	ERR_clear_error();
	if (!SSL_is_init_finished(c->ssl)) {
		rc = SSL_do_handshake(c->ssl);
		if (rc != 1 && SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ) {
			if (flush(c))
				conn_fail(c);
			return;
		}
		if (rc == 1) {
			counts.resumed += SSL_session_reused(c->ssl) == 1;
			ask(c);
		}
	}
	if (flush(c) && SSL_is_init_finished(c->ssl) && receive(c))
		flush(c);
}

static void
on_readable(struct conn *c)
{
	char bytes[BUFFER_BYTES];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_fail(c);
		return;
	}
	BIO_write(c->in, bytes, (int)n);
	advance(c);
}

static int
on_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	if (session != NULL)
		return 0;
	session = s;
	return 1; /* the reference is ours */
}

/* One in eight goes well; of the others one in four lies. */
static void
plan_abort(struct conn *c)
{
	size_t at = (size_t)(random_u64() % ABORT_SPAN);

	c->is_reset = random_u64() % 2 == 0;
	switch (random_u64() % 8) {
	case 0:
		break;
	case 1:
	case 2:
		c->wrong_at = at;
		break;
	default:
		c->cut_at = at;
	}
}

/* A copy: OpenSSL takes a session of TLS 1.3 for used up once it was offered. */
static void
use_session(struct conn *c)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	SSL_set_session(c->ssl, copy);
	SSL_SESSION_free(copy);
}

static void
conn_connect(struct conn *c)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(options.port) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("cannot connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
		die("cannot watch a connection");
}

static void
conn_open(struct conn *c)
{
	*c = (struct conn){ .cut_at = SIZE_MAX, .wrong_at = SIZE_MAX };
	if (options.mode == ABORTS)
		plan_abort(c);
	conn_connect(c);
	c->ssl = SSL_new(context);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(c->in, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_tlsext_host_name(c->ssl, "localhost");
	if (session != NULL && (options.mode == RESUMED || (options.mode == ABORTS && random_u64() % 2 == 0)))
		use_session(c);
	SSL_set_connect_state(c->ssl);
	if (c->cut_at == 0)
		conn_over(c);
	else
		advance(c);
}

/* Another connection, while there are any left. Ends are counted before, so this does not recurse for long. */
static void
conn_begin(struct conn *c)
{
	bool is_lasting = options.mode == REQUESTS || options.mode == IDLE;

	if (is_lasting || counts.begun == options.n_times)
		return;
	counts.begun++;
	conn_open(c);
}

static void
turn(void)
{
	struct epoll_event events[64];
	int n = epoll_wait(epoll_fd, events, 64, STALL_MS);

	if (n == 0)
		die("nothing came for two minutes");
	for (int i = 0; i < n; i++) {
		struct conn *c = events[i].data.ptr;

		if (c->fd >= 0)
			on_readable(c);
	}
}

static void
wait_for_line(void)
{
	int c;

	if (!options.waits)
		return;
	puts("READY");
	fflush(stdout);
	do
		c = getchar();
	while (c != '\n' && c != EOF);
}

static void
run_lasting(struct conn *conns)
{
	for (unsigned long i = 0; i < options.n_conns; i++) {
		unsigned long before = counts.open + counts.done;

		conn_open(&conns[i]);
		while (counts.open + counts.done == before)
			turn();
	}
	wait_for_line();
	if (options.mode == IDLE)
		return;
	for (unsigned long i = 0; i < options.n_conns && counts.begun < options.n_times; i++) {
		counts.begun++;
		ask(&conns[i]);
		flush(&conns[i]);
	}
	while (counts.done < options.n_times)
		turn();
}

static void
run_passing(struct conn *conns)
{
	/* The first alone: it brings the session. */
	unsigned long all = options.n_times;

	if (options.mode == RESUMED) {
		options.n_times = 1;
		conn_begin(&conns[0]);
		while (counts.done < 1)
			turn();
		options.n_times = all;
	}
	wait_for_line();
	for (unsigned long i = 0; i < options.n_conns; i++)
		conn_begin(&conns[i]);
	while (counts.done < options.n_times)
		turn();
}

static unsigned long
number(const char *text)
{
	unsigned long n = 0;

	for (; *text >= '0' && *text <= '9' && n < 100000000; text++)
		n = n * 10 + (unsigned long)(*text - '0');
	if (*text != '\0')
		die("not a number");
	return n;
}

static enum mode
mode_of(const char *name)
{
	static const char *const names[] = { "full", "resumed", "requests", "idle", "aborts" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum mode)i;
	die("no such mode");
	return FULL;
}

static void
parse_options(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "c:n:V:s:w")) != -1) {
		if (o == 'c')
			options.n_conns = number(optarg);
		else if (o == 'n')
			options.n_times = number(optarg);
		else if (o == 'V')
			options.version = strcmp(optarg, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
		else if (o == 's')
			seed = number(optarg) + 1;
		else if (o == 'w')
			options.waits = true;
		else
			exit(2);
	}
	if (argc - optind != 3)
		die("usage: tlsload [-c N] [-n N] [-V 1.2|1.3] [-s SEED] [-w] MODE PORT TARGET");
	options.mode = mode_of(argv[optind]);
	options.port = (uint16_t)number(argv[optind + 1]);
	options.target = argv[optind + 2];
}

static void
make_context(void)
{
	context = SSL_CTX_new(TLS_client_method());
	if (context == NULL)
		die("no context");
	if (options.version != 0) {
		SSL_CTX_set_min_proto_version(context, options.version);
		SSL_CTX_set_max_proto_version(context, options.version);
	}
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_session);
}

static void
raise_file_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

int
main(int argc, char **argv)
{
	struct conn *conns;

	parse_options(argc, argv);
	raise_file_limit();
	make_context();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(options.n_conns, sizeof(*conns));
	if (conns == NULL || epoll_fd < 0)
		die("out of resources");
	for (unsigned long i = 0; i < options.n_conns; i++)
		conns[i].fd = -1;
	if (options.mode == REQUESTS || options.mode == IDLE)
		run_lasting(conns);
	else
		run_passing(conns);
	printf("{\"done\":%lu,\"resumed\":%lu,\"failed\":%lu}\n", counts.done, counts.resumed, counts.failed);
	for (unsigned long i = 0; i < options.n_conns; i++)
		conn_end(&conns[i]);
	free(conns);
	SSL_SESSION_free(session);
	SSL_CTX_free(context);
	close(epoll_fd);
	return 0;
}
