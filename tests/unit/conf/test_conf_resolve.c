#include "conf/conf_resolve.h"

#include "conf/conf_load.h"

#include "unit.h"

static struct conf *
load(struct arena *a, struct conf_errors *errors, const char *servers)
{
	struct conf *c = NULL;
	struct str text = arena_printf(a,
	    "version: 1\nlisteners: { a: { address: 127.0.0.1:0 } }\n"
	    "upstreams: { u: { servers: %s } }\nroutes: [ { path: /, reply: {} } ]\n",
	    servers);

	ck_assert_int_eq(conf_load_text(text, "t", a, &c, errors), ERR_NONE);
	return c;
}

START_TEST(addresses_need_no_name_service)
{
	struct arena a;
	struct conf_errors errors;
	struct conf *c;
	struct server_conf *s;
	char text[ADDR_TEXT_MAX];

	arena_init(&a, NULL, 0);
	c = load(
	    &a, &errors, "[ \"http://127.0.0.1\", \"http://[::1]:8081\", \"http+unix:/tmp/x\" ]");
	ck_assert_int_eq(conf_resolve(c, &a, &errors), ERR_NONE);
	s = c->upstreams[0].servers;
	ck_assert_uint_eq(s[0].n_addrs, 1);
	ck_assert_str_is(str_of(text, addr_format(&s[0].addrs[0], text)), "127.0.0.1:80");
	ck_assert_str_is(str_of(text, addr_format(&s[1].addrs[0], text)), "[::1]:8081");
	ck_assert_str_is(str_of(text, addr_format(&s[2].addrs[0], text)), "unix:/tmp/x");
	arena_reset(&a);
}
END_TEST

START_TEST(every_name_without_an_address_is_named)
{
	struct arena a;
	struct conf_errors errors;
	struct conf *c;

	arena_init(&a, NULL, 0);
	c = load(&a, &errors, "[ \"http://one.invalid\", \"http://two.invalid:81\" ]");
	ck_assert_int_eq(conf_resolve(c, &a, &errors), ERR_BAD_CONFIG);
	ck_assert_uint_eq(errors.n, 2);
	ck_assert_str_is(conf_error_line(&errors, &errors.at[0]),
	    "t:3:30: upstreams.u.servers[0]: the name one.invalid has no address");
	arena_reset(&a);
}
END_TEST

UNIT_MAIN("conf_resolve", addresses_need_no_name_service, every_name_without_an_address_is_named)
