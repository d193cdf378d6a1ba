/* The rows of a route that passes everything on. Constant data. */
#include "gather/proxy_conf.h"

#include <stddef.h>

#include "base/compiler.h"
#include "codec/header.h"
#include "gather/route_conf.h"

/* RFC 9110 7.8: protocol-name ["/" protocol-version] */
static bool
is_protocol(struct str s)
{
	size_t slash = str_find(s, '/');

	if (slash == s.n)
		return header_is_token(s);
	return header_is_token(str_of(s.p, slash)) &&
	    header_is_token(str_of(s.p + slash + 1, s.n - slash - 1));
}

/*
 * In these the tunnel would be HTTP or TLS of a client's own: requests that no route has let through. RFC 9113
 * 3.1 has taken h2c back.
 */
static bool
is_forbidden(struct str s)
{
	struct str name = str_of(s.p, str_find(s, '/'));

	return str_ieq(name, STR("h2c")) || str_ieq(name, STR("h2")) || str_ieq(name, STR("http")) ||
	    str_ieq(name, STR("tls"));
}

static const char *
parse_upgrade(void *base, const struct conf_text *text, struct arena *a)
{
	struct proxy_conf *proxy = &((struct route_conf *)base)->proxy;

	(void)a;
	if (!is_protocol(text->s))
		return "is not the name of a protocol, such as websocket";
	if (is_forbidden(text->s))
		return "would let requests through that no route has seen";
	for (size_t i = 0; i < proxy->n_upgrades; i++)
		if (str_ieq(proxy->upgrades[i], text->s))
			return "is in the list already";
	if (proxy->n_upgrades == PROXY_CONF_UPGRADES)
		return "is one too many: 8 protocols at most";
	proxy->upgrades[proxy->n_upgrades++] = text->s;
	return NULL;
}

static const struct conf_row tunnel_rows[] = {
	{
	    .key = "idle_timeout",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct route_conf, proxy.tunnel.idle_ns),
	    .min = NS_PER_MS,
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "5m",
	    .since = "0.1",
	    .doc = "How long nothing may pass through, in either direction, until the tunnel is closed: of the "
		   "time-outs of the listener and of the upstream none holds in it. Pings of WebSocket count "
		   "as any other bytes.",
	},
	{
	    .key = "max_duration",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct route_conf, proxy.tunnel.most_ns),
	    .max = 30 * 24 * 3600 * NS_PER_SEC,
	    .fallback = "0",
	    .unit = "0: no limit",
	    .since = "0.1",
	    .doc = "How long a tunnel may be open.",
	},
};
static const struct conf_section tunnel_section = {
	.rows = tunnel_rows,
	.n_rows = ARRAY_LEN(tunnel_rows),
	.doc = "The connections that an upgrade has joined. As long as they are open they take up the request's "
	       "permit of the daemon (`overload.concurrency`), that of the upstream (`concurrency`) and one "
	       "of its connections (`pool.max_connections`). What one side does not take stops the other: "
	       "64 KiB in each direction are held at most. The end of one direction is passed on, the other goes on. A "
	       "drain leaves tunnels alone until `drain_timeout` is over, and takes no new ones (503 `draining`).",
};

static const struct conf_row rows[] = {
	{
	    .key = "upstream",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct route_conf, proxy.upstream_name),
	    .is_required = true,
	    .since = "0.1",
	    .doc = "The name of the upstream that is asked.",
	},
	{
	    .key = "path",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct route_conf, proxy.path),
	    .form = "/files/{rest}",
	    .since = "0.1",
	    .doc =
		"The path that the upstream sees; the query is kept. Without it: the client's, as "
		"it came.",
	},
	{
	    .key = "headers",
	    .type = CONF_PAIRS,
	    .offset = offsetof(struct route_conf, proxy.headers),
	    .form = "{ X-Client-Subject: \"{client.cert.subject|}\" }",
	    .since = "0.1",
	    .doc = "Fields that the upstream is sent in place of the client's own of these names, whatever their "
		   "case and with `_` for `-` as well; so they can be trusted to come from gatherd. Values "
		   "may refer to the request, but for its body. A reference that finds nothing and has no default "
		   "is 400 `missing_reference`, and nothing is sent; with the empty default of `{client.cert.san|}` "
		   "the field is sent empty. The names are those that a call may set.",
	},
	{
	    .key = "upgrade",
	    .type = CONF_PARSED_LIST,
	    .parse = parse_upgrade,
	    .form = "websocket",
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "Protocols that a client may change to with the Upgrade field (HTTP/1.1; the method must be among "
		   "`methods`). The first of its offer that is listed is passed on, alone; when the upstream "
		   "answers 101 the two connections become a tunnel, any other answer is an ordinary one, behind "
		   "which the connection closes. An offer of which nothing is listed is refused with 403 "
		   "`upgrade_refused`, on every route, before anything is done for it; but one of only `h2c` or "
		   "`TLS/…` is ignored, because curl and others make it and are content without. A request with a "
		   "body over 16 KiB or of unknown length crosses without its offer. With `websocket` the "
		   "handshake is checked on both sides (RFC 6455 4): a wrong one is 400 `bad_upgrade`, another "
		   "version than 13 is 426, a wrong answer 502 `invalid_upgrade`. `h2c`, `HTTP/…` and `TLS/…` "
		   "cannot be listed.",
	},
	{
	    .key = "tunnel",
	    .type = CONF_SECTION,
	    .section = &tunnel_section,
	    .since = "0.1",
	    .doc = "What holds after an upgrade.",
	},
};
const struct conf_section proxy_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.doc = "A plain reverse proxy: request and answer are streamed, all but hop-by-hop fields "
	       "are passed on.",
};
