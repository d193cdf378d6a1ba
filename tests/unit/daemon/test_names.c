/* Names over time, with a resolver that is told what to say and a clock of its own. */
#include "daemon/names.h"

#include "base/metric.h"
#include "net/mem_world.h"
#include "unit.h"

#define NAMES_MAX 100

/* What is said next about a name. */
struct said {
	enum err_code error;
	uint64_t ttl_s; /* UINT64_MAX: not told */
	const char *v4; /* last digits of 10.0.0.x; "?": nobody knows; "": none */
	const char *v6; /* last digits of fd00::x; likewise */
};

struct resolver {
	struct dns dns;
	struct dns_query *asked[NAMES_MAX];
	size_t n_asked;
	size_t n_cancelled;
};

static struct resolver resolver;
static struct mem_world *world;
static struct loop *loop;
static struct arena arena;
static struct conf conf;
static struct upstream_conf up;
static struct server_conf servers[NAMES_MAX];
static struct metric_layout layout;
static struct metric_shard metrics;
static struct names *names;
static struct names_state told;
static size_t n_told;

/* ---- the resolver */

static void
on_start(struct dns *dns, struct dns_query *q)
{
	(void)dns;
	q->running = q;
	resolver.asked[resolver.n_asked++] = q;
}

static void
on_cancel(struct dns *dns, struct dns_query *q)
{
	(void)dns;
	q->running = NULL;
	resolver.n_cancelled++;
}

static const struct dns_ops ops = { .start = on_start, .cancel = on_cancel };

static void
fill(struct dns_addrs *out, const char *digits)
{
	*out = (struct dns_addrs){ .error = ERR_DNS_NOT_FOUND };
	if (digits[0] == '?')
		out->error = ERR_DNS_TIMEOUT;
	for (; *digits >= '0' && *digits <= '9'; digits++) {
		uint8_t last = (uint8_t)(*digits - '0');

		out->error = ERR_NONE;
		memcpy(out->ip[out->n++], (uint8_t[16]){ 10, 0, 0, last }, 16);
	}
}

/* The question that was asked first is answered. */
static void
say(struct said what)
{
	struct dns_query *q = resolver.asked[0];
	struct dns_answer *a = calloc(1, sizeof *a + sizeof a->hosts[0]);

	ck_assert_uint_gt(resolver.n_asked, 0);
	memmove(resolver.asked, resolver.asked + 1, --resolver.n_asked * sizeof resolver.asked[0]);
	a->error = what.error;
	a->ttl_ns = what.ttl_s == UINT64_MAX ? UINT64_MAX : what.ttl_s * NS_PER_SEC;
	a->n_hosts = 1;
	fill(&a->hosts[0].family[DNS_V4], what.v4);
	fill(&a->hosts[0].family[DNS_V6], what.v6);
	for (size_t i = 0; i < a->hosts[0].family[DNS_V6].n; i++)
		memcpy(a->hosts[0].family[DNS_V6].ip[i],
		    (uint8_t[16]){ 0xfd, [15] = a->hosts[0].family[DNS_V6].ip[i][3] }, 16);
	q->running = NULL;
	q->on_done(q, a);
}

static void
say_addresses(uint64_t ttl_s, const char *v4, const char *v6)
{
	say((struct said){ ERR_NONE, ttl_s, v4, v6 });
}

static void
say_failure(enum err_code e, uint64_t ttl_s)
{
	say((struct said){ e, ttl_s, "?", "?" });
}

/* Turns until something is asked; how many milliseconds that took. */
static uint64_t
wait_for_question(void)
{
	uint64_t begin = loop->now_ns;

	while (resolver.n_asked == 0)
		ck_assert(mem_world_step(world));
	return (loop->now_ns - begin) / NS_PER_MS;
}

/* ---- */

static void
on_changed(void *owner, const struct names_state *state)
{
	(void)owner;
	told = *state;
	n_told++;
}

static const struct names_events events = { .on_changed = on_changed };

static void
setup(size_t n_servers)
{
	struct names_setup s = { .conf = &conf, .events = &events, .seed = 1 };
	size_t sizes[DIM_COUNT];

	for (size_t i = 0; i < DIM_COUNT; i++)
		sizes[i] = 1;
	resolver = (struct resolver){ .dns = { &ops } };
	world = mem_world_new(1);
	s.loop = loop = mem_world_loop(world);
	s.dns = &resolver.dns;
	s.metrics = &metrics;
	metric_layout_init(&layout, sizes);
	metric_shard_init(&metrics, &layout);
	arena_init(&arena, NULL, 0);
	for (size_t i = 0; i < n_servers; i++)
		servers[i] = (struct server_conf){ .lookup = STR("users"), .port = 80, .weight = 3 };
	up = (struct upstream_conf){ .name = STR("up"), .servers = servers, .n_servers = n_servers };
	conf = (struct conf){ .upstreams = &up, .n_upstreams = 1 };
	conf.dns = (struct dns_conf){ .ttl_min_ns = NS_PER_SEC,
		.ttl_max_ns = 300 * NS_PER_SEC,
		.negative_max_ns = 30 * NS_PER_SEC };
	n_told = 0;
	names = names_new(&s);
}

static void
teardown(void)
{
	names_free(names);
	loop_turn(loop, 0);
	arena_reset(&arena);
	metric_shard_fini(&metrics);
	loop_free(loop);
	mem_world_free(world);
}

static void
settle(enum err_code want)
{
	struct conf_errors errors;

	ck_assert(names_are_settled(names));
	conf_error_init(&errors, &arena);
	ck_assert_int_eq(names_settle(names, &errors), want);
	ck_assert_uint_eq(errors.n != 0, want != ERR_NONE);
}

static void
assert_places(const char *want)
{
	struct buf got = BUF_INIT;
	struct names_state s;
	char text[ADDR_TEXT_MAX];

	names_get(names, 0, &s);
	for (size_t i = 0; i < s.n_places; i++) {
		buf_printf(&got, "%s%.*s", i == 0 ? "" : " ",
		    (int)addr_format(&s.places[i].addr, text), text);
		if (s.places[i].has_other)
			buf_printf(
			    &got, "|%.*s", (int)addr_format(&s.places[i].other, text), text);
	}
	ck_assert_str_eq(buf_c(&got), want);
	buf_fini(&got);
}

START_TEST(a_name_is_asked_for_again_before_its_time_is_over)
{
	static const struct {
		uint64_t ttl_s;
		uint64_t bound_ms;
	} rows[] = { { 100, 100000 }, { 0, 1000 }, { 86400, 300000 }, { UINT64_MAX, 300000 } };

	setup(1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t ms;

		say_addresses(rows[i].ttl_s, "1", "");
		ms = wait_for_question();
		ck_assert_uint_ge(ms, rows[i].bound_ms * 79 / 100);
		ck_assert_uint_le(ms, rows[i].bound_ms * 91 / 100);
	}
	teardown();
}
END_TEST

START_TEST(a_failure_is_repeated_after_a_time_that_doubles)
{
	uint64_t want = 1000;

	setup(1);
	for (int i = 0; i < 8; i++) {
		uint64_t ms;

		say_failure(i % 2 == 0 ? ERR_DNS_TIMEOUT : ERR_DNS_FAILED, UINT64_MAX);
		ms = wait_for_question();
		ck_assert_uint_ge(ms + 1, want);
		ck_assert_uint_le(ms, want + 1);
		want = want * 2 < 30000 ? want * 2 : 30000;
	}
	say_addresses(10, "1", "");
	wait_for_question();
	say_failure(ERR_DNS_TIMEOUT, UINT64_MAX);
	ck_assert_uint_le(wait_for_question(), 1001);
	teardown();
}
END_TEST

START_TEST(a_denial_is_believed_for_its_time_within_bounds)
{
	static const struct {
		uint64_t ttl_s;
		uint64_t want_ms;
	} rows[] = { { 10, 10000 }, { 0, 1000 }, { 3600, 30000 } };

	setup(1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t ms;

		say_failure(ERR_DNS_NOT_FOUND, rows[i].ttl_s);
		ms = wait_for_question();
		ck_assert_uint_ge(ms + 1, rows[i].want_ms);
		ck_assert_uint_le(ms, rows[i].want_ms + 1);
	}
	teardown();
}
END_TEST

START_TEST(only_changes_are_told)
{
	setup(1);
	say_addresses(1, "12", "");
	settle(ERR_NONE);
	ck_assert_uint_eq(n_told, 0);
	assert_places("10.0.0.1:80 10.0.0.2:80");
	wait_for_question();
	say_addresses(1, "21", "");
	ck_assert_uint_eq(n_told, 0);
	wait_for_question();
	say_addresses(1, "23", "");
	ck_assert_uint_eq(n_told, 1);
	ck_assert_uint_eq(told.n_places, 2);
	ck_assert_uint_eq(told.places[0].weight, 3);
	assert_places("10.0.0.2:80 10.0.0.3:80");
	ck_assert_uint_eq(metric_get(&metrics, METRIC_DNS_SERVERS, 0, 0), 2);
	teardown();
}
END_TEST

START_TEST(what_was_known_stays)
{
	setup(1);
	say_addresses(1, "1", "9");
	settle(ERR_NONE);
	wait_for_question();
	say_failure(ERR_DNS_NOT_FOUND, UINT64_MAX);
	ck_assert_uint_eq(metric_get(&metrics, METRIC_DNS_FAILING, 0, 0), 1);
	wait_for_question();
	say_failure(ERR_DNS_TIMEOUT, UINT64_MAX);
	ck_assert_uint_eq(n_told, 0);
	assert_places("[fd00::9]:80|10.0.0.1:80");
	wait_for_question();
	say_addresses(1, "2", "?");
	assert_places("[fd00::9]:80|10.0.0.2:80");
	ck_assert_uint_eq(metric_get(&metrics, METRIC_DNS_FAILING, 0, 0), 0);
	wait_for_question();
	say_addresses(1, "2", "");
	assert_places("10.0.0.2:80");
	teardown();
}
END_TEST

START_TEST(one_address_of_each_family_is_one_server)
{
	static const struct {
		const char *v4, *v6, *want;
	} rows[] = {
		{ "21", "43", "[fd00::3]:80|10.0.0.1:80 [fd00::4]:80|10.0.0.2:80" },
		{ "12", "34", "[fd00::3]:80|10.0.0.1:80 [fd00::4]:80|10.0.0.2:80" },
		{ "123", "4", "10.0.0.2:80 10.0.0.3:80 [fd00::4]:80|10.0.0.1:80" },
		{ "1", "34", "[fd00::3]:80|10.0.0.1:80 [fd00::4]:80|10.0.0.1:80" },
		{ "", "34", "[fd00::3]:80 [fd00::4]:80" },
		{ "1123", "", "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80" },
	};

	setup(1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		say_addresses(1, rows[i].v4, rows[i].v6);
		assert_places(rows[i].want);
		wait_for_question();
	}
	teardown();
}
END_TEST

START_TEST(at_start_the_upstream_decides)
{
	setup(1);
	say_failure(ERR_DNS_NOT_FOUND, 1);
	settle(ERR_BAD_CONFIG);
	up.on_resolve_failure = RESOLVE_FAILURE_START;
	settle(ERR_NONE);
	ck_assert_uint_eq(n_told, 0);
	wait_for_question();
	say_failure(ERR_DNS_TIMEOUT, UINT64_MAX);
	ck_assert_uint_eq(n_told, 1);
	ck_assert_int_eq(told.error, ERR_DNS_TIMEOUT);
	ck_assert_uint_eq(told.n_places, 0);
	wait_for_question();
	say_addresses(1, "1", "");
	ck_assert_uint_eq(n_told, 2);
	ck_assert_uint_eq(told.n_places, 1);
	teardown();
}
END_TEST

START_TEST(many_names_are_no_flood)
{
	size_t n_most = 0, n = 0;

	setup(NAMES_MAX);
	while (!names_are_settled(names)) {
		if (resolver.n_asked > n_most)
			n_most = resolver.n_asked;
		say_addresses(100, "1", "");
		n++;
	}
	ck_assert_uint_eq(n_most, 32);
	ck_assert_uint_eq(n, NAMES_MAX);
	wait_for_question();
	teardown();
	ck_assert_uint_gt(resolver.n_cancelled, 0);
}
END_TEST

UNIT_MAIN("names", a_name_is_asked_for_again_before_its_time_is_over,
    a_failure_is_repeated_after_a_time_that_doubles,
    a_denial_is_believed_for_its_time_within_bounds, only_changes_are_told, what_was_known_stays,
    one_address_of_each_family_is_one_server, at_start_the_upstream_decides, many_names_are_no_flood)
