#include "base/metric.h"

#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

static const size_t sizes[DIM_COUNT] = {
	[DIM_LISTENER] = 2, [DIM_ROUTE] = 2, [DIM_CALL] = 2, [DIM_UPSTREAM] = 1
};

static void
label(void *arg, enum metric_dim dim, size_t index, struct buf *out)
{
	(void)arg;
	if (dim == DIM_LISTENER)
		metric_put_label(out, "listener", index == 0 ? STR("public") : STR("a\"b\\c\nd"));
	else if (dim == DIM_ROUTE)
		metric_put_label(out, "route", index == 0 ? STR("") : STR("users"));
	else
		metric_put_label(out, "x", STR("y"));
}

static struct metric_layout layout;
static struct metric_shard a, b;
static struct buf out = BUF_INIT;

static void
setup(void)
{
	metric_layout_init(&layout, sizes);
	metric_shard_init(&a, &layout);
	metric_shard_init(&b, &layout);
}

static void
render(void)
{
	const struct metric_shard *const shards[] = { &a, &b };

	metric_render(shards, 2, label, NULL, &out);
	metric_shard_fini(&a);
	metric_shard_fini(&b);
}

static void
assert_line(const char *line)
{
	ck_assert_msg(strstr(buf_c(&out), line) != NULL, "no %s in\n%s", line, buf_c(&out));
}

START_TEST(sums_the_shards)
{
	setup();
	metric_add(&a, METRIC_REQUESTS, 1, 100, 3);
	metric_add(&b, METRIC_REQUESTS, 1, 100, 4);
	metric_add(&b, METRIC_CLIENT_CONNECTIONS, 0, 0, 2);
	metric_add(&a, METRIC_CLIENT_CONNECTIONS, 0, 0, UINT64_MAX);
	metric_add(&a, METRIC_REQUEST_REASONS, 0, ERR_QUEUE_FULL, 9);
	render();
	assert_line("\ngatherd_requests_total{route=\"users\",status=\"200\"} 7\n");
	assert_line("\ngatherd_client_connections{listener=\"public\"} 1\n");
	assert_line("\ngatherd_request_failures_total{route=\"\",reason=\"queue_full\"} 9\n");
	assert_line("# TYPE gatherd_requests_total counter\n");
	ck_assert_ptr_null(strstr(buf_c(&out), "status=\"201\""));
	buf_fini(&out);
}
END_TEST

START_TEST(escapes_labels)
{
	setup();
	render();
	assert_line("{listener=\"a\\\"b\\\\c\\nd\"} 0\n");
	buf_fini(&out);
}
END_TEST

START_TEST(histograms_are_cumulative)
{
	setup();
	metric_observe_ns(&a, METRIC_REQUEST_SECONDS, 1, 0);
	metric_observe_ns(&a, METRIC_REQUEST_SECONDS, 1, NS_PER_MS);
	metric_observe_ns(&b, METRIC_REQUEST_SECONDS, 1, NS_PER_MS + 1);
	metric_observe_ns(&b, METRIC_REQUEST_SECONDS, 1, 31 * NS_PER_SEC);
	render();
	assert_line("\ngatherd_request_seconds_bucket{route=\"users\",le=\"0.0001\"} 1\n");
	assert_line("\ngatherd_request_seconds_bucket{route=\"users\",le=\"0.001\"} 2\n");
	assert_line("\ngatherd_request_seconds_bucket{route=\"users\",le=\"0.0025\"} 3\n");
	assert_line("\ngatherd_request_seconds_bucket{route=\"users\",le=\"30\"} 3\n");
	assert_line("\ngatherd_request_seconds_bucket{route=\"users\",le=\"+Inf\"} 4\n");
	assert_line("\ngatherd_request_seconds_sum{route=\"users\"} 31.002000001\n");
	assert_line("\ngatherd_request_seconds_count{route=\"users\"} 4\n");
	ck_assert_ptr_null(strstr(buf_c(&out), "gatherd_call_seconds_bucket"));
	buf_fini(&out);
}
END_TEST

START_TEST(cells_do_not_overlap)
{
	metric_layout_init(&layout, sizes);
	for (size_t id = 0; id + 1 < METRIC_COUNT; id++)
		ck_assert_uint_lt(layout.first[id], layout.first[id + 1]);
	ck_assert_uint_eq(layout.first[METRIC_COUNT - 1] + 1, layout.n_cells);
}
END_TEST

START_TEST(documents_every_metric_and_reason)
{
	metric_doc(&out);
	assert_line("| `gatherd_requests_total` | counter | `route`, `status` | ");
	assert_line("| `merge_conflict` | 502 | ");
	buf_fini(&out);
}
END_TEST

/* Thousands of routes have a cell for each status there is; those that never come up take no memory. */
START_TEST(cells_that_nobody_writes_take_no_memory)
{
	static const size_t many[DIM_COUNT] = {
		[DIM_LISTENER] = 1, [DIM_ROUTE] = 10000, [DIM_CALL] = 1, [DIM_UPSTREAM] = 1
	};
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n_pages, n_resident = 0;
	struct metric_layout large;
	struct metric_shard shard;
	unsigned char *resident;
	char *first;

	metric_layout_init(&large, many);
	metric_shard_init(&shard, &large);
	ck_assert_uint_eq((uintptr_t)shard.cells % 64, 0);
	metric_add(&shard, METRIC_REQUESTS, 9999, 100, 1);
	first = (char *)shard.cells + (page - (uintptr_t)shard.cells % page);
	n_pages = large.n_cells * sizeof(uint64_t) / page - 1;
	resident = calloc(n_pages, 1);
	ck_assert_int_eq(mincore(first, n_pages * page, resident), 0);
	for (size_t i = 0; i < n_pages; i++)
		n_resident += resident[i] & 1;
	ck_assert_uint_gt(n_pages, 10000);
	ck_assert_uint_lt(n_resident, n_pages / 4);
	free(resident);
	metric_shard_fini(&shard);
}
END_TEST

UNIT_MAIN("metric", sums_the_shards, escapes_labels, histograms_are_cumulative, cells_do_not_overlap,
    cells_that_nobody_writes_take_no_memory, documents_every_metric_and_reason)
