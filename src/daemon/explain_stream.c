/* The records of a streamed answer over time. No state; memory is the caller's arena. */
#include "daemon/explain_stream.h"

#include "base/conf_row.h"
#include "gather/record.h"

/* By the time at which each ends, then by the file. */
static size_t *
order_of(const struct explain_graph_bar *bars, size_t n, struct arena *arena)
{
	size_t *order = arena_alloc(arena, n * sizeof *order);

	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		for (; at > 0 && bars[order[at - 1]].end_ns > bars[i].end_ns; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	return order;
}

void
explain_stream_put(struct buf *out, const struct plan *plan, enum route_format format,
    const struct explain_graph_bar *bars, struct arena *arena)
{
	struct str type = record_type(format);
	char text[CONF_ROW_VALUE_MAX];
	const size_t *order;
	size_t n;

	if (format == FORMAT_JSON || plan->n_calls == 0)
		return;
	order = order_of(bars, plan->n_calls, arena);
	n = conf_row_put_duration(text, bars[order[0]].end_ns);
	buf_printf(out, "\nstreamed as %.*s, a part as soon as its call has ended\n", STR_FMT(type));
	buf_printf(out, "  the first within %.*s: %.*s\n", (int)n, text, STR_FMT(bars[order[0]].name));
	buf_add_c(out, "  in this order when each takes its time:");
	for (size_t i = 0; i < plan->n_calls; i++)
		buf_printf(out, "%s %.*s", i == 0 ? "" : ",", STR_FMT(bars[order[i]].name));
	buf_add_c(out, "; the end\n");
}
