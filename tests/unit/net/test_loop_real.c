#include "net/loop_real.h"

#include <event2/event.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "unit.h"

static int n_fired;

static void
on_timer(void *arg)
{
	n_fired++;
	if (arg != NULL)
		loop_stop(arg);
}

START_TEST(timers_fire_on_time)
{
	struct loop *loop = loop_real_new();
	uint64_t start_ns = clock_mono_ns();
	struct timer soon, never;

	timer_init(&soon, on_timer, loop);
	timer_init(&never, on_timer, NULL);
	loop_timer_set(loop, &soon, start_ns + 20 * NS_PER_MS);
	loop_timer_set(loop, &never, start_ns + 5 * NS_PER_MS);
	loop_timer_clear(&never);
	loop_run(loop);
	ck_assert_int_eq(n_fired, 1);
	ck_assert_uint_ge(clock_mono_ns() - start_ns, 20 * NS_PER_MS);
	/* Not a figure of merit: a busy machine passes too. */
	ck_assert_uint_lt(clock_mono_ns() - start_ns, 10 * NS_PER_SEC);
	ck_assert_uint_le(loop->turns, 4);
	loop_free(loop);
}
END_TEST

START_TEST(a_turn_waits_no_longer_than_it_may)
{
	struct loop *loop = loop_real_new();
	uint64_t start_ns = clock_mono_ns();

	loop_turn(loop, 0);
	loop_turn(loop, 10 * NS_PER_MS);
	ck_assert_uint_ge(clock_mono_ns() - start_ns, 10 * NS_PER_MS);
	loop_free(loop);
}
END_TEST

/* Leaves the byte there, for a while. */
static void
on_byte(evutil_socket_t fd, short what, void *arg)
{
	int *n = arg;
	char byte;

	(void)what;
	if (++*n == 100)
		ck_assert_int_eq(read(fd, &byte, 1), 1);
}

START_TEST(a_turn_looks_once_for_what_is_ready)
{
	struct loop *loop = loop_real_new();
	struct event *ev;
	int fd[2], n = 0;

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	ev = event_new(loop_real_base(loop), fd[0], EV_READ | EV_PERSIST, on_byte, &n);
	event_add(ev, NULL);
	loop_turn(loop, TIMER_NEVER);
	ck_assert_int_eq(n, 1);
	loop_turn(loop, 0); /* as when other work is there */
	ck_assert_int_eq(n, 2);
	event_free(ev);
	close(fd[0]);
	close(fd[1]);
	loop_free(loop);
}
END_TEST

struct counter {
	struct loop *loop;
	int n_left;
};

struct count_msg {
	struct msg msg;
	struct counter *counter;
};

static void
on_count(struct msg *m)
{
	struct count_msg *cm = CONTAINER_OF(m, struct count_msg, msg);

	if (--cm->counter->n_left == 0)
		loop_stop(cm->counter->loop);
	free(cm);
}

enum { SENDERS = 4, MESSAGES = 20000 };

static void *
send_all(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < MESSAGES; i++) {
		struct count_msg *cm = mem_calloc(1, sizeof *cm);

		cm->msg.fn = on_count;
		cm->counter = c;
		loop_post(c->loop, &cm->msg);
	}
	return NULL;
}

START_TEST(no_message_of_other_threads_is_lost)
{
	struct counter c = { .loop = loop_real_new(), .n_left = SENDERS * MESSAGES };
	pthread_t t[SENDERS];

	for (int i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, send_all, &c), 0);
	loop_run(c.loop);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(c.n_left, 0);
	loop_free(c.loop);
}
END_TEST

static void *
stop_later(void *arg)
{
	usleep(20000);
	loop_stop(arg);
	return NULL;
}

START_TEST(stops_from_another_thread_while_it_waits)
{
	struct loop *loop = loop_real_new();
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, stop_later, loop), 0);
	loop_run(loop);
	pthread_join(t, NULL);
	loop_free(loop);
}
END_TEST

UNIT_MAIN("loop_real", timers_fire_on_time, a_turn_waits_no_longer_than_it_may,
    a_turn_looks_once_for_what_is_ready, no_message_of_other_threads_is_lost, stops_from_another_thread_while_it_waits)
