/* The top level of the file, and which section lends keys from which. Constant data; any thread. */
#include "conf/conf_root.h"

#include <unistd.h>

#include "base/compiler.h"
#include "conf/conf.h"
#include "conf/conf_dns.h"
#include "upstream/limiter.h"

#define WORKERS_AUTO_MAX 8

static const char *
parse_workers(void *base, const struct conf_text *text, struct arena *a)
{
	struct conf *c = base;
	long cores;

	if (!str_eq(text->s, STR("auto"))) {
		if (!str_to_u64(text->s, &c->workers) || c->workers == 0 ||
		    c->workers > LIMITER_MAX_WORKERS)
			return arena_printf(a, "expected auto, or a number from 1 to %d", LIMITER_MAX_WORKERS).p;
		return NULL;
	}
	cores = sysconf(_SC_NPROCESSORS_ONLN);
	c->workers = cores < 1 ? 1 : (uint64_t)cores;
	if (c->workers > WORKERS_AUTO_MAX)
		c->workers = WORKERS_AUTO_MAX;
	return NULL;
}

static const char *
parse_version(void *base, const struct conf_text *text, struct arena *a)
{
	(void)base;
	(void)a;
	return str_eq(text->s, STR("1")) ? NULL : "expected 1, the only version of the language";
}

/* Globs are taken by the loader before rows are looked at; here only their shape is checked. */
static const char *
parse_include(void *base, const struct conf_text *text, struct arena *a)
{
	(void)base;
	(void)a;
	return text->s.n == 0 ? "expected a path or a glob" : NULL;
}

static const char *
parse_admin_socket(void *base, const struct conf_text *text, struct arena *a)
{
	struct conf *c = base;
	struct str full = text->s;

	if (!str_has_prefix(full, STR("unix:")))
		full = arena_printf(a, "unix:%.*s", STR_FMT(text->s));
	if (text->s.n == 0 || addr_parse(full, &c->admin.socket_address) != ERR_NONE)
		return "expected the path of a unix socket, at most 107 bytes long";
	c->admin.socket = *text;
	return NULL;
}

static const char *
parse_admin_address(void *base, const struct conf_text *text, struct arena *a)
{
	struct conf *c = base;

	(void)a;
	if (addr_parse(text->s, &c->admin.address) != ERR_NONE || addr_is_unix(&c->admin.address))
		return "expected IP:PORT or [IPv6]:PORT";
	c->admin.address_text = *text;
	return NULL;
}

static const char *
parse_log_path(void *base, const struct conf_text *text, struct arena *a)
{
	struct conf *c = base;

	(void)a;
	if (text->s.n == 0)
		return "expected stderr, none, or the path of a file";
	c->access_log.path = *text;
	c->access_log.is_enabled = !str_eq(text->s, STR("none"));
	return NULL;
}

static const struct conf_row admin_rows[] = {
	{
	    .key = "socket",
	    .type = CONF_PARSED,
	    .parse = parse_admin_socket,
	    .form = "/PATH",
	    .since = "0.1",
	    .doc = "A unix socket that serves the same pages as `address`. Who may open it is "
		   "decided by the mode of its directory.",
	},
	{
	    .key = "address",
	    .type = CONF_PARSED,
	    .parse = parse_admin_address,
	    .form = "IP:PORT or [IPv6]:PORT",
	    .since = "0.1",
	    .doc = "A TCP address that serves `/metrics`, `/healthz` and `/readyz`, read-only and "
		   "without authentication: bind it to loopback or to a network of its own.",
	},
};
static const struct conf_section admin_section = {
	.rows = admin_rows,
	.n_rows = ARRAY_LEN(admin_rows),
	.doc = "Where the daemon shows its state. Without this section it shows it nowhere.",
};

static const struct conf_word log_formats[] = { { "json", ACCESS_LOG_JSON }, { NULL, 0 } };
static const struct conf_row access_log_rows[] = {
	{
	    .key = "path",
	    .type = CONF_PARSED,
	    .parse = parse_log_path,
	    .form = "stderr, none or /PATH",
	    .fallback = "stderr",
	    .since = "0.1",
	    .doc = "Where the records go: one line per request. A file is opened again at SIGHUP. "
		   "`none` writes no records.",
	},
	{
	    .key = "format",
	    .type = CONF_WORD,
	    .offset = offsetof(struct conf, access_log.format),
	    .words = log_formats,
	    .fallback = "json",
	    .since = "0.1",
	    .doc = "The form of a record.",
	},
};
static const struct conf_section access_log_section = {
	.rows = access_log_rows,
	.n_rows = ARRAY_LEN(access_log_rows),
	.doc = "One record per request, with every call in it.",
};
static const struct conf_row observe_rows[] = {
	{
	    .key = "access_log",
	    .type = CONF_SECTION,
	    .section = &access_log_section,
	    .since = "0.1",
	    .doc = "The access log.",
	},
};
static const struct conf_section observe_section = {
	.rows = observe_rows,
	.n_rows = ARRAY_LEN(observe_rows),
	.doc = "What the daemon tells of the requests that it serves.",
};

static const struct conf_row overload_concurrency_rows[] = {
	{
	    .key = "limit",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct conf, overload.limit),
	    .max = 1000000,
	    .fallback = "0",
	    .unit = "requests in flight over all workers; 0: no limit",
	    .since = "0.1",
	    .doc =
		"How many requests the daemon works on at once. Beyond it they wait in "
		"`overload.queue`, and beyond that they are answered with 503 and Retry-After at "
		"once, before any call has left.",
	},
};
static const struct conf_section overload_concurrency_section = {
	.rows = overload_concurrency_rows,
	.n_rows = ARRAY_LEN(overload_concurrency_rows),
	.doc = "The daemon's semaphore.",
};
static const struct conf_row overload_queue_rows[] = {
	{
	    .key = "size",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct conf, overload.queue_size),
	    .max = 1000000,
	    .fallback = "500",
	    .unit = "requests over all workers; 0: none waits",
	    .since = "0.1",
	    .doc = "How many requests may wait for a permit of the daemon, first in, first out.",
	},
	{
	    .key = "timeout",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct conf, overload.queue_timeout_ns),
	    .min = NS_PER_MS,
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "100ms",
	    .since = "0.1",
	    .doc = "How long a request waits at most for a permit of the daemon.",
	},
};
static const struct conf_section overload_queue_section = {
	.rows = overload_queue_rows,
	.n_rows = ARRAY_LEN(overload_queue_rows),
	.doc = "What waits in front of the daemon's semaphore: nothing without `concurrency.limit`.",
};
static const struct conf_row overload_rows[] = {
	{
	    .key = "concurrency",
	    .type = CONF_SECTION,
	    .section = &overload_concurrency_section,
	    .since = "0.1",
	    .doc = "How much is done at once.",
	},
	{
	    .key = "queue",
	    .type = CONF_SECTION,
	    .section = &overload_queue_section,
	    .since = "0.1",
	    .doc = "What may wait.",
	},
	{
	    .key = "compression_memory",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct conf, overload.compression_bytes),
	    .max = UINT64_C(1) << 40,
	    .fallback = "64MiB",
	    .unit = "per worker",
	    .since = "0.1",
	    .doc = "What the answers that are being compressed may take: 280 KiB each with `gzip` (less when "
		   "they are known to be small), 1.25 MiB with `br` below level 4, "
		   "2.5 MiB from there on, 4 MiB at level 9. When it is used up, answers "
		   "leave uncompressed.",
	},
};
static const struct conf_section overload_section = {
	.rows = overload_rows,
	.n_rows = ARRAY_LEN(overload_rows),
	.doc = "The limits of the whole daemon. What cannot be served in time is refused at once.",
};

/* No rows of their own: all that they hold is lent (see `lendings`). */
static const struct conf_section defaults_upstream_section = { .doc = "For every upstream." };
static const struct conf_section defaults_route_section = { .doc = "For every route." };
static const struct conf_section defaults_call_section = { .doc = "For every call." };

static const struct conf_row defaults_rows[] = {
	{
	    .key = "upstream",
	    .type = CONF_SECTION,
	    .is_optional = true,
	    .section = &defaults_upstream_section,
	    .since = "0.1",
	    .doc = "Inherited by every upstream.",
	},
	{
	    .key = "route",
	    .type = CONF_SECTION,
	    .is_optional = true,
	    .section = &defaults_route_section,
	    .since = "0.1",
	    .doc = "Inherited by every route.",
	},
	{
	    .key = "call",
	    .type = CONF_SECTION,
	    .is_optional = true,
	    .section = &defaults_call_section,
	    .since = "0.1",
	    .doc = "Inherited by every call.",
	},
};
static const struct conf_section defaults_section = {
	.rows = defaults_rows,
	.n_rows = ARRAY_LEN(defaults_rows),
	.doc = "Values for all upstreams, routes and calls. The nearest value wins: built-in, "
	       "`defaults`, upstream, route, call. Maps merge by key, lists replace.",
};

static const struct conf_row root_rows[] = {
	{
	    .key = "version",
	    .type = CONF_PARSED,
	    .parse = parse_version,
	    .form = "1",
	    .is_required = true,
	    .since = "0.1",
	    .doc = "The version of the configuration language. Included files may leave it out.",
	},
	{
	    .key = "include",
	    .type = CONF_PARSED_LIST,
	    .parse = parse_include,
	    .form = "PATH or GLOB",
	    .is_optional = true,
	    .since = "0.1",
	    .doc =
		"Files of the same form, read as if they stood here, in the order of the list; "
		"what a glob matches is sorted by name. Relative to the file that includes them. "
		"A name that is defined twice is an error, never an override.",
	},
	{
	    .key = "listeners",
	    .type = CONF_NAMED,
	    .offset = offsetof(struct conf, listeners),
	    .count_offset = offsetof(struct conf, n_listeners),
	    .section = &listener_conf_section,
	    .since = "0.1",
	    .doc = "The addresses that clients connect to. At least one is needed.",
	},
	{
	    .key = "admin",
	    .type = CONF_SECTION,
	    .is_optional = true,
	    .section = &admin_section,
	    .since = "0.1",
	    .doc = "The admin listener.",
	},
	{
	    .key = "observe",
	    .type = CONF_SECTION,
	    .section = &observe_section,
	    .since = "0.1",
	    .doc = "Logs.",
	},
	{
	    .key = "workers",
	    .type = CONF_PARSED,
	    .parse = parse_workers,
	    .form = "auto or a number",
	    .fallback = "auto",
	    .since = "0.1",
	    .doc = "Threads that serve requests, each with an event loop of its own. `auto` is one "
		   "per core, at most 8.",
	},
	{
	    .key = "drain_timeout",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct conf, drain_timeout_ns),
	    .max = 24 * 3600 * NS_PER_SEC,
	    .fallback = "30s",
	    .since = "0.1",
	    .doc =
		"After SIGTERM: how long requests in flight may go on before they are cancelled. "
		"A second SIGTERM stops at once.",
	},
	{
	    .key = "overload",
	    .type = CONF_SECTION,
	    .section = &overload_section,
	    .since = "0.1",
	    .doc = "The daemon's own concurrency limit and queue.",
	},
	{
	    .key = "defaults",
	    .type = CONF_SECTION,
	    .is_optional = true,
	    .section = &defaults_section,
	    .since = "0.1",
	    .doc = "What upstreams, routes and calls inherit.",
	},
	{
	    .key = "dns",
	    .type = CONF_SECTION,
	    .section = &conf_dns_section,
	    .since = "0.2",
	    .doc = "How the names of servers are looked up.",
	},
	{
	    .key = "upstreams",
	    .type = CONF_NAMED,
	    .offset = offsetof(struct conf, upstreams),
	    .count_offset = offsetof(struct conf, n_upstreams),
	    .section = &upstream_conf_section,
	    .since = "0.1",
	    .doc = "The services that calls go to, by name.",
	},
	{
	    .key = "routes",
	    .type = CONF_ITEMS,
	    .offset = offsetof(struct conf, routes),
	    .count_offset = offsetof(struct conf, n_routes),
	    .section = &route_conf_section,
	    .since = "0.1",
	    .doc =
		"What a request may look like, and what is done with it. The most specific route "
		"wins, whatever the order of the list.",
	},
	{
	    .key = "tests",
	    .type = CONF_ITEMS,
	    .offset = offsetof(struct conf, tests),
	    .count_offset = offsetof(struct conf, n_tests),
	    .section = &test_conf_section,
	    .since = "0.1",
	    .doc = "What `gatherd test` asks of this configuration, without sockets and on a clock of "
		   "its own. Serving does not need them.",
	},
};
const struct conf_section conf_root_section = {
	.rows = root_rows,
	.n_rows = ARRAY_LEN(root_rows),
	.doc = "The whole file.",
};

/* The rows of `lender` that carry the level may also be set in `section`. */
static const struct {
	const struct conf_section *section;
	const struct conf_section *lender;
	unsigned level;
} lendings[] = {
	{ &defaults_upstream_section, &upstream_conf_section, CONF_IN_DEFAULTS },
	{ &defaults_route_section, &route_conf_section, CONF_IN_DEFAULTS },
	{ &defaults_call_section, &call_conf_section, CONF_IN_DEFAULTS },
	{ &upstream_conf_section, &call_conf_section, CONF_IN_UPSTREAM },
	{ &route_conf_section, &call_conf_section, CONF_IN_ROUTE },
};

static bool
lent_row(size_t lending, size_t i, struct conf_root_view *out)
{
	const struct conf_section *lender = lendings[lending].lender;

	for (size_t k = 0; k < lender->n_rows; k++) {
		if ((lender->rows[k].levels & lendings[lending].level) == 0)
			continue;
		if (i-- == 0) {
			*out = (struct conf_root_view){ &lender->rows[k], lender };
			return true;
		}
	}
	return false;
}

bool
conf_root_row(const struct conf_section *section, size_t i, struct conf_root_view *out)
{
	if (i < section->n_rows) {
		*out = (struct conf_root_view){ &section->rows[i], NULL };
		return true;
	}
	for (size_t k = 0; k < ARRAY_LEN(lendings); k++)
		if (lendings[k].section == section)
			return lent_row(k, i - section->n_rows, out);
	return false;
}

bool
conf_root_find(const struct conf_section *section, struct str key, struct conf_root_view *out)
{
	for (size_t i = 0; conf_root_row(section, i, out); i++)
		if (str_eq(str_c(out->row->key), key))
			return true;
	return false;
}
