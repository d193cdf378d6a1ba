/*
 * Streams over kernel sockets. Writing comes first: EV_WRITE is armed only after EAGAIN. EV_READ,
 * once armed, stays armed over requests, and turning reading off costs nothing until a byte comes
 * that nobody wants. Owns its descriptor and its two events; freed by the loop's graveyard. Used on
 * the loop's thread.
 */
#include "net/stream_tcp.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <limits.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "net/loop_real.h"
#include "net/sock.h"

#define TAG_STREAM_TCP 0x73746370

/* Slices up to so many bytes are sent as one: the kernel takes longer for each slice than they take to be joined. */
#define JOINED_MAX_BYTES 8192

/*
 *     CONNECTING ──> OPEN      connect() was done
 *          └──────> FAILED     nothing was reached; the owner hears of it and closes
 */
enum tcp_state { TCP_STATE_CONNECTING, TCP_STATE_OPEN, TCP_STATE_FAILED };

struct stream_tcp {
	uint32_t tag;
	enum tcp_state state;
	struct stream base;
	int fd;              /* owned; -1 when there is none */
	int error;           /* errno of a connect() that failed at once, or 0 */
	bool is_read_wanted; /* by the owner */
	bool is_read_armed;  /* in the kernel; may stay on after the owner lost interest */
	bool is_kernels;     /* the kernel encrypts what is written: see settle_write() */
	bool is_ending;      /* what was written may be waiting for the FIN */
	size_t n_owed;       /* bytes that it has taken, and that are not told as written */
	struct event read_event;
	struct event write_event;
	struct defer connected; /* connect() was settled at once: told after the owner's callback */
	struct grave grave;
};

static struct stream_tcp *
tcp_of(struct stream *s)
{
	struct stream_tcp *t = CONTAINER_OF(s, struct stream_tcp, base);

	TAG_CHECK(t, TAG_STREAM_TCP);
	return t;
}

static void
arm_write(struct stream_tcp *t)
{
	int rc = event_add(&t->write_event, NULL);

	assert(rc == 0);
	(void)rc;
}

static enum io_status
tcp_read(struct stream *s, char *to, size_t n, size_t *got)
{
	struct stream_tcp *t = tcp_of(s);
	ssize_t r;

	*got = 0;
	do
		r = recv(t->fd, to, n, 0);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		*got = (size_t)r;
		return IO_OK;
	}
	if (r == 0)
		return IO_EOF;
	return errno == EAGAIN ? IO_AGAIN : IO_ERROR;
}

static bool
has_room(const struct stream_tcp *t)
{
	struct pollfd room = { .fd = t->fd, .events = POLLOUT };

	return poll(&room, 1, 0) > 0;
}

/*
 * A kernel that encrypts takes a record although the socket has no room for all of it, sends the
 * rest later, and forgets that rest when the socket is shut down or closed meanwhile. So what it
 * has taken counts as written when there is room again: then the rest is out, or goes out ahead of
 * the next record, or in close().
 */
static enum io_status
settle_write(struct stream_tcp *t, size_t n, size_t *put)
{
	if (t->is_kernels && !has_room(t)) {
		t->n_owed = n;
		arm_write(t);
		return IO_AGAIN;
	}
	t->n_owed = 0;
	*put = n;
	return IO_OK;
}

static ssize_t
send_slices(int fd, const struct iovec *iov, size_t n, int flags)
{
	char joined[JOINED_MAX_BYTES];
	struct msghdr m = { .msg_iov = (struct iovec *)iov };

	if (n == 1)
		return send(fd, iov->iov_base, iov->iov_len, flags);
	if (stream_total(iov, n) <= JOINED_MAX_BYTES) {
		size_t n_joined = str_copy_iov(joined, sizeof joined, iov, n);

		return send(fd, joined, n_joined, flags);
	}
	m.msg_iovlen = n < IOV_MAX ? n : IOV_MAX;
	return sendmsg(fd, &m, flags);
}

static enum io_status
tcp_writev(struct stream *s, const struct iovec *iov, size_t n, size_t *put)
{
	struct stream_tcp *t = tcp_of(s);
	int flags = t->is_ending ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
	ssize_t r;

	assert(t->state != TCP_STATE_CONNECTING);
	*put = 0;
	if (t->n_owed != 0)
		return settle_write(t, t->n_owed, put);
	do
		r = send_slices(t->fd, iov, n, flags);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return settle_write(t, (size_t)r, put);
	if (errno != EAGAIN)
		return IO_ERROR;
	arm_write(t);
	return IO_AGAIN;
}

static void
arm_read(struct stream_tcp *t)
{
	int rc = event_add(&t->read_event, NULL);

	assert(rc == 0);
	(void)rc;
	t->is_read_armed = true;
}

static void
tcp_want_read(struct stream *s, bool is_wanted)
{
	struct stream_tcp *t = tcp_of(s);

	t->is_read_wanted = is_wanted;
	if (is_wanted && !t->is_read_armed && t->state == TCP_STATE_OPEN)
		arm_read(t);
}

static void
tcp_shutdown_write(struct stream *s)
{
	struct stream_tcp *t = tcp_of(s);

	/* Fails only when the peer is gone, and then reading tells. */
	shutdown(t->fd, SHUT_WR);
	t->is_ending = false;
}

/* A kernel that encrypts makes records of its own, and their ends would wait as well. */
static void
tcp_expect_end(struct stream *s)
{
	struct stream_tcp *t = tcp_of(s);

	t->is_ending = !t->is_kernels;
}

static void
tcp_free(void *arg)
{
	struct stream_tcp *t = arg;

	t->tag = 0;
	free(t);
}

static void
tcp_close(struct stream *s)
{
	struct stream_tcp *t = tcp_of(s);

	loop_defer_cancel(s->loop, &t->connected);
	if (t->fd >= 0) {
		/* Bytes of the peer that nobody has read would make close() forget what waits. */
		if (t->is_ending)
			tcp_shutdown_write(s);
		event_del(&t->read_event);
		event_del(&t->write_event);
		close(t->fd);
		t->fd = -1;
	}
	loop_bury(s->loop, &t->grave, tcp_free, t);
}

/* Closing with no time to linger sends RST; a unix socket has none and just closes. */
static void
tcp_reset(struct stream *s)
{
	const struct linger none = { .l_onoff = 1, .l_linger = 0 };
	struct stream_tcp *t = tcp_of(s);

	t->is_ending = false;
	if (t->fd >= 0)
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	tcp_close(s);
}

bool
stream_tcp_can_encrypt(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_known;

	if (fd < 0)
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* One that is not connected is refused for that; ENOENT comes before. */
	is_known = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 ||
	           errno == ENOTCONN;
	if (fd >= 0)
		close(fd);
	return is_known;
}

/*
 * That the first succeeds and the second does not (a cipher that the kernel does not know) leaves a
 * socket that carries bytes as before.
 */
static bool
tcp_encrypt(struct stream *s, const void *keys, size_t n)
{
	struct stream_tcp *t = tcp_of(s);

	t->is_kernels = setsockopt(t->fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 &&
	                setsockopt(t->fd, SOL_TLS, TLS_TX, keys, (socklen_t)n) == 0;
	return t->is_kernels;
}

/* What came before it has been settled, so that there is room for these few bytes. */
static enum io_status
tcp_write_record(struct stream *s, uint8_t type, struct str payload)
{
	struct iovec iov = str_iov(payload);
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof type)];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	ssize_t r;

	control.head.cmsg_level = SOL_TLS;
	control.head.cmsg_type = TLS_SET_RECORD_TYPE;
	control.head.cmsg_len = CMSG_LEN(sizeof type);
	memcpy(CMSG_DATA(&control.head), &type, sizeof type);
	do
		r = sendmsg(tcp_of(s)->fd, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return (size_t)r == payload.n ? IO_OK : IO_ERROR;
	if (errno != EAGAIN)
		return IO_ERROR;
	arm_write(tcp_of(s));
	return IO_AGAIN;
}

static const struct stream_ops tcp_ops = {
	.read = tcp_read,
	.writev = tcp_writev,
	.want_read = tcp_want_read,
	.shutdown_write = tcp_shutdown_write,
	.expect_end = tcp_expect_end,
	.close = tcp_close,
	.reset = tcp_reset,
	.encrypt = tcp_encrypt,
	.write_record = tcp_write_record,
};

static enum err_code
connect_error(int error)
{
	/* ENOENT: a unix socket whose server was never started; to the client it is the same thing. */
	if (error == ECONNREFUSED || error == ENOENT)
		return ERR_CONNECT_REFUSED;
	return error == 0 ? ERR_NONE : ERR_CONNECT_FAILED;
}

/* The upward call is last: the owner may close the stream. */
static void
settle_connect(struct stream_tcp *t, int error)
{
	enum err_code e = connect_error(error);

	t->state = e == ERR_NONE ? TCP_STATE_OPEN : TCP_STATE_FAILED;
	if (e == ERR_NONE && t->is_read_wanted)
		arm_read(t);
	t->base.events->on_connected(t->base.owner, e);
}

static void
on_connected_at_once(void *arg)
{
	struct stream_tcp *t = arg;

	TAG_CHECK(t, TAG_STREAM_TCP);
	settle_connect(t, t->error);
}

static void
on_read_event(evutil_socket_t fd, short what, void *arg)
{
	struct stream_tcp *t = arg;

	(void)fd;
	(void)what;
	TAG_CHECK(t, TAG_STREAM_TCP);
	loop_take_time(t->base.loop);
	if (!t->is_read_wanted) {
		event_del(&t->read_event);
		t->is_read_armed = false;
		return;
	}
	t->base.events->on_readable(t->base.owner);
}

static void
on_write_event(evutil_socket_t fd, short what, void *arg)
{
	struct stream_tcp *t = arg;
	socklen_t len = sizeof t->error;

	(void)what;
	TAG_CHECK(t, TAG_STREAM_TCP);
	loop_take_time(t->base.loop);
	if (t->state != TCP_STATE_CONNECTING) {
		t->base.events->on_writable(t->base.owner);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &t->error, &len) != 0)
		t->error = errno;
	settle_connect(t, t->error);
}

static void
assign(struct event *ev, struct stream_tcp *t, short what, event_callback_fn fn)
{
	int rc = event_assign(ev, loop_real_base(t->base.loop), t->fd, what, fn, t);

	assert(rc == 0);
	(void)rc;
}

static struct stream_tcp *
tcp_new(struct loop *loop, int fd, const struct stream_events *events, void *owner)
{
	struct stream_tcp *t = mem_calloc(1, sizeof *t);

	t->tag = TAG_STREAM_TCP;
	t->base =
	    (struct stream){ .ops = &tcp_ops, .events = events, .owner = owner, .loop = loop };
	t->fd = fd;
	defer_init(&t->connected, on_connected_at_once, t);
	if (fd >= 0) {
		assign(&t->read_event, t, EV_READ | EV_PERSIST, on_read_event);
		assign(&t->write_event, t, EV_WRITE, on_write_event);
	}
	return t;
}

struct stream *
stream_tcp_accepted(struct loop *loop, int fd, const struct stream_events *events, void *owner)
{
	struct stream_tcp *t = tcp_new(loop, fd, events, owner);

	t->state = TCP_STATE_OPEN;
	return &t->base;
}

/*
 * The errno, or 0. To this host the handshake is over when connect() returns, although it says EINPROGRESS: asking
 * again is cheaper than being told, and to another host it costs one call of a handshake's many.
 */
static int
start_connect(int fd, const struct addr *to)
{
	const struct sockaddr *sa = (const struct sockaddr *)&to->sa;
	int error;

	if (connect(fd, sa, to->len) == 0)
		return 0;
	error = errno;
	if (error == EINPROGRESS)
		error = connect(fd, sa, to->len) == 0 ? 0 : errno;
	return error == EALREADY ? EINPROGRESS : error;
}

struct stream *
stream_tcp_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner)
{
	int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;
	struct stream_tcp *t = tcp_new(loop, fd, events, owner);

	t->state = TCP_STATE_CONNECTING;
	if (fd >= 0) {
		if (!addr_is_unix(to))
			sock_set_nodelay(fd);
		error = start_connect(fd, to);
	}
	t->error = error;
	if (error == EINPROGRESS)
		arm_write(t);
	else
		loop_defer(loop, &t->connected);
	return &t->base;
}
