/*
 * The names of servers over time. Main thread; the look-ups themselves are the resolver's (dns.h), so that tests
 * have one of their own and a virtual clock.
 *
 * A name is asked for again when four fifths of the time of its answer are over; after a failure when the denial's
 * time is, or after a time that doubles. What was known before a failure is kept, for each family of each host on its
 * own: a server that answers for IPv4 and not for IPv6 takes no IPv6 address away.
 */
#include "daemon/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rnd.h"
#include "codec/json_write.h"
#include "daemon/places.h"

/* Look-ups under way at once, so that a long file is no flood of questions. */
#define AT_ONCE_MAX 32

struct name {
	TAILQ_ENTRY(name) link; /* in names.waiting, from its time until it is asked for */
	struct names *names; /* owner */
	const struct server_conf *conf;
	size_t upstream;
	size_t server;
	struct dns_query query;
	struct timer again;
	struct dns_answer *known; /* owned: the last one with an address, with what older ones add; NULL: none */
	struct places places;     /* of `known` */
	enum err_code error;      /* of the last look-up */
	unsigned n_failures;      /* in a row */
	bool is_settled;          /* the first look-up has ended */
};

struct names {
	struct names_setup setup;
	struct rnd rnd;
	struct name *at; /* owned */
	size_t n;
	TAILQ_HEAD(, name) waiting; /* whose time has come */
	size_t n_asked;             /* with the resolver now; at most AT_ONCE_MAX */
	bool is_telling;
};

static const struct upstream_conf *
upstream_of(const struct name *n)
{
	return &n->names->setup.conf->upstreams[n->upstream];
}

/* ---- when to ask again */

static uint64_t
clamp(uint64_t ns, uint64_t min, uint64_t max)
{
	if (ns < min)
		ns = min;
	return ns < max ? ns : max;
}

/* Before it runs out; not every daemon at the same time. */
static uint64_t
refresh_delay(struct name *n, uint64_t ttl_ns)
{
	const struct dns_conf *dns = &n->names->setup.conf->dns;
	uint64_t ns = clamp(ttl_ns, dns->ttl_min_ns, dns->ttl_max_ns);

	return ns - ns / 5 + rnd_below(&n->names->rnd, ns / 10 + 1);
}

static uint64_t
retry_delay(struct name *n, uint64_t ttl_ns)
{
	const struct dns_conf *dns = &n->names->setup.conf->dns;
	uint64_t ns = dns->ttl_min_ns;

	if (n->error == ERR_DNS_NOT_FOUND && ttl_ns != UINT64_MAX)
		return clamp(ttl_ns, dns->ttl_min_ns, dns->negative_max_ns);
	for (unsigned i = 1; i < n->n_failures && ns < dns->negative_max_ns; i++)
		ns *= 2;
	return clamp(ns, 0, dns->negative_max_ns);
}

static void
ask_again_after(struct name *n, uint64_t delay_ns)
{
	struct loop *loop = n->names->setup.loop;

	loop_timer_set(loop, &n->again, loop->now_ns + delay_ns);
}

/* ---- asking */

static void
ask_waiting(struct names *names)
{
	while (names->n_asked < AT_ONCE_MAX && !TAILQ_EMPTY(&names->waiting)) {
		struct name *n = TAILQ_FIRST(&names->waiting);

		TAILQ_REMOVE(&names->waiting, n, link);
		names->n_asked++;
		dns_start(names->setup.dns, &n->query);
	}
}

static void
ask(struct name *n)
{
	TAILQ_INSERT_TAIL(&n->names->waiting, n, link);
	ask_waiting(n->names);
}

static void
on_again(void *arg)
{
	ask(arg);
}

/* ---- what is told */

static void
tell(struct name *n)
{
	struct names *names = n->names;
	struct names_state state;

	if (!names->is_telling)
		return;
	names_get(names, (size_t)(n - names->at), &state);
	names->setup.events->on_changed(names->setup.owner, &state);
}

static void
log_change(const struct name *n, const struct places *old)
{
	struct buf text = BUF_INIT;

	places_describe_change(old, &n->places, &text);
	log_info("upstream %.*s: %.*s: %.*s", STR_FMT(upstream_of(n)->name),
	    STR_FMT(n->conf->lookup), STR_FMT(buf_str(&text)));
	buf_fini(&text);
}

static void
log_failure(const struct name *n)
{
	log_warn("upstream %.*s: %.*s: %s (%s); %s", STR_FMT(upstream_of(n)->name),
	    STR_FMT(n->conf->lookup), err_text(n->error), err_token(n->error),
	    n->known == NULL ? "calls fail until it has one" : "the last addresses stay in use");
}

static void
count(struct name *n, enum err_code e)
{
	struct metric_shard *m = n->names->setup.metrics;
	bool was_failing = n->error != ERR_NONE, is_failing = e != ERR_NONE;

	metric_add(m, METRIC_DNS_LOOKUPS, n->upstream, e, 1);
	if (was_failing != is_failing)
		metric_add(m, METRIC_DNS_FAILING, n->upstream, 0, is_failing ? 1 : UINT64_MAX);
}

/* ---- what comes of an answer */

static void
take(struct name *n, struct dns_answer *answer)
{
	struct places old = n->places;
	bool is_same;

	places_keep(answer, n->known);
	places_make(&n->places, answer, n->conf);
	free(n->known);
	n->known = answer;
	is_same = places_equal(&old, &n->places);
	if (!is_same) {
		metric_add(n->names->setup.metrics, METRIC_DNS_SERVERS, n->upstream, 0,
		    n->places.n - old.n);
		log_change(n, &old);
	}
	places_fini(&old);
	if (!is_same)
		tell(n);
}

static void
on_success(struct name *n, struct dns_answer *answer)
{
	uint64_t ttl_ns = answer->ttl_ns;
	bool was_failing = n->n_failures != 0;

	n->error = ERR_NONE;
	n->n_failures = 0;
	if (was_failing)
		log_info("upstream %.*s: %.*s: found again", STR_FMT(upstream_of(n)->name),
		    STR_FMT(n->conf->lookup));
	take(n, answer);
	ask_again_after(n, refresh_delay(n, ttl_ns));
}

static void
on_failure(struct name *n, struct dns_answer *answer)
{
	bool is_first = n->n_failures == 0, is_other = n->error != answer->error;

	n->error = answer->error;
	n->n_failures++;
	/* At start a refusal says it, once for all. */
	if (is_first && (n->is_settled || upstream_of(n)->on_resolve_failure == RESOLVE_FAILURE_START))
		log_failure(n);
	if (is_other && n->known == NULL)
		tell(n);
	ask_again_after(n, retry_delay(n, answer->ttl_ns));
	free(answer);
}

static void
on_done(struct dns_query *q, struct dns_answer *answer)
{
	struct name *n = q->owner;
	struct names *names = n->names;

	names->n_asked--;
	count(n, answer->error);
	if (answer->error == ERR_NONE)
		on_success(n, answer);
	else
		on_failure(n, answer);
	n->is_settled = true;
	ask_waiting(names);
}

/* ---- making */

static void
add_name(struct names *names, size_t upstream, size_t server)
{
	struct name *n = &names->at[names->n++];

	n->names = names;
	n->upstream = upstream;
	n->server = server;
	n->conf = &names->setup.conf->upstreams[upstream].servers[server];
	n->query.name = n->conf->lookup.p;
	n->query.is_srv = n->conf->is_srv;
	n->query.on_done = on_done;
	n->query.owner = n;
	timer_init(&n->again, on_again, n);
}

static size_t
for_each_name(const struct conf *c, struct names *names)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_upstreams; i++)
		for (size_t k = 0; k < c->upstreams[i].n_servers; k++) {
			if (str_is_none(c->upstreams[i].servers[k].lookup))
				continue;
			n++;
			if (names != NULL)
				add_name(names, i, k);
		}
	return n;
}

struct names *
names_new(const struct names_setup *setup)
{
	struct names *names = mem_calloc(1, sizeof *names);

	names->setup = *setup;
	rnd_init(&names->rnd, setup->seed);
	TAILQ_INIT(&names->waiting);
	names->at = mem_calloc(for_each_name(setup->conf, NULL), sizeof *names->at);
	for_each_name(setup->conf, names);
	for (size_t i = 0; i < names->n; i++)
		ask(&names->at[i]);
	return names;
}

void
names_free(struct names *names)
{
	if (names == NULL)
		return;
	for (size_t i = 0; i < names->n; i++) {
		struct name *n = &names->at[i];

		dns_cancel(names->setup.dns, &n->query);
		loop_timer_drop(names->setup.loop, &n->again);
		places_fini(&n->places);
		free(n->known);
	}
	free(names->at);
	free(names);
}

bool
names_are_settled(const struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (!names->at[i].is_settled)
			return false;
	return true;
}

enum err_code
names_settle(struct names *names, struct conf_errors *errors)
{
	enum err_code e = ERR_NONE;

	names->is_telling = true;
	for (size_t i = 0; i < names->n; i++) {
		const struct name *n = &names->at[i];

		if (n->known != NULL || upstream_of(n)->on_resolve_failure == RESOLVE_FAILURE_START)
			continue;
		conf_error_add(errors, n->conf->url.pos,
		    "%.*s: %s (%s); with `on_resolve_failure: start` the daemon begins without it",
		    STR_FMT(n->conf->lookup), err_text(n->error), err_token(n->error));
		e = ERR_BAD_CONFIG;
	}
	conf_error_sort(errors);
	return e;
}

size_t
names_count(const struct names *names)
{
	return names->n;
}

void
names_get(const struct names *names, size_t i, struct names_state *out)
{
	const struct name *n = &names->at[i];

	*out = (struct names_state){
		.upstream = n->upstream,
		.server = n->server,
		.places = n->places.at,
		.n_places = n->places.n,
		.error = n->error,
	};
}

static void
put_address(const struct addr *at, char separator, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	if (separator != 0)
		buf_add_char(out, separator);
	json_write_buf(out, str_of(text, addr_format(at, text)));
}

static void
put_servers(const struct places *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		put_address(&p->at[i].addr, i == 0 ? 0 : ',', out);
		if (p->at[i].has_other)
			put_address(&p->at[i].other, ',', out);
	}
}

void
names_put(const struct names *names, size_t upstream, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++) {
		const struct name *name = &names->at[i];

		if (name->upstream != upstream)
			continue;
		buf_add_c(out, n++ == 0 ? ",\"names\":[{\"name\":" : ",{\"name\":");
		json_write_buf(out, name->conf->lookup);
		buf_printf(out, ",\"reason\":\"%s\",\"servers\":[", err_token(name->error));
		put_servers(&name->places, out);
		buf_add_c(out, "]}");
	}
	if (n != 0)
		buf_add_char(out, ']');
}
