#include "server/router.h"

#include <stdio.h>

#include "unit.h"

#define MAX_ROUTES 32

static struct arena arena;
static struct router *router;
static struct route_conf routes[MAX_ROUTES];
static size_t n_routes;
static struct request request;
static struct router_match match;
static char reported[300];

static void
report(void *arg, const struct conf_pos *where, const struct conf_pos *other, const char *message)
{
	(void)arg;
	snprintf(reported, sizeof(reported), "%u:%u%s%s", where->line, where->column,
	    other == NULL ? " " : " (other) ", message);
}

static void
setup(void)
{
	arena_init(&arena, NULL, 0);
	router = router_new(&arena, report, NULL);
	n_routes = 0;
	reported[0] = '\0';
}

/* methods: comma-separated, empty: any. */
static enum err_code
add(const char *path, const char *methods)
{
	struct route_conf *route = &routes[n_routes];
	struct str rest = str_c(methods), method;
	struct route_path parsed;

	*route = (struct route_conf){ .name = str_c(path), .path = { .s = str_c(path) } };
	route->path.pos =
	    (struct conf_pos){ .file = "f", .line = (uint32_t)n_routes + 1, .column = 10 };
	route->methods.at = arena_calloc(&arena, 8, sizeof(struct conf_text));
	while (rest.n > 0 && str_split(&rest, ',', &method))
		route->methods.at[route->methods.n++].s = method;
	return router_add(router, route, n_routes++, &parsed);
}

static enum err_code
find(const char *method, const char *path)
{
	request = (struct request){
		.method = http_table_method(str_c(method)),
		.method_text = str_c(method),
		.path = str_c(path),
	};
	return router_find(router, &request, &arena, &match);
}

static void
assert_found(const char *path, const char *want)
{
	ck_assert_int_eq(find("GET", path), ERR_NONE);
	ck_assert_msg(str_eq(routes[match.index].path.s, str_c(want)), "%s found %.*s, want %s",
	    path, STR_FMT(routes[match.index].path.s), want);
}

START_TEST(the_most_specific_wins)
{
	setup();
	add("/{rest...}", "GET");
	add("/users/{id}", "GET");
	add("/users/me", "GET");
	add("/users/{id}/orders", "GET");
	add("/users/{rest...}", "GET");
	add("/", "GET");
	assert_found("/", "/");
	assert_found("/x", "/{rest...}");
	assert_found("/users/me", "/users/me");
	assert_found("/users/7", "/users/{id}");
	assert_found("/users/me/orders", "/users/{id}/orders");
	assert_found("/users/me/x", "/users/{rest...}");
	assert_found("/users/", "/users/{rest...}");
	assert_found("/users", "/{rest...}");
	arena_reset(&arena);
}
END_TEST

START_TEST(goes_back_where_the_specific_way_ends)
{
	setup();
	add("/a/{x}/c", "GET");
	add("/{y}/b/d", "GET");
	assert_found("/a/b/c", "/a/{x}/c");
	assert_found("/a/b/d", "/{y}/b/d");
	ck_assert_str_is(request.params[0], "a");
	ck_assert_int_eq(find("GET", "/a/b/e"), ERR_NO_ROUTE);
	arena_reset(&arena);
}
END_TEST

START_TEST(takes_parameters_raw)
{
	setup();
	add("/u/{id}/f/{rest...}", "GET");
	assert_found("/u/a%2Fb/f/c/d%20e/", "/u/{id}/f/{rest...}");
	ck_assert_str_is(request.params[0], "a%2Fb");
	ck_assert_str_is(request.params[1], "c/d%20e/");
	assert_found("/u/7/f/", "/u/{id}/f/{rest...}");
	ck_assert_uint_eq(request.params[1].n, 0);
	ck_assert(!str_is_none(request.params[1]));
	arena_reset(&arena);
}
END_TEST

START_TEST(trailing_slashes_and_empty_segments_count)
{
	setup();
	add("/a", "GET");
	add("/b/", "GET");
	add("/c/{x}", "GET");
	ck_assert_int_eq(find("GET", "/a/"), ERR_NO_ROUTE);
	ck_assert_int_eq(find("GET", "/b"), ERR_NO_ROUTE);
	ck_assert_int_eq(find("GET", "/b/"), ERR_NONE);
	ck_assert_int_eq(find("GET", "/c/"), ERR_NO_ROUTE);
	ck_assert_int_eq(find("GET", "//a"), ERR_NO_ROUTE);
	arena_reset(&arena);
}
END_TEST

START_TEST(encoding_does_not_change_the_route)
{
	setup();
	add("/a%20b/c", "GET");
	add("/A", "GET");
	assert_found("/a%20b/c", "/a%20b/c");
	assert_found("/%61%20b/%63", "/a%20b/c");
	assert_found("/%41", "/A");
	ck_assert_int_eq(find("GET", "/a%20b%2Fc"), ERR_NO_ROUTE);
	ck_assert_int_eq(find("GET", "/%2F"), ERR_NO_ROUTE);
	arena_reset(&arena);
}
END_TEST

START_TEST(tells_methods_apart)
{
	setup();
	add("/a", "GET,PUT");
	add("/a", "POST,PURGE");
	add("/any", "");
	ck_assert_int_eq(find("PUT", "/a"), ERR_NONE);
	ck_assert_uint_eq(match.index, 0);
	ck_assert_int_eq(find("PURGE", "/a"), ERR_NONE);
	ck_assert_uint_eq(match.index, 1);
	ck_assert_int_eq(find("HEAD", "/a"), ERR_NONE);
	ck_assert_uint_eq(match.index, 0);
	ck_assert_int_eq(find("DELETE", "/a"), ERR_METHOD_NOT_ALLOWED);
	ck_assert_str_is(match.allow, "GET, HEAD, POST, PUT, PURGE");
	ck_assert_int_eq(find("purge", "/a"), ERR_METHOD_NOT_ALLOWED);
	ck_assert_int_eq(find("WHATEVER", "/any"), ERR_NONE);
	arena_reset(&arena);
}
END_TEST

START_TEST(an_explicit_head_wins_over_get)
{
	setup();
	add("/a", "GET");
	add("/a", "HEAD");
	ck_assert_int_eq(find("HEAD", "/a"), ERR_NONE);
	ck_assert_uint_eq(match.index, 1);
	arena_reset(&arena);
}
END_TEST

START_TEST(a_less_specific_route_may_have_the_method)
{
	setup();
	add("/a/b", "GET");
	add("/a/{x}", "POST");
	add("/{rest...}", "PUT");
	ck_assert_int_eq(find("POST", "/a/b"), ERR_NONE);
	ck_assert_uint_eq(match.index, 1);
	ck_assert_int_eq(find("PUT", "/a/b"), ERR_NONE);
	ck_assert_str_is(request.params[0], "a/b");
	ck_assert_int_eq(find("DELETE", "/a/b"), ERR_METHOD_NOT_ALLOWED);
	ck_assert_str_is(match.allow, "GET, HEAD, POST, PUT");
	arena_reset(&arena);
}
END_TEST

START_TEST(refuses_conflicts_with_both_places)
{
	setup();
	ck_assert_int_eq(add("/a/{x}", "GET"), ERR_NONE);
	ck_assert_int_eq(add("/a/{y}", "POST"), ERR_NONE);
	ck_assert_int_eq(add("/a/{z}", "PUT,GET"), ERR_BAD_CONFIG);
	ck_assert_str_eq(
	    reported, "3:10 (other) route \"/a/{z}\" takes the same requests as route \"/a/{x}\"");
	ck_assert_int_eq(add("/%61/{z}", ""), ERR_BAD_CONFIG);
	ck_assert_int_eq(add("/t/{x...}", ""), ERR_NONE);
	ck_assert_int_eq(add("/t/{y...}", "GET"), ERR_BAD_CONFIG);
	ck_assert_int_eq(add("/t/{y}", "GET"), ERR_NONE);
	arena_reset(&arena);
}
END_TEST

START_TEST(refuses_what_is_no_path)
{
	static const struct {
		const char *path, *methods, *want;
	} bad[] = {
		{ "", "", "1:10 a path begins with a slash" },
		{ "a/b", "", "2:10 a path begins with a slash" },
		{ "/x/y{z}", "", "3:13 a parameter is a whole segment: /{name}/" },
		{ "/{a...}/b", "", "4:11 a {tail...} is the last segment" },
		{ "/{1a}", "", "5:12 a parameter's name is letters, digits, _ and -" },
		{ "/{a}/{a}", "", "6:16 two parameters have this name" },
		{ "/{body}", "", "7:12 this name means something else in templates" },
		{ "/a b", "", "8:11 this segment cannot be part of a path; percent-encode it" },
		{ "/..", "", "9:11 this segment cannot be part of a path; percent-encode it" },
		{ "/a", "GET,P OST", "0:0 a method is a token such as GET" },
		{ "/a", "CONNECT", "0:0 CONNECT and TRACE are not served" },
		{ "/{item}", "", "12:12 this name means something else in templates" },
		{ "/{items}", "", "13:12 this name means something else in templates" },
	};

	setup();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_int_eq(add(bad[i].path, bad[i].methods), ERR_BAD_CONFIG);
		ck_assert_str_eq(reported, bad[i].want);
	}
	arena_reset(&arena);
}
END_TEST

START_TEST(many_literals_are_found)
{
	char path[64][16];

	setup();
	for (int i = 0; i < MAX_ROUTES; i++) {
		snprintf(path[i], sizeof(path[i]), "/r/%d/x", i * 7919 % 1000);
		ck_assert_int_eq(add(path[i], "GET"), ERR_NONE);
	}
	for (size_t i = 0; i < MAX_ROUTES; i++) {
		ck_assert_int_eq(find("GET", path[i]), ERR_NONE);
		ck_assert_uint_eq(match.index, i);
	}
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("router", the_most_specific_wins, goes_back_where_the_specific_way_ends,
    takes_parameters_raw, trailing_slashes_and_empty_segments_count,
    encoding_does_not_change_the_route, tells_methods_apart, an_explicit_head_wins_over_get,
    a_less_specific_route_may_have_the_method, refuses_conflicts_with_both_places,
    refuses_what_is_no_path, many_literals_are_found)
