/* What exchange.c asks of a request that has found its route, in the same order. No state. */
#include "daemon/explain_refusal.h"

#include "server/parts.h"

/* What a proxy route passes on is not kept. */
static bool
is_too_large(const struct route_conf *conf, const struct canned *canned, const struct listener_conf *listener)
{
	return conf->kind != ROUTE_PROXY &&
	    canned->request.body.n > route_conf_body_limit(conf, listener->limits.body);
}

enum err_code
explain_refusal_of(const struct route *route, const struct canned *canned,
    const struct listener_conf *listener, struct arena *arena, struct str *why)
{
	const struct request *r = &canned->request;
	enum route_format format;
	enum err_code e = ERR_NONE;

	*why = str_none();
	if (route->require != NULL)
		e = require_check(route->require, r, arena, why);
	if (e == ERR_NONE && is_too_large(route->conf, canned, listener))
		e = ERR_BODY_TOO_LARGE;
	if (e != ERR_NONE || route->conf->kind != ROUTE_CALLS)
		return e;
	e = parts_choose_format(route->conf, r->headers, &format);
	if (e == ERR_NONE && route->conf->is_body_required && r->body.n == 0)
		e = ERR_BAD_BODY;
	return e;
}
