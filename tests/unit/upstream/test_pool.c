/* Leases and connections, on the memory world: who waits, who is served, what is closed. */
#include "upstream/pool.h"

#include "net/stream.h"
#include "upstream/uconn.h"
#include "upstream_rig.h"

#define MAX_PEERS 16

struct asker {
	struct lease lease;
	int n_told;
	enum err_code told;
};

struct fixture {
	struct mem_listener *listener;
	struct addr addr;
	struct pool *pool;
	struct asker askers[4];
	struct stream *peers[MAX_PEERS]; /* the server's ends, in the order of connecting */
	size_t n_peers;
};

static struct rig r;
static struct fixture f;

static void
on_accept(void *owner, struct stream *stream, const struct addr *from)
{
	(void)owner;
	(void)from;
	ck_assert_uint_lt(f.n_peers, MAX_PEERS);
	f.peers[f.n_peers++] = stream;
}

static const struct mem_listener_events listener_events = { .on_accept = on_accept };

static void
on_leased(struct lease *l, enum err_code e)
{
	struct asker *a = CONTAINER_OF(l, struct asker, lease);

	a->n_told++;
	a->told = e;
}

static void
on_ready(struct lease *l)
{
	(void)l;
}

static const struct lease_events lease_events = {
	.on_leased = on_leased,
	.on_readable = on_ready,
	.on_writable = on_ready,
};

static void
setup(uint64_t max_connections, uint64_t max_idle)
{
	memset(&f, 0, sizeof f);
	rig_open(&r);
	ck_assert_int_eq(addr_parse(STR("10.0.0.1:80"), &f.addr), ERR_NONE);
	f.listener = mem_world_listen(r.world, r.loop, &f.addr, &listener_events, &f);
	r.server.addrs = &f.addr;
	r.server.n_addrs = 1;
	r.conf.pool.max_connections = max_connections;
	r.conf.pool.max_idle = max_idle;
	rig_start(&r);
	f.pool = &r.up.endpoints[0]->pool;
}

static void
teardown(void)
{
	for (size_t i = 0; i < ARRAY_LEN(f.askers); i++)
		if (f.askers[i].lease.pool != NULL)
			pool_unlease(&f.askers[i].lease, false);
	upstream_close(&r.up);
	mem_world_unlisten(&f.listener);
	for (size_t i = 0; i < f.n_peers; i++)
		stream_close(&f.peers[i]);
	rig_close(&r);
}

/* Until nothing happens any more but what time alone brings. */
static void
settle(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn(r.loop, NS_PER_MS);
}

static struct lease *
lease(size_t i)
{
	return &f.askers[i].lease;
}

static void
ask(size_t i)
{
	pool_lease(f.pool, lease(i), &lease_events);
}

START_TEST(who_waits_is_served_in_order)
{
	setup(1, 1);
	ask(0);
	ask(1);
	ask(2);
	ck_assert_int_eq(f.askers[0].n_told, 0);
	settle();
	ck_assert_int_eq(lease(0)->state, LEASE_HELD);
	ck_assert_uint_eq(f.pool->n_waiting, 2);
	pool_unlease(lease(0), true);
	ck_assert_int_eq(lease(1)->state, LEASE_HELD);
	pool_unlease(lease(1), true);
	ck_assert_int_eq(lease(2)->state, LEASE_HELD);
	ck_assert_uint_eq(f.n_peers, 1);
	teardown();
}
END_TEST

START_TEST(what_was_used_last_is_used_first)
{
	struct uconn *last;

	setup(3, 3);
	ask(0);
	ask(1);
	settle();
	last = lease(1)->uconn;
	pool_unlease(lease(0), true);
	pool_unlease(lease(1), true);
	ask(2);
	ck_assert_int_eq(lease(2)->state, LEASE_HELD);
	ck_assert_ptr_eq(lease(2)->uconn, last);
	teardown();
}
END_TEST

START_TEST(no_more_are_idle_than_may_be)
{
	struct uconn *last;

	setup(3, 1);
	ask(0);
	ask(1);
	settle();
	last = lease(1)->uconn;
	pool_unlease(lease(0), true);
	pool_unlease(lease(1), true);
	ck_assert_uint_eq(f.pool->n_idle, 1);
	ck_assert_ptr_eq(TAILQ_FIRST(&f.pool->idle), last);
	teardown();
}
END_TEST

START_TEST(an_unclean_connection_makes_way_for_a_new_one)
{
	setup(1, 1);
	ask(0);
	ask(1);
	settle();
	pool_unlease(lease(0), false);
	ck_assert_int_eq(lease(1)->state, LEASE_WAITING);
	settle();
	ck_assert_int_eq(lease(1)->state, LEASE_HELD);
	ck_assert_uint_eq(f.n_peers, 2);
	teardown();
}
END_TEST

START_TEST(a_fresh_connection_finds_room_at_once)
{
	setup(1, 1);
	ask(0);
	settle();
	pool_unlease(lease(0), true);
	ck_assert_uint_eq(f.pool->n_idle, 1);
	lease(1)->is_fresh_wanted = true;
	ask(1);
	ck_assert_uint_eq(f.pool->n_idle, 0);
	settle();
	ck_assert_int_eq(lease(1)->state, LEASE_HELD);
	ck_assert(!uconn_is_reused(lease(1)->uconn));
	teardown();
}
END_TEST

START_TEST(a_fresh_connection_finds_room_later)
{
	setup(1, 1);
	ask(0);
	settle();
	lease(1)->is_fresh_wanted = true;
	ask(1);
	settle();
	ck_assert_int_eq(lease(1)->state, LEASE_WAITING);
	/* Clean, and good for the next one; but the one who waits cannot use it. */
	pool_unlease(lease(0), true);
	settle();
	ck_assert_int_eq(lease(1)->state, LEASE_HELD);
	ck_assert_uint_eq(f.n_peers, 2);
	teardown();
}
END_TEST

START_TEST(a_refused_connection_fails_one_lease)
{
	setup(1, 1);
	mem_world_unlisten(&f.listener);
	ask(0);
	ask(1);
	while (f.askers[0].n_told == 0)
		loop_turn(r.loop, NS_PER_MS);
	ck_assert_int_eq(f.askers[0].told, ERR_CONNECT_REFUSED);
	ck_assert_int_eq(lease(0)->state, LEASE_NONE);
	ck_assert_int_eq(f.askers[1].n_told, 0);
	settle();
	ck_assert_int_eq(f.askers[1].told, ERR_CONNECT_REFUSED);
	ck_assert_uint_eq(f.pool->n_connecting + f.pool->n_waiting, 0);
	teardown();
}
END_TEST

START_TEST(who_leaves_the_queue_hears_nothing)
{
	setup(1, 1);
	ask(0);
	ask(1);
	pool_unlease(lease(1), false);
	settle();
	ck_assert_int_eq(f.askers[1].n_told, 0);
	ck_assert_uint_eq(f.pool->n_waiting, 0);
	/* Nobody waits for the connection that was begun for the first: it stays for the next one. */
	pool_unlease(lease(0), true);
	ck_assert_uint_eq(f.pool->n_idle, 1);
	teardown();
}
END_TEST

UNIT_MAIN("pool", who_waits_is_served_in_order, what_was_used_last_is_used_first,
    no_more_are_idle_than_may_be, an_unclean_connection_makes_way_for_a_new_one,
    a_fresh_connection_finds_room_at_once, a_fresh_connection_finds_room_later,
    a_refused_connection_fails_one_lease, who_leaves_the_queue_hears_nothing)
