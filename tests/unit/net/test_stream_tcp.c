#include "net/stream_tcp.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop_real.h"
#include "net/sock.h"
#include "unit.h"

/* The owner of one stream; it counts what it is told. */
struct owner {
	struct stream *stream;
	int n_connected, n_readable, n_writable;
	enum err_code connect_result;
	enum io_status read_status;
	size_t n_read;
	bool closes_when_told;
	bool keeps_reading;
	struct owner *victim; /* its stream is closed when this one can be read */
};

static void
on_connected(void *arg, enum err_code e)
{
	struct owner *o = arg;

	o->n_connected++;
	o->connect_result = e;
	if (o->closes_when_told)
		stream_close(&o->stream);
}

static void
on_readable(void *arg)
{
	struct owner *o = arg;
	char bytes[100];
	size_t got;

	o->n_readable++;
	if (o->victim != NULL)
		stream_close(&o->victim->stream);
	if (o->closes_when_told) {
		stream_close(&o->stream);
		return;
	}
	o->read_status = stream_read(o->stream, bytes, sizeof bytes, &got);
	o->n_read += got;
	if (!o->keeps_reading)
		stream_want_read(o->stream, false);
}

static void
on_writable(void *arg)
{
	struct owner *o = arg;

	o->n_writable++;
	if (o->closes_when_told)
		stream_close(&o->stream);
}

static const struct stream_events events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

struct scene {
	struct loop *loop;
	struct owner owner;
	int peer; /* the other end, blocking */
};

static void
scene_open(struct scene *s)
{
	int fd[2];

	*s = (struct scene){ .loop = loop_real_new() };
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	ck_assert_int_eq(ioctl(fd[0], FIONBIO, &(int){ 1 }), 0);
	s->owner.stream = stream_tcp_accepted(s->loop, fd[0], &events, &s->owner);
	s->peer = fd[1];
}

static void
scene_close(struct scene *s)
{
	stream_close(&s->owner.stream);
	if (s->peer >= 0)
		close(s->peer);
	loop_free(s->loop);
}

static void
peer_says(struct scene *s, const char *text)
{
	ck_assert_int_eq(write(s->peer, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(reads_only_when_wanted)
{
	struct scene s;

	scene_open(&s);
	peer_says(&s, "hello");
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_readable, 0);
	stream_want_read(s.owner.stream, true);
	ck_assert_int_eq(s.owner.n_readable, 0);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_readable, 1);
	ck_assert_int_eq(s.owner.read_status, IO_OK);
	ck_assert_uint_eq(s.owner.n_read, 5);
	/* Not wanted since; the byte waits in the kernel and comes when it is wanted again. */
	peer_says(&s, "x");
	loop_turn(s.loop, 0);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_readable, 1);
	stream_want_read(s.owner.stream, true);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_readable, 2);
	ck_assert_uint_eq(s.owner.n_read, 6);
	scene_close(&s);
}
END_TEST

START_TEST(an_unwanted_byte_does_not_spin_the_loop)
{
	struct scene s;

	scene_open(&s);
	stream_want_read(s.owner.stream, true);
	stream_want_read(s.owner.stream, false);
	peer_says(&s, "x");
	loop_turn(s.loop, 0);
	/* Readiness was taken off: this turn waits its full time. */
	loop_turn(s.loop, 20000000);
	ck_assert_int_eq(s.owner.n_readable, 0);
	ck_assert_uint_eq(s.loop->turns, 2);
	scene_close(&s);
}
END_TEST

START_TEST(reports_the_end_and_the_error)
{
	struct scene s;
	char c;
	size_t got;

	scene_open(&s);
	ck_assert_int_eq(stream_read(s.owner.stream, &c, 1, &got), IO_AGAIN);
	ck_assert_uint_eq(got, 0);
	shutdown(s.peer, SHUT_WR);
	stream_want_read(s.owner.stream, true);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.read_status, IO_EOF);
	/* A half-closed peer still takes bytes. */
	ck_assert_int_eq(stream_writev(s.owner.stream, &(struct iovec){ "ab", 2 }, 1, &got), IO_OK);
	ck_assert_uint_eq(got, 2);
	/* Unread bytes at close: the kernel resets. */
	close(s.peer);
	s.peer = -1;
	ck_assert_int_eq(
	    stream_writev(s.owner.stream, &(struct iovec){ "ab", 2 }, 1, &got), IO_ERROR);
	ck_assert_uint_eq(got, 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_full_socket_tells_once_when_it_has_room)
{
	static char big[1 << 16];
	struct iovec iov[2] = { { big, sizeof big }, { big, sizeof big } };
	enum io_status io;
	struct scene s;
	size_t put, total = 0;

	scene_open(&s);
	while ((io = stream_writev(s.owner.stream, iov, 2, &put)) == IO_OK)
		total += put;
	ck_assert_int_eq(io, IO_AGAIN);
	ck_assert_uint_eq(put, 0);
	ck_assert_uint_gt(total, 0);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_writable, 0);
	while (total > 0)
		total -= (size_t)read(s.peer, big, sizeof big);
	loop_turn(s.loop, 0);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_writable, 1);
	scene_close(&s);
}
END_TEST

START_TEST(takes_more_slices_than_the_kernel_does)
{
	static struct iovec iov[3000];
	struct scene s;
	size_t put;

	for (size_t i = 0; i < ARRAY_LEN(iov); i++)
		iov[i] = (struct iovec){ "four", 4 };
	scene_open(&s);
	ck_assert_int_eq(stream_writev(s.owner.stream, iov, ARRAY_LEN(iov), &put), IO_OK);
	ck_assert_uint_gt(put, 0);
	ck_assert_uint_lt(put, 4 * ARRAY_LEN(iov));
	scene_close(&s);
}
END_TEST

static void
check_order(size_t n)
{
	static char begin[20000], end[20000], got[40001];
	struct iovec iov[4] = { { begin, n }, { "-", 1 }, { NULL, 0 }, { end, n } };
	struct scene s;
	size_t put;

	memset(begin, 'b', sizeof begin);
	memset(end, 'e', sizeof end);
	scene_open(&s);
	ck_assert_int_eq(stream_writev(s.owner.stream, iov, ARRAY_LEN(iov), &put), IO_OK);
	ck_assert_uint_eq(put, 2 * n + 1);
	ck_assert_int_eq(recv(s.peer, got, 2 * n + 1, MSG_WAITALL), (ssize_t)(2 * n + 1));
	ck_assert_mem_eq(got, begin, n);
	ck_assert_int_eq(got[n], '-');
	ck_assert_mem_eq(got + n + 1, end, n);
	scene_close(&s);
}

/* Whether they are short enough to be joined is not to be seen. */
START_TEST(slices_arrive_in_their_order)
{
	static const size_t sizes[] = { 1, 512, 4095, 4096, 8191, 8192, 20000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		check_order(sizes[i]);
}
END_TEST

START_TEST(shutdown_comes_after_the_bytes)
{
	struct scene s;
	char c[2];
	size_t put;

	scene_open(&s);
	stream_writev(s.owner.stream, &(struct iovec){ "z", 1 }, 1, &put);
	stream_shutdown_write(s.owner.stream);
	ck_assert_int_eq(read(s.peer, c, 2), 1);
	ck_assert_int_eq(read(s.peer, c, 2), 0);
	scene_close(&s);
}
END_TEST

/* As scene_open(), over TCP. */
static void
scene_open_tcp(struct scene *s)
{
	struct addr at, where;
	int listen_fd, fd;

	*s = (struct scene){ .loop = loop_real_new(), .peer = socket(AF_INET, SOCK_STREAM, 0) };
	ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), &at), ERR_NONE);
	ck_assert_int_eq(sock_listen(&at, false, 16, &listen_fd), ERR_NONE);
	sock_set_nodelay(listen_fd);
	ck_assert_int_eq(sock_local_addr(listen_fd, &where), ERR_NONE);
	ck_assert_int_eq(connect(s->peer, (struct sockaddr *)&where.sa, where.len), 0);
	/* The listener does not block; its first client may be some way behind connect(). */
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = listen_fd, .events = POLLIN }, 1, -1), 1);
	fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	close(listen_fd);
	s->owner.stream = stream_tcp_accepted(s->loop, fd, &events, &s->owner);
}

/*
 * Writes before an end and then ends, although something is unread; the peer gets it all. True when
 * nothing came before the end; a kernel that saw this thread rest for too long sends it.
 */
static bool
waits_for_the_end(void (*end)(struct stream **))
{
	struct scene s;
	bool has_waited;
	char c[8];
	size_t put;

	scene_open_tcp(&s);
	peer_says(&s, "unread");
	stream_expect_end(s.owner.stream);
	stream_writev(s.owner.stream, &(struct iovec){ "bye", 3 }, 1, &put);
	ck_assert_uint_eq(put, 3);
	has_waited = recv(s.peer, c, sizeof c, MSG_DONTWAIT) < 0;
	end(&s.owner.stream);
	if (has_waited)
		ck_assert_int_eq(recv(s.peer, c, sizeof c, MSG_WAITALL), 3);
	scene_close(&s);
	return has_waited;
}

static void
shut_down(struct stream **s)
{
	stream_shutdown_write(*s);
}

START_TEST(the_last_bytes_wait_for_the_end)
{
	int n = 0;

	while (!waits_for_the_end(stream_close) || !waits_for_the_end(shut_down))
		ck_assert_int_lt(++n, 100);
}
END_TEST

START_TEST(may_be_closed_in_its_callback)
{
	struct scene s;

	scene_open(&s);
	s.owner.closes_when_told = true;
	peer_says(&s, "x");
	stream_want_read(s.owner.stream, true);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_readable, 1);
	ck_assert_ptr_null(s.owner.stream);
	stream_close(&s.owner.stream);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_readable, 1);
	scene_close(&s);
}
END_TEST

START_TEST(nothing_is_told_after_close)
{
	struct owner other = { 0 };
	struct scene s;
	int fd[2];

	/* Both are ready in the same turn; whichever is told first closes the other. */
	scene_open(&s);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	other.stream = stream_tcp_accepted(s.loop, fd[0], &events, &other);
	other.victim = &s.owner;
	s.owner.victim = &other;
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	peer_says(&s, "x");
	stream_want_read(other.stream, true);
	stream_want_read(s.owner.stream, true);
	loop_turn(s.loop, 0);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(other.n_readable + s.owner.n_readable, 1);
	ck_assert((other.stream == NULL) != (s.owner.stream == NULL));
	stream_close(&other.stream);
	close(fd[1]);
	scene_close(&s);
}
END_TEST

START_TEST(another_owner_is_told)
{
	struct owner other = { 0 };
	struct scene s;

	scene_open(&s);
	peer_says(&s, "x");
	stream_want_read(s.owner.stream, true);
	other.stream = s.owner.stream;
	stream_set_owner(s.owner.stream, &events, &other);
	loop_turn(s.loop, 0);
	ck_assert_int_eq(s.owner.n_readable, 0);
	ck_assert_int_eq(other.n_readable, 1);
	scene_close(&s);
}
END_TEST

static struct addr
parsed(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(str_c(text), &a), ERR_NONE);
	return a;
}

static void
turn_until_told(struct loop *loop, struct owner *o)
{
	for (int i = 0; i < 1000 && o->n_connected == 0; i++)
		loop_turn(loop, 10 * NS_PER_MS);
	ck_assert_int_eq(o->n_connected, 1);
}

static void
check_connects(const struct addr *at)
{
	struct loop *loop = loop_real_new();
	struct owner o = { .keeps_reading = true };
	struct addr where;
	int listen_fd, fd;

	ck_assert_int_eq(sock_listen(at, false, 16, &listen_fd), ERR_NONE);
	ck_assert_int_eq(sock_local_addr(listen_fd, &where), ERR_NONE);
	o.stream = stream_connect(loop, &where, &events, &o);
	ck_assert_int_eq(o.n_connected, 0);
	stream_want_read(o.stream, true);
	turn_until_told(loop, &o);
	ck_assert_int_eq(o.connect_result, ERR_NONE);
	fd = accept(listen_fd, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "hi", 2), 2);
	for (int i = 0; i < 1000 && o.n_read == 0; i++)
		loop_turn(loop, 10 * NS_PER_MS);
	ck_assert_uint_eq(o.n_read, 2);
	close(fd);
	close(listen_fd);
	stream_close(&o.stream);
	loop_free(loop);
}

START_TEST(connects)
{
	struct addr v4 = parsed("127.0.0.1:0");
	struct addr un = parsed("unix:test_stream_tcp.sock");

	check_connects(&v4);
	check_connects(&un);
	unlink("test_stream_tcp.sock");
}
END_TEST

static void
check_fails(const struct addr *to, enum err_code expected)
{
	struct loop *loop = loop_real_new();
	struct owner o = { .closes_when_told = true };

	o.stream = stream_connect(loop, to, &events, &o);
	ck_assert_ptr_nonnull(o.stream);
	ck_assert_int_eq(o.n_connected, 0);
	turn_until_told(loop, &o);
	ck_assert_int_eq(o.connect_result, expected);
	loop_turn(loop, 0);
	loop_free(loop);
}

START_TEST(a_failed_connect_is_told_later_and_once)
{
	struct addr nobody = parsed("127.0.0.1:0");
	struct addr no_file = parsed("unix:no/such/socket");
	struct addr broadcast = parsed("255.255.255.255:9");
	int fd;

	/* A port that was just free. */
	ck_assert_int_eq(sock_listen(&nobody, false, 1, &fd), ERR_NONE);
	sock_local_addr(fd, &nobody);
	close(fd);
	check_fails(&nobody, ERR_CONNECT_REFUSED);
	check_fails(&no_file, ERR_CONNECT_REFUSED);
	check_fails(&broadcast, ERR_CONNECT_FAILED);
}
END_TEST

START_TEST(closing_before_the_outcome_is_silent)
{
	struct addr no_file = parsed("unix:no/such/socket");
	struct loop *loop = loop_real_new();
	struct owner o = { 0 };

	o.stream = stream_connect(loop, &no_file, &events, &o);
	stream_close(&o.stream);
	loop_turn(loop, 0);
	ck_assert_int_eq(o.n_connected, 0);
	loop_free(loop);
}
END_TEST

UNIT_MAIN("stream_tcp", reads_only_when_wanted, an_unwanted_byte_does_not_spin_the_loop,
    reports_the_end_and_the_error, a_full_socket_tells_once_when_it_has_room,
    takes_more_slices_than_the_kernel_does, slices_arrive_in_their_order,
    shutdown_comes_after_the_bytes, the_last_bytes_wait_for_the_end, may_be_closed_in_its_callback,
    nothing_is_told_after_close, another_owner_is_told, connects,
    a_failed_connect_is_told_later_and_once, closing_before_the_outcome_is_silent)
