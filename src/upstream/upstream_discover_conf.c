/* The keys of an upstream's `discover`. Constant data. */
#include "upstream/upstream_discover_conf.h"

#include "base/compiler.h"
#include "upstream/upstream_conf.h"

static const char *
parse_dns(void *base, const struct conf_text *text, struct arena *a)
{
	struct upstream_conf *up = base;

	(void)a;
	if (!addr_is_name(text->s))
		return "expected a host name";
	up->discover.dns = *text;
	return NULL;
}

/* RFC 2782: _service._proto.name */
static const char *
parse_srv(void *base, const struct conf_text *text, struct arena *a)
{
	struct upstream_conf *up = base;
	struct str rest = text->s, service, proto;
	bool is_whole = addr_is_name(text->s) && str_split(&rest, '.', &service) &&
	    str_split(&rest, '.', &proto) && rest.n != 0;

	(void)a;
	if (!is_whole || service.p[0] != '_' || proto.p[0] != '_')
		return "expected _SERVICE._PROTO.NAME, such as _http._tcp.orders.internal";
	up->discover.srv = *text;
	return NULL;
}

static const struct conf_word schemes[] = {
	{ "http", DISCOVER_HTTP },
	{ "https", DISCOVER_HTTPS },
	{ NULL, 0 },
};

static const struct conf_row rows[] = {
	{
	    .key = "dns",
	    .type = CONF_PARSED,
	    .parse = parse_dns,
	    .form = "NAME",
	    .since = "0.1",
	    .doc = "Every address of this host name is a server, at `port`.",
	},
	{
	    .key = "port",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct upstream_conf, discover.port),
	    .max = 65535,
	    .fallback = "0",
	    .unit = "the port of the servers that `dns` finds",
	    .since = "0.1",
	    .doc = "Where the servers listen. SRV records say it themselves.",
	},
	{
	    .key = "srv",
	    .type = CONF_PARSED,
	    .parse = parse_srv,
	    .form = "_SERVICE._PROTO.NAME",
	    .since = "0.1",
	    .doc = "Every target of these SRV records is a server (RFC 2782). Those of the lowest "
		   "priority number get the calls, by their weights; the next ones when none of "
		   "them can be reached. Host, and the name that TLS asks for, is NAME: what DNS "
		   "gives as targets is not to be trusted (RFC 6125 6.2.1).",
	},
	{
	    .key = "scheme",
	    .type = CONF_WORD,
	    .offset = offsetof(struct upstream_conf, discover.scheme),
	    .words = schemes,
	    .fallback = "http",
	    .since = "0.1",
	    .doc = "Whether the servers are spoken to by TLS.",
	},
};

const struct conf_section upstream_discover_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.doc = "The servers are those that DNS names; they come and go without a failed request.",
};
