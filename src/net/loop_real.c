/*
 * libevent behind the loop. Time is ours: one timerfd holds the next deadline, so that libevent
 * never reads a clock of its own (its coarse one is off by a kernel tick) and a turn in which no
 * deadline came nearer makes no system call for time. Owned by one loop and used on its thread,
 * except wake().
 */
#include "net/loop_real.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/stream_tcp.h"

struct loop_real {
	struct event_base *base; /* owned */
	struct event wake_event;
	struct event timer_event;
	int wake_fd;       /* owned */
	int timer_fd;      /* owned */
	uint64_t armed_ns; /* what timer_fd is set to; TIMER_NEVER: nothing */
};

/*
 * Each write to the counter and each deadline that passes is told once (EV_ET), so neither needs to be read; the
 * counter lasts for ever.
 */
static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_real *w = arg;

	(void)fd;
	(void)what;
	w->armed_ns = TIMER_NEVER;
}

/*
 * Only ever to an earlier time: a timer that fires too soon costs one empty turn, resetting it
 * costs a call.
 */
static void
arm(struct loop_real *w, uint64_t until_ns)
{
	struct itimerspec at = { 0 };
	int rc;

	if (until_ns >= w->armed_ns)
		return;
	at.it_value.tv_sec = (time_t)(until_ns / NS_PER_SEC);
	at.it_value.tv_nsec = (long)(until_ns % NS_PER_SEC);
	rc = timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	assert(rc == 0);
	(void)rc;
	w->armed_ns = until_ns;
}

static void
real_wait(struct loop *loop, uint64_t until_ns)
{
	struct loop_real *w = loop->world;
	int flags = EVLOOP_ONCE;

	/*
	 * A deadline behind the last turn's time is due for sure: no need to be told by the kernel.
	 * EVLOOP_ONCE stays: without it, libevent would go on as long as anything is ready, and what
	 * the turn has written could be answered in it.
	 */
	if (until_ns <= loop->now_ns)
		flags |= EVLOOP_NONBLOCK;
	else if (until_ns != TIMER_NEVER)
		arm(w, until_ns);
	if (event_base_loop(w->base, flags) < 0)
		log_error("loop: waiting for events: %s", strerror(errno));
}

static void
real_wake(struct loop *loop)
{
	struct loop_real *w = loop->world;
	uint64_t one = 1;
	ssize_t n = write(w->wake_fd, &one, sizeof one);

	/* The only failure is a counter that is full, after 2^64 of them. */
	(void)n;
}

static uint64_t
real_mono(struct loop *loop)
{
	(void)loop;
	return clock_mono_ns();
}

static uint64_t
real_wall(struct loop *loop)
{
	(void)loop;
	return clock_wall_ns();
}

static void
world_free(struct loop_real *w)
{
	if (w->base != NULL)
		event_base_free(w->base);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	if (w->timer_fd >= 0)
		close(w->timer_fd);
	free(w);
}

static void
real_fini(struct loop *loop)
{
	struct loop_real *w = loop->world;

	event_del(&w->wake_event);
	event_del(&w->timer_event);
	loop->world = NULL;
	world_free(w);
}

/* Up to 256 bytes are never interrupted once the kernel is seeded, which it is (getrandom(2)). */
static void
real_random(struct loop *loop, void *to, size_t n)
{
	ssize_t got = getrandom(to, n, 0);

	(void)loop;
	assert(n <= 256 && got == (ssize_t)n);
	(void)got;
}

static const struct loop_ops real_ops = {
	.wait = real_wait,
	.wake = real_wake,
	.mono = real_mono,
	.wall = real_wall,
	.random = real_random,
	.connect = stream_tcp_connect,
	.fini = real_fini,
};

/*
 * One base per thread and never shared: libevent's locks would be paid for nothing. So would its clock, which it
 * reads after each wait for timers that it does not have here.
 */
static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(
		config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME) == 0 &&
	    event_config_require_features(config, EV_FEATURE_ET) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static bool
watch(struct loop_real *w, struct event *ev, int fd, event_callback_fn fn)
{
	return event_assign(ev, w->base, fd, EV_READ | EV_PERSIST | EV_ET, fn, w) == 0 &&
	       event_add(ev, NULL) == 0;
}

struct loop *
loop_real_new(void)
{
	struct loop_real *w = mem_calloc_lines(1, sizeof *w);

	w->armed_ns = TIMER_NEVER;
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	w->base = base_new();
	if (w->wake_fd < 0 || w->timer_fd < 0 || w->base == NULL ||
	    !watch(w, &w->wake_event, w->wake_fd, on_wake) ||
	    !watch(w, &w->timer_event, w->timer_fd, on_timer)) {
		log_error("loop: cannot be made: %s", strerror(errno));
		world_free(w);
		return NULL;
	}
	return loop_new(&real_ops, w);
}

struct event_base *
loop_real_base(struct loop *loop)
{
	struct loop_real *w = loop->world;

	assert(loop->ops == &real_ops);
	return w->base;
}
