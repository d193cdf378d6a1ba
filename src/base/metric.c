/*
 * Metric cells, and the Prometheus page made of them. A shard belongs to one thread, which is its
 * only writer; any thread may read.
 */
#include "base/metric.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"

static const struct {
	enum metric_kind kind;
	const char *name;
	enum metric_dim dim[2];
	const char *help;
} rows[] = {
#define X(id, kind, name, dim1, dim2, help) \
	{ METRIC_##kind, name, { DIM_##dim1, DIM_##dim2 }, help },
	METRIC_TABLE(X)
#undef X
};

/* Upper bounds of the buckets of every histogram: 1, 2.5, 5 in each decade from 100 us to 30 s. */
static const struct {
	uint64_t ns;
	const char *text; /* in seconds */
} buckets[] = {
	{ 100 * NS_PER_US, "0.0001" },
	{ 250 * NS_PER_US, "0.00025" },
	{ 500 * NS_PER_US, "0.0005" },
	{ 1 * NS_PER_MS, "0.001" },
	{ 2500 * NS_PER_US, "0.0025" },
	{ 5 * NS_PER_MS, "0.005" },
	{ 10 * NS_PER_MS, "0.01" },
	{ 25 * NS_PER_MS, "0.025" },
	{ 50 * NS_PER_MS, "0.05" },
	{ 100 * NS_PER_MS, "0.1" },
	{ 250 * NS_PER_MS, "0.25" },
	{ 500 * NS_PER_MS, "0.5" },
	{ 1 * NS_PER_SEC, "1" },
	{ 2500 * NS_PER_MS, "2.5" },
	{ 5 * NS_PER_SEC, "5" },
	{ 10 * NS_PER_SEC, "10" },
	{ 30 * NS_PER_SEC, "30" },
};

/* The cells of one histogram: a count per bucket, the count above all of them, the sum in ns. */
enum {
	N_BUCKETS = ARRAY_LEN(buckets),
	HISTOGRAM_ABOVE = N_BUCKETS,
	HISTOGRAM_SUM,
	HISTOGRAM_CELLS
};

void
metric_layout_init(struct metric_layout *layout, const size_t sizes[DIM_COUNT])
{
	for (size_t d = 0; d < DIM_COUNT; d++)
		layout->sizes[d] = sizes[d];
	layout->sizes[DIM_NONE] = 1;
	layout->sizes[DIM_STATUS] = METRIC_STATUSES;
	layout->sizes[DIM_REASON] = ERR_COUNT;
	layout->n_cells = 0;
	for (size_t id = 0; id < METRIC_COUNT; id++) {
		layout->first[id] = layout->n_cells;
		layout->second_size[id] = rows[id].kind == METRIC_HISTOGRAM
					      ? HISTOGRAM_CELLS
					      : layout->sizes[rows[id].dim[1]];
		layout->n_cells += layout->sizes[rows[id].dim[0]] * layout->second_size[id];
	}
}

void
metric_shard_init(struct metric_shard *shard, const struct metric_layout *layout)
{
	size_t lines = layout->n_cells * sizeof(*shard->cells) / CACHE_LINE + 2;
	uintptr_t at;

	/*
	 * Not cleared by hand: most cells are for a status or a reason that never comes up, and with thousands of
	 * routes they are tens of megabytes that the kernel need not back.
	 */
	shard->layout = layout;
	shard->memory = mem_calloc(lines, CACHE_LINE);
	/* On lines of their own, so that no two workers write to the same one. */
	at = (uintptr_t)shard->memory;
	shard->cells = (void *)((char *)shard->memory + (CACHE_LINE - at % CACHE_LINE) % CACHE_LINE);
}

void
metric_shard_fini(struct metric_shard *shard)
{
	free(shard->memory);
	shard->memory = NULL;
	shard->cells = NULL;
}

static size_t
bucket_of(uint64_t ns)
{
	size_t low = 0, high = N_BUCKETS;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (buckets[middle].ns < ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
metric_observe_ns(struct metric_shard *shard, enum metric_id id, size_t i, uint64_t ns)
{
	assert(rows[id].kind == METRIC_HISTOGRAM);
	metric_add(shard, id, i, bucket_of(ns), 1);
	metric_add(shard, id, i, HISTOGRAM_SUM, ns);
}

/* ---- the page */

struct page {
	const struct metric_shard *const *shards;
	size_t n_shards;
	metric_label_fn *label;
	void *label_arg;
	struct buf *out;
};

static uint64_t
sum(const struct page *page, enum metric_id id, size_t i, size_t j)
{
	uint64_t total = 0;

	for (size_t s = 0; s < page->n_shards; s++)
		total += metric_get(page->shards[s], id, i, j);
	return total;
}

void
metric_put_label(struct buf *out, const char *name, struct str value)
{
	buf_add_c(out, name);
	buf_add_c(out, "=\"");
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '\\' || c == '"')
			buf_add_char(out, '\\');
		if (c == '\n')
			buf_add_c(out, "\\n");
		else
			buf_add_char(out, c);
	}
	buf_add_char(out, '"');
}

static void
put_dim(const struct page *page, enum metric_dim dim, size_t index)
{
	if (dim == DIM_STATUS)
		buf_printf(page->out, "status=\"%zu\"", index + 100);
	else if (dim == DIM_REASON)
		metric_put_label(page->out, "reason", str_c(err_token((enum err_code)index)));
	else
		page->label(page->label_arg, dim, index, page->out);
}

/* "name_suffix{labels", without the brace when there are none; le may be NULL. */
static void
put_name(const struct page *page, enum metric_id id, const char *suffix, size_t i, size_t j,
    const char *le)
{
	bool is_open = false;

	buf_add_c(page->out, rows[id].name);
	buf_add_c(page->out, suffix);
	for (size_t d = 0; d < 2; d++) {
		if (rows[id].dim[d] == DIM_NONE)
			continue;
		buf_add_char(page->out, is_open ? ',' : '{');
		is_open = true;
		put_dim(page, rows[id].dim[d], d == 0 ? i : j);
	}
	if (le != NULL) {
		buf_add_char(page->out, is_open ? ',' : '{');
		is_open = true;
		metric_put_label(page->out, "le", str_c(le));
	}
	buf_add_c(page->out, is_open ? "} " : " ");
}

static void
put_value(const struct page *page, enum metric_id id, size_t i, size_t j)
{
	uint64_t v = sum(page, id, i, j);

	if (v == 0 && rows[id].dim[1] != DIM_NONE)
		return;
	put_name(page, id, "", i, j, NULL);
	if (rows[id].kind == METRIC_GAUGE)
		buf_printf(page->out, "%lld\n", (long long)v);
	else
		buf_printf(page->out, "%llu\n", (unsigned long long)v);
}

static void
put_histogram(const struct page *page, enum metric_id id, size_t i)
{
	uint64_t n = 0, ns = sum(page, id, i, HISTOGRAM_SUM);

	for (size_t b = 0; b <= N_BUCKETS; b++) {
		n += sum(page, id, i, b);
		put_name(page, id, "_bucket", i, 0, b < N_BUCKETS ? buckets[b].text : "+Inf");
		buf_printf(page->out, "%llu\n", (unsigned long long)n);
	}
	put_name(page, id, "_sum", i, 0, NULL);
	buf_printf(page->out, "%llu.%09llu\n", (unsigned long long)(ns / NS_PER_SEC),
	    (unsigned long long)(ns % NS_PER_SEC));
	put_name(page, id, "_count", i, 0, NULL);
	buf_printf(page->out, "%llu\n", (unsigned long long)n);
}

static bool
has_samples(const struct page *page, enum metric_id id, size_t i)
{
	for (size_t b = 0; b <= N_BUCKETS; b++)
		if (sum(page, id, i, b) != 0)
			return true;
	return false;
}

static const char *
kind_name(enum metric_kind kind)
{
	return kind == METRIC_COUNTER ? "counter" : kind == METRIC_GAUGE ? "gauge" : "histogram";
}

static void
put_metric(const struct page *page, enum metric_id id)
{
	const struct metric_layout *l = page->shards[0]->layout;

	buf_printf(page->out, "# HELP %s %s\n# TYPE %s %s\n", rows[id].name, rows[id].help,
	    rows[id].name, kind_name(rows[id].kind));
	for (size_t i = 0; i < l->sizes[rows[id].dim[0]]; i++) {
		if (rows[id].kind != METRIC_HISTOGRAM)
			for (size_t j = 0; j < l->second_size[id]; j++)
				put_value(page, id, i, j);
		else if (has_samples(page, id, i))
			put_histogram(page, id, i);
	}
}

void
metric_render(const struct metric_shard *const *shards, size_t n_shards, metric_label_fn *label,
    void *arg, struct buf *out)
{
	const struct page page = { shards, n_shards, label, arg, out };

	for (size_t id = 0; id < METRIC_COUNT && n_shards > 0; id++)
		put_metric(&page, (enum metric_id)id);
}

/* ---- the reference page */

static void
doc_labels(struct buf *out, const enum metric_dim dim[2])
{
	static const char *const names[DIM_COUNT] = {
		[DIM_NONE] = "",
		[DIM_LISTENER] = "`listener`",
		[DIM_ROUTE] = "`route`",
		[DIM_CALL] = "`route`, `call`, `upstream`",
		[DIM_UPSTREAM] = "`upstream`",
		[DIM_STATUS] = "`status`",
		[DIM_REASON] = "`reason`",
	};

	buf_add_c(out, names[dim[0]]);
	if (dim[1] != DIM_NONE) {
		buf_add_c(out, ", ");
		buf_add_c(out, names[dim[1]]);
	}
}

void
metric_doc(struct buf *out)
{
	buf_add_c(out, "# Metrics\n\n"
		       "`GET /metrics` on the admin listener, in the text format of Prometheus. "
		       "Values are sums over "
		       "all\nworkers. `route` is empty for requests that no route took. `reason` "
		       "is a token of the "
		       "table below;\nrows that are 0 are left out where a metric has a `status` "
		       "or a `reason`, and "
		       "histograms without a\nsample are left out.\n\n"
		       "| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
	for (size_t id = 0; id < METRIC_COUNT; id++) {
		buf_printf(out, "| `%s` | %s | ", rows[id].name, kind_name(rows[id].kind));
		doc_labels(out, rows[id].dim);
		buf_printf(out, " | %s |\n", rows[id].help);
	}
	buf_add_c(out, "\nBuckets of every histogram, in seconds: ");
	for (size_t b = 0; b < N_BUCKETS; b++)
		buf_printf(out, "%s%s", buckets[b].text, b + 1 < N_BUCKETS ? ", " : ".\n");
	buf_add_c(out, "\n## Reasons\n\n"
		       "The same tokens stand in `_meta`, problem bodies and the access log.\n\n"
		       "| reason | status | meaning |\n| --- | --: | --- |\n");
	for (size_t e = 0; e < ERR_COUNT; e++)
		buf_printf(out, "| `%s` | %u | %s |\n", err_token((enum err_code)e),
		    err_status((enum err_code)e), err_text((enum err_code)e));
}
