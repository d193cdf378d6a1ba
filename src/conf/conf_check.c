/* Rules of listeners, upstreams and the whole. Start-up and reload only; one thread. */
#include "conf/conf_check.h"

#include "base/compiler.h"
#include "conf/conf_check_route.h"
#include "conf/conf_check_test.h"
#include "conf/conf_check_socket.h"
#include "conf/conf_check_tls.h"
#include "conf/conf_discover.h"
#include "conf/yaml_tree.h"

bool
conf_check_has(struct conf_pos item, const char *path)
{
	const struct yaml_node *node = yaml_tree_find(item.node, path);

	return node != NULL && node->pos.file != NULL;
}

struct conf_pos
conf_check_place(struct conf_pos item, const char *path)
{
	return conf_check_has(item, path) ? yaml_tree_find(item.node, path)->pos : item;
}

bool
conf_check_is_default(struct conf_pos pos)
{
	char path[YAML_TREE_PATH_MAX];

	return pos.node != NULL && str_has_prefix(str_c(yaml_tree_path(pos.node, path)), STR("defaults."));
}

struct str
conf_check_raw(const struct conf_text *text)
{
	const struct yaml_node *node = text->pos.node;

	return node != NULL && node->kind == YAML_SCALAR ? node->raw : text->s;
}

static struct conf_pos
root_pos(const struct conf_check *check)
{
	return check->conf->effective->pos;
}

/* Absent, or there and empty; what has the wrong shape was refused already. */
static bool
is_missing(const struct conf_check *check, const char *key, enum yaml_kind kind)
{
	const struct yaml_node *node = yaml_tree_find(root_pos(check).node, key);

	return node == NULL || (node->kind == kind && node->n == 0);
}

static void
check_has_listener(const struct conf_check *check)
{
	if (is_missing(check, "listeners", YAML_MAP))
		conf_error_add(check->errors, conf_check_place(root_pos(check), "listeners"),
		    "at least one listener is needed");
}

static void
check_has_route(const struct conf_check *check)
{
	if (is_missing(check, "routes", YAML_LIST))
		conf_error_warn(check->errors, conf_check_place(root_pos(check), "routes"),
		    "there is no route: every request gets 404");
}

struct bound {
	const struct conf_text *text;
	const struct addr *address;
	bool is_v6only;
};

/* Port 0 is any free port: it clashes with nothing. */
static bool
is_free(const struct addr *a)
{
	return a->len == 0 || (!addr_is_unix(a) && addr_port(a) == 0);
}

static void
check_address(const struct conf_check *check, const struct bound *b, size_t n_before)
{
	struct str raw = conf_check_raw(b->text);

	for (size_t i = 0; i < n_before && !is_free(b->address); i++) {
		const struct listener_conf *l = &check->conf->listeners[i];

		if (is_free(&l->address))
			continue;
		if (addr_eq(&l->address, b->address))
			conf_error_add(check->errors, b->text->pos,
			    "%.*s is the address of listener \"%.*s\" already", STR_FMT(raw),
			    STR_FMT(l->name));
		else if (addr_takes(&l->address, l->socket.is_v6only, b->address) ||
		    addr_takes(b->address, b->is_v6only, &l->address))
			conf_error_add(check->errors, b->text->pos,
			    "%.*s and %.*s of listener \"%.*s\" cannot be bound together: one is among the other",
			    STR_FMT(raw), STR_FMT(conf_check_raw(&l->address_text)), STR_FMT(l->name));
	}
}

static void
check_socket_name(const struct conf_check *check, size_t index)
{
	const struct listener_conf *all = check->conf->listeners, *l = &all[index];

	for (size_t i = 0; i < index && !str_is_none(l->socket_name); i++)
		if (str_eq(all[i].socket_name, l->socket_name))
			conf_error_add(check->errors, l->address_text.pos,
			    "systemd:%.*s is the address of listener \"%.*s\" already",
			    STR_FMT(l->socket_name), STR_FMT(all[i].name));
}

static void
check_addresses(const struct conf_check *check)
{
	const struct conf *c = check->conf;
	const struct bound address = { &c->admin.address_text, &c->admin.address, true };
	const struct bound socket = { &c->admin.socket, &c->admin.socket_address, true };

	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct listener_conf *l = &c->listeners[i];

		check_address(
		    check, &(struct bound){ &l->address_text, &l->address, l->socket.is_v6only }, i);
		check_socket_name(check, i);
	}
	check_address(check, &address, c->n_listeners);
	check_address(check, &socket, c->n_listeners);
}

static void
check_has_servers(const struct conf_check *check, const struct upstream_conf *up)
{
	static const char *const keys[] = { "servers", "discover", "mock" };
	const char *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!conf_check_has(up->pos, keys[i]))
			continue;
		if (found != NULL)
			conf_error_add(check->errors, up->pos,
			    "has both `%s` and `%s`; one of them must go", found, keys[i]);
		found = keys[i];
	}
	if (found == NULL)
		conf_error_add(check->errors, up->pos,
		    "the key \"servers\" is missing (or \"discover\", or \"mock\")");
}

static void
check_servers_differ(const struct conf_check *check, const struct upstream_conf *up)
{
	for (size_t i = 1; i < up->n_servers; i++)
		for (size_t k = 0; k < i; k++)
			if (up->servers[i].url.s.n != 0 &&
			    str_eq(up->servers[i].url.s, up->servers[k].url.s))
				conf_error_add(check->errors, up->servers[i].url.pos,
				    "is listed twice; `weight` gives a server a larger share");
}

static void
check_dns(const struct conf_check *check)
{
	const struct dns_conf *dns = &check->conf->dns;

	if (dns->ttl_min_ns > dns->ttl_max_ns || dns->ttl_min_ns > dns->negative_max_ns)
		conf_error_add(check->errors, conf_check_place(root_pos(check), "dns.ttl.min"),
		    "is longer than `max` or `negative`");
}

static void
check_upstream(const struct conf_check *check, struct upstream_conf *up)
{
	check_has_servers(check, up);
	conf_discover_check(check, up);
	check_servers_differ(check, up);
	conf_check_socket_upstream(check, up);
	conf_check_tls_upstream(check, up);
	conf_check_route_mocks(check, up);
}

void
conf_check(struct conf *c, struct arena *a, struct conf_errors *errors)
{
	struct conf_check check = { c, a, errors };

	check_has_listener(&check);
	check_has_route(&check);
	check_addresses(&check);
	for (size_t i = 0; i < c->n_listeners; i++) {
		conf_check_socket(&check, &c->listeners[i]);
		conf_check_tls_listener(&check, &c->listeners[i]);
	}
	check_dns(&check);
	for (size_t i = 0; i < c->n_upstreams; i++)
		check_upstream(&check, &c->upstreams[i]);
	conf_check_route_all(&check);
	conf_check_test_all(&check);
}
