/*
 * The simulator's main program.
 *
 *     sim --seed N [--requests M] [--verbose]    one episode
 *     sim [--total M] [--first N]                episodes from seed N on, until M requests were
 * made (200,000) sim --forever [--first N]                  until stopped
 *
 * The same seed and the same program give the same run. A violation is told with its seed; status
 * 1.
 */
#include "sim.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "sim_client.h"
#include "sim_env.h"
#include "sim_names.h"
#include "sim_server.h"
#include "sim_tls.h"
#include "sim_worker.h"

/* More turns than this per request: something goes round in circles. */
#define TURNS_PER_REQUEST 200000

struct options {
	uint64_t seed;
	uint64_t first;
	uint64_t total;
	size_t n_requests;
	bool has_seed;
	bool is_forever;
	bool is_verbose;
};

void
sim_fail(const struct sim *s, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "sim: seed %" PRIu64 ", at %" PRIu64 " us: ", s->seed,
	    s->world->now_ns / NS_PER_US);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nsim: replay with: sim --seed %" PRIu64 " --requests %zu --verbose\n",
	    s->seed, s->n_planned);
	exit(1);
}

void
sim_trace(const struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->is_verbose)
		return;
	printf("%10.3f ms  ", (double)(s->world->now_ns - NS_PER_SEC) / 1e6);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

bool
sim_chance(struct sim *s, unsigned chance)
{
	return chance != 0 && rnd_chance(&s->rnd, chance, MEM_WORLD_CHANCE);
}

uint64_t
sim_between(struct sim *s, uint64_t from, uint64_t to)
{
	return from + rnd_below(&s->rnd, to - from + 1);
}

static void
trace_env(const struct sim *s)
{
	static const char *const modes[] = { "exact", "limited", "storm" };
	const struct mem_faults *f = &s->world->faults;

	sim_trace(s, "mode %s, %u workers, %u clients, evil %u, slow %u, rude %u",
	    modes[s->env.mode], s->env.n_workers, s->env.n_clients, s->env.evil_chance,
	    s->env.slow_chance, s->env.rude_chance);
	sim_trace(s,
	    "%s, latency %" PRIu64 " us, window %zu, split %u, again %u, late %u, stall %u, "
	    "reset %u, refuse %u, unreachable %u, silent %u",
	    s->env.has_tls ? "TLS" : s->world->has_records ? "records" : "bytes", f->latency_ns / NS_PER_US,
	    f->window_bytes, f->split_chance, f->again_chance, f->late_chance, f->stall_chance,
	    f->reset_chance, f->refuse_chance, f->unreachable_chance, f->silent_chance);
}

static void
on_drain(void *arg)
{
	struct sim *s = arg;

	if (sim_worker_drain_one(s))
		s->has_drained = true;
}

static void
on_stop(void *arg)
{
	struct sim *s = arg;

	sim_trace(s, "all workers are stopped");
	s->has_drained = true;
	s->is_stopped = true;
	s->n_requests = s->n_begun;
	sim_worker_stop(s);
}

static void
on_jump(void *arg)
{
	struct sim *s = arg;

	s->world->now_ns += sim_between(s, 0, 100 * NS_PER_SEC);
	sim_trace(s, "the clock has jumped");
	if (s->n_settled < s->n_requests)
		loop_timer_set(
		    s->client_loop, &s->jump, s->world->now_ns + sim_between(s, 0, NS_PER_SEC));
}

/*
 * A worker that goes while the others stay: what it has finishes, what comes goes elsewhere. All
 * workers stopped at once. A machine that was suspended.
 */
static void
plan_fate(struct sim *s)
{
	uint64_t now_ns = s->client_loop->now_ns;

	timer_init(&s->drain, on_drain, s);
	timer_init(&s->stop, on_stop, s);
	timer_init(&s->jump, on_jump, s);
	if (s->env.mode != SIM_EXACT && sim_chance(s, 200000))
		loop_timer_set(s->client_loop, &s->drain, now_ns + sim_between(s, 0, NS_PER_SEC));
	if (s->env.mode != SIM_EXACT && sim_chance(s, 50000))
		loop_timer_set(s->client_loop, &s->stop, now_ns + sim_between(s, 0, NS_PER_SEC));
	if (s->env.has_jumps)
		loop_timer_set(s->client_loop, &s->jump, now_ns + sim_between(s, 0, NS_PER_SEC));
}

static void
episode_open(struct sim *s, uint64_t seed, const struct options *o)
{
	*s = (struct sim){ .seed = seed, .is_verbose = o->is_verbose, .n_requests = o->n_requests };
	s->n_planned = o->n_requests;
	rnd_init(&s->rnd, seed);
	s->world = mem_world_new(seed + (UINT64_C(1) << 63));
	arena_init(&s->arena, NULL, 0);
	s->client_loop = mem_world_loop(s->world);
	s->server_loop = mem_world_loop(s->world);
	s->requests = mem_calloc(s->n_requests, sizeof *s->requests);
	if (addr_parse(STR("10.0.0.1:80"), &s->listen_at) != ERR_NONE)
		assert(!"an address of ours");
	sim_env_draw(s);
	trace_env(s);
	sim_tls_open(s);
	sim_worker_start_all(s);
	sim_server_start_all(s);
	sim_client_start_all(s);
	plan_fate(s);
	sim_names_plan(s);
}

static void
episode_run(struct sim *s)
{
	uint64_t turns = 0;

	while (mem_world_step(s->world)) {
		sim_worker_check(s);
		if (++turns > TURNS_PER_REQUEST * (s->n_requests + 100))
			sim_fail(s, "it goes round in circles");
	}
	if (s->n_clients != 0 || s->n_settled != s->n_requests)
		sim_fail(s, "all is still, but %zu clients and %zu requests are left", s->n_clients,
		    s->n_requests - s->n_settled);
	loop_timer_drop(s->client_loop, &s->stop);
	sim_worker_check_rest(s);
}

static void
episode_close(struct sim *s)
{
	sim_server_stop_all(s);
	sim_worker_stop_all(s);
	while (mem_world_step(s->world))
		continue;
	if (s->world->n_streams != 0 || s->world->n_pairs != 0)
		sim_fail(s, "%zu streams are left open", s->world->n_streams);
	sim_tls_close(s);
	loop_free(s->client_loop);
	loop_free(s->server_loop);
	mem_world_free(s->world);
	arena_reset(&s->arena);
	free(s->requests);
}

struct tally {
	uint64_t episodes, requests, calls, dropped;
	uint64_t by_class[6];
};

static void
episode(uint64_t seed, const struct options *o, struct tally *t)
{
	struct sim s;

	episode_open(&s, seed, o);
	episode_run(&s);
	t->episodes++;
	t->requests += s.n_requests;
	t->calls += s.n_calls_seen;
	t->dropped += s.n_dropped;
	for (size_t i = 0; i < ARRAY_LEN(s.n_by_status); i++)
		t->by_class[i / 100] += s.n_by_status[i];
	episode_close(&s);
}

static void
report(const struct tally *t, uint64_t next)
{
	printf("sim: %" PRIu64 " requests in %" PRIu64 " episodes, %" PRIu64
	       " calls; answers 2xx %" PRIu64 " 4xx %" PRIu64 " 5xx %" PRIu64 ", none %" PRIu64
	       "; next seed %" PRIu64 "\n",
	    t->requests, t->episodes, t->calls, t->by_class[2], t->by_class[4], t->by_class[5],
	    t->dropped, next);
	fflush(stdout);
}

static void
run(const struct options *o)
{
	struct tally t = { 0 };
	uint64_t seed = o->has_seed ? o->seed : o->first;
	uint64_t said_ns = clock_mono_ns();

	do {
		episode(seed++, o, &t);
		if (o->is_forever && clock_mono_ns() - said_ns > 10 * NS_PER_SEC) {
			report(&t, seed);
			said_ns = clock_mono_ns();
		}
	} while (!o->has_seed && (o->is_forever || t.requests < o->total));
	report(&t, seed);
}

static uint64_t
number(const char *text)
{
	uint64_t n;

	if (!str_to_u64(str_c(text), &n)) {
		fprintf(stderr, "sim: not a number: %s\n", text);
		exit(2);
	}
	return n;
}

int
main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "requests", required_argument, NULL, 'r' },
		{ "total", required_argument, NULL, 't' },
		{ "first", required_argument, NULL, 'f' },
		{ "forever", no_argument, NULL, 'e' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .first = 1, .total = 200000, .n_requests = 200 };
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 's') {
			o.seed = number(optarg);
			o.has_seed = true;
		} else if (c == 'r') {
			o.n_requests = number(optarg);
		} else if (c == 't') {
			o.total = number(optarg);
		} else if (c == 'f') {
			o.first = number(optarg);
		} else if (c == 'e') {
			o.is_forever = true;
		} else if (c == 'v') {
			o.is_verbose = true;
		} else {
			return 2;
		}
	}
	log_init(o.is_verbose ? LOG_INFO : LOG_ERROR);
	run(&o);
	return 0;
}
