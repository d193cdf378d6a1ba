/* `discover`: one server whose addresses DNS tells. Start-up and reload only; one thread. */
#include "conf/conf_discover.h"

static struct str
without_dot(struct str name)
{
	return str_has_suffix(name, STR(".")) ? str_of(name.p, name.n - 1) : name;
}

/* NAME of _SERVICE._PROTO.NAME: what the servers are, whatever the targets are called. */
static struct str
service_domain(struct str srv)
{
	struct str rest = srv, label;

	return str_split(&rest, '.', &label) && str_split(&rest, '.', &label) ? rest : srv;
}

static void
discover(struct upstream_conf *up, struct arena *a)
{
	struct server_conf *s = arena_calloc(a, 1, sizeof *s);
	bool is_srv = !str_is_none(up->discover.srv.s);

	s->url = is_srv ? up->discover.srv : up->discover.dns;
	s->is_srv = is_srv;
	s->is_tls = up->discover.scheme == DISCOVER_HTTPS;
	s->lookup = arena_str(a, s->url.s);
	s->name = arena_str(a, without_dot(is_srv ? service_domain(s->url.s) : s->url.s));
	s->port = up->discover.port;
	s->weight = 1;
	s->host = s->name;
	if (!is_srv && s->port != upstream_conf_usual_port(s->is_tls))
		s->host = arena_printf(a, "%.*s:%u", STR_FMT(s->name), (unsigned)s->port);
	up->servers = s;
	up->n_servers = 1;
}

void
conf_discover(struct conf *c, struct arena *a)
{
	for (size_t i = 0; i < c->n_upstreams; i++) {
		struct upstream_conf *up = &c->upstreams[i];
		bool has_name =
		    !str_is_none(up->discover.srv.s) || !str_is_none(up->discover.dns.s);

		if (has_name && up->n_servers == 0)
			discover(up, a);
	}
}

void
conf_discover_check(const struct conf_check *check, const struct upstream_conf *up)
{
	bool has_srv = conf_check_has(up->pos, "discover.srv"),
	     has_dns = conf_check_has(up->pos, "discover.dns"),
	     has_port = conf_check_has(up->pos, "discover.port") && up->discover.port != 0;
	struct conf_pos at = conf_check_place(up->pos, "discover");

	if (!conf_check_has(up->pos, "discover"))
		return;
	if (has_srv == has_dns)
		conf_error_add(check->errors, at, has_srv
			? "has both `srv` and `dns`; one of them must go"
			: "the key \"dns\" is missing (or \"srv\")");
	if (has_dns && !has_srv && !has_port)
		conf_error_add(check->errors, at, "the key \"port\" is missing");
	if (has_srv && !has_dns && has_port)
		conf_error_add(check->errors, conf_check_place(up->pos, "discover.port"),
		    "has no effect: SRV records say the port");
}
