/* The keys of an upstream, its servers and its mock rules. Constant data; parsing runs at start-up
 * and reload only. */
#include "upstream/upstream_conf.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/uri.h"
#include "upstream/upstream_discover_conf.h"
#include "upstream/upstream_tls_conf.h"

/* "[::1]" without its brackets when it is an IPv6 address; else none. */
static struct str
ipv6_inside(struct str host, struct arena *a)
{
	struct addr ignored;
	struct str probe = arena_printf(a, "%.*s:1", STR_FMT(host));

	return addr_parse(probe, &ignored) == ERR_NONE ? str_of(host.p + 1, host.n - 2)
						       : str_none();
}

/* An address is where the server is; a name is looked up while the daemon runs. */
static bool
take_host(struct server_conf *s, struct str host, struct arena *a)
{
	struct str name = host.p[0] == '[' ? ipv6_inside(host, a) : host;
	struct addr at;

	if (addr_of_ip(name, (unsigned)s->port, &at) == ERR_NONE) {
		s->addrs = arena_calloc(a, 1, sizeof *s->addrs);
		s->addrs[0] = at;
		s->n_addrs = 1;
	} else if (host.p[0] != '[' && addr_is_name(name)) {
		s->lookup = arena_str(a, name);
		/* The dot that ends a name is for DNS; no certificate has it. */
		if (name.p[name.n - 1] == '.')
			name.n--;
	} else {
		return false;
	}
	s->name = arena_str(a, name);
	return true;
}

/* HOST, HOST:PORT, [IPv6], [IPv6]:PORT. */
static const char *
parse_authority(struct server_conf *s, struct str authority, struct arena *a)
{
	uint64_t usual = upstream_conf_usual_port(s->is_tls);
	struct str host, port;

	if (!uri_split_authority(authority, &host, &port))
		return "expected http://HOST[:PORT] or https://HOST[:PORT]";
	s->port = usual;
	if (!str_is_none(port) && (!str_to_u64(port, &s->port) || s->port == 0))
		return "the port must be a number from 1 to 65535";
	if (!take_host(s, host, a))
		return "the host must be a name, an IPv4 address or an IPv6 address in brackets";
	s->host = arena_printf(a, "%.*s:%u", STR_FMT(host), (unsigned)s->port);
	if (s->port == usual)
		s->host.n = host.n;
	return NULL;
}

static const char *
parse_unix(struct server_conf *s, struct str path, struct arena *a)
{
	s->addrs = arena_calloc(a, 1, sizeof *s->addrs);
	if (addr_parse(arena_printf(a, "unix:%.*s", STR_FMT(path)), &s->addrs[0]) != ERR_NONE)
		return "the path of the unix socket must not be empty or longer than 107 bytes";
	s->n_addrs = 1;
	s->host = STR("localhost");
	return NULL;
}

static const char *
parse_url(void *base, const struct conf_text *text, struct arena *a)
{
	struct server_conf *s = base;
	struct str rest = text->s;

	s->url = *text;
	if (str_has_prefix(rest, STR("http+unix:")))
		return parse_unix(s, str_of(rest.p + 10, rest.n - 10), a);
	if (str_has_prefix(rest, STR("unix:")))
		return parse_unix(s, str_of(rest.p + 5, rest.n - 5), a);
	s->is_tls = str_has_prefix(rest, STR("https://"));
	if (!s->is_tls && !str_has_prefix(rest, STR("http://")))
		return "expected http://HOST[:PORT], https://HOST[:PORT] or http+unix:/PATH";
	rest = str_of(rest.p + 7 + s->is_tls, rest.n - 7 - s->is_tls);
	if (rest.n != 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	if (str_find(rest, '/') != rest.n || str_find(rest, '?') != rest.n)
		return "a server has no path of its own; put it into the path of the call";
	return parse_authority(s, rest, a);
}

/* Uri-host and port, as Host has them (RFC 9110 7.2). */
static const char *
parse_host(void *base, const struct conf_text *text, struct arena *a)
{
	struct upstream_conf *up = base;
	struct str host, port;

	(void)a;
	if (!uri_split_authority(text->s, &host, &port))
		return "expected HOST or HOST:PORT";
	up->host = *text;
	return NULL;
}

static const struct conf_row server_rows[] = {
	{
	    .key = "url",
	    .type = CONF_PARSED,
	    .parse = parse_url,
	    .form = "http://HOST[:PORT], https://HOST[:PORT] or http+unix:/PATH",
	    .is_required = true,
	    .since = "0.1",
	    .doc = "Where the server is. A host name is looked up at start and again as long as the "
		   "daemon runs (see `dns`); each of its addresses is used.",
	},
	{
	    .key = "weight",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct server_conf, weight),
	    .min = 1,
	    .max = 1000,
	    .fallback = "1",
	    .since = "0.1",
	    .doc = "Its share of the calls, relative to the other servers.",
	},
};
static const struct conf_section server_section = {
	.rows = server_rows,
	.n_rows = ARRAY_LEN(server_rows),
	.size = sizeof(struct server_conf),
	.name_offset = CONF_NOWHERE,
	.pos_offset = CONF_NOWHERE,
	.short_key = "url",
	.doc = "One server; a text alone is its `url`.",
};

static const struct conf_row mock_rows[] = {
	{
	    .key = "path",
	    .type = CONF_TEXT,
	    .offset = offsetof(struct mock_conf, path),
	    .is_required = true,
	    .form = "/users/{id}",
	    .since = "0.1",
	    .doc = "Which paths this rule answers; a template as in routes.",
	},
	{
	    .key = "methods",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct mock_conf, methods),
	    .fallback = "any",
	    .since = "0.1",
	    .doc = "Which methods this rule answers, or `any`.",
	},
	{
	    .key = "delay",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct mock_conf, delay_ns),
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "0",
	    .since = "0.1",
	    .doc = "How long it waits before it answers.",
	},
	{
	    .key = "status",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct mock_conf, status),
	    .min = 200,
	    .max = 599,
	    .fallback = "200",
	    .since = "0.1",
	    .doc = "The status of the answer.",
	},
	{
	    .key = "headers",
	    .type = CONF_PAIRS,
	    .offset = offsetof(struct mock_conf, headers),
	    .since = "0.1",
	    .doc = "Fields of the answer.",
	},
	{
	    .key = "json",
	    .type = CONF_JSON_TEMPLATE,
	    .offset = offsetof(struct mock_conf, json),
	    .since = "0.1",
	    .doc = "The body as JSON; sets Content-Type. Excludes `body`.",
	},
	{
	    .key = "body",
	    .type = CONF_TEMPLATE,
	    .offset = offsetof(struct mock_conf, body),
	    .since = "0.1",
	    .doc = "The body as text. Excludes `json`.",
	},
};
static const struct conf_section mock_section = {
	.rows = mock_rows,
	.n_rows = ARRAY_LEN(mock_rows),
	.size = sizeof(struct mock_conf),
	.name_offset = CONF_NOWHERE,
	.pos_offset = offsetof(struct mock_conf, pos),
	.doc = "One rule of a mock service.",
};

static const struct conf_row pool_rows[] = {
	{
	    .key = "max_connections",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct upstream_conf, pool.max_connections),
	    .min = 1,
	    .max = 1000000,
	    .fallback = "256",
	    .unit = "connections per server and worker",
	    .since = "0.1",
	    .doc = "Connections open at once. Calls beyond it wait for one within their own "
		   "time-outs; what protects the service is `concurrency.limit`.",
	},
	{
	    .key = "max_idle",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct upstream_conf, pool.max_idle),
	    .max = 1000000,
	    .fallback = "64",
	    .unit = "connections per server and worker; 0: none is kept",
	    .since = "0.1",
	    .doc = "Idle connections that are kept for the next call.",
	},
	{
	    .key = "idle_timeout",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct upstream_conf, pool.idle_timeout_ns),
	    .min = NS_PER_MS,
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "55s",
	    .since = "0.1",
	    .doc = "How long an idle connection is kept. Keep it below the keep-alive time of the "
		   "servers.",
	},
	{
	    .key = "max_requests",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct upstream_conf, pool.max_requests),
	    .max = 1000000000,
	    .fallback = "10000",
	    .unit = "requests per connection; 0: no limit",
	    .since = "0.1",
	    .doc = "After how many requests a connection is replaced.",
	},
};
static const struct conf_section pool_section = {
	.rows = pool_rows,
	.n_rows = ARRAY_LEN(pool_rows),
	.doc = "Keep-alive connections to each server.",
};

static const struct conf_row timeout_rows[] = {
	{
	    .key = "connect",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct upstream_conf, timeouts.connect_ns),
	    .min = NS_PER_MS,
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "1s",
	    .since = "0.1",
	    .doc = "For the connection to be made, the TLS handshake included.",
	},
	{
	    .key = "first_byte",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct upstream_conf, timeouts.first_byte_ns),
	    .min = NS_PER_MS,
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "5s",
	    .since = "0.1",
	    .doc = "From the request being sent to the first byte of its answer.",
	},
	{
	    .key = "total",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct upstream_conf, timeouts.total_ns),
	    .min = NS_PER_MS,
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "10s",
	    .since = "0.1",
	    .doc = "For the whole call, the wait in the queue included. A call never takes longer "
		   "than what is left of its route's `timeout`. For proxy routes the time between "
		   "two pieces of the body counts.",
	},
};
static const struct conf_section timeouts_section = {
	.rows = timeout_rows,
	.n_rows = ARRAY_LEN(timeout_rows),
	.doc = "How slow the service may be.",
};

static const struct conf_row concurrency_rows[] = {
	{
	    .key = "limit",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct upstream_conf, concurrency.limit),
	    .max = 1000000,
	    .fallback = "0",
	    .unit = "calls in flight over all workers; 0: no limit",
	    .since = "0.1",
	    .doc = "The semaphore: how many calls the service gets at once, exact over all workers "
		   "and servers. Calls beyond it wait in `queue`, and beyond that they fail with "
		   "`queue_full` at once.",
	},
};
static const struct conf_section concurrency_section = {
	.rows = concurrency_rows,
	.n_rows = ARRAY_LEN(concurrency_rows),
	.doc = "How much the service is asked to do at once.",
};

static const struct conf_row queue_rows[] = {
	{
	    .key = "size",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct upstream_conf, queue.size),
	    .max = 1000000,
	    .fallback = "100",
	    .unit = "calls over all workers; 0: none waits",
	    .since = "0.1",
	    .doc = "How many calls may wait for a permit, first in, first out. The required calls of "
	       "one request to this upstream wait together, and all leave or none.",
	},
	{
	    .key = "timeout",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct upstream_conf, queue.timeout_ns),
	    .min = NS_PER_MS,
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "50ms",
	    .since = "0.1",
	    .doc =
		"How long a call waits at most for a permit. Then it fails with `queue_timeout`.",
	},
};
static const struct conf_section queue_section = {
	.rows = queue_rows,
	.n_rows = ARRAY_LEN(queue_rows),
	.doc = "What waits in front of the semaphore: nothing without `concurrency.limit`.",
};

static const struct conf_row limit_rows[] = {
	{
	    .key = "header_bytes",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct upstream_conf, limits.header_bytes),
	    .min = 1024,
	    .max = 1 << 20,
	    .fallback = "16KiB",
	    .since = "0.1",
	    .doc =
		"The head of an answer. Beyond it the call fails with `response_head_too_large`.",
	},
	{
	    .key = "headers",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct upstream_conf, limits.headers),
	    .min = 1,
	    .max = 1000,
	    .fallback = "100",
	    .unit = "fields",
	    .since = "0.1",
	    .doc = "Fields in the head of an answer.",
	},
};
static const struct conf_section limits_section = {
	.rows = limit_rows,
	.n_rows = ARRAY_LEN(limit_rows),
	.doc = "How much head the service may send.",
};

static const struct conf_word balances[] = {
	{ "least_loaded", BALANCE_LEAST_LOADED },
	{ "round_robin", BALANCE_ROUND_ROBIN },
	{ NULL, 0 },
};

static const struct conf_word proxy_protocols[] = {
	{ "none", PROXY_HEADER_NONE },
	{ "v1", PROXY_HEADER_V1 },
	{ "v2", PROXY_HEADER_V2 },
	{ NULL, 0 },
};

static const struct conf_word resolve_failures[] = {
	{ "refuse", RESOLVE_FAILURE_REFUSE },
	{ "start", RESOLVE_FAILURE_START },
	{ NULL, 0 },
};

static const struct conf_row rows[] = {
	{
	    .key = "servers",
	    .type = CONF_ITEMS,
	    .offset = offsetof(struct upstream_conf, servers),
	    .count_offset = offsetof(struct upstream_conf, n_servers),
	    .section = &server_section,
	    .is_optional = true,
	    .min = 1,
	    .max = 1000,
	    .since = "0.1",
	    .doc = "The addresses of the service. Either `servers`, `discover` or `mock` must be there.",
	},
	{
	    .key = "discover",
	    .type = CONF_SECTION,
	    .section = &upstream_discover_conf_section,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "The servers of the service are those that DNS names.",
	},
	{
	    .key = "on_resolve_failure",
	    .type = CONF_WORD,
	    .levels = CONF_IN_DEFAULTS,
	    .offset = offsetof(struct upstream_conf, on_resolve_failure),
	    .words = resolve_failures,
	    .fallback = "refuse",
	    .since = "0.1",
	    .doc = "What happens at start when a name of the servers has no address, or cannot be "
		   "looked up: `refuse` ends the daemon with a message, `start` begins without, and "
		   "calls fail with the reason (`dns_not_found`, `dns_timeout`, `dns_failed`) until "
		   "there is one. Later on the last addresses that were known stay in use.",
	},
	{
	    .key = "mock",
	    .type = CONF_ITEMS,
	    .offset = offsetof(struct upstream_conf, mocks),
	    .count_offset = offsetof(struct upstream_conf, n_mocks),
	    .section = &mock_section,
	    .is_optional = true,
	    .min = 1,
	    .max = 1000,
	    .since = "0.1",
	    .doc = "Rules by which gatherd itself plays the service, on a real socket: a front end "
		   "can start before its back end exists. The most specific rule answers.",
	},
	{
	    .key = "host",
	    .type = CONF_PARSED,
	    .parse = parse_host,
	    .form = "HOST[:PORT]",
	    .since = "0.1",
	    .doc = "The Host that the service sees. Without it: the host and port of the server.",
	},
	{
	    .key = "tls",
	    .type = CONF_SECTION,
	    .section = &upstream_tls_conf_section,
	    .since = "0.1",
	    .doc = "TLS to servers with an https URL.",
	},
	{
	    .key = "proxy_protocol",
	    .type = CONF_WORD,
	    .offset = offsetof(struct upstream_conf, proxy_protocol),
	    .words = proxy_protocols,
	    .fallback = "none",
	    .since = "0.1",
	    .doc = "Begin each connection with a header of the PROXY protocol that names the client "
		   "(`{client.ip}`; neither its port nor the address that it has connected to). A "
		   "connection then serves one request and is closed, since the next may come from "
		   "another client. Not for `https://` servers.",
	},
	{
	    .key = "pool",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS,
	    .section = &pool_section,
	    .since = "0.1",
	    .doc = "Keep-alive connections to each server.",
	},
	{
	    .key = "timeouts",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS,
	    .section = &timeouts_section,
	    .since = "0.1",
	    .doc = "How slow the service may be.",
	},
	{
	    .key = "concurrency",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS,
	    .section = &concurrency_section,
	    .since = "0.1",
	    .doc = "The semaphore.",
	},
	{
	    .key = "queue",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS,
	    .section = &queue_section,
	    .since = "0.1",
	    .doc = "What waits in front of the semaphore.",
	},
	{
	    .key = "balance",
	    .type = CONF_WORD,
	    .levels = CONF_IN_DEFAULTS,
	    .offset = offsetof(struct upstream_conf, balance),
	    .words = balances,
	    .fallback = "least_loaded",
	    .since = "0.1",
	    .doc = "Which server gets a call: `least_loaded` takes the less busy of two picked at "
		   "random, `round_robin` goes through the list.",
	},
	{
	    .key = "limits",
	    .type = CONF_SECTION,
	    .levels = CONF_IN_DEFAULTS,
	    .section = &limits_section,
	    .since = "0.1",
	    .doc = "How much head the service may send.",
	},
};

const struct conf_section upstream_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.size = sizeof(struct upstream_conf),
	.name_offset = offsetof(struct upstream_conf, name),
	.pos_offset = offsetof(struct upstream_conf, pos),
	.doc = "One service.",
};

bool
upstream_conf_has_tls(const struct upstream_conf *conf)
{
	for (size_t i = 0; i < conf->n_servers; i++)
		if (conf->servers[i].is_tls)
			return true;
	return false;
}
