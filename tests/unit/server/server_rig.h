/*
 * A server of this floor in a world of memory: routes given as structures, clients that are typed
 * by hand, upstreams that say what they are told to. Time moves only when a test says so.
 */
#ifndef SERVER_RIG_H
#define SERVER_RIG_H

#include "base/buf.h"
#include "net/mem_world.h"
#include "net/stream_mem.h"
#include "server/access_log.h"
#include "server/admin.h"
#include "server/cconn.h"
#include "server/server.h"
#include "unit.h"
#include "upstream/upstream.h"

#define RIG_CLIENTS 8
#define RIG_ROUTES 8
#define RIG_WINDOW 65536 /* of a stream in memory */

/* One end of a stream that a test types on: a client, or an upstream's connection. */
struct rig_end {
	struct stream *stream; /* NULL: not there */
	struct buf in;         /* what came */
	bool is_ended;         /* the other side has ended */
	bool is_broken;
	bool is_deaf; /* reads nothing */
};

struct rig {
	struct mem_world *world;
	struct loop *loop;
	struct arena arena;
	struct listener_conf listener_conf;
	struct listener_shared shared;
	struct route_conf routes[RIG_ROUTES];
	size_t n_routes;
	struct server_conf upstream_server;
	struct upstream_conf upstream_conf;
	struct addr upstream_addr;
	struct mem_listener *upstream_listener;
	struct upstream_slots upstream_slots;
	struct limiter_slot admission_slot;
	struct upstream upstream;
	struct limiter admission;
	struct json_scan js;
	struct coding_store coding;
	struct gather_env gather;
	struct site *site;
	struct admin_view admin;
	const struct metric_shard *shards[1];
	const struct limiter_slot *limiters[1];
	struct metric_layout layout;
	struct metric_shard metrics;
	struct access_log_port *access_log; /* of the test; NULL: none */
	enum listener_kind kind;
	struct server server;
	struct listener *listener;
	struct rig_end client[RIG_CLIENTS];
	struct rig_end up[RIG_CLIENTS]; /* connections to the upstream, in order */
	size_t n_up;
};

static inline void
rig_read(void *arg)
{
	struct rig_end *end = arg;
	char bytes[65536];
	enum io_status io;
	size_t got;

	while ((io = stream_read(end->stream, bytes, sizeof(bytes), &got)) == IO_OK)
		buf_add(&end->in, str_of(bytes, got));
	if (io == IO_AGAIN)
		return;
	end->is_ended = io == IO_EOF;
	end->is_broken = io == IO_ERROR;
	stream_want_read(end->stream, false);
}

static inline void
rig_write(void *arg)
{
	(void)arg;
}

static const struct stream_events rig_events = { .on_readable = rig_read,
	.on_writable = rig_write };

static inline void
rig_take(struct rig_end *end, struct stream *stream)
{
	end->stream = stream;
	stream_set_owner(stream, &rig_events, end);
	stream_want_read(stream, !end->is_deaf);
}

static inline void
rig_accept(void *owner, struct stream *stream, const struct addr *peer)
{
	struct rig *r = owner;

	(void)peer;
	rig_take(&r->up[r->n_up++], stream);
}

static const struct mem_listener_events rig_accepts = { .on_accept = rig_accept };

/* Defaults; a test changes r->listener_conf and r->upstream_conf before rig_start(). */
static inline void
rig_open(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->world = mem_world_new(1);
	r->loop = mem_world_loop(r->world);
	arena_init(&r->arena, NULL, 0);
	r->listener_conf.name = STR("public");
	r->listener_conf.timeouts.header_ns = 5 * NS_PER_SEC;
	r->listener_conf.timeouts.body_ns = 30 * NS_PER_SEC;
	r->listener_conf.timeouts.idle_ns = 60 * NS_PER_SEC;
	r->listener_conf.timeouts.write_stall_ns = 10 * NS_PER_SEC;
	r->listener_conf.limits.connections = 100;
	r->listener_conf.limits.header_bytes = 16384;
	r->listener_conf.limits.headers = 100;
	r->listener_conf.limits.body = 1 << 20;
	ck_assert_int_eq(addr_parse(STR("10.0.0.9:80"), &r->upstream_addr), ERR_NONE);
	r->upstream_server = (struct server_conf){
		.host = STR("up"), .addrs = &r->upstream_addr, .n_addrs = 1, .weight = 1
	};
	r->upstream_conf.name = STR("up");
	r->upstream_conf.servers = &r->upstream_server;
	r->upstream_conf.n_servers = 1;
	r->upstream_conf.pool.max_connections = 8;
	r->upstream_conf.pool.max_idle = 8;
	r->upstream_conf.pool.idle_timeout_ns = 55 * NS_PER_SEC;
	r->upstream_conf.timeouts.connect_ns = NS_PER_SEC;
	r->upstream_conf.timeouts.first_byte_ns = 2 * NS_PER_SEC;
	r->upstream_conf.timeouts.total_ns = 3 * NS_PER_SEC;
	r->upstream_conf.queue.timeout_ns = NS_PER_SEC;
	r->upstream_conf.limits.header_bytes = 16384;
	r->upstream_conf.limits.headers = 100;
	limiter_slot_init(&r->admission_slot, 0, 0);
}

/* methods: comma-separated, empty: any. */
static inline struct route_conf *
rig_route(struct rig *r, const char *path, const char *methods)
{
	struct route_conf *route = &r->routes[r->n_routes++];
	struct str rest = str_c(methods), method;

	route->name = str_c(path);
	route->path.s = str_c(path);
	route->timeout_ns = 10 * NS_PER_SEC;
	route->methods.at = arena_calloc(&r->arena, 8, sizeof(struct conf_text));
	while (rest.n > 0 && str_split(&rest, ',', &method))
		route->methods.at[route->methods.n++].s = method;
	return route;
}

static inline struct route_conf *
rig_reply(struct rig *r, const char *path, const char *methods, const char *body)
{
	struct route_conf *route = rig_route(r, path, methods);

	route->kind = ROUTE_REPLY;
	route->reply.status = 200;
	route->reply.body.s = str_c(body);
	return route;
}

static inline struct route_conf *
rig_proxy(struct rig *r, const char *path)
{
	struct route_conf *route = rig_route(r, path, "");

	route->kind = ROUTE_PROXY;
	return route;
}

/* A required GET, for a route of kind `calls`. */
static inline struct call_conf
rig_call(const char *name, const char *path)
{
	struct call_conf c = {
		.name = str_c(name),
		.path = { .s = str_c(path) },
		.method = { .s = STR("GET") },
		.is_required = true,
		.max_body_bytes = 100000,
	};

	for (unsigned code = 200; code < 300; code++)
		status_set_add(&c.accept, code);
	return c;
}

static inline void
rig_start_upstream(struct rig *r)
{
	upstream_slots_init(&r->upstream_slots, &r->upstream_conf);
	upstream_init(
	    &r->upstream, &r->upstream_conf, 0, &r->upstream_slots, 0, r->loop, &r->metrics);
	r->upstream_listener =
	    mem_world_listen(r->world, r->loop, &r->upstream_addr, &rig_accepts, r);
	limiter_init(&r->admission, &r->admission_slot, 0, r->loop);
	json_scan_init(&r->js, 1);
	coding_store_init(&r->coding, 64 << 20, &r->loop->blocks.large);
	r->upstream.coding = &r->coding;
	r->gather = (struct gather_env){ .loop = r->loop, .upstreams = &r->upstream, .js = &r->js };
}

static inline void
rig_start(struct rig *r)
{
	const struct site_conf conf = { r->routes, r->n_routes, &r->upstream_conf };
	size_t sizes[DIM_COUNT];
	struct plan_fault fault;

	ck_assert_msg(
	    site_build(&r->arena, &conf, &r->site, &fault) == ERR_NONE, "%s", fault.message);
	r->shards[0] = &r->metrics;
	r->limiters[0] = &r->upstream_slots.permits;
	r->admin = (struct admin_view){
		.shards = r->shards,
		.n_shards = 1,
		.listeners = &r->listener_conf,
		.n_listeners = 1,
		.site = r->site,
		.upstreams = &r->upstream_conf,
		.limiters = r->limiters,
		.n_upstreams = 1,
		.admission = &r->admission_slot,
	};
	admin_metric_sizes(&r->admin, sizes);
	metric_layout_init(&r->layout, sizes);
	metric_shard_init(&r->metrics, &r->layout);
	rig_start_upstream(r);
	server_init(&r->server, &(struct server_setup){ .gather = &r->gather,
				    .admission = &r->admission,
				    .admission_wait_ns = NS_PER_SEC,
				    .metrics = &r->metrics,
				    .coding = &r->coding,
				    .access_log = r->access_log,
				    .admin = &r->admin,
				    .seed = 1 });
	r->listener = listener_new(&r->server, &(struct listener_setup){ .conf = &r->listener_conf,
						   .kind = r->kind,
						   .site = r->site,
						   .shared = &r->shared,
						   .fd = -1 });
}

/* Lets everything happen that can happen now. */
static inline void
rig_settle(struct rig *r)
{
	for (int i = 0; i < 200; i++)
		loop_turn(r->loop, 0);
}

static inline void
rig_wait(struct rig *r, uint64_t ns)
{
	uint64_t until_ns = r->world->now_ns + ns;

	rig_settle(r);
	while (r->world->now_ns < until_ns)
		loop_turn(r->loop, until_ns - r->world->now_ns);
	rig_settle(r);
}

static inline void
rig_connect(struct rig *r, size_t i)
{
	struct stream *ends[2];
	struct addr peer;

	ck_assert_int_eq(addr_parse(STR("192.0.2.7:1234"), &peer), ERR_NONE);
	stream_mem_pair(r->loop, r->loop, ends);
	buf_clear(&r->client[i].in);
	r->client[i].is_ended = r->client[i].is_broken = false;
	rig_take(&r->client[i], ends[0]);
	listener_add(r->listener, ends[1], &peer);
	rig_settle(r);
}

static inline void
rig_put(struct rig_end *end, struct str text)
{
	struct iovec iov = str_iov(text);
	size_t put;

	ck_assert_int_eq(stream_writev(end->stream, &iov, 1, &put), IO_OK);
	ck_assert_uint_eq(put, text.n);
}

static inline void
rig_say(struct rig *r, struct rig_end *end, const char *text)
{
	rig_put(end, str_c(text));
	rig_settle(r);
}

/* Client 0 connects anew when it has to, and says this. */
static inline void
rig_ask(struct rig *r, const char *text)
{
	if (r->client[0].stream == NULL)
		rig_connect(r, 0);
	buf_clear(&r->client[0].in);
	rig_say(r, &r->client[0], text);
}

/*
 * Client 0 stops reading, and asks this until there is room for less than n more of the answer. Returns the bytes of
 * one.
 */
static inline size_t
rig_fill(struct rig *r, const char *text, size_t n)
{
	struct rig_end *client = &r->client[0];
	size_t answer;

	rig_ask(r, text);
	answer = client->in.n;
	buf_clear(&client->in);
	client->is_deaf = true;
	stream_want_read(client->stream, false);
	while (stream_mem_unread(client->stream) + n * answer < RIG_WINDOW)
		rig_say(r, client, text);
	return answer;
}

/* It has what is there, and then takes the rest. */
static inline void
rig_take_all(struct rig *r)
{
	stream_want_read(r->client[0].stream, true);
	rig_settle(r);
}

static inline void
rig_leave(struct rig *r, size_t i)
{
	stream_close(&r->client[i].stream);
	rig_settle(r);
}

static inline bool
rig_has(struct rig_end *end, const char *text)
{
	return strstr(buf_c(&end->in), text) != NULL;
}

/* The upstream's connection that was asked for this; they come in any order. */
static inline struct rig_end *
rig_up(struct rig *r, const char *text)
{
	for (size_t i = 0; i < r->n_up; i++)
		if (rig_has(&r->up[i], text))
			return &r->up[i];
	ck_abort_msg("nobody asked for %s", text);
}

/* It answers 200 with this body. */
static inline void
rig_answer(struct rig *r, struct rig_end *end, const char *type, const char *body)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", type,
	    strlen(body), body);
	rig_say(r, end, buf_c(&text));
	buf_fini(&text);
}

#define rig_assert_has(end, text) \
	ck_assert_msg(rig_has(end, text), "no \"%s\" in:\n%s", text, buf_c(&(end)->in))
#define rig_assert_lacks(end, text) \
	ck_assert_msg(!rig_has(end, text), "\"%s\" in:\n%s", text, buf_c(&(end)->in))
#define rig_assert_begins(end, text)                                                             \
	ck_assert_msg(str_has_prefix(buf_str(&(end)->in), str_c(text)), "not \"%s\":\n%s", text, \
	    buf_c(&(end)->in))
#define rig_assert_ends(end, text)                                                                 \
	ck_assert_msg(str_has_suffix(buf_str(&(end)->in), str_c(text)), "ends not in \"%s\":\n%s", \
	    text, buf_c(&(end)->in))

/* Everything goes; what was lent must have come back. */
static inline void
rig_close(struct rig *r)
{
	for (size_t i = 0; i < RIG_CLIENTS; i++) {
		stream_close(&r->client[i].stream);
		buf_fini(&r->client[i].in);
	}
	server_close(&r->server);
	rig_settle(r);
	ck_assert_uint_eq(r->server.n_exchanges, 0);
	ck_assert_uint_eq(atomic_load(&r->shared.connections), 0);
	server_fini(&r->server);
	ck_assert_uint_eq(atomic_load(&r->upstream_slots.permits.inflight), 0);
	ck_assert_uint_eq(atomic_load(&r->admission_slot.inflight), 0);
	upstream_close(&r->upstream);
	rig_settle(r);
	upstream_fini(&r->upstream);
	limiter_fini(&r->admission);
	json_scan_fini(&r->js);
	ck_assert_uint_eq(r->coding.n_states, 0);
	ck_assert_uint_eq(r->coding.used_bytes, 0);
	for (size_t i = 0; i < r->n_up; i++) {
		stream_close(&r->up[i].stream);
		buf_fini(&r->up[i].in);
	}
	mem_world_unlisten(&r->upstream_listener);
	rig_settle(r);
	ck_assert_uint_eq(r->loop->blocks.n_used, 0);
	ck_assert_uint_eq(r->world->n_streams, 0);
	loop_free(r->loop);
	mem_world_free(r->world);
	metric_shard_fini(&r->metrics);
	arena_reset(&r->arena);
}

#endif
