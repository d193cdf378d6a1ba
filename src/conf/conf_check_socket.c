/* Rules of sockets. Start-up and reload only; one thread. */
#include "conf/conf_check_socket.h"

#include "base/compiler.h"

enum address_kind { ADDRESS_SYSTEMD, ADDRESS_IPV4, ADDRESS_IPV6, ADDRESS_PATH, ADDRESS_ABSTRACT };

static enum address_kind
kind_of(const struct listener_conf *l)
{
	if (!str_is_none(l->socket_name))
		return ADDRESS_SYSTEMD;
	if (addr_is_unix(&l->address))
		return str_has_prefix(l->address_text.s, STR("unix:@")) ? ADDRESS_ABSTRACT
									 : ADDRESS_PATH;
	return l->address.sa.ss_family == AF_INET6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
}

#define BIT(kind) (1u << (kind))
#define IP (BIT(ADDRESS_IPV4) | BIT(ADDRESS_IPV6))
#define UNIX (BIT(ADDRESS_PATH) | BIT(ADDRESS_ABSTRACT))

struct rule {
	const char *key;
	bool is_set; /* to something else than what is built in, which a dump repeats */
	unsigned kinds; /* of addresses that have it */
	const char *fault;
};

static void
apply(const struct conf_check *check, const struct listener_conf *l, const struct rule *rule)
{
	enum address_kind kind = kind_of(l);
	const char *fault = kind == ADDRESS_SYSTEMD
	    ? "a socket of systemd has the options of its .socket unit; this one must go"
	    : rule->fault;

	if (rule->is_set && (rule->kinds & BIT(kind)) == 0)
		conf_error_add(check->errors, conf_check_place(l->pos, rule->key), "%s", fault);
}

static void
check_proxy_protocol(const struct conf_check *check, const struct listener_conf *l)
{
	if (l->has_proxy_header && l->n_trusted_proxies == 0 && !addr_is_unix(&l->address) &&
	    str_is_none(l->socket_name))
		conf_error_add(check->errors, conf_check_place(l->pos, "proxy_protocol"),
		    "needs `trusted_proxies`: whose headers are believed");
}

static void
check_trusts_unix(const struct conf_check *check, const struct listener_conf *l)
{
	if (l->trusts_unix && !addr_is_unix(&l->address) && str_is_none(l->socket_name))
		conf_error_add(check->errors, conf_check_place(l->pos, "trusted_proxies"),
		    "`unix` is for addresses of the form unix:/PATH");
}

void
conf_check_socket(const struct conf_check *check, const struct listener_conf *l)
{
	const struct sock_conf *s = &l->socket;
	const struct rule rules[] = {
		{ "socket.backlog", s->backlog != SOCK_BACKLOG, IP | UNIX, NULL },
		{ "socket.keep_alive", s->keep_alive_ns != 0, IP, "a unix socket has none" },
		{ "socket.defer_accept", s->defer_accept_ns != 0, IP, "a unix socket has none" },
		{ "socket.fast_open", s->fast_open != 0, IP, "a unix socket has none" },
		{ "socket.v6only", !s->is_v6only, BIT(ADDRESS_IPV6),
		    "is for addresses of the form [IPv6]:PORT" },
		{ "socket.mode", s->has_mode, BIT(ADDRESS_PATH),
		    "is for addresses of the form unix:/PATH" },
		{ "socket.owner", s->has_owner, BIT(ADDRESS_PATH),
		    "is for addresses of the form unix:/PATH" },
		{ "socket.group", s->has_group, BIT(ADDRESS_PATH),
		    "is for addresses of the form unix:/PATH" },
	};

	if (l->address.len == 0 && str_is_none(l->socket_name))
		return; /* the address is wrong, and that was said */
	check_proxy_protocol(check, l);
	check_trusts_unix(check, l);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		apply(check, l, &rules[i]);
}

void
conf_check_socket_upstream(const struct conf_check *check, const struct upstream_conf *up)
{
	struct conf_pos at = conf_check_place(up->pos, "proxy_protocol");

	if (up->proxy_protocol == PROXY_HEADER_NONE)
		return;
	if (up->n_mocks != 0)
		conf_error_add(check->errors, at, "mock services understand none");
	for (size_t i = 0; i < up->n_servers; i++)
		if (up->servers[i].is_tls)
			conf_error_add(check->errors, up->servers[i].url.pos,
			    "an https:// server cannot have `proxy_protocol`");
}
