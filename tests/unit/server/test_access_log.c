#include "server/access_log.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "server/exchange.h"
#include "server/server_rig.h"

#define PATH "/tmp/gatherd-access-log-XXXXXX"

static struct rig r;
static struct access_log *writer;
static struct access_log_port port;
static char path[sizeof(PATH)];
static char text[20000];

static struct listener listener = { .conf = &r.listener_conf };
static struct exchange example = { .listener = &listener, .request = { .path = { "/", 1 } } };

static const char *
log_text(void)
{
	ssize_t n;
	int fd;

	ck_assert(access_log_flush(writer, 10));
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void
setup(void)
{
	int fd;

	memcpy(path, PATH, sizeof(path));
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	rig_open(&r);
	rig_reply(&r, "/a/{x}", "GET", "AAA");
	rig_proxy(&r, "/p");
	writer = access_log_new(str_c(path));
	ck_assert_ptr_nonnull(writer);
	r.access_log = &port;
	rig_start(&r);
	access_log_port_init(&port, writer, r.loop, &r.metrics);
}

static void
teardown(void)
{
	server_close(&r.server);
	access_log_port_fini(&port);
	rig_settle(&r);
	access_log_close(&writer);
	unlink(path);
	rig_close(&r);
}

static void
assert_logged(const char *want)
{
	ck_assert_msg(strstr(log_text(), want) != NULL, "no %s in\n%s", want, text);
}

START_TEST(writes_one_line_per_request)
{
	setup();
	rig_ask(&r, "GET /a/%22?q=[\\] HTTP/1.1\r\nHost: x.y\r\n\r\n");
	ck_assert_str_eq(log_text(), "");
	rig_wait(&r, 60 * NS_PER_MS);
	assert_logged("{\"time\":\"2026-01-01T00:00:0");
	assert_logged(
	    ",\"client\":\"192.0.2.7\",\"listener\":\"public\",\"method\":\"GET\","
	    "\"path\":\"/a/%22?q=[\\\\]\",\"host\":\"x.y\",\"route\":\"/a/{x}\",\"status\":200,"
	    "\"reason\":\"none\",\"bytes_in\":40,\"bytes_out\":");
	ck_assert_ptr_eq(strchr(text, '\n') + 1, text + strlen(text));
	teardown();
}
END_TEST

START_TEST(tells_every_call)
{
	setup();
	rig_ask(&r, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_wait(&r, 2 * NS_PER_MS);
	rig_say(&r, &r.up[0], "HTTP/1.1 404 Nope\r\nContent-Length: 3\r\n\r\nabc");
	rig_wait(&r, 60 * NS_PER_MS);
	assert_logged(
	    "\"calls\":[{\"name\":\"proxy\",\"upstream\":\"up\",\"server\":\"10.0.0.9:80\","
	    "\"status\":404,"
	    "\"reason\":\"none\",\"queue_ms\":0.000,\"connect_ms\":0.000,\"first_byte_ms\":2.0");
	assert_logged("\"bytes\":3,");
	assert_logged("\"reused\":false}]}\n");
	teardown();
}
END_TEST

START_TEST(tells_what_was_refused_and_who_left)
{
	setup();
	rig_ask(&r, "GET / HTTP/9.9\r\n\r\n");
	rig_leave(&r, 0);
	rig_ask(&r, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_leave(&r, 0);
	rig_wait(&r, 60 * NS_PER_MS);
	assert_logged("\"status\":505,\"reason\":\"version_unknown\"");
	assert_logged("\"status\":499,\"reason\":\"client_gone\"");
	assert_logged("\"reason\":\"cancelled\"");
	teardown();
}
END_TEST

START_TEST(reopens_its_file)
{
	char old[sizeof(path) + 4];

	setup();
	rig_ask(&r, "GET /a/1 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_wait(&r, 60 * NS_PER_MS);
	snprintf(old, sizeof(old), "%s.old", path);
	ck_assert_int_eq(rename(path, old), 0);
	access_log_reopen(writer);
	rig_ask(&r, "GET /a/2 HTTP/1.1\r\nHost: x\r\n\r\n");
	rig_wait(&r, 60 * NS_PER_MS);
	assert_logged("/a/2");
	ck_assert_ptr_null(strstr(text, "/a/1"));
	unlink(old);
	teardown();
}
END_TEST

START_TEST(full_chunks_leave_at_once)
{
	setup();
	for (int i = 0; i < 400; i++)
		rig_ask(&r, "GET /a/1 HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_uint_gt(strlen(log_text()), 10000);
	teardown();
}
END_TEST

START_TEST(fills_the_chunk_that_was_written)
{
	struct access_log_chunk *chunk;

	setup();
	access_log_record(&port, &example);
	chunk = port.chunk;
	for (int i = 0; i < 10; i++) {
		rig_wait(&r, 60 * NS_PER_MS);
		ck_assert_ptr_null(port.chunk);
		ck_assert(access_log_flush(writer, 10));
		access_log_record(&port, &example);
		ck_assert_ptr_eq(port.chunk, chunk);
	}
	teardown();
}
END_TEST

/* ---- a log that is a pipe: standard output */

static int pipe_fd[2], standard_output;

static void
setup_pipe(void)
{
	standard_output = dup(STDOUT_FILENO);
	ck_assert_int_eq(pipe(pipe_fd), 0);
	dup2(pipe_fd[1], STDOUT_FILENO);
	rig_open(&r);
	writer = access_log_new(STR("stdout"));
	rig_start(&r);
	access_log_port_init(&port, writer, r.loop, &r.metrics);
}

static void
teardown_pipe(void)
{
	server_close(&r.server);
	access_log_port_fini(&port);
	access_log_close(&writer);
	dup2(standard_output, STDOUT_FILENO);
	close(standard_output);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	rig_close(&r);
}

/* Nobody reads: records are dropped and counted, and closing does not wait for ever. */
START_TEST(a_stuck_reader_stops_nobody)
{
	size_t n;

	setup_pipe();
	for (n = 0;
	     n < 300000 && atomic_load(&r.metrics.cells[r.layout.first[METRIC_LOG_DROPPED]]) == 0;
	     n++)
		access_log_record(&port, &example);
	ck_assert_uint_lt(n, 300000);
	ck_assert(!access_log_flush(writer, 0));
	teardown_pipe();
}
END_TEST

/* Reads what the writer has not been able to write; it is all in a pipe. */
static void
drain(int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	while (!access_log_flush(writer, 0))
		if (poll(&readable, 1, 10) > 0)
			ck_assert_int_gt(read(fd, text, sizeof(text)), 0);
}

START_TEST(frees_what_piled_up_behind_a_late_reader)
{
	size_t before;

	setup_pipe();
	before = mallinfo2().uordblks;
	for (int i = 0; i < 10000; i++)
		access_log_record(&port, &example);
	drain(pipe_fd[0]);
	/* Some 40 chunks were in use; two are kept, and one is filling. A sanitizer's heap is not looked at. */
	ck_assert_uint_lt(mallinfo2().uordblks, before + 4 * 65536);
	teardown_pipe();
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_told)
{
	ck_assert_ptr_null(access_log_new(STR("/no/such/folder/log")));
}
END_TEST

UNIT_MAIN("access_log", writes_one_line_per_request, tells_every_call,
    tells_what_was_refused_and_who_left, reopens_its_file, full_chunks_leave_at_once,
    a_stuck_reader_stops_nobody, fills_the_chunk_that_was_written,
    frees_what_piled_up_behind_a_late_reader, a_file_that_cannot_be_opened_is_told)
