/* Names of servers, in episodes that have them. */
#include "sim_names.h"

#include "base/compiler.h"
#include "daemon/names.h"
#include "daemon/worker.h"
#include "sim_env.h"
#include "sim_worker.h"

/* Some of the upstream's servers, at least one, in some order; now and then two of them pass for one. */
static size_t
draw_places(struct sim *s, unsigned u, struct place *out)
{
	unsigned n_servers = s->env.up[u].n_servers;
	unsigned first = (unsigned)sim_between(s, 0, n_servers - 1);
	unsigned n = (unsigned)sim_between(s, 1, n_servers);
	size_t n_places = 0;

	for (unsigned i = 0; i < n; i++) {
		struct addr at = sim_env_server_addr(u, (first + i) % n_servers);

		if (n_places != 0 && !out[n_places - 1].has_other && sim_chance(s, 300000)) {
			out[n_places - 1].other = at;
			out[n_places - 1].has_other = true;
			continue;
		}
		out[n_places++] = (struct place){ .addr = at,
			.weight = sim_between(s, 1, 3),
			.priority = (unsigned)sim_between(s, 0, 4) / 4 };
	}
	return n_places;
}

static bool
draw_state(struct sim *s, unsigned u, struct place *places, struct names_state *out)
{
	if (!s->env.up[u].has_name)
		return false;
	*out = (struct names_state){ .upstream = u, .places = places };
	out->n_places = draw_places(s, u, places);
	return true;
}

void
sim_names_begin(struct sim *s, struct worker *w)
{
	struct place places[SIM_SERVERS];
	struct names_state state;

	for (unsigned u = 0; u < SIM_UPSTREAMS; u++)
		if (draw_state(s, u, places, &state))
			worker_set_places(w, &state);
}

static void
on_change(void *arg)
{
	struct sim *s = arg;
	struct place places[SIM_SERVERS];
	struct names_state state;
	unsigned u = (unsigned)sim_between(s, 0, SIM_UPSTREAMS - 1);
	struct worker *w = sim_worker_any(s);

	if (draw_state(s, u, places, &state)) {
		sim_trace(s, "u%u has %zu servers", u, state.n_places);
		worker_post_places(w, &state);
	}
	if (s->n_settled < s->n_requests)
		loop_timer_set(s->client_loop, &s->names,
		    s->client_loop->now_ns + sim_between(s, 0, 50 * NS_PER_MS));
}

void
sim_names_plan(struct sim *s)
{
	timer_init(&s->names, on_change, s);
	for (unsigned u = 0; u < SIM_UPSTREAMS; u++)
		if (s->env.up[u].has_name)
			loop_timer_set(s->client_loop, &s->names, s->client_loop->now_ns);
}
