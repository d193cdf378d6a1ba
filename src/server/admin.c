/* The admin pages. Reads what other threads write through atomics only; owns nothing. */
#include "server/admin.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "codec/json_write.h"
#include "upstream/limiter.h"

void
admin_metric_sizes(const struct admin_view *view, size_t sizes[DIM_COUNT])
{
	for (size_t d = 0; d < DIM_COUNT; d++)
		sizes[d] = 1;
	sizes[DIM_LISTENER] = view->n_listeners;
	sizes[DIM_ROUTE] = 1 + view->site->n_routes;
	sizes[DIM_CALL] = view->site->n_calls;
	sizes[DIM_UPSTREAM] = view->n_upstreams;
}

static void
put_label(void *arg, enum metric_dim dim, size_t index, struct buf *out)
{
	const struct admin_view *view = arg;
	const struct site_call *call;

	switch (dim) {
	case DIM_LISTENER:
		metric_put_label(out, "listener", view->listeners[index].name);
		break;
	case DIM_ROUTE:
		metric_put_label(out, "route",
		    index == 0 ? str_none() : view->site->routes[index - 1].conf->name);
		break;
	case DIM_CALL:
		call = &view->site->calls[index];
		metric_put_label(out, "route", call->route);
		buf_add_char(out, ',');
		metric_put_label(out, "call", call->call);
		buf_add_char(out, ',');
		metric_put_label(out, "upstream", view->upstreams[call->upstream].name);
		break;
	case DIM_UPSTREAM:
		metric_put_label(out, "upstream", view->upstreams[index].name);
		break;
	default:
		assert(!"a dimension that metric.c labels itself");
	}
}

/* ---- pages */

struct page {
	const struct admin_view *view;
	unsigned status;
	struct str content_type;
	struct buf *body;
};

/* What the limiters know is not counted a second time: a shard made for one page tells it. */
static void
read_limiters(const struct admin_view *view, struct metric_shard *shard)
{
	for (size_t i = 0; i < view->n_upstreams; i++) {
		const struct limiter_slot *slot = view->limiters[i];
		uint32_t limit = atomic_load(&slot->limit);

		metric_add(shard, METRIC_UPSTREAM_INFLIGHT, i, 0, atomic_load(&slot->inflight));
		metric_add(shard, METRIC_UPSTREAM_QUEUE, i, 0, atomic_load(&slot->queued));
		metric_add(shard, METRIC_UPSTREAM_LIMIT, i, 0, limit == UINT32_MAX ? 0 : limit);
	}
	metric_add(shard, METRIC_ADMISSION_INFLIGHT, 0, 0, atomic_load(&view->admission->inflight));
	metric_add(shard, METRIC_ADMISSION_QUEUE, 0, 0, atomic_load(&view->admission->queued));
}

static void
page_metrics(struct page *p)
{
	const struct admin_view *view = p->view;
	const struct metric_shard **shards = mem_calloc(view->n_shards + 1, sizeof(*shards));
	struct metric_shard now;

	p->content_type = STR("text/plain; version=0.0.4; charset=utf-8");
	metric_shard_init(&now, view->shards[0]->layout);
	read_limiters(view, &now);
	memcpy(shards, view->shards, view->n_shards * sizeof(*shards));
	shards[view->n_shards] = &now;
	/* put_label() takes it back as const. */
	metric_render(shards, view->n_shards + 1, put_label, (void *)(uintptr_t)view, p->body);
	metric_shard_fini(&now);
	free(shards);
}

/* The process answers: that is all that liveness asks. */
static void
page_healthz(struct page *p)
{
	buf_add_c(p->body, "ok\n");
}

static void
page_readyz(struct page *p)
{
	bool is_ready = atomic_load(&p->view->is_ready);

	p->status = is_ready ? 200 : 503;
	buf_add_c(p->body, is_ready ? "ready\n" : "not ready\n");
}

static void
put_limiter(struct buf *out, const struct limiter_slot *slot)
{
	uint32_t limit = atomic_load(&slot->limit);

	buf_printf(out, "\"in_flight\":%u,\"queued\":%u,\"limit\":", atomic_load(&slot->inflight),
	    atomic_load(&slot->queued));
	if (limit == UINT32_MAX)
		buf_add_c(out, "null");
	else
		buf_printf(out, "%u", limit);
	buf_printf(out, ",\"queue_size\":%u", slot->queue_size);
}

static void
page_upstreams(struct page *p)
{
	p->content_type = STR("application/json");
	buf_add_c(p->body, "{\"daemon\":{");
	put_limiter(p->body, p->view->admission);
	buf_add_c(p->body, "},\"upstreams\":[");
	for (size_t i = 0; i < p->view->n_upstreams; i++) {
		buf_add_c(p->body, i == 0 ? "\n{\"name\":" : ",\n{\"name\":");
		json_write_buf(p->body, p->view->upstreams[i].name);
		buf_add_char(p->body, ',');
		put_limiter(p->body, p->view->limiters[i]);
		if (p->view->put_names != NULL)
			p->view->put_names(p->view->names_owner, i, p->body);
		buf_add_char(p->body, '}');
	}
	buf_add_c(p->body, "]}\n");
}

static const struct {
	struct str path;
	void (*write)(struct page *p);
} pages[] = {
	{ STR_INIT("/metrics"), page_metrics },
	{ STR_INIT("/healthz"), page_healthz },
	{ STR_INIT("/readyz"), page_readyz },
	{ STR_INIT("/upstreams"), page_upstreams },
};

static void
free_body(void *arg)
{
	buf_fini(arg);
}

void
admin_answer(const struct admin_view *view, const struct request *request, struct arena *arena,
    struct answer *out)
{
	struct page page = { view, 200, STR_INIT("text/plain; charset=utf-8"), NULL };
	size_t i = 0;

	while (i < ARRAY_LEN(pages) && !str_eq(pages[i].path, request->path))
		i++;
	if (i == ARRAY_LEN(pages)) {
		answer_problem(out, arena, ERR_NO_ROUTE, str_none());
		return;
	}
	if (request->method != METHOD_GET && request->method != METHOD_HEAD) {
		answer_problem(out, arena, ERR_METHOD_NOT_ALLOWED, str_none());
		out->fields = STR("Allow: GET, HEAD\r\n");
		return;
	}
	page.body = arena_calloc(arena, 1, sizeof(*page.body));
	arena_on_reset(arena, free_body, page.body);
	pages[i].write(&page);
	*out = (struct answer){ .status = page.status };
	answer_set_body(out, arena, page.content_type, buf_str(page.body));
}
