#include "net/loop.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit.h"

/*
 * A world in which time stands still until a test moves it, and one "stream" is ready when a test
 * says so.
 */
struct world {
	uint64_t now_ns;
	uint64_t waited_until_ns;
	int n_wakes;
	void (*ready)(void *arg);
	void *arg;
};

static void
world_wait(struct loop *loop, uint64_t until_ns)
{
	struct world *w = loop->world;
	void (*fn)(void *) = w->ready;

	w->waited_until_ns = until_ns;
	loop_take_time(loop);
	w->ready = NULL;
	if (fn != NULL)
		fn(w->arg);
}

static void
world_wake(struct loop *loop)
{
	((struct world *)loop->world)->n_wakes++;
}

static uint64_t
world_now(struct loop *loop)
{
	return ((struct world *)loop->world)->now_ns;
}

static void
world_fini(struct loop *loop)
{
	(void)loop;
}

static const struct loop_ops world_ops = {
	.wait = world_wait,
	.wake = world_wake,
	.mono = world_now,
	.wall = world_now,
	.fini = world_fini,
};

/* What ran, one letter each. */
static char trace[256];

static void
note(const char *c)
{
	size_t n = strlen(trace);

	ck_assert_uint_lt(n + strlen(c), sizeof trace);
	memcpy(trace + n, c, strlen(c) + 1);
}

static void
note_arg(void *arg)
{
	note(arg);
}

static void
note_msg(struct msg *m)
{
	note("m");
	free(m);
}

struct scene {
	struct world world;
	struct loop *loop;
	struct defer work, more_work, flush, late_work;
	struct timer timer;
	struct grave grave, second_grave;
	int n_fired;
};

static void
scene_open(struct scene *s)
{
	memset(s, 0, sizeof *s);
	trace[0] = '\0';
	s->world.now_ns = 1000;
	s->loop = loop_new(&world_ops, &s->world);
}

static void
scene_ready(struct scene *s, void (*fn)(void *))
{
	s->world.ready = fn;
	s->world.arg = s;
}

static void
on_work(void *arg)
{
	struct scene *s = arg;

	note("d");
	loop_defer(s->loop, &s->more_work);
}

static void
on_flush(void *arg)
{
	struct scene *s = arg;

	note("f");
	loop_defer(s->loop, &s->late_work);
}

static void
bury_second(void *arg)
{
	struct scene *s = arg;

	note("g");
	loop_bury(s->loop, &s->second_grave, note_arg, "G");
}

static void
on_ready(void *arg)
{
	struct scene *s = arg;
	struct msg *m = mem_calloc(1, sizeof *m);

	note("r");
	loop_bury(s->loop, &s->grave, bury_second, s);
	loop_flush_later(s->loop, &s->flush);
	loop_flush_later(s->loop, &s->flush);
	loop_defer(s->loop, &s->work);
	loop_defer(s->loop, &s->work);
	m->fn = note_msg;
	loop_post(s->loop, m);
	loop_timer_set(s->loop, &s->timer, s->loop->now_ns);
}

START_TEST(one_turn_has_an_order)
{
	struct scene s;

	scene_open(&s);
	defer_init(&s.work, on_work, &s);
	defer_init(&s.more_work, note_arg, "D");
	defer_init(&s.flush, on_flush, &s);
	defer_init(&s.late_work, note_arg, "l");
	timer_init(&s.timer, note_arg, "t");
	scene_ready(&s, on_ready);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_str_eq(trace, "rtmdDflgG");
	ck_assert(!loop_has_work(s.loop));
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_str_eq(trace, "rtmdDflgG");
	loop_free(s.loop);
}
END_TEST

START_TEST(time_is_taken_once_a_turn)
{
	struct scene s;

	scene_open(&s);
	s.world.now_ns = 5000;
	loop_turn(s.loop, 0);
	ck_assert_uint_eq(s.loop->now_ns, 5000);
	s.world.now_ns = 6000;
	ck_assert_uint_eq(s.loop->now_ns, 5000);
	loop_turn(s.loop, 0);
	ck_assert_uint_eq(s.loop->now_ns, 6000);
	ck_assert_uint_eq(s.loop->wall_ns, 6000);
	loop_free(s.loop);
}
END_TEST

START_TEST(waits_until_the_next_timer_or_not_at_all)
{
	struct scene s;

	scene_open(&s);
	timer_init(&s.timer, note_arg, "t");
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_uint_eq(s.world.waited_until_ns, TIMER_NEVER);
	loop_turn(s.loop, 50);
	ck_assert_uint_eq(s.world.waited_until_ns, 1050);
	loop_timer_set(s.loop, &s.timer, 1020);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_uint_eq(s.world.waited_until_ns, 1020);
	ck_assert_str_eq(trace, "");
	defer_init(&s.work, note_arg, "d");
	loop_defer(s.loop, &s.work);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_uint_eq(s.world.waited_until_ns, 0);
	loop_timer_drop(s.loop, &s.timer);
	loop_free(s.loop);
}
END_TEST

static void
set_again_in_the_past(void *arg)
{
	struct scene *s = arg;

	s->n_fired++;
	loop_timer_set(s->loop, &s->timer, 0);
}

START_TEST(a_timer_cannot_hold_the_turn)
{
	struct scene s;

	scene_open(&s);
	timer_init(&s.timer, set_again_in_the_past, &s);
	loop_timer_set(s.loop, &s.timer, 0);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_int_eq(s.n_fired, 1);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_int_eq(s.n_fired, 2);
	loop_timer_clear(&s.timer);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_int_eq(s.n_fired, 2);
	ck_assert_uint_eq(timer_heap_count_set(&s.loop->timers), 0);
	loop_timer_drop(s.loop, &s.timer);
	loop_free(s.loop);
}
END_TEST

static void
cancel_flush(void *arg)
{
	struct scene *s = arg;

	note("c");
	loop_defer_cancel(s->loop, &s->flush);
	loop_defer_cancel(s->loop, &s->more_work);
}

START_TEST(cancelled_work_does_not_run)
{
	struct scene s;

	scene_open(&s);
	defer_init(&s.work, cancel_flush, &s);
	defer_init(&s.more_work, note_arg, "x");
	defer_init(&s.flush, note_arg, "x");
	loop_flush_later(s.loop, &s.flush);
	loop_defer(s.loop, &s.work);
	loop_defer(s.loop, &s.more_work);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_str_eq(trace, "c");
	ck_assert(!defer_is_queued(&s.flush));
	ck_assert(!defer_is_queued(&s.more_work));
	loop_defer_cancel(s.loop, &s.flush);
	loop_free(s.loop);
}
END_TEST

struct numbered {
	struct msg msg;
	char text[2];
};

static void
note_numbered(struct msg *m)
{
	struct numbered *n = CONTAINER_OF(m, struct numbered, msg);

	note(n->text);
	free(n);
}

static void
post_numbered(struct loop *loop, char c)
{
	struct numbered *n = mem_calloc(1, sizeof *n);

	n->msg.fn = note_numbered;
	n->text[0] = c;
	loop_post(loop, &n->msg);
}

START_TEST(messages_keep_their_order_and_wake_once)
{
	struct scene s;

	scene_open(&s);
	for (char c = '0'; c <= '9'; c++)
		post_numbered(s.loop, c);
	ck_assert_int_eq(s.world.n_wakes, 1);
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_str_eq(trace, "0123456789");
	post_numbered(s.loop, 'a');
	ck_assert_int_eq(s.world.n_wakes, 2);
	loop_turn(s.loop, TIMER_NEVER);
	loop_free(s.loop);
}
END_TEST

struct object {
	struct grave grave;
	struct scene *scene;
	bool is_dead;
};

static void
object_free(void *arg)
{
	struct object *o = arg;

	o->is_dead = true;
}

static void
kill_object(void *arg)
{
	struct object *o = arg;

	loop_bury(o->scene->loop, &o->grave, object_free, o);
	ck_assert(!o->is_dead);
}

static void
see_object_alive(void *arg)
{
	struct object *o = arg;

	ck_assert(!o->is_dead);
	note("a");
}

START_TEST(nothing_is_freed_under_the_caller)
{
	struct object o = { 0 };
	struct scene s;

	scene_open(&s);
	o.scene = &s;
	defer_init(&s.work, see_object_alive, &o);
	defer_init(&s.flush, see_object_alive, &o);
	loop_defer(s.loop, &s.work);
	loop_flush_later(s.loop, &s.flush);
	s.world.ready = kill_object;
	s.world.arg = &o;
	loop_turn(s.loop, TIMER_NEVER);
	ck_assert_str_eq(trace, "aa");
	ck_assert(o.is_dead);
	loop_free(s.loop);
}
END_TEST

START_TEST(free_memory_is_given_back_in_time)
{
	struct scene s;
	void *blocks[100];

	scene_open(&s);
	for (int i = 0; i < 100; i++)
		blocks[i] = freelist_take(&s.loop->blocks.large, 16384);
	for (int i = 0; i < 100; i++)
		freelist_give(&s.loop->blocks.large, blocks[i]);
	for (int i = 0; i < 20; i++) {
		loop_turn(s.loop, TIMER_NEVER);
		if (s.world.waited_until_ns != TIMER_NEVER)
			s.world.now_ns = s.world.waited_until_ns;
	}
	ck_assert_uint_le(s.loop->blocks.large.free_bytes, ARENA_POOL_REST_BYTES);
	ck_assert_uint_eq(s.world.waited_until_ns, TIMER_NEVER); /* then it sleeps */
	loop_free(s.loop);
}
END_TEST

static void
on_slow_work(void *arg)
{
	struct scene *s = arg;

	s->world.now_ns += 30 * NS_PER_MS;
}

/* What ten turns of 30 ms say on standard error. */
static size_t
ten_stalls(struct scene *s, char *to, size_t n)
{
	int pipe_fd[2], standard_error = dup(STDERR_FILENO);
	ssize_t got;

	ck_assert_int_eq(pipe(pipe_fd), 0);
	dup2(pipe_fd[1], STDERR_FILENO);
	for (int i = 0; i < 10; i++) {
		scene_ready(s, on_slow_work);
		loop_turn(s->loop, 0);
	}
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	close(pipe_fd[1]);
	got = read(pipe_fd[0], to, n - 1);
	close(pipe_fd[0]);
	ck_assert_int_ge(got, 0);
	to[got] = '\0';
	return (size_t)got;
}

START_TEST(stalls_are_told_once_a_second)
{
	struct scene s;
	char text[1024];

	scene_open(&s);
	s.world.now_ns += NS_PER_SEC;
	s.loop->stall_ns = 30 * NS_PER_MS;
	ck_assert_uint_eq(ten_stalls(&s, text, sizeof text), 0);
	s.loop->stall_ns = 20 * NS_PER_MS;
	ten_stalls(&s, text, sizeof text);
	ck_assert_msg(strstr(text, "loop: 1 turn(s) of a worker took more than 20 ms, the longest 30 ms") != NULL, "%s",
	    text);
	ck_assert_msg(strchr(text, '\n') == text + strlen(text) - 1, "one line: %s", text);
	ck_assert_uint_eq(ten_stalls(&s, text, sizeof text), 0);
	/* Also of those that no other comes after. */
	ck_assert(timer_is_set(&s.loop->stalls.tell));
	ck_assert_uint_eq(timer_heap_next_ns(&s.loop->timers), s.loop->stalls.told_ns + NS_PER_SEC);
	s.world.now_ns += NS_PER_SEC;
	ten_stalls(&s, text, sizeof text);
	ck_assert_msg(strstr(text, "loop: 19 turn(s)") != NULL, "%s", text);
	loop_free(s.loop);
}
END_TEST

UNIT_MAIN("loop", one_turn_has_an_order, time_is_taken_once_a_turn,
    waits_until_the_next_timer_or_not_at_all, a_timer_cannot_hold_the_turn,
    cancelled_work_does_not_run, messages_keep_their_order_and_wake_once,
    nothing_is_freed_under_the_caller, free_memory_is_given_back_in_time,
    stalls_are_told_once_a_second)
