#include "net/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/loop_real.h"
#include "net/sock.h"
#include "unit.h"

struct owner {
	struct acceptor *acceptor;
	int fds[300];
	size_t n;
	struct addr last_peer;
	bool closes_when_told;
};

static void
on_accept(void *arg, int fd, const struct addr *peer)
{
	struct owner *o = arg;

	ck_assert_uint_lt(o->n, ARRAY_LEN(o->fds));
	o->fds[o->n++] = fd;
	o->last_peer = *peer;
	if (o->closes_when_told)
		acceptor_close(&o->acceptor);
}

static const struct acceptor_events events = { .on_accept = on_accept };

struct scene {
	struct loop *loop;
	struct owner owner;
	struct addr at;
	int clients[300];
	size_t n_clients;
};

static void
scene_open(struct scene *s)
{
	int fd;

	memset(s, 0, sizeof *s);
	s->loop = loop_real_new();
	ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), &s->at), ERR_NONE);
	ck_assert_int_eq(sock_listen(&s->at, true, 512, &fd), ERR_NONE);
	ck_assert_int_eq(sock_local_addr(fd, &s->at), ERR_NONE);
	s->owner.acceptor = acceptor_new(s->loop, fd, &events, &s->owner);
}

static void
connect_clients(struct scene *s, size_t n)
{
	while (n-- > 0) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		ck_assert_int_ge(fd, 0);
		s->clients[s->n_clients++] = fd;
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&s->at.sa, s->at.len), 0);
	}
}

static void
scene_close(struct scene *s)
{
	acceptor_close(&s->owner.acceptor);
	acceptor_close(&s->owner.acceptor);
	for (size_t i = 0; i < s->owner.n; i++)
		close(s->owner.fds[i]);
	for (size_t i = 0; i < s->n_clients; i++)
		close(s->clients[i]);
	loop_free(s->loop);
}

START_TEST(accepts_and_names_the_peer)
{
	socklen_t n = sizeof(int);
	int is_on = 0;
	struct scene s;
	struct addr client;

	scene_open(&s);
	connect_clients(&s, 1);
	loop_turn(s.loop, NS_PER_SEC);
	ck_assert_uint_eq(s.owner.n, 1);
	ck_assert_int_eq(sock_local_addr(s.clients[0], &client), ERR_NONE);
	ck_assert(addr_eq(&client, &s.owner.last_peer));
	ck_assert_int_eq(getsockopt(s.owner.fds[0], IPPROTO_TCP, TCP_NODELAY, &is_on, &n), 0);
	ck_assert_int_ne(is_on, 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_turn_has_a_budget)
{
	struct scene s;

	scene_open(&s);
	connect_clients(&s, 100);
	loop_turn(s.loop, NS_PER_SEC);
	ck_assert_uint_eq(s.owner.n, 64);
	loop_turn(s.loop, NS_PER_SEC);
	ck_assert_uint_eq(s.owner.n, 100);
	scene_close(&s);
}
END_TEST

START_TEST(may_be_closed_in_its_callback)
{
	struct scene s;

	scene_open(&s);
	s.owner.closes_when_told = true;
	connect_clients(&s, 3);
	loop_turn(s.loop, NS_PER_SEC);
	ck_assert_uint_eq(s.owner.n, 1);
	scene_close(&s);
}
END_TEST

START_TEST(finishing_takes_in_who_waits)
{
	struct scene s;

	scene_open(&s);
	connect_clients(&s, 100);
	acceptor_finish(&s.owner.acceptor);
	ck_assert_ptr_null(s.owner.acceptor);
	ck_assert_uint_eq(s.owner.n, 100);
	acceptor_finish(&s.owner.acceptor);
	loop_turn(s.loop, 0);
	scene_close(&s);
	scene_open(&s);
	s.owner.closes_when_told = true;
	connect_clients(&s, 3);
	acceptor_finish(&s.owner.acceptor);
	ck_assert_uint_eq(s.owner.n, 1);
	loop_turn(s.loop, 0);
	scene_close(&s);
}
END_TEST

/* Leaves the process with no descriptor but those it has. */
static void
exhaust_fds(void)
{
	struct rlimit limit;
	int next = dup(0);

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(out_of_descriptors_it_pauses_and_goes_on)
{
	uint64_t start_ns, turns;
	struct rlimit limit;
	struct scene s;
	char c;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	scene_open(&s);
	connect_clients(&s, 3);
	exhaust_fds();
	loop_turn(s.loop, NS_PER_SEC);
	ck_assert_uint_eq(s.owner.n, 0);
	/* The oldest was let in and sent away; the two others wait. */
	ck_assert_int_eq(recv(s.clients[0], &c, 1, 0), 0);
	ck_assert_int_eq(recv(s.clients[1], &c, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	/* No busy loop while it pauses. */
	start_ns = s.loop->now_ns;
	turns = s.loop->turns;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (s.owner.n < 2)
		loop_turn(s.loop, NS_PER_SEC);
	ck_assert_uint_ge(s.loop->now_ns - start_ns, 100 * NS_PER_MS);
	ck_assert_uint_le(s.loop->turns - turns, 4);
	scene_close(&s);
}
END_TEST

START_TEST(a_stale_unix_socket_is_replaced_and_a_live_one_is_not)
{
	struct addr at;
	int first, second;

	unlink("test_acceptor.sock");
	ck_assert_int_eq(addr_parse(STR("unix:test_acceptor.sock"), &at), ERR_NONE);
	ck_assert_int_eq(sock_listen(&at, false, 4, &first), ERR_NONE);
	ck_assert_int_eq(sock_listen(&at, false, 4, &second), ERR_SYSTEM);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(first);
	ck_assert_int_eq(sock_listen(&at, false, 4, &second), ERR_NONE);
	close(second);
	unlink("test_acceptor.sock");
}
END_TEST

START_TEST(workers_can_share_an_address)
{
	struct addr at;
	int first, second, third;

	ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), &at), ERR_NONE);
	ck_assert_int_eq(sock_listen(&at, true, 4, &first), ERR_NONE);
	ck_assert_int_eq(sock_local_addr(first, &at), ERR_NONE);
	ck_assert_int_eq(sock_listen(&at, true, 4, &second), ERR_NONE);
	ck_assert_int_eq(sock_listen(&at, false, 4, &third), ERR_SYSTEM);
	close(first);
	close(second);
}
END_TEST

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof value;

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &n), 0);
	return value;
}

START_TEST(accepted_sockets_have_the_options_of_their_listener)
{
	const struct sock_conf conf = { .backlog = 4,
		.keep_alive_ns = 30 * NS_PER_SEC + 1,
		.fast_open = 16,
		.is_v6only = true };
	struct addr at;
	int listening, client = socket(AF_INET, SOCK_STREAM, 0), fd;

	ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), &at), ERR_NONE);
	ck_assert_int_eq(sock_listen_as(&at, &conf, false, &listening), ERR_NONE);
	ck_assert(sock_is_listening(listening));
	ck_assert_int_eq(option(listening, IPPROTO_TCP, TCP_FASTOPEN), 16);
	ck_assert_int_eq(sock_local_addr(listening, &at), ERR_NONE);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&at.sa, at.len), 0);
	fd = accept(listening, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert(!sock_is_listening(fd));
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 31);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 11);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	close(fd);
	close(client);
	close(listening);
}
END_TEST

START_TEST(a_deferred_client_is_not_accepted_before_it_speaks)
{
	const struct sock_conf conf = { .backlog = 4, .defer_accept_ns = 600 * NS_PER_SEC };
	struct addr at;
	int listening, client = socket(AF_INET, SOCK_STREAM, 0), fd;

	ck_assert_int_eq(addr_parse(STR("127.0.0.1:0"), &at), ERR_NONE);
	ck_assert_int_eq(sock_listen_as(&at, &conf, false, &listening), ERR_NONE);
	ck_assert_int_eq(sock_local_addr(listening, &at), ERR_NONE);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&at.sa, at.len), 0);
	ck_assert_int_eq(accept(listening, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(send(client, "G", 1, 0), 1);
	fd = accept(listening, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(client);
	close(listening);
}
END_TEST

UNIT_MAIN("acceptor", accepts_and_names_the_peer, a_turn_has_a_budget,
    may_be_closed_in_its_callback, finishing_takes_in_who_waits,
    out_of_descriptors_it_pauses_and_goes_on, a_stale_unix_socket_is_replaced_and_a_live_one_is_not,
    workers_can_share_an_address, accepted_sockets_have_the_options_of_their_listener,
    a_deferred_client_is_not_accepted_before_it_speaks)
