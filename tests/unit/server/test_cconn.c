/* Answers that are held, on a connection whose client takes no more: whatever comes of the request
 * behind them. */
#include "server/cconn.h"

#include "server/iobuf.h"
#include "server/server_rig.h"

#define GET "GET /reply HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_PLAIN "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST_HI "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
#define POST_EXPECT                                                             \
	"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\nExpect: " \
	"100-continue\r\n\r\n"

static struct rig r;
static size_t n_answer; /* of one GET */

static struct cconn *
conn(enum cconn_state state)
{
	return TAILQ_FIRST(&r.listener->conns[state]);
}

/* The client takes nothing, and there is room for less than so many answers. */
static void
setup(size_t n)
{
	rig_open(&r);
	r.listener_conf.timeouts.idle_ns = 2 * NS_PER_SEC;
	rig_proxy(&r, "/plain");
	rig_reply(&r, "/reply", "GET", "mine");
	rig_reply(&r, "/echo", "POST", "<{body}>");
	rig_start(&r);
	n_answer = rig_fill(&r, GET, n);
}

static void
ask_and_block(const char *text)
{
	rig_say(&r, &r.client[0], text);
	ck_assert_ptr_nonnull(conn(CCONN_ACTIVE));
	ck_assert_ptr_nonnull(conn(CCONN_ACTIVE)->held);
}

START_TEST(a_continue_waits_behind_them)
{
	setup(2);
	ask_and_block(GET GET GET POST_EXPECT);
	rig_take_all(&r);
	rig_assert_ends(&r.client[0], "mineHTTP/1.1 100 Continue\r\n\r\n");
	rig_say(&r, rig_up(&r, "POST"), "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
	rig_assert_has(&r.client[0], "mineHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 ");
	rig_close(&r);
}
END_TEST

START_TEST(an_answer_that_came_before_there_was_room)
{
	setup(2);
	ask_and_block(GET GET GET POST_EXPECT);
	rig_say(&r, rig_up(&r, "POST"), "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
	rig_take_all(&r);
	rig_assert_has(&r.client[0], "mineHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 ");
	rig_assert_ends(&r.client[0], "\r\n\r\n");
	rig_close(&r);
}
END_TEST

static void
check_piece_with_room(int n)
{
	static char body[3001];
	const char *head;

	memset(body, 'b', sizeof(body) - 1);
	setup(2);
	for (int i = 0; i < n; i++)
		rnd_chance(&r.world->rnd, 1, 2);
	ask_and_block(GET GET GET POST_EXPECT);
	rig_say(&r, rig_up(&r, "POST"), "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n");
	rig_read(&r.client[0]);
	rig_put(rig_up(&r, "POST"), str_c(body));
	rig_take_all(&r);
	head = strstr(buf_c(&r.client[0].in), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
	ck_assert_ptr_nonnull(head);
	head = strstr(head, "HTTP/1.1 200 OK\r\n");
	ck_assert_ptr_null(strstr(head + 1, "HTTP/1.1 "));
	rig_assert_ends(&r.client[0], body);
	rig_close(&r);
}

/* Both come in one turn; its random numbers say in which order. */
START_TEST(a_piece_that_comes_with_the_room)
{
	for (int i = 0; i < 12; i++)
		check_piece_with_room(i);
}
END_TEST

/* What was asked is here with its body, and maybe an empty line: nothing comes behind it. */
static void
check_outlasts(const char *text, bool drains)
{
	setup(1);
	rig_say(&r, &r.client[0], text);
	if (drains)
		server_drain(&r.server);
	rig_wait(&r, 3 * NS_PER_SEC);
	rig_take_all(&r);
	rig_assert_ends(&r.client[0], "\r\n\r\n<hi>");
	rig_wait(&r, 3 * NS_PER_SEC);
	ck_assert_uint_eq(r.listener->n_conns, 0);
	rig_close(&r);
}

START_TEST(they_outlast_idle_time_and_drain)
{
	check_outlasts(POST_HI, false);
	check_outlasts(POST_HI "\r\n", false);
	check_outlasts(POST_HI, true);
	check_outlasts(POST_HI "\r\n", true);
}
END_TEST

START_TEST(an_answer_that_is_cut_leaves_them_whole)
{
	size_t had;

	setup(2);
	had = stream_mem_unread(r.client[0].stream);
	ask_and_block(GET GET GET GET_PLAIN);
	rig_say(&r, rig_up(&r, "/plain"), "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n");
	stream_close(&rig_up(&r, "/plain")->stream);
	rig_settle(&r);
	rig_take_all(&r);
	ck_assert(r.client[0].is_ended);
	ck_assert_uint_ge(r.client[0].in.n, had + 3 * n_answer);
	rig_assert_ends(&r.client[0], "\r\nContent-Length: 3000\r\nVia: 1.1 gatherd\r\n\r\n");
	rig_close(&r);
}
END_TEST

START_TEST(more_are_held_while_they_wait)
{
	size_t had;

	setup(2);
	had = stream_mem_unread(r.client[0].stream);
	ask_and_block(GET GET GET GET_PLAIN GET GET);
	rig_answer(&r, rig_up(&r, "/plain"), "text/plain", "yours");
	rig_take_all(&r);
	ck_assert_uint_gt(r.client[0].in.n, had + 6 * n_answer - 10);
	rig_assert_has(&r.client[0], "\r\n\r\nyoursHTTP/1.1 200 OK\r\n");
	rig_assert_ends(&r.client[0], "mine");
	rig_close(&r);
}
END_TEST

START_TEST(they_go_with_their_client)
{
	setup(2);
	ask_and_block(GET GET GET GET_PLAIN);
	rig_answer(&r, rig_up(&r, "/plain"), "text/plain", "yours");
	rig_leave(&r, 0);
	ck_assert_uint_eq(r.listener->n_conns, 0);
	rig_close(&r);
}
END_TEST

UNIT_MAIN("cconn", a_continue_waits_behind_them, an_answer_that_came_before_there_was_room,
    a_piece_that_comes_with_the_room, they_outlast_idle_time_and_drain,
    an_answer_that_is_cut_leaves_them_whole, more_are_held_while_they_wait,
    they_go_with_their_client)
