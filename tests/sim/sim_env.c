/* Episodes: the draw of their parameters, and their configuration. */
#include "sim_env.h"

#include <inttypes.h>

#include "base/compiler.h"
#include "sim_batch.h"
#include "sim_oracle.h"

#define PERCENT (MEM_WORLD_CHANCE / 100)

static uint64_t
pick(struct sim *s, const uint64_t *from, size_t n)
{
	return from[rnd_below(&s->rnd, n)];
}

#define PICK(s, ...) \
	pick((s), (const uint64_t[]){ __VA_ARGS__ }, ARRAY_LEN(((const uint64_t[]){ __VA_ARGS__ })))

static void
draw_plenty(struct sim *s, unsigned u)
{
	s->env.up[u].limit = PICK(s, 0, 500);
	s->env.up[u].queue_size = 500;
	s->env.up[u].queue_ms = 60000;
	s->env.up[u].max_connections = 500;
}

static void
draw_scarce(struct sim *s, unsigned u)
{
	s->env.up[u].limit = PICK(s, 0, 1, 1, 2, 3, 7);
	s->env.up[u].queue_size = PICK(s, 1, 2, 5, 50);
	s->env.up[u].queue_ms = PICK(s, 1, 10, 100, 1000);
	s->env.up[u].max_connections = PICK(s, 1, 2, 5, 64);
}

static void
draw_upstream(struct sim *s, unsigned u, bool is_scarce)
{
	if (is_scarce)
		draw_scarce(s, u);
	else
		draw_plenty(s, u);
	s->env.up[u].n_servers = (unsigned)sim_between(s, 1, SIM_SERVERS);
	s->env.up[u].max_idle = PICK(s, 0, 1, 2, 16);
	if (s->env.up[u].max_idle > s->env.up[u].max_connections)
		s->env.up[u].max_idle = s->env.up[u].max_connections;
	s->env.up[u].idle_ms = PICK(s, 20, 500, 5000, 55000);
	s->env.up[u].max_requests = PICK(s, 0, 1, 2, 10, 1000);
	s->env.up[u].connect_ms = 300;
	s->env.up[u].first_byte_ms = PICK(s, 600, 1000);
	s->env.up[u].total_ms = PICK(s, 700, 1500);
	s->env.up[u].is_round_robin = PICK(s, 0, 1) == 1;
	s->env.up[u].has_name = PICK(s, 0, 0, 1) == 1;
}

/* What a network does that loses nothing and stays far below every timeout. */
static void
draw_kind_network(struct sim *s)
{
	struct mem_faults *f = &s->world->faults;

	f->latency_ns = PICK(s, 0, 0, 100, 1000, 3000) * NS_PER_US;
	f->window_bytes = PICK(s, 0, 0, 500, 5000, 70000);
	if (f->window_bytes == 500)
		f->latency_ns = 0; /* or big bodies would take longer than any timeout */
	f->connect_ns = PICK(s, 0, 1000, 5000) * NS_PER_US;
	f->turn_ns = PICK(s, 0, 0, 20, 100) * NS_PER_US;
	f->split_chance = (unsigned)PICK(s, 0, 5, 50) * PERCENT;
	f->again_chance = (unsigned)PICK(s, 0, 1, 20) * PERCENT;
	f->late_chance = (unsigned)PICK(s, 0, 5, 30) * PERCENT;
	f->cross_chance = (unsigned)PICK(s, 0, 1, 10) * PERCENT;
	s->env.has_tls = sim_chance(s, 50000);
	s->world->has_records = !s->env.has_tls && PICK(s, 0, 1) == 1;
}

static void
draw_storm(struct sim *s)
{
	struct mem_faults *f = &s->world->faults;

	f->stall_chance = (unsigned)PICK(s, 0, 1000, 10000);
	f->stall_ns = PICK(s, 100, 1000, 8000) * NS_PER_MS;
	f->reset_chance = (unsigned)PICK(s, 0, 500, 5000);
	f->refuse_chance = (unsigned)PICK(s, 0, 5, 20) * PERCENT;
	f->unreachable_chance = (unsigned)PICK(s, 0, 3) * PERCENT;
	f->silent_chance = (unsigned)PICK(s, 0, 3) * PERCENT;
	s->env.rude_chance = (unsigned)PICK(s, 0, 5, 30) * PERCENT;
	s->env.has_jumps = PICK(s, 0, 0, 0, 1) == 1;
}

void
sim_env_draw(struct sim *s)
{
	struct sim_env *e = &s->env;
	bool is_scarce;

	e->mode = (enum sim_mode)PICK(s, SIM_EXACT, SIM_LIMITED, SIM_STORM, SIM_STORM);
	is_scarce = e->mode == SIM_LIMITED || (e->mode == SIM_STORM && PICK(s, 0, 1) == 1);
	e->n_workers = (unsigned)PICK(s, 1, 1, 2, 2, 3);
	e->n_clients = (unsigned)PICK(s, 1, 3, 8, 24);
	e->evil_chance = (unsigned)PICK(s, 0, 0, 3, 20) * PERCENT;
	e->slow_chance = (unsigned)PICK(s, 0, 0, 1, 5) * PERCENT;
	e->has_idle_close = PICK(s, 0, 1) == 1;
	e->header_ms = 3000;
	e->body_ms = 3000;
	e->idle_ms = PICK(s, 100, 10000);
	e->write_stall_ms = 2000;
	if (is_scarce) {
		e->overload_limit = PICK(s, 0, 1, 3, 10);
		e->overload_queue = PICK(s, 1, 5, 20);
		e->overload_wait_ms = PICK(s, 1, 10, 500);
	}
	for (unsigned u = 0; u < SIM_UPSTREAMS; u++)
		draw_upstream(s, u, is_scarce);
	draw_kind_network(s);
	if (e->mode == SIM_STORM)
		draw_storm(s);
	e->has_compression = PICK(s, 0, 1) == 1;
	e->compress_min = PICK(s, 0, 200);
	e->compress_memory = PICK(s, 0, 300, 3000, 65536) << 10;
}

struct addr
sim_env_server_addr(unsigned u, unsigned i)
{
	char text[] = "10.9.0.0:80";
	struct addr a;

	text[5] = (char)('0' + u);
	text[7] = (char)('1' + i);
	if (addr_parse(str_c(text), &a) != ERR_NONE)
		assert(!"an address of ours");
	return a;
}

static void
yaml_upstream(const struct sim *s, unsigned u, struct buf *out)
{
	buf_printf(out, "  u%u:\n    servers: [", u);
	if (s->env.up[u].has_name)
		buf_printf(out, " \"http://u%u\"", u);
	for (unsigned i = 0; !s->env.up[u].has_name && i < s->env.up[u].n_servers; i++)
		buf_printf(out, "%s \"http://10.9.%u.%u\"", i == 0 ? "" : ",", u, i + 1);
	buf_add_c(out, " ]\n");
	if (s->env.up[u].limit != 0)
		buf_printf(out, "    concurrency: { limit: %" PRIu64 " }\n", s->env.up[u].limit);
	buf_printf(out, "    queue: { size: %" PRIu64 ", timeout: %" PRIu64 "ms }\n",
	    s->env.up[u].queue_size, s->env.up[u].queue_ms);
	buf_printf(out,
	    "    pool: { max_connections: %" PRIu64 ", max_idle: %" PRIu64
	    ", idle_timeout: %" PRIu64 "ms, max_requests: %" PRIu64 " }\n",
	    s->env.up[u].max_connections, s->env.up[u].max_idle, s->env.up[u].idle_ms,
	    s->env.up[u].max_requests);
	buf_printf(out,
	    "    timeouts: { connect: %" PRIu64 "ms, first_byte: %" PRIu64 "ms, total: %" PRIu64
	    "ms }\n",
	    s->env.up[u].connect_ms, s->env.up[u].first_byte_ms, s->env.up[u].total_ms);
	buf_printf(
	    out, "    balance: %s\n", s->env.up[u].is_round_robin ? "round_robin" : "least_loaded");
}

static void
yaml_call(const struct sim_route *r, unsigned i, struct buf *out)
{
	buf_printf(out, "      %s:\n        upstream: u%u\n        path: /%c/{id}\n",
	    r->calls[i].name, r->calls[i].upstream, r->calls[i].name[0]);
	buf_add_c(out, "        max_body: 20KiB\n");
	if (r->calls[i].refers != NULL && r->calls[i].refers[0] == 'r')
		buf_printf(
		    out, "        query: { ref: \"{calls.%s.body.ref}\" }\n", r->calls[0].name);
	else if (r->calls[i].refers != NULL)
		buf_printf(out,
		    "        for_each: \"{calls.%s.body.list}\"\n        distinct: true\n"
		    "        parallel: %d\n        query: { item: \"{item}\" }\n",
		    r->calls[0].name, SIM_PARALLEL);
	else if (i == 1)
		buf_add_c(out, "        query: { id: \"{id}\", x: \"{query.x|none}\" }\n"
			       "        headers: { X-Id: \"{id}\" }\n");
	if (r->calls[i].needs_x)
		buf_add_c(out, "        when: \"exists {query.x} and {query.x} != ''\"\n");
	if (!r->calls[i].is_required)
		buf_add_c(out, "        required: false\n");
	if (r->calls[i].default_json != NULL)
		buf_printf(out, "        default: %s\n", r->calls[i].default_json);
	if (r->calls[i].passes_404)
		buf_add_c(out, "        pass_errors: [ 404 ]\n");
	if (r->calls[i].is_text)
		buf_add_c(out, "        as: text\n");
	if (str_eq(str_c(r->method), STR("POST")))
		buf_add_c(out,
		    i == 0
			? "        method: POST\n        json: { v: \"{body.v}\", id: \"{id}\" }\n"
			: "        method: POST\n        body: \"{body}\"\n");
}

static void
yaml_route(const struct sim_route *r, struct buf *out)
{
	static const char *const formats[] = { "json", "ndjson", "sse", "multipart" };

	if (r->kind == SIM_KIND_NOWHERE)
		return;
	buf_printf(out, "  - name: %s\n", r->name);
	switch (r->kind) {
	case SIM_KIND_PROXY:
		buf_printf(out,
		    "    path: /%s/{rest...}\n    methods: any\n    proxy: { upstream: u1%s }\n",
		    r->name,
		    r->takes_upgrade ? ", upgrade: sim, tunnel: { idle_timeout: 20s }" : "");
		break;
	case SIM_KIND_REPLY:
		buf_printf(out,
		    "    path: /%s/{id}\n    reply: { status: 200, json: { reply: \"{id}\" } }\n",
		    r->name);
		break;
	case SIM_KIND_BATCH:
		buf_printf(out,
		    "    path: /%s/{id}\n    timeout: 60s\n    batch: { max: %d, parallel: %d, max_body: 1MiB }\n",
		    r->name, SIM_BATCH_MAX, SIM_BATCH_PARALLEL);
		break;
	default:
		buf_printf(out,
		    "    path: /%s/{id}\n    methods: [ %s ]\n    timeout: 2s\n"
		    "    forward: { headers: [ X-Fwd ] }\n    format: %s\n",
		    r->name, r->method, formats[r->format]);
		if (r->need != 0)
			buf_printf(out, "    need: %u\n", r->need);
		buf_add_c(out, "    calls:\n");
		for (unsigned i = 0; i < r->n_calls; i++)
			yaml_call(r, i, out);
	}
}

void
sim_env_yaml(const struct sim *s, struct buf *out)
{
	const struct sim_env *e = &s->env;

	buf_printf(out,
	    "version: 1\nworkers: %u\nlisteners:\n  public:\n    address: 10.0.0.1:80\n",
	    e->n_workers);
	buf_printf(out,
	    "    timeouts: { header: %" PRIu64 "ms, body: %" PRIu64 "ms, idle: %" PRIu64
	    "ms, write_stall: %" PRIu64 "ms }\n",
	    e->header_ms, e->body_ms, e->idle_ms, e->write_stall_ms);
	buf_add_c(out, "    limits: { header_bytes: 8KiB, headers: 50, body: 64KiB }\n");
	buf_printf(out, "overload:\n  compression_memory: %" PRIu64 "\n", e->compress_memory);
	if (e->overload_limit != 0)
		buf_printf(out,
		    "  concurrency: { limit: %" PRIu64 " }\n  queue: { size: %" PRIu64
		    ", timeout: %" PRIu64 "ms }\n",
		    e->overload_limit, e->overload_queue, e->overload_wait_ms);
	if (e->has_compression)
		buf_printf(out,
		    "defaults:\n  route:\n    compress: { min_size: %" PRIu64
		    ", levels: { gzip: 1, br: 1 } }\n",
		    e->compress_min);
	buf_add_c(out, "observe:\n  access_log: { path: none }\nupstreams:\n");
	for (unsigned u = 0; u < SIM_UPSTREAMS; u++)
		yaml_upstream(s, u, out);
	buf_add_c(out, "routes:\n");
	for (size_t i = 0; sim_oracle_route(i) != NULL; i++)
		yaml_route(sim_oracle_route(i), out);
}
