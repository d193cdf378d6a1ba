/*
 * What a worker does for a request, for a counter of instructions: one worker with real sockets, and its client and
 * upstreams on the same thread. They act only between turns of the loop, so that every run takes the same turns:
 * in the first the request is read and all calls leave, in the second all answers are read and merged. Only
 * turn_counted() is the daemon's work on warm memory.
 *
 *     bench_turns CONFIG CALLS WARM COUNTED TARGET LISTENER UPSTREAM...
 *
 * LISTENER and UPSTREAM are descriptors of listening TCP sockets, CALLS the upstream requests of one request to
 * TARGET; "POST /path" sends a small document there. Prints how often the counted turns asked the heap for memory; exit
 * status 0 when every answer was right. One thread, and the access log's where the configuration has one.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/generation.h"
#include "daemon/shared.h"
#include "daemon/worker.h"
#include "net/loop_real.h"
#include "net/sock.h"

#define MAX_PEERS 64
#define PATIENCE_MS 100
#define LIFE_SECONDS 30
#define BODY_BYTES 512

/* One end of a connection to the daemon: the client's, or an upstream's. */
struct peer {
	int fd; /* owned */
	char in[16384];
	size_t n_in;
};

struct bench {
	struct generation *gen; /* owned */
	struct shared shared;
	struct loop *loop;      /* owned */
	struct access_log *log; /* owned; NULL: none. Its thread is another one, which nobody counts. */
	struct worker *worker;  /* owned */
	struct peer client;
	struct buf request; /* of the client */
	struct buf answer;  /* of an upstream */
	struct pollfd polls[MAX_PEERS]; /* listening sockets first, then the connections that they brought */
	size_t n_listening;
	size_t n_polls;
	struct peer peers[MAX_PEERS]; /* by index in polls */
	size_t n_calls;
};

/* In turn_counted(), on its thread. */
static _Thread_local bool is_counting;
static size_t n_allocations;

/*
 * The linker puts these before the heap's own (--wrap). The tool that counts instructions cannot tell a call in a turn
 * from one at the start that comes from the same place.
 */
void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

__attribute__((used)) void *
__wrap_malloc(size_t n)
{
	n_allocations += is_counting;
	return __real_malloc(n);
}

__attribute__((used)) void *
__wrap_calloc(size_t count, size_t size)
{
	n_allocations += is_counting;
	return __real_calloc(count, size);
}

__attribute__((used)) void *
__wrap_realloc(void *p, size_t n)
{
	n_allocations += is_counting;
	return __real_realloc(p, n);
}

__attribute__((used)) void *
__wrap_aligned_alloc(size_t alignment, size_t n)
{
	n_allocations += is_counting;
	return __real_aligned_alloc(alignment, n);
}

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "bench_turns: %s (%s)\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static size_t
number(const char *text)
{
	uint64_t n;

	if (!str_to_u64(str_c(text), &n))
		fail("not a number");
	return n;
}

static int
descriptor(const char *text)
{
	size_t n = number(text);

	if (n > 1024)
		fail("not a descriptor");
	return (int)n;
}

/* ---- the daemon's side */

static void
start_worker(struct bench *b, const char *conf_path, int listener)
{
	struct worker_setup setup = { .shared = &b->shared, .seed = 1 };
	bool is_config;

	b->gen = generation_load(conf_path, &is_config);
	if (b->gen == NULL)
		fail("the configuration is refused");
	shared_init(&b->shared, b->gen, 1);
	b->loop = setup.loop = loop_real_new();
	if (b->loop == NULL)
		fail("no loop");
	if (b->gen->conf->access_log.is_enabled)
		b->log = setup.log = access_log_new(b->gen->conf->access_log.path.s);
	b->worker = worker_new(&setup);
	worker_listen(b->worker, 0, listener, NULL);
}

static void
stop_worker(struct bench *b)
{
	worker_close(b->worker);
	loop_turn(b->loop, 0);
	worker_free(b->worker);
	access_log_close(&b->log);
	loop_free(b->loop);
	shared_fini(&b->shared);
	generation_free(b->gen);
}

/* A call of its own, for the tool that counts within it. Waits as the daemon does: for ever, unless alarm() rings. */
static __attribute__((noipa)) void
turn_counted(struct loop *loop)
{
	is_counting = true;
	loop_turn(loop, TIMER_NEVER);
	is_counting = false;
}

/* ---- the other side */

static void
peer_write(struct peer *p, struct str bytes)
{
	if (write(p->fd, bytes.p, bytes.n) != (ssize_t)bytes.n)
		fail("a write falls short");
	p->n_in = 0;
}

static void
peer_read(struct peer *p)
{
	ssize_t n = read(p->fd, p->in + p->n_in, sizeof p->in - p->n_in);

	if (n <= 0)
		fail("the daemon has closed a connection");
	p->n_in += (size_t)n;
}

/* Enough for what is sent here: a message ends with its head, or with the document behind it. */
static bool
peer_has_message(const struct peer *p)
{
	struct str in = str_of(p->in, p->n_in);

	return str_has_suffix(in, STR("}")) ||
	    (str_has_prefix(in, STR("GET ")) && str_has_suffix(in, STR("\r\n\r\n")));
}

static void
watch(struct bench *b, int fd)
{
	if (b->n_polls == MAX_PEERS)
		fail("too many connections");
	b->peers[b->n_polls].fd = fd;
	b->polls[b->n_polls++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static void
connect_client(struct bench *b, int listener)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;

	b->client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (getsockname(listener, (struct sockaddr *)&sa, &n) != 0 ||
	    connect(b->client.fd, (struct sockaddr *)&sa, n) != 0)
		fail("cannot connect");
}

static void
accept_peer(struct bench *b, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		fail("cannot accept");
	watch(b, fd);
}

/* Accepts and reads what is there, or what comes within wait_ms. False: nothing did. */
static bool
serve(struct bench *b, int wait_ms)
{
	size_t n = b->n_polls;

	if (poll(b->polls, n, wait_ms) <= 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (b->polls[i].revents != 0 && i < b->n_listening)
			accept_peer(b, b->polls[i].fd);
		else if (b->polls[i].revents != 0)
			peer_read(&b->peers[i]);
	return true;
}

static size_t
count_requests(const struct bench *b)
{
	size_t n = 0;

	for (size_t i = b->n_listening; i < b->n_polls; i++)
		n += peer_has_message(&b->peers[i]);
	return n;
}

/* False: not all of them have come. */
static bool
serve_calls(struct bench *b)
{
	while (count_requests(b) < b->n_calls)
		if (!serve(b, PATIENCE_MS))
			return false;
	return true;
}

/* All at once: the daemon then finds every answer in one turn. */
static void
answer_requests(struct bench *b)
{
	for (size_t i = b->n_listening; i < b->n_polls; i++)
		if (peer_has_message(&b->peers[i]))
			peer_write(&b->peers[i], buf_str(&b->answer));
}

/* False: it is not there yet. */
static bool
read_answer(struct bench *b)
{
	struct pollfd poll_client = { .fd = b->client.fd, .events = POLLIN };

	if (poll(&poll_client, 1, PATIENCE_MS) <= 0)
		return false;
	peer_read(&b->client);
	if (!str_has_prefix(str_of(b->client.in, b->client.n_in), STR("HTTP/1.1 200 ")))
		fail("not the answer that was expected");
	return peer_has_message(&b->client);
}

/* ---- requests */

/* Connections to the upstreams are made here, in as many turns as that takes. */
static void
request_warming(struct bench *b)
{
	peer_write(&b->client, buf_str(&b->request));
	while (count_requests(b) < b->n_calls) {
		loop_turn(b->loop, NS_PER_MS);
		serve(b, 0);
	}
	answer_requests(b);
	do
		loop_turn(b->loop, NS_PER_SEC);
	while (!read_answer(b));
}

/* More turns than two only when the kernel was late to hand over what it had taken. */
static void
request_counted(struct bench *b)
{
	peer_write(&b->client, buf_str(&b->request));
	do
		turn_counted(b->loop);
	while (!serve_calls(b));
	answer_requests(b);
	do
		turn_counted(b->loop);
	while (!read_answer(b));
}

static void
make_request(struct buf *out, const char *target)
{
	static const char body[] = "{\"id\":7,\"name\":\"a small document\",\"tags\":[\"a\",\"b\"],\"price\":19.90}";

	if (str_has_prefix(str_c(target), STR("POST ")))
		buf_printf(out, "%s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
		    "Content-Length: %zu\r\n\r\n%s", target, sizeof body - 1, body);
	else
		buf_printf(out, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", target);
}

/* A document as services send them: short members, of BODY_BYTES in all. */
static void
make_answer(struct buf *out)
{
	struct buf body = BUF_INIT;

	buf_printf(&body, "{\"id\":123456,\"items\":[");
	for (unsigned i = 0; body.n < BODY_BYTES - 80; i++)
		buf_printf(&body, "%s{\"sku\":\"item-%u\",\"price\":%u.90,\"stock\":true}", i ? "," : "", i, i);
	buf_printf(&body, "],\"note\":\"");
	while (body.n < BODY_BYTES - 2)
		buf_add_char(&body, 'x');
	buf_printf(&body, "\"}");
	buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%.*s",
	    body.n, STR_FMT(buf_str(&body)));
	buf_fini(&body);
}

int
main(int argc, char **argv)
{
	static struct bench b = { .request = BUF_INIT, .answer = BUF_INIT };
	size_t n_warm, n_counted;

	if (argc < 8)
		fail("usage: bench_turns CONFIG CALLS WARM COUNTED TARGET LISTENER UPSTREAM...");
	alarm(LIFE_SECONDS);
	log_init(LOG_WARN);
	b.n_calls = number(argv[2]);
	n_warm = number(argv[3]);
	n_counted = number(argv[4]);
	make_request(&b.request, argv[5]);
	make_answer(&b.answer);
	for (int i = 7; i < argc; i++)
		watch(&b, descriptor(argv[i]));
	b.n_listening = b.n_polls;
	start_worker(&b, argv[1], descriptor(argv[6]));
	connect_client(&b, descriptor(argv[6]));
	while (n_warm-- > 0)
		request_warming(&b);
	while (n_counted-- > 0)
		request_counted(&b);
	stop_worker(&b);
	printf("%zu\n", n_allocations);
	buf_fini(&b.request);
	buf_fini(&b.answer);
	return EXIT_SUCCESS;
}
