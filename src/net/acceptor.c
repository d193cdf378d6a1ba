/*
 * Accepting. One reserve descriptor is kept so that, when the process has used up its own, the
 * oldest waiting client can be let in and sent away at once; the others wait in the backlog. Owned
 * by one worker.
 */
#include "net/acceptor.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop_real.h"
#include "net/sock.h"

#define TAG_ACCEPTOR 0x61636370
/* So that a flood of connections cannot starve those that are there. */
#define ACCEPTS_PER_TURN 64
/* So that clients that never cease to come cannot keep a listener from its end. */
#define FINISH_ACCEPTS SOCK_BACKLOG
#define PAUSE_NS (100 * NS_PER_MS)

struct acceptor {
	uint32_t tag;
	int fd;         /* owned; -1 once closed */
	int reserve_fd; /* owned; -1: lost to a shortage, and taken again when there is one */
	bool is_short;  /* of descriptors or memory, and said so */
	struct loop *loop;
	const struct acceptor_events *events;
	void *owner; /* back pointer, cut by acceptor_close() */
	struct event event;
	struct timer resume;
	struct grave grave;
};

static void
take_reserve(struct acceptor *a)
{
	if (a->reserve_fd < 0)
		a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
send_one_away(struct acceptor *a)
{
	int fd;

	if (a->reserve_fd < 0)
		return;
	close(a->reserve_fd);
	a->reserve_fd = -1;
	fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	take_reserve(a);
}

static void
set_watching(struct acceptor *a, bool is_on)
{
	int rc = is_on ? event_add(&a->event, NULL) : event_del(&a->event);

	assert(rc == 0);
	(void)rc;
}

static void
pause_for(struct acceptor *a, int error)
{
	if (!a->is_short)
		log_warn("acceptor: %s; new clients wait", strerror(error));
	a->is_short = true;
	if (error == EMFILE || error == ENFILE)
		send_one_away(a);
	set_watching(a, false);
	loop_timer_set(a->loop, &a->resume, a->loop->now_ns + PAUSE_NS);
}

static void
on_resume(void *arg)
{
	struct acceptor *a = arg;

	TAG_CHECK(a, TAG_ACCEPTOR);
	take_reserve(a);
	set_watching(a, true);
}

static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* False when there is nothing more to accept in this turn. */
static bool
accept_one(struct acceptor *a)
{
	struct addr peer = { .len = sizeof peer.sa };
	int fd =
	    accept4(a->fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		a->is_short = false;
		addr_unmap(&peer);
		a->events->on_accept(a->owner, fd, &peer);
		return a->fd >= 0;
	}
	if (errno == EAGAIN)
		return false;
	if (is_shortage(errno)) {
		pause_for(a, errno);
		return false;
	}
	/*
	 * ECONNABORTED and the errors of accept(2) that belong to the one connection: on to the
	 * next.
	 */
	return true;
}

static void
on_listen_event(evutil_socket_t fd, short what, void *arg)
{
	struct acceptor *a = arg;

	(void)fd;
	(void)what;
	TAG_CHECK(a, TAG_ACCEPTOR);
	loop_take_time(a->loop);
	for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(a); i++)
		continue;
}

struct acceptor *
acceptor_new(struct loop *loop, int fd, const struct acceptor_events *events, void *owner)
{
	struct acceptor *a = mem_calloc_lines(1, sizeof *a);
	int rc;

	sock_set_nodelay(fd); /* accepted sockets inherit it, which spares a call for each */
	a->tag = TAG_ACCEPTOR;
	a->fd = fd;
	a->reserve_fd = -1;
	a->loop = loop;
	a->events = events;
	a->owner = owner;
	take_reserve(a);
	timer_init(&a->resume, on_resume, a);
	rc = event_assign(
	    &a->event, loop_real_base(loop), fd, EV_READ | EV_PERSIST, on_listen_event, a);
	assert(rc == 0);
	(void)rc;
	set_watching(a, true);
	return a;
}

void
acceptor_finish(struct acceptor **pa)
{
	struct acceptor *a = *pa;

	for (int i = 0; a != NULL && i < FINISH_ACCEPTS && accept_one(a); i++)
		continue;
	acceptor_close(pa);
}

static void
acceptor_free(void *arg)
{
	struct acceptor *a = arg;

	a->tag = 0;
	free(a);
}

void
acceptor_close(struct acceptor **pa)
{
	struct acceptor *a = *pa;

	if (a == NULL)
		return;
	*pa = NULL;
	set_watching(a, false);
	loop_timer_drop(a->loop, &a->resume);
	close(a->fd);
	a->fd = -1;
	if (a->reserve_fd >= 0)
		close(a->reserve_fd);
	a->reserve_fd = -1;
	a->owner = NULL;
	loop_bury(a->loop, &a->grave, acceptor_free, a);
}
