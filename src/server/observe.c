/* Metrics and the access log of exchanges. No state; runs on the worker of the exchange. */
#include "server/observe.h"

#include "server/access_log.h"
#include "server/server.h"

static bool
is_observed(const struct exchange *x)
{
	return x->listener->kind == LISTENER_PUBLIC;
}

void
observe_begin(const struct exchange *x)
{
	if (is_observed(x))
		metric_add(x->server->setup.metrics, METRIC_REQUESTS_INFLIGHT, 0, 0, 1);
}

/* The answer is out. */
static void
observe_answer(const struct exchange *x)
{
	struct metric_shard *m = x->server->setup.metrics;
	size_t route = observe_route(x);

	if (x->status >= 100 && x->status < 600)
		metric_add(m, METRIC_REQUESTS, route, x->status - 100, 1);
	metric_observe_ns(m, METRIC_REQUEST_SECONDS, route, x->ended_ns - x->started_ns);
}

void
observe_tunnel(const struct exchange *x)
{
	if (!is_observed(x))
		return;
	observe_answer(x);
	metric_add(x->server->setup.metrics, METRIC_TUNNELS, observe_route(x), 0, 1);
}

void
observe_end(const struct exchange *x, bool was_tunnel)
{
	const struct server_setup *setup = &x->server->setup;
	struct metric_shard *m = setup->metrics;

	if (!is_observed(x))
		return;
	metric_add(m, METRIC_REQUESTS_INFLIGHT, 0, 0, UINT64_MAX);
	if (was_tunnel)
		metric_add(m, METRIC_TUNNELS, observe_route(x), 0, UINT64_MAX);
	else
		observe_answer(x);
	if (x->reason != ERR_NONE)
		metric_add(m, METRIC_REQUEST_REASONS, observe_route(x), x->reason, 1);
	if (setup->access_log != NULL)
		access_log_record(setup->access_log, x);
}
