/* The keys of a listener. Constant data; parsing runs at start-up and reload only. */
#include "server/listener_conf.h"

#include <string.h>

#include "base/compiler.h"
#include "server/listener_socket_conf.h"
#include "server/listener_tls_conf.h"

/* What systemd takes for FileDescriptorName=: see systemd.socket(5). */
static const char *
parse_socket_name(struct listener_conf *l, struct str name)
{
	bool is_fine = name.n > 0 && name.n <= 255;

	for (size_t i = 0; i < name.n; i++)
		is_fine = is_fine && name.p[i] > ' ' && name.p[i] < 127 && name.p[i] != ':';
	if (!is_fine)
		return "expected systemd:NAME, where the name is 1 to 255 printable ASCII characters "
		       "without spaces and colons";
	l->socket_name = name;
	return NULL;
}

static const char *
parse_address(void *base, const struct conf_text *text, struct arena *a)
{
	struct listener_conf *l = base;

	(void)a;
	l->address_text = *text;
	if (str_has_prefix(text->s, STR("systemd:")))
		return parse_socket_name(l, str_of(text->s.p + 8, text->s.n - 8));
	if (addr_parse(text->s, &l->address) != ERR_NONE)
		return "expected IP:PORT, [IPv6]:PORT, unix:/PATH or systemd:NAME";
	return NULL;
}

static const char *
parse_trusted_proxy(void *base, const struct conf_text *text, struct arena *a)
{
	struct listener_conf *l = base;
	struct cidr *list;

	if (str_eq(text->s, STR("unix"))) {
		l->trusts_unix = true;
		return NULL;
	}
	list = arena_calloc(a, l->n_trusted_proxies + 1, sizeof *list);
	if (cidr_parse(text->s, &list[l->n_trusted_proxies]) != ERR_NONE)
		return "expected `unix`, or a network such as 10.0.0.0/8 or fd00::/8 with no bits set "
		       "behind the prefix";
	if (l->n_trusted_proxies != 0)
		memcpy(list, l->trusted_proxies, l->n_trusted_proxies * sizeof *list);
	l->trusted_proxies = list;
	l->n_trusted_proxies++;
	return NULL;
}

static const struct conf_row timeout_rows[] = {
	{
	    .key = "handshake",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct listener_conf, timeouts.handshake_ns),
	    .min = NS_PER_MS,
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "5s",
	    .since = "0.1",
	    .doc = "How long a client may take for the TLS handshake, from the connect to its end. "
		   "Then it is disconnected.",
	},
	{
	    .key = "header",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct listener_conf, timeouts.header_ns),
	    .min = NS_PER_MS,
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "5s",
	    .since = "0.1",
	    .doc =
		"How long a client may take for the head of a request, from its first byte (from "
		"the connect for the first one) to its end. Then 408.",
	},
	{
	    .key = "body",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct listener_conf, timeouts.body_ns),
	    .min = NS_PER_MS,
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "30s",
	    .since = "0.1",
	    .doc = "How long a client may be silent in the middle of a request body. Then 408. The time by which a "
		   "body is behind 500 bytes a second counts as silence.",
	},
	{
	    .key = "idle",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct listener_conf, timeouts.idle_ns),
	    .min = NS_PER_MS,
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "60s",
	    .since = "0.1",
	    .doc = "How long a keep-alive connection without a request is kept open.",
	},
	{
	    .key = "write_stall",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct listener_conf, timeouts.write_stall_ns),
	    .min = NS_PER_MS,
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "10s",
	    .since = "0.1",
	    .doc = "How long a client may take no byte of an answer that waits for it. Then it is "
		   "disconnected.",
	},
};
static const struct conf_section timeouts_section = {
	.rows = timeout_rows,
	.n_rows = ARRAY_LEN(timeout_rows),
	.doc = "How slow a client may be.",
};

static const struct conf_row limit_rows[] = {
	{
	    .key = "connections",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct listener_conf, limits.connections),
	    .min = 1,
	    .max = 10000000,
	    .fallback = "20000",
	    .unit = "connections over all workers",
	    .since = "0.1",
	    .doc =
		"Client connections of this listener. Those beyond the limit are closed at once.",
	},
	{
	    .key = "handshakes",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct listener_conf, limits.handshakes),
	    .min = 1,
	    .max = 1000000,
	    .fallback = "1000",
	    .unit = "handshakes per worker",
	    .since = "0.1",
	    .doc = "TLS handshakes that have begun and not ended. At the limit the oldest gives way "
		   "to a new one.",
	},
	{
	    .key = "header_bytes",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct listener_conf, limits.header_bytes),
	    .min = 1024,
	    .max = 1 << 20,
	    .fallback = "16KiB",
	    .since = "0.1",
	    .doc = "The head of a request: request line and fields. Beyond it 431, or 414 when the "
		   "target alone is too long.",
	},
	{
	    .key = "headers",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct listener_conf, limits.headers),
	    .min = 1,
	    .max = 1000,
	    .fallback = "100",
	    .unit = "fields",
	    .since = "0.1",
	    .doc = "Fields in the head of a request. Beyond it 431.",
	},
	{
	    .key = "body",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct listener_conf, limits.body),
	    .max = 1 << 30,
	    .fallback = "1MiB",
	    .since = "0.1",
	    .doc =
		"The body of a request to a route with calls, which is held in memory. Beyond it "
		"413. Routes with `proxy` stream and are not bound by it.",
	},
};
static const struct conf_section limits_section = {
	.rows = limit_rows,
	.n_rows = ARRAY_LEN(limit_rows),
	.doc = "How much a client may send.",
};

static const struct conf_word trusted_fields[] = {
	{ "x-forwarded", TRUSTED_X_FORWARDED },
	{ "forwarded", TRUSTED_FORWARDED },
	{ NULL, 0 },
};

static const struct conf_row rows[] = {
	{
	    .key = "address",
	    .type = CONF_PARSED,
	    .parse = parse_address,
	    .form = "IP:PORT, [IPv6]:PORT, unix:/PATH or systemd:NAME",
	    .is_required = true,
	    .since = "0.1",
	    .doc =
		"Where clients connect to. `[::]:PORT` takes IPv6 only, unless `socket.v6only` says otherwise. "
		"`systemd:NAME` is a socket that systemd has opened (socket activation): NAME is "
		"`FileDescriptorName=` of the `.socket` unit, by default the unit's name with "
		"`.socket`. All workers accept from it.",
	},
	{
	    .key = "trusted_proxies",
	    .type = CONF_PARSED_LIST,
	    .parse = parse_trusted_proxy,
	    .form = "IP/BITS or unix",
	    .fallback = "[]",
	    .since = "0.1",
	    .doc = "Networks whose `X-Forwarded-For`, `-Proto` and `-Host` are believed and "
		   "extended. From all others they are dropped. `unix`: whoever may open the listener's unix "
		   "socket is believed as well.",
	},
	{
	    .key = "trusted_field",
	    .type = CONF_WORD,
	    .offset = offsetof(struct listener_conf, trusted_field),
	    .words = trusted_fields,
	    .fallback = "x-forwarded",
	    .since = "0.1",
	    .doc = "By which fields the trusted proxies tell who the client is: `x-forwarded` for "
		   "`X-Forwarded-For`, `-Proto` and `-Host`, or `forwarded` for `Forwarded` (RFC "
		   "7239). Only one is believed, whatever else a request carries, since a proxy that "
		   "writes the one may pass on what a client has written into the other. With "
		   "`forwarded`, upstreams get an `X-Forwarded-For` of the client and the peer.",
	},
	{
	    .key = "forwarded",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct listener_conf, sends_forwarded),
	    .fallback = "false",
	    .since = "0.1",
	    .doc = "Send `Forwarded` (RFC 7239) to upstreams beside `X-Forwarded-*`: one element for "
		   "the client, when trusted proxies stand between, and one for the peer, with the "
		   "host and the scheme that it has asked for.",
	},
	{
	    .key = "proxy_protocol",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct listener_conf, has_proxy_header),
	    .fallback = "false",
	    .since = "0.1",
	    .doc =
		"Each connection begins with a header of the PROXY protocol, version 1 or 2, and comes "
		"from the address that it names (from the peer's own with LOCAL and UNKNOWN). Only for "
		"peers in `trusted_proxies`, or whoever may open a unix socket; others are closed, "
		"and so is a connection whose header is missing, malformed, longer than 4096 bytes "
		"or not whole after `timeouts.header`.",
	},
	{
	    .key = "socket",
	    .type = CONF_SECTION,
	    .section = &listener_socket_conf_section,
	    .since = "0.1",
	    .doc = "Options of the listening socket.",
	},
	{
	    .key = "tls",
	    .type = CONF_SECTION,
	    .section = &listener_tls_conf_section,
	    .is_optional = true,
	    .since = "0.1",
	    .doc = "TLS to clients. Without this section the listener speaks plain HTTP.",
	},
	{
	    .key = "timeouts",
	    .type = CONF_SECTION,
	    .section = &timeouts_section,
	    .since = "0.1",
	    .doc = "How slow a client may be.",
	},
	{
	    .key = "limits",
	    .type = CONF_SECTION,
	    .section = &limits_section,
	    .since = "0.1",
	    .doc = "How much a client may send.",
	},
};

const struct conf_section listener_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.size = sizeof(struct listener_conf),
	.name_offset = offsetof(struct listener_conf, name),
	.pos_offset = offsetof(struct listener_conf, pos),
	.doc = "One address that clients connect to.",
};
