/* Look-ups at start. Main thread, before the workers run. */
#include "conf/conf_resolve.h"

#include <string.h>

static enum err_code
resolve_server(struct server_conf *s, struct arena *a, struct conf_errors *errors)
{
	struct addr found[CONF_RESOLVE_ADDRS_MAX];
	size_t n = 0;

	if (s->n_addrs != 0)
		return ERR_NONE;
	if (addr_resolve(s->name.p, (unsigned)s->port, found, CONF_RESOLVE_ADDRS_MAX, &n) !=
		ERR_NONE ||
	    n == 0) {
		conf_error_add(
		    errors, s->url.pos, "the name %.*s has no address", STR_FMT(s->name));
		return ERR_BAD_CONFIG;
	}
	s->addrs = arena_calloc(a, n, sizeof *s->addrs);
	memcpy(s->addrs, found, n * sizeof *found);
	s->n_addrs = n;
	return ERR_NONE;
}

enum err_code
conf_resolve(struct conf *c, struct arena *a, struct conf_errors *errors)
{
	enum err_code e = ERR_NONE;

	for (size_t i = 0; i < c->n_upstreams; i++)
		for (size_t k = 0; k < c->upstreams[i].n_servers; k++)
			if (resolve_server(&c->upstreams[i].servers[k], a, errors) != ERR_NONE)
				e = ERR_BAD_CONFIG;
	conf_error_sort(errors);
	return e;
}
