/* What lands in the structures: defaults, inheritance, expansion, includes. */
#include "conf/conf_load.h"

#include <string.h>

#include "base/buf.h"
#include "conf/conf_bound.h"

#include "unit.h"

static struct arena arena;
static struct conf_errors errors;

static struct conf *
load(const char *name)
{
	const char *dir = getenv("srcdir");
	struct conf *c = NULL;

	arena_init(&arena, NULL, 0);
	setenv("GATHERD_TEST_SECRET", "env {secret}", 1);
	setenv("GATHERD_TEST_PORT", "9000", 1);
	setenv("CREDENTIALS_DIRECTORY",
	    arena_printf(&arena, "%s/tests/data/conf/good/parts", dir == NULL ? "." : dir).p, 1);
	ck_assert_int_eq(
	    conf_load(
		arena_printf(&arena, "%s/tests/data/conf/good/%s", dir == NULL ? "." : dir, name).p,
		&arena, &c, &errors),
	    ERR_NONE);
	return c;
}

static struct conf *
load_text(const char *text, enum err_code want)
{
	struct conf *c = NULL;
	enum err_code e;

	arena_init(&arena, NULL, 0);
	e = conf_load_text(str_c(text), "t", &arena, &c, &errors);
	if (e != want)
		conf_error_print(&errors, stderr);
	ck_assert_int_eq(e, want);
	return c;
}

static void
assert_error(const char *line)
{
	for (size_t i = 0; i < errors.n; i++)
		if (str_eq(conf_error_line(&errors, &errors.at[i]), str_c(line)))
			return;
	conf_error_print(&errors, stderr);
	ck_abort_msg("nothing says: %s", line);
}

START_TEST(every_key_has_its_default)
{
	const struct conf *c = load("minimal.yaml");
	const struct listener_conf *l = &c->listeners[0];

	ck_assert_uint_eq(c->n_listeners, 1);
	ck_assert_str_is(l->name, "main");
	ck_assert_uint_eq(l->timeouts.header_ns, 5 * NS_PER_SEC);
	ck_assert_uint_eq(l->timeouts.write_stall_ns, 10 * NS_PER_SEC);
	ck_assert_uint_eq(l->limits.connections, 20000);
	ck_assert_uint_eq(l->limits.body, 1 << 20);
	ck_assert_uint_ge(c->workers, 1);
	ck_assert_uint_le(c->workers, 8);
	ck_assert_uint_eq(c->drain_timeout_ns, 30 * NS_PER_SEC);
	ck_assert_uint_eq(c->overload.limit, 0);
	ck_assert(c->access_log.is_enabled);
	ck_assert_str_is(c->access_log.path.s, "stderr");
	ck_assert(str_is_none(c->admin.socket.s) && str_is_none(c->admin.address_text.s));
	ck_assert_int_eq(c->routes[0].kind, ROUTE_REPLY);
	ck_assert_str_is(c->routes[0].name, "/");
	ck_assert_uint_eq(c->routes[0].reply.status, 200);
	ck_assert_uint_eq(c->routes[0].timeout_ns, 15 * NS_PER_SEC);
	ck_assert_uint_eq(c->routes[0].methods.n, 1);
	arena_reset(&arena);
}
END_TEST

START_TEST(the_nearest_value_wins)
{
	const struct conf *c = load("inherited.yaml");
	const struct upstream_conf *plain = &c->upstreams[0], *own = &c->upstreams[1];
	const struct route_conf *r = &c->routes[0];
	const struct call_conf *calls = r->calls;

	ck_assert_uint_eq(plain->pool.max_idle, 1);
	ck_assert_uint_eq(plain->pool.max_connections, 256);
	ck_assert_uint_eq(plain->timeouts.total_ns, 2 * NS_PER_SEC);
	ck_assert_uint_eq(own->pool.max_idle, 1);
	ck_assert_uint_eq(own->pool.max_connections, 3);
	ck_assert_uint_eq(own->timeouts.connect_ns, 7 * NS_PER_MS);
	ck_assert_uint_eq(own->timeouts.total_ns, NS_PER_SEC);
	ck_assert_uint_eq(r->timeout_ns, 9 * NS_PER_SEC);
	ck_assert_uint_eq(r->response.partial_status, 206);
	ck_assert_uint_eq(r->response.set_headers.n, 3);
	ck_assert_str_is(r->response.set_headers.at[1].value.s, "c");
	ck_assert(!calls[0].is_required && calls[1].is_required && !calls[2].is_required);
	ck_assert_uint_eq(calls[0].max_body_bytes, 1024);
	ck_assert_uint_eq(calls[1].max_body_bytes, 2048);
	ck_assert(status_set_has(&calls[0].accept, 200) && !status_set_has(&calls[0].accept, 201));
	ck_assert(status_set_has(&calls[1].accept, 204) && status_set_has(&calls[1].accept, 404));
	ck_assert(status_set_has(&calls[2].accept, 201) && !status_set_has(&calls[2].accept, 200));
	ck_assert_uint_eq(calls[0].forward.headers.n, 2);
	ck_assert_uint_eq(calls[2].forward.headers.n, 0);
	ck_assert_str_is(calls[2].forward.query.at[0].s, "q");
	ck_assert_uint_eq(calls[1].upstream, 1);
	arena_reset(&arena);
}
END_TEST

START_TEST(values_are_expanded_once_and_stay_literal)
{
	const struct conf *c = load("expanded.yaml");
	const struct call_conf *call = &c->routes[0].calls[0];

	ck_assert_uint_eq(c->overload.limit, 9000);
	ck_assert_uint_eq(c->upstreams[0].servers[0].port, 9000);
	ck_assert_str_is(c->upstreams[0].servers[0].host, "127.0.0.1:9000");
	/* what comes out of the environment is no template */
	ck_assert_str_is(call->headers.at[0].value.s, "Bearer env {{secret}");
	ck_assert_str_is(call->headers.at[1].value.s, "file {{secret}");
	ck_assert_str_is(call->headers.at[2].value.s, "${{NOT} $$ $x");
	arena_reset(&arena);
}
END_TEST

START_TEST(files_are_put_together)
{
	const struct conf *c = load("included.yaml");

	ck_assert_uint_eq(c->n_listeners, 2);
	ck_assert_uint_eq(c->n_upstreams, 2);
	ck_assert_uint_eq(c->n_routes, 2);
	ck_assert_str_is(c->routes[0].path.s, "/a");
	ck_assert_str_is(c->upstreams[0].name, "orders");
	ck_assert_str_is(c->upstreams[c->routes[0].calls[0].upstream].name, "users");
	ck_assert_uint_eq(c->upstreams[0].queue.size, 7);
	ck_assert_ptr_nonnull(strstr(c->routes[1].pos.file, "parts/orders.yaml"));
	arena_reset(&arena);
}
END_TEST

START_TEST(servers_are_texts_or_maps)
{
	const struct conf *c = load("example.yaml");
	const struct upstream_conf *orders = &c->upstreams[1], *catalog = &c->upstreams[2];

	ck_assert_str_is(orders->servers[0].host, "orders.internal:8080");
	ck_assert_str_is(orders->servers[0].name, "orders.internal");
	ck_assert_str_is(orders->servers[0].lookup, "orders.internal");
	ck_assert_uint_eq(orders->servers[0].n_addrs, 0);
	ck_assert_uint_eq(catalog->n_servers, 3);
	ck_assert_uint_eq(catalog->servers[0].weight, 3);
	ck_assert_str_is(catalog->servers[0].host, "cat-a.internal");
	ck_assert_str_is(catalog->servers[1].host, "[fd00::2]");
	ck_assert_str_is(catalog->servers[1].name, "fd00::2");
	ck_assert_uint_eq(catalog->servers[1].n_addrs, 1);
	ck_assert_uint_eq(catalog->servers[2].n_addrs, 1);
	ck_assert(addr_is_unix(&catalog->servers[2].addrs[0]));
	ck_assert_int_eq(catalog->balance, BALANCE_ROUND_ROBIN);
	arena_reset(&arena);
}
END_TEST

START_TEST(json_scalars_follow_the_json_grammar)
{
	const struct conf *c = load("json.yaml");
	static const struct {
		enum conf_json_kind kind;
		const char *text;
	} want[] = {
		{ CONF_JSON_RAW, "1" },
		{ CONF_JSON_RAW, "-0" },
		{ CONF_JSON_RAW, "1.10" },
		{ CONF_JSON_RAW, "1E400" },
		{ CONF_JSON_STRING, "1" },
		{ CONF_JSON_RAW, "null" },
		{ CONF_JSON_RAW, "true" },
		{ CONF_JSON_STRING, "" },
	};
	const struct conf_json *list = &c->routes[0].reply.json.members[0].value;

	ck_assert_uint_eq(c->routes[0].methods.n, 0);
	ck_assert_int_eq(list->kind, CONF_JSON_ARRAY);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		ck_assert_int_eq(list->members[i].value.kind, want[i].kind);
		ck_assert_str_is(list->members[i].value.text.s, want[i].text);
	}
	ck_assert_int_eq(list->members[8].value.kind, CONF_JSON_OBJECT);
	ck_assert_int_eq(list->members[9].value.kind, CONF_JSON_ARRAY);
	arena_reset(&arena);
}
END_TEST

START_TEST(json_words_of_yaml_are_strings)
{
	const struct conf *c = load("texts.yaml");
	const struct conf_json *tree = &c->routes[0].reply.json;

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(tree->members[i].value.kind, CONF_JSON_STRING);
	ck_assert_str_is(tree->members[2].value.text.s, "0777");
	ck_assert_str_is(tree->members[4].name, "null");
	arena_reset(&arena);
}
END_TEST

START_TEST(routes_without_a_name_get_one)
{
	const struct conf *c = load("example.yaml");

	ck_assert_str_is(c->routes[0].name, "dashboard");
	ck_assert_str_is(c->routes[2].name, "/v1/checkout");
	ck_assert_str_is(c->routes[3].name, "DELETE,PURGE /v1/checkout");
	arena_reset(&arena);
}
END_TEST

START_TEST(texts_in_memory_read_no_files)
{
	load_text("version: 1\ninclude: /etc/*.conf\nworkers: ${HOME}\n"
		  "listeners: { a: { address: \"${file:/etc/hostname}\" } }\nroutes: []\n",
	    ERR_BAD_CONFIG);
	assert_error("t:2:1: include: is not allowed here");
	assert_error("t:3:10: workers: ${…} is not allowed here");
	assert_error("t:4:28: listeners.a.address: ${…} is not allowed here");
	arena_reset(&arena);
}
END_TEST

#define HEAD                                                       \
	"version: 1\nlisteners: { a: { address: 127.0.0.1:0 } }\n" \
	"upstreams: { u: { servers: [ \"http://h\" ] } }\n"

START_TEST(warnings_do_not_refuse)
{
	load_text(HEAD "routes:\n  - { path: /a, timeout: 1s, calls: { c: { upstream: u, path: /, "
		       "timeout: 2s } } }\n",
	    ERR_NONE);
	assert_error("t:5:75: warning: routes[0].calls.c.timeout: "
		     "is longer than the route's timeout, which ends the call first");
	arena_reset(&arena);
	load_text(HEAD "routes:\n  - { path: /a, calls: { c: { upstream: u, path: /, query: { \"{query.x}\": 1 }, "
		       "method: POST, json: { \"a{b}\": { \"}{\": 1 } } } } }\n",
	    ERR_NONE);
	assert_error("t:5:62: warning: routes[0].calls.c.query.{query.x}: "
		     "a name is sent as it stands: only values have references");
	assert_error("t:5:110: warning: routes[0].calls.c.json.a{b}: "
		     "a name is sent as it stands: only values have references");
	ck_assert_uint_eq(errors.n, 2);
	arena_reset(&arena);
	load_text(HEAD "routes:\n  - { path: /a, calls: { c: { upstream: u, path: /, for_each: \"{query.x[]}\", "
		       "max_items: 500000 } } }\n",
	    ERR_NONE);
	assert_error("t:5:89: warning: routes[0].calls.c.max_items: "
		     "so many items take 38 MiB and the request may have 14: a larger max_body of the call gives it "
		     "more, or else it fails with budget");
	arena_reset(&arena);
}
END_TEST

START_TEST(errors_are_many_but_bounded)
{
	struct conf *c = NULL;
	struct buf text = BUF_INIT;

	buf_add_c(&text, HEAD "routes:\n");
	for (int i = 0; i < 2 * CONF_ERRORS_MAX; i++)
		buf_add_c(&text, "  - {}\n");
	arena_init(&arena, NULL, 0);
	ck_assert_int_eq(conf_load_text(buf_str(&text), "t", &arena, &c, &errors), ERR_BAD_CONFIG);
	ck_assert_uint_le(errors.n, CONF_ERRORS_MAX);
	buf_fini(&text);
	arena_reset(&arena);
}
END_TEST

START_TEST(the_bound_adds_up_what_may_be_held)
{
	const struct conf *c =
	    load_text(HEAD "defaults: { call: { max_body: 1MiB } }\n"
			   "routes:\n"
			   "  - { path: /a, calls: { c: { upstream: u, path: / }, d: { upstream: "
			   "u, path: / } } }\n"
			   "  - { path: /b, calls: { c: { upstream: u, path: / } } }\n"
			   "  - { path: /c, reply: {} }\n",
		ERR_NONE);
	uint64_t two = conf_bound_route(c, &c->routes[0]), one = conf_bound_route(c, &c->routes[1]);

	ck_assert_uint_ge(one, (1 << 20) + c->listeners[0].limits.body);
	ck_assert_uint_ge(two - one, 1 << 20);
	ck_assert_uint_lt(conf_bound_route(c, &c->routes[2]), one);
	ck_assert_uint_eq(conf_bound_exchange(c), two);
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("conf_load", every_key_has_its_default, the_nearest_value_wins,
    values_are_expanded_once_and_stay_literal, files_are_put_together, servers_are_texts_or_maps,
    json_scalars_follow_the_json_grammar, json_words_of_yaml_are_strings,
    routes_without_a_name_get_one, texts_in_memory_read_no_files, warnings_do_not_refuse,
    errors_are_many_but_bounded, the_bound_adds_up_what_may_be_held)
