/* Bars over time. No state. */
#include "daemon/explain_graph.h"

#include "gather/plan_call.h"

#define COLUMNS 40
#define NAME_MAX_COLUMNS 32

static size_t
column_of(uint64_t ns, uint64_t span_ns)
{
	return span_ns == 0 ? 0 : (size_t)((unsigned __int128)ns * COLUMNS / span_ns);
}

static void
put_repeated(struct buf *out, char c, size_t n)
{
	while (n-- > 0)
		buf_add_char(out, c);
}

/* At least one column, so that nothing is invisible. */
static void
put_bar(struct buf *out, const struct explain_graph_bar *bar, uint64_t span_ns)
{
	size_t begin = column_of(bar->begin_ns, span_ns), end = column_of(bar->end_ns, span_ns);

	if (begin >= COLUMNS)
		begin = COLUMNS - 1;
	if (end <= begin)
		end = begin + 1;
	buf_add_char(out, '|');
	put_repeated(out, ' ', begin);
	put_repeated(out, bar->is_critical ? '#' : '=', end - begin);
	put_repeated(out, ' ', COLUMNS - end);
	buf_add_char(out, '|');
}

static void
put_time(struct buf *out, uint64_t ns)
{
	if (ns % 1000000 == 0)
		buf_printf(out, " %5llu ms", (unsigned long long)(ns / 1000000));
	else
		buf_printf(out, " %7.1f ms", (double)ns / 1e6);
}

static void
put_line(struct buf *out, const struct explain_graph_bar *bar, size_t width, uint64_t span_ns)
{
	if (bar->wave != 0)
		buf_printf(out, "  %2u", bar->wave);
	buf_printf(out, "  %c %-*.*s ", bar->is_critical ? '*' : ' ', (int)width,
	    (int)(bar->name.n < width ? bar->name.n : width), bar->name.p);
	put_bar(out, bar, span_ns);
	put_time(out, bar->end_ns - bar->begin_ns);
	buf_printf(out, "%s%.*s\n", bar->note.n == 0 ? "" : "  ", STR_FMT(bar->note));
}

void
explain_graph_draw(struct buf *out, const struct explain_graph_bar *bars, size_t n)
{
	uint64_t span_ns = 0;
	size_t width = 4;

	for (size_t i = 0; i < n; i++) {
		size_t columns = bars[i].name.n < NAME_MAX_COLUMNS ? bars[i].name.n : NAME_MAX_COLUMNS;

		span_ns = bars[i].end_ns > span_ns ? bars[i].end_ns : span_ns;
		width = columns > width ? columns : width;
	}
	for (unsigned wave = 0; wave <= n; wave++)
		for (size_t i = 0; i < n; i++)
			if (bars[i].wave == wave)
				put_line(out, &bars[i], width, span_ns);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0) /* 0: no limit */
		return a + b;
	return a < b ? a : b;
}

/* Rounds of calls that a for_each needs, each within the upstream's time-out. */
static uint64_t
rounds_of(const struct call_plan *cp)
{
	uint64_t n = plan_call_requests(cp), parallel = cp->conf->for_each.parallel;

	return parallel == 0 ? n : (n + parallel - 1) / parallel;
}

uint64_t
explain_graph_timeout_ns(const struct plan *plan, size_t call)
{
	const struct call_plan *cp = &plan->calls[call];
	uint64_t all_ns;

	if (__builtin_mul_overflow(cp->upstream->timeouts.total_ns, rounds_of(cp), &all_ns))
		all_ns = UINT64_MAX / 2;
	return least(least(cp->conf->timeout_ns, plan->conf->timeout_ns), all_ns);
}

static void
place(const struct plan *plan, struct explain_graph_bar *bars, size_t i)
{
	struct explain_graph_bar *bar = &bars[i];

	bar->name = plan->calls[i].conf->name;
	bar->wave = 1;
	bar->begin_ns = 0;
	for (size_t k = 0; k < plan->n_calls; k++) {
		if ((plan->calls[i].deps >> k & 1) == 0)
			continue;
		if (bars[k].wave >= bar->wave)
			bar->wave = bars[k].wave + 1;
		if (bars[k].end_ns > bar->begin_ns)
			bar->begin_ns = bars[k].end_ns;
	}
	bar->end_ns = bar->begin_ns + explain_graph_timeout_ns(plan, i);
}

/* plan: only calls that a bar waits for can have let it wait; NULL: any. */
static bool
is_link(const struct plan *plan, const struct explain_graph_bar *bars, size_t before, size_t after)
{
	if (bars[before].is_critical || bars[before].end_ns != bars[after].begin_ns)
		return false;
	if (plan == NULL)
		return bars[before].begin_ns < bars[after].begin_ns;
	return (plan->calls[after].deps >> before & 1) != 0;
}

/* Back from the latest end over those that the next one waited for to its very begin. */
static void
mark_critical(const struct plan *plan, struct explain_graph_bar *bars, size_t n)
{
	uint64_t latest_ns = 0;
	bool has_moved = true;

	for (size_t i = 0; i < n; i++)
		latest_ns = bars[i].end_ns > latest_ns ? bars[i].end_ns : latest_ns;
	for (size_t i = 0; i < n; i++)
		bars[i].is_critical = bars[i].end_ns == latest_ns;
	while (has_moved) {
		has_moved = false;
		for (size_t i = 0; i < n * n; i++) {
			if (!bars[i / n].is_critical || !is_link(plan, bars, i % n, i / n))
				continue;
			bars[i % n].is_critical = true;
			has_moved = true;
		}
	}
}

void
explain_graph_mark_chain(struct explain_graph_bar *bars, size_t n)
{
	mark_critical(NULL, bars, n);
}

uint64_t
explain_graph_worst(const struct plan *plan, struct explain_graph_bar *bars)
{
	uint64_t latest_ns = 0, done = 0;

	/* The graph has no circle, so that every round places one call at least. */
	while (done != UINT64_MAX >> (64 - plan->n_calls)) {
		for (size_t i = 0; i < plan->n_calls; i++) {
			if ((done >> i & 1) != 0 || (plan->calls[i].deps & ~done) != 0)
				continue;
			place(plan, bars, i);
			done |= UINT64_C(1) << i;
			latest_ns = bars[i].end_ns > latest_ns ? bars[i].end_ns : latest_ns;
		}
	}
	mark_critical(plan, bars, plan->n_calls);
	return latest_ns;
}
