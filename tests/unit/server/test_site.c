#include "server/site.h"

#include "unit.h"

static struct arena arena;
static struct route_conf routes[3];
static struct upstream_conf upstream = { .name = { "up", 2 } };
static struct plan_fault fault;

static struct conf_text
text(const char *s, uint32_t line)
{
	return (
	    struct conf_text){ .s = str_c(s), .pos = { .file = "f", .line = line, .column = 1 } };
}

static enum err_code
build(size_t n, struct site **site)
{
	const struct site_conf conf = { routes, n, &upstream };

	return site_build(&arena, &conf, site, &fault);
}

static void
setup(void)
{
	arena_init(&arena, NULL, 0);
	routes[0] = (struct route_conf){ .name = STR("r"), .path = text("/r/{id}", 1) };
	routes[0].kind = ROUTE_REPLY;
	routes[0].reply.status = 200;
	routes[1] = (struct route_conf){ .name = STR("p"), .path = text("/p", 2) };
	routes[1].kind = ROUTE_PROXY;
}

START_TEST(numbers_routes_and_calls)
{
	struct site *site;

	setup();
	ck_assert_int_eq(build(2, &site), ERR_NONE);
	ck_assert_uint_eq(site->n_routes, 2);
	ck_assert_uint_eq(site->n_calls, 1);
	ck_assert_str_is(site->calls[0].route, "p");
	ck_assert_str_is(site->calls[0].call, "proxy");
	ck_assert_uint_eq(site->routes[1].plan.proxy.call_index, 0);
	ck_assert(!site->routes[0].plan.reply.needs_body);
	arena_reset(&arena);
}
END_TEST

START_TEST(replies_know_whether_they_need_the_body)
{
	struct site *site;

	setup();
	routes[0].reply.body = text("{body}", 1);
	ck_assert_int_eq(build(1, &site), ERR_NONE);
	ck_assert(site->routes[0].plan.reply.needs_body);
	ck_assert(!site->routes[0].plan.reply.needs_body_json);
	routes[0].reply.body = text("{body.x}", 1);
	ck_assert_int_eq(build(1, &site), ERR_NONE);
	ck_assert(site->routes[0].plan.reply.needs_body_json);
	arena_reset(&arena);
}
END_TEST

START_TEST(tells_where_the_mistake_is)
{
	struct site *site;

	setup();
	routes[0].reply.body = text("{idd}", 7);
	ck_assert_int_eq(build(2, &site), ERR_BAD_CONFIG);
	ck_assert_uint_eq(fault.where.line, 7);
	ck_assert(fault.message[0] != '\0');
	arena_reset(&arena);
	setup();
	routes[1].proxy.path = text("/x/{nope}", 8);
	ck_assert_int_eq(build(2, &site), ERR_BAD_CONFIG);
	ck_assert_uint_eq(fault.where.line, 8);
	arena_reset(&arena);
	setup();
	routes[1].path = text("/r/{other}", 9);
	ck_assert_int_eq(build(2, &site), ERR_BAD_CONFIG);
	ck_assert_uint_eq(fault.where.line, 9);
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("site", numbers_routes_and_calls, replies_know_whether_they_need_the_body,
    tells_where_the_mistake_is)
