/* The keys of `dns`: whom names are looked up with, and for how long answers hold. Constant data; any thread. */
#include "conf/conf_dns.h"

#include <string.h>

#include "base/compiler.h"
#include "conf/conf.h"

#define DNS_PORT 53
#define SEARCH_MAX 16

/* IP, IP:PORT, [IPv6] or [IPv6]:PORT as an address. */
static enum err_code
parse_address(struct str text, struct arena *a, struct addr *out)
{
	bool is_bare = text.n != 0 && text.p[0] == '[' ? text.p[text.n - 1] == ']'
						       : str_find(text, ':') == text.n;

	if (is_bare)
		text = arena_printf(a, "%.*s:%d", STR_FMT(text), DNS_PORT);
	if (addr_parse(text, out) != ERR_NONE || addr_is_unix(out) || addr_port(out) == 0)
		return ERR_BAD_CONFIG;
	return ERR_NONE;
}

static const char *
parse_server(void *base, const struct conf_text *text, struct arena *a)
{
	struct dns_conf *dns = &((struct conf *)base)->dns;
	char formatted[ADDR_TEXT_MAX];
	struct addr address;
	size_t n;

	if (parse_address(text->s, a, &address) != ERR_NONE)
		return "expected IP, IP:PORT, [IPv6] or [IPv6]:PORT";
	n = addr_format(&address, formatted);
	dns->servers = arena_printf(a, "%.*s%s%.*s", STR_FMT(dns->servers),
	    dns->servers.n == 0 ? "" : ",", (int)n, formatted);
	return NULL;
}

static const char *
parse_search(void *base, const struct conf_text *text, struct arena *a)
{
	struct dns_conf *dns = &((struct conf *)base)->dns;
	char **list = arena_calloc(a, dns->n_search + 1, sizeof(*list));
	bool is_none = str_eq(text->s, STR("none"));

	if (dns->has_search && (is_none || dns->n_search == 0))
		return "nothing can be beside none";
	if (!is_none && !addr_is_name(text->s))
		return "expected a domain, or none";
	dns->has_search = true;
	if (is_none)
		return NULL;
	if (dns->n_search == SEARCH_MAX)
		return "more than 16 domains are not looked in";
	if (dns->n_search != 0)
		memcpy(list, dns->search, dns->n_search * sizeof(*list));
	list[dns->n_search] = arena_alloc(a, text->s.n + 1);
	memcpy(list[dns->n_search], text->s.p, text->s.n);
	list[dns->n_search][text->s.n] = '\0';
	dns->search = list;
	dns->n_search++;
	return NULL;
}

static const char *
parse_hosts(void *base, const struct conf_text *text, struct arena *a)
{
	struct dns_conf *dns = &((struct conf *)base)->dns;

	dns->hosts = *text;
	if (str_eq(text->s, STR("none")))
		dns->hosts.s = str_none();
	else if (text->s.n == 0 || text->s.p[0] != '/')
		return "expected the path of a file such as /etc/hosts, or none";
	else
		dns->hosts.s = arena_str(a, text->s);
	return NULL;
}

static const struct conf_row ttl_rows[] = {
	{
	    .key = "min",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct conf, dns.ttl_min_ns),
	    .min = 100 * NS_PER_MS,
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "1s",
	    .since = "0.1",
	    .doc = "A name is not asked for again sooner than this, whatever its answer says.",
	},
	{
	    .key = "max",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct conf, dns.ttl_max_ns),
	    .min = 100 * NS_PER_MS,
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "5m",
	    .since = "0.1",
	    .doc = "Nor later than this.",
	},
	{
	    .key = "negative",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct conf, dns.negative_max_ns),
	    .min = 100 * NS_PER_MS,
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "30s",
	    .since = "0.1",
	    .doc = "A name that has no address, or whose look-up has failed, is asked for again "
		   "after this at the latest: sooner when the denial says so (RFC 2308), and at "
		   "first after `min`, then after twice the time before, when nobody has answered.",
	},
};
static const struct conf_section ttl_section = {
	.rows = ttl_rows,
	.n_rows = ARRAY_LEN(ttl_rows),
	.doc = "Bounds of the time that an answer holds. Names are asked for again when four fifths "
	       "of it are over.",
};

static const struct conf_row rows[] = {
	{
	    .key = "servers",
	    .type = CONF_PARSED_LIST,
	    .parse = parse_server,
	    .form = "IP[:PORT] or [IPv6][:PORT]",
	    .since = "0.1",
	    .doc = "The DNS servers that are asked, one after the other. Without this key: those of "
		   "`/etc/resolv.conf`, which is read again for each look-up.",
	},
	{
	    .key = "search",
	    .type = CONF_PARSED_LIST,
	    .parse = parse_search,
	    .form = "DOMAIN or none",
	    .since = "0.1",
	    .doc = "Domains in which names are looked for that do not end with a dot: before the "
		   "name as it is when it has fewer dots than `ndots` of `/etc/resolv.conf` (1), "
		   "else after it. Without this key: those of `/etc/resolv.conf`.",
	},
	{
	    .key = "hosts",
	    .type = CONF_PARSED,
	    .parse = parse_hosts,
	    .form = "/PATH or none",
	    .fallback = "/etc/hosts",
	    .since = "0.1",
	    .doc = "A file of names that are not asked for (hosts(5)); it is read again for each "
		   "look-up.",
	},
	{
	    .key = "timeout",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct conf, dns.timeout_ns),
	    .min = 10 * NS_PER_MS,
	    .max = 300 * NS_PER_SEC,
	    .fallback = "5s",
	    .since = "0.1",
	    .doc = "For a whole look-up: every server, repetition and search domain.",
	},
	{
	    .key = "attempt",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct conf, dns.attempt_ns),
	    .min = 10 * NS_PER_MS,
	    .max = 60 * NS_PER_SEC,
	    .fallback = "1s",
	    .since = "0.1",
	    .doc = "How long a server may take before the next one is asked, or it once more; "
		   "doubled each time all have been asked.",
	},
	{
	    .key = "ttl",
	    .type = CONF_SECTION,
	    .section = &ttl_section,
	    .since = "0.1",
	    .doc = "Bounds of the time that an answer holds.",
	},
};

const struct conf_section conf_dns_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.doc = "How the names of servers are looked up. That is done beside the requests, which never "
	       "wait for it: while an answer is awaited, or none comes, the addresses of the last one "
	       "stay in use.",
};
