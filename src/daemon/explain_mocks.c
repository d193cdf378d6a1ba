/* Mock services asked in memory. Main thread. */
#include "daemon/explain_mocks.h"

#include "codec/http_table.h"
#include "codec/utf8.h"
#include "daemon/explain_graph.h"
#include "daemon/explain_request.h"
#include "daemon/rehearsal.h"

static bool
on_request(void *owner, const struct rehearsal_request *request, struct rehearsal_answer *out)
{
	(void)owner;
	(void)request;
	(void)out;
	return false;
}

static bool
is_refusing(void *owner, size_t upstream)
{
	(void)owner;
	(void)upstream;
	return false;
}

static const struct rehearsal_events events = { on_request, is_refusing };

static struct str
note_of(const struct rehearsal_request *r, const struct generation *gen, struct arena *arena)
{
	struct str name = gen->conf->upstreams[r->upstream].name;
	struct str text = arena_printf(arena, "%.*s %.*s", STR_FMT(r->method), STR_FMT(r->target));

	if (r->is_unforeseen)
		return arena_printf(arena, "%.*s: upstream %.*s has no `mock`: reset", STR_FMT(text),
		    STR_FMT(name));
	if (r->status == 0)
		return arena_printf(arena, "%.*s: no answer", STR_FMT(text));
	return arena_printf(arena, "%.*s: %u", STR_FMT(text), r->status);
}

static void
put_waterfall(struct buf *out, const struct generation *gen, const struct rehearsal_result *result,
    struct arena *arena)
{
	struct explain_graph_bar *bars = arena_calloc(arena, result->n_requests, sizeof *bars);
	const struct rehearsal_request *r;
	size_t n = 0;

	STAILQ_FOREACH (r, &result->requests, link)
		bars[n++] = (struct explain_graph_bar){
			.name = r->call,
			.note = note_of(r, gen, arena),
			.begin_ns = r->begin_ns,
			.end_ns = r->end_ns,
		};
	if (n == 0)
		return;
	buf_add_c(out, "requests to upstreams (# what the answer waited for)\n");
	explain_graph_mark_chain(bars, n);
	explain_graph_draw(out, bars, n);
}

static void
put_answer(struct buf *out, const struct rehearsal_result *result)
{
	struct str reason = http_table_reason(result->status);

	buf_printf(out, "  < HTTP/1.1 %u %.*s\n", result->status, STR_FMT(reason));
	for (size_t i = 0; i < result->fields.n; i++) {
		const struct header *h = &result->fields.at[i];

		if (h->id != HEADER_DATE) /* the only one that is of today */
			buf_printf(out, "  < %.*s: %.*s\n", STR_FMT(h->name), STR_FMT(h->value));
	}
	if (result->body.n == 0)
		return;
	buf_add_c(out, "  <\n");
	if (utf8_is_valid(result->body))
		explain_request_put_lines(out, "  <", result->body);
	else
		buf_printf(out, "  < (%zu bytes that are no text)\n", result->body.n);
}

void
explain_mocks_put(struct buf *out, const struct explain_mocks_setup *setup)
{
	const struct rehearsal_setup rehearsal = {
		.gen = setup->gen,
		.listener = setup->listener,
		.bytes = setup->canned->bytes,
		.method = setup->canned->head.method,
		.events = &events,
		.arena = setup->arena,
	};
	struct rehearsal_result result;

	rehearsal_run(&rehearsal, &result);
	buf_printf(out, "\nanswered by the mock services in %.3f ms", (double)result.took_ns / 1e6);
	if (result.begun_ns != 0 && result.begun_ns != result.took_ns)
		buf_printf(out, ", the first of it after %.3f ms", (double)result.begun_ns / 1e6);
	if (result.reason != ERR_NONE)
		buf_printf(out, ", %s: %s", err_token(result.reason), err_text(result.reason));
	buf_add_char(out, '\n');
	put_answer(out, &result);
	put_waterfall(out, setup->gen, &result, setup->arena);
}
