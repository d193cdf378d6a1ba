/*
 * Look-ups by c-ares. Each has a channel of its own: it reads resolv.conf(5) as it is now, its questions leave from
 * ports of their own, which whoever would answer in the server's place has to guess, and to cancel it is to
 * destroy the channel. Used on the thread of its loop.
 *
 *     NAME -> TARGETS -> DONE
 *
 * NAME asks for one candidate after the other (the name with each search domain, and as it is) until one exists;
 * TARGETS asks for the addresses of what SRV named. Steps are taken in deferred work, never inside a callback of
 * c-ares. What has no answer when the time is over keeps ERR_DNS_TIMEOUT.
 */
#include "net/dns_ares.h"

#include <ares.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dns_message.h"
#include "net/hosts_file.h"
#include "net/loop_real.h"

#define LOOKUP_TAG 0x6c6f6f6bu
#define TYPE_A 1
#define TYPE_AAAA 28
#define TYPE_SRV 33
#define CLASS_IN 1
#define CANDIDATES_MAX 17
/* The time of the whole look-up ends it sooner. */
#define TRIES_MAX 10
/* Answers up to this come whole in one datagram, which no path cuts to pieces (DNS flag day 2020). */
#define UDP_BYTES 1232
/* c-ares counts by a clock of its own. */
#define TIMER_MIN_NS NS_PER_MS
/* A hosts file says nothing of time. */
#define HOSTS_TTL_S 10

struct dns_ares {
	struct dns base;
	struct loop *loop;
	const struct dns_conf *conf;
};

enum lookup_state { LOOKUP_NAME, LOOKUP_TARGETS, LOOKUP_DONE };

struct lookup;

/* One question on its way. */
struct question {
	struct lookup *lookup;
	char *name; /* owned; in lower case, without a dot at its end */
	size_t host;
	enum dns_family family; /* DNS_FAMILIES: SRV */
};

/* A socket of the channel, while c-ares wants to hear of it. */
struct watch {
	LIST_ENTRY(watch) link;
	struct lookup *lookup;
	struct event event;
	int fd;
	struct grave grave;
};

struct lookup {
	uint32_t tag;
	enum lookup_state state;
	struct dns_ares *dns;
	struct dns_query *query; /* the asker's; cut by close_lookup() */
	ares_channel channel;    /* owned */
	LIST_HEAD(, watch) watches; /* owned */
	struct timer retry; /* when c-ares wants to be called */
	struct timer limit; /* of the whole look-up */
	struct defer step;
	struct grave grave;
	size_t n_pending; /* questions on their way */
	char *candidates[CANDIDATES_MAX]; /* owned */
	size_t n_candidates;
	size_t at; /* the one that is asked for */
	enum err_code failure; /* of a candidate before: whether it exists nobody knows */
	struct dns_srv_list services;
	struct dns_answer *answer; /* owned until it is told */
};

/* ---- the sockets of the channel, and its time */

static void
rearm(struct lookup *l)
{
	struct timeval tv;
	uint64_t ns;

	if (ares_timeout(l->channel, NULL, &tv) == NULL) {
		loop_timer_clear(&l->retry);
		return;
	}
	ns = (uint64_t)tv.tv_sec * NS_PER_SEC + (uint64_t)tv.tv_usec * NS_PER_US;
	loop_timer_set(l->dns->loop, &l->retry,
	    l->dns->loop->now_ns + (ns < TIMER_MIN_NS ? TIMER_MIN_NS : ns));
}

static void
on_retry(void *arg)
{
	struct lookup *l = arg;

	TAG_CHECK(l, LOOKUP_TAG);
	ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(l);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *l = ((struct watch *)arg)->lookup;

	TAG_CHECK(l, LOOKUP_TAG);
	loop_take_time(l->dns->loop);
	ares_process_fd(l->channel, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
	    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	rearm(l);
}

static void
unwatch(struct watch *w)
{
	event_del(&w->event);
	LIST_REMOVE(w, link);
	loop_bury(w->lookup->dns->loop, &w->grave, free, w);
}

static void
watch(struct lookup *l, int fd, short what)
{
	struct watch *w = mem_calloc(1, sizeof *w);
	int rc;

	w->lookup = l;
	w->fd = fd;
	LIST_INSERT_HEAD(&l->watches, w, link);
	rc = event_assign(&w->event, loop_real_base(l->dns->loop), fd, what, on_socket, w);
	assert(rc == 0);
	(void)rc;
	if (event_add(&w->event, NULL) != 0)
		log_error("dns: a socket cannot be waited for");
}

/* From c-ares: what it wants to hear of a socket, which it closes after it wants nothing any more. */
static void
on_socket_state(void *arg, ares_socket_t fd, int is_readable, int is_writable)
{
	struct lookup *l = arg;
	short what = EV_PERSIST;
	struct watch *w;

	LIST_FOREACH (w, &l->watches, link)
		if (w->fd == fd)
			break;
	if (w != NULL)
		unwatch(w);
	if (is_readable)
		what |= EV_READ;
	if (is_writable)
		what |= EV_WRITE;
	if (what != EV_PERSIST)
		watch(l, fd, what);
}

/* ---- questions and their answers */

static enum err_code
failure_of(int status)
{
	return status == ARES_ETIMEOUT ? ERR_DNS_TIMEOUT : ERR_DNS_FAILED;
}

static void
take_addresses(struct question *q, int status, struct str message)
{
	struct dns_addrs *out = &q->lookup->answer->hosts[q->host].family[q->family];

	if (message.n != 0)
		dns_message_addresses(message, str_c(q->name), q->family, out);
	else
		out->error = failure_of(status);
}

static void
take_services(struct question *q, int status, struct str message)
{
	struct dns_srv_list *out = &q->lookup->services;

	if (message.n != 0)
		dns_message_services(message, str_c(q->name), out);
	else
		out->error = failure_of(status);
}

/* One family is there: the other one, which some servers never answer for, does not hold it up for long. */
static void
hurry(struct lookup *l)
{
	struct loop *loop = l->dns->loop;
	uint64_t at = loop->now_ns + 2 * l->dns->conf->attempt_ns;

	if (l->state == LOOKUP_NAME && at < l->limit.deadline_ns)
		loop_timer_set(loop, &l->limit, at);
}

static void
note_answer(struct question *q, int status, struct str message)
{
	struct lookup *l = q->lookup;

	if (q->family == DNS_FAMILIES)
		take_services(q, status, message);
	else
		take_addresses(q, status, message);
	if (--l->n_pending == 0)
		loop_defer(l->dns->loop, &l->step);
	else
		hurry(l);
}

static void
on_answer(void *arg, int status, int timeouts, unsigned char *message, int n)
{
	struct question *q = arg;
	struct lookup *l = q->lookup;
	struct str bytes = str_of((const char *)message, message == NULL || n < 0 ? 0 : (size_t)n);

	(void)timeouts;
	if (status != ARES_EDESTRUCTION && l->state != LOOKUP_DONE)
		note_answer(q, status, bytes);
	free(q->name);
	free(q);
}

static void
ask(struct lookup *l, const char *name, enum dns_family family, size_t host)
{
	static const int types[] = { TYPE_A, TYPE_AAAA, TYPE_SRV };
	struct question *q = mem_calloc(1, sizeof *q);

	q->lookup = l;
	q->name = mem_strndup(name, strlen(name));
	q->host = host;
	q->family = family;
	l->n_pending++;
	ares_query(l->channel, name, CLASS_IN, types[family], on_answer, q);
	rearm(l);
}

static void
clear_host(struct dns_host *host)
{
	for (int i = 0; i < DNS_FAMILIES; i++)
		host->family[i] = (struct dns_addrs){
			.error = ERR_DNS_TIMEOUT,
			.ttl_s = DNS_TTL_NONE,
		};
}

static struct dns_answer *
answer_new(size_t n_hosts)
{
	struct dns_answer *a = mem_calloc(1, sizeof *a + n_hosts * sizeof a->hosts[0]);

	a->n_hosts = n_hosts;
	for (size_t i = 0; i < n_hosts; i++)
		clear_host(&a->hosts[i]);
	return a;
}

static void
set_host_name(struct dns_host *host, const char *name)
{
	size_t n = strlen(name);

	if (n > DNS_NAME_MAX)
		n = DNS_NAME_MAX;
	memcpy(host->name, name, n);
	host->name[n] = '\0';
}

static bool
find_in_hosts(struct lookup *l, size_t host, const char *name)
{
	struct dns_host *h = &l->answer->hosts[host];

	if (str_is_none(l->dns->conf->hosts.s) ||
	    !hosts_file_look_up(l->dns->conf->hosts.s.p, str_c(name), h->family))
		return false;
	h->family[DNS_V4].ttl_s = h->family[DNS_V6].ttl_s = HOSTS_TTL_S;
	return true;
}

static void
ask_addresses(struct lookup *l, size_t host, const char *name)
{
	set_host_name(&l->answer->hosts[host], name);
	if (find_in_hosts(l, host, name))
		return;
	ask(l, name, DNS_V4, host);
	ask(l, name, DNS_V6, host);
}

/* ---- steps */

static void
close_lookup(struct lookup *l)
{
	struct loop *loop = l->dns->loop;

	l->state = LOOKUP_DONE;
	l->query->running = NULL;
	l->query = NULL;
	if (l->channel != NULL)
		ares_destroy(l->channel);
	while (!LIST_EMPTY(&l->watches))
		unwatch(LIST_FIRST(&l->watches));
	loop_timer_drop(loop, &l->retry);
	loop_timer_drop(loop, &l->limit);
	loop_defer_cancel(loop, &l->step);
	for (size_t i = 0; i < l->n_candidates; i++)
		free(l->candidates[i]);
	l->tag = 0;
	loop_bury(loop, &l->grave, free, l);
}

static uint32_t
lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Whether a host has an address, and if not, why: not knowing counts for more than a no. */
static enum err_code
sum_up_host(const struct dns_host *h, uint32_t *ttl_s)
{
	enum err_code e = ERR_DNS_NOT_FOUND;
	uint32_t yes = DNS_TTL_NONE, no = DNS_TTL_NONE;

	for (int k = 0; k < DNS_FAMILIES; k++) {
		const struct dns_addrs *a = &h->family[k];

		if (a->error == ERR_NONE)
			yes = lesser(yes, a->ttl_s);
		else if (a->error == ERR_DNS_NOT_FOUND)
			no = lesser(no, a->ttl_s);
		if (a->error == ERR_NONE || (e != ERR_NONE && a->error != ERR_DNS_NOT_FOUND))
			e = a->error;
	}
	*ttl_s = lesser(*ttl_s, e == ERR_NONE ? yes : no);
	return e;
}

static void
sum_up(struct lookup *l, uint32_t ttl_s)
{
	struct dns_answer *a = l->answer;

	a->error = ERR_DNS_NOT_FOUND;
	for (size_t i = 0; i < a->n_hosts; i++) {
		enum err_code e = sum_up_host(&a->hosts[i], &ttl_s);

		if (e == ERR_NONE || (a->error != ERR_NONE && e != ERR_DNS_NOT_FOUND))
			a->error = e;
	}
	a->ttl_ns = ttl_s == DNS_TTL_NONE ? UINT64_MAX : ttl_s * NS_PER_SEC;
}

/* The last thing that is done with l. */
static void
finish(struct lookup *l, uint32_t ttl_s)
{
	struct dns_query *query = l->query;
	struct dns_answer *answer = l->answer;

	/* A name that one candidate may have had is not known not to exist. */
	sum_up(l, ttl_s);
	if (answer->error == ERR_DNS_NOT_FOUND && l->failure != ERR_NONE)
		answer->error = l->failure;
	close_lookup(l);
	query->on_done(query, answer);
}

/* No answer about the name itself. */
static void
finish_without(struct lookup *l, enum err_code e)
{
	if (l->failure == ERR_NONE && e != ERR_DNS_NOT_FOUND)
		l->failure = e;
	free(l->answer);
	l->answer = answer_new(0);
	finish(l, l->services.ttl_s);
}

static void
ask_candidate(struct lookup *l)
{
	const char *name = l->candidates[l->at];

	if (l->query->is_srv) {
		l->services.error = ERR_DNS_TIMEOUT;
		ask(l, name, DNS_FAMILIES, 0);
	} else {
		clear_host(&l->answer->hosts[0]);
		set_host_name(&l->answer->hosts[0], name);
		ask(l, name, DNS_V4, 0);
		ask(l, name, DNS_V6, 0);
	}
}

static enum err_code
candidate_outcome(const struct lookup *l)
{
	uint32_t ignored = DNS_TTL_NONE;

	return l->query->is_srv ? l->services.error : sum_up_host(&l->answer->hosts[0], &ignored);
}

static void
ask_targets(struct lookup *l)
{
	free(l->answer);
	l->answer = answer_new(l->services.n);
	l->state = LOOKUP_TARGETS;
	for (size_t i = 0; i < l->services.n; i++) {
		const struct dns_srv *srv = &l->services.at[i];

		l->answer->hosts[i].port = srv->port;
		l->answer->hosts[i].priority = srv->priority;
		l->answer->hosts[i].weight = srv->weight;
		ask_addresses(l, i, srv->target);
	}
	if (l->n_pending == 0)
		loop_defer(l->dns->loop, &l->step);
}

/* Every question about the candidate is answered. */
static void
settle_candidate(struct lookup *l)
{
	enum err_code e = candidate_outcome(l);

	if (e != ERR_NONE && l->at + 1 < l->n_candidates) {
		if (l->failure == ERR_NONE && e != ERR_DNS_NOT_FOUND)
			l->failure = e;
		l->at++;
		ask_candidate(l);
	} else if (!l->query->is_srv) {
		finish(l, DNS_TTL_NONE);
	} else if (e == ERR_NONE) {
		ask_targets(l);
	} else {
		finish_without(l, e);
	}
}

static void
on_step(void *arg)
{
	struct lookup *l = arg;

	TAG_CHECK(l, LOOKUP_TAG);
	if (l->state == LOOKUP_TARGETS) {
		finish(l, l->services.ttl_s);
		return;
	}
	if (l->channel == NULL)
		finish_without(l, ERR_DNS_FAILED);
	else
		settle_candidate(l);
}

static void
on_limit(void *arg)
{
	struct lookup *l = arg;

	TAG_CHECK(l, LOOKUP_TAG);
	if (l->state == LOOKUP_NAME && l->query->is_srv)
		finish_without(l, ERR_DNS_TIMEOUT);
	else
		finish(l, l->query->is_srv ? l->services.ttl_s : DNS_TTL_NONE);
}

/* ---- beginning */

static void
add_candidate(struct lookup *l, const char *name, const char *domain)
{
	size_t n = strlen(name), n_domain = strlen(domain);
	char *text;

	if (l->n_candidates == CANDIDATES_MAX || n + 1 + n_domain > DNS_NAME_MAX)
		return;
	text = mem_calloc(n + n_domain + 2, 1);
	memcpy(text, name, n);
	if (n_domain != 0) {
		text[n] = '.';
		memcpy(text + n + 1, domain, n_domain);
	}
	for (char *c = text; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	n = strlen(text);
	if (n != 0 && text[n - 1] == '.')
		text[n - 1] = '\0';
	l->candidates[l->n_candidates++] = text;
}

static int
count_dots(const char *name)
{
	int n = 0;

	for (; *name != '\0'; name++)
		n += *name == '.';
	return n;
}

/* resolv.conf(5): a name with fewer dots than `ndots` is looked for in the domains first. */
static void
list_candidates(struct lookup *l)
{
	const char *name = l->query->name;
	struct ares_options options;
	int mask;
	bool is_whole = name[0] != '\0' && name[strlen(name) - 1] == '.';
	bool is_first;

	if (is_whole || ares_save_options(l->channel, &options, &mask) != ARES_SUCCESS) {
		add_candidate(l, name, "");
		return;
	}
	is_first = count_dots(name) >= options.ndots;
	if (is_first)
		add_candidate(l, name, "");
	for (int i = 0; i < options.ndomains; i++)
		add_candidate(l, name, options.domains[i]);
	if (!is_first)
		add_candidate(l, name, "");
	ares_destroy_options(&options);
}

static enum err_code
open_channel(struct lookup *l)
{
	const struct dns_conf *conf = l->dns->conf;
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
		.timeout = (int)(conf->attempt_ns / NS_PER_MS),
		.tries = TRIES_MAX,
		.ednspsz = UDP_BYTES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = l,
		.domains = conf->search,
		.ndomains = (int)conf->n_search,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
	    ARES_OPT_SOCK_STATE_CB;

	if (conf->has_search)
		mask |= ARES_OPT_DOMAINS;
	if (ares_init_options(&l->channel, &options, mask) != ARES_SUCCESS) {
		l->channel = NULL;
		return ERR_SYSTEM;
	}
	if (!str_is_none(conf->servers) &&
	    ares_set_servers_ports_csv(l->channel, conf->servers.p) != ARES_SUCCESS)
		return ERR_SYSTEM;
	return ERR_NONE;
}

static void
begin(struct lookup *l)
{
	struct loop *loop = l->dns->loop;

	loop_timer_set(loop, &l->limit, loop->now_ns + l->dns->conf->timeout_ns);
	if (!l->query->is_srv && find_in_hosts(l, 0, l->query->name)) {
		set_host_name(&l->answer->hosts[0], l->query->name);
		l->state = LOOKUP_TARGETS;
		loop_defer(loop, &l->step);
		return;
	}
	if (open_channel(l) != ERR_NONE) {
		log_error("dns: c-ares cannot begin");
		if (l->channel != NULL)
			ares_destroy(l->channel);
		l->channel = NULL;
		loop_defer(loop, &l->step);
		return;
	}
	list_candidates(l);
	if (l->n_candidates == 0)
		loop_defer(loop, &l->step);
	else
		ask_candidate(l);
}

static void
start(struct dns *dns, struct dns_query *query)
{
	struct lookup *l = mem_calloc(1, sizeof *l);

	assert(query->running == NULL);
	l->tag = LOOKUP_TAG;
	l->dns = CONTAINER_OF(dns, struct dns_ares, base);
	l->query = query;
	query->running = l;
	LIST_INIT(&l->watches);
	timer_init(&l->retry, on_retry, l);
	timer_init(&l->limit, on_limit, l);
	defer_init(&l->step, on_step, l);
	l->services.ttl_s = DNS_TTL_NONE;
	l->answer = answer_new(1);
	begin(l);
}

static void
cancel(struct dns *dns, struct dns_query *query)
{
	struct lookup *l = query->running;

	(void)dns;
	TAG_CHECK(l, LOOKUP_TAG);
	free(l->answer);
	close_lookup(l);
}

static const struct dns_ops ops = { .start = start, .cancel = cancel };

struct dns *
dns_ares_new(struct loop *loop, const struct dns_conf *conf)
{
	struct dns_ares *d;

	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		log_error("dns: c-ares cannot begin");
		return NULL;
	}
	d = mem_calloc(1, sizeof *d);
	d->base.ops = &ops;
	d->loop = loop;
	d->conf = conf;
	return &d->base;
}

void
dns_ares_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	free(CONTAINER_OF(dns, struct dns_ares, base));
	ares_library_cleanup();
}
