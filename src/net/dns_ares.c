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

#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dns_channel.h"
#include "net/dns_message.h"
#include "net/hosts_file.h"

#define LOOKUP_TAG 0x6c6f6f6bu
/* A hosts file says nothing of time. */
#define HOSTS_TTL_S 10

struct dns_ares {
	struct dns base;
	struct loop *loop;           /* borrowed, as the next */
	const struct dns_conf *conf;
};

enum lookup_state { LOOKUP_NAME, LOOKUP_TARGETS, LOOKUP_DONE };

struct lookup;

/* One question on its way. */
struct question {
	struct lookup *lookup; /* of which it is; its channel outlives the question */
	char *name; /* owned; in lower case, without a dot at its end */
	size_t host;
	enum dns_family family; /* DNS_FAMILIES: SRV */
};

struct lookup {
	uint32_t tag;
	enum lookup_state state;
	struct dns_ares *dns;    /* outlives it */
	struct dns_query *query; /* the asker's; cut by close_lookup() */
	struct dns_channel channel; /* owned */
	uint64_t deadline_ns; /* of the whole look-up */
	struct timer limit;   /* that, or less for one family when the other one is there */
	struct defer step;
	struct grave grave;
	size_t n_pending; /* questions on their way */
	char *candidates[DNS_CHANNEL_CANDIDATES]; /* owned */
	size_t n_candidates;
	size_t at; /* the one that is asked for */
	enum err_code failure; /* of a candidate before: whether it exists nobody knows */
	struct dns_srv_list services;
	struct dns_answer *answer; /* owned until it is told */
};

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

/*
 * Addresses of one family of the name are there: the other one, which some servers never answer for, does not hold
 * them up for long.
 */
static void
hurry(struct lookup *l)
{
	struct loop *loop = l->dns->loop;
	uint64_t at = loop->now_ns + 2 * l->dns->conf->attempt_ns;

	if (at < l->deadline_ns)
		loop_timer_set(loop, &l->limit, at);
}

static bool
has_addresses(const struct dns_host *h)
{
	return h->family[DNS_V4].n + h->family[DNS_V6].n != 0;
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
	else if (l->state == LOOKUP_NAME && has_addresses(&l->answer->hosts[0]))
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
	static const int types[] = { ns_t_a, ns_t_aaaa, ns_t_srv };
	struct question *q = mem_calloc(1, sizeof *q);

	q->lookup = l;
	q->name = mem_strndup(name, strlen(name));
	q->host = host;
	q->family = family;
	l->n_pending++;
	dns_channel_ask(&l->channel, name, types[family], on_answer, q);
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
	struct str bare = str_c(name);

	if (str_has_suffix(bare, STR(".")))
		bare.n--;
	if (str_is_none(l->dns->conf->hosts.s) ||
	    !hosts_file_look_up(l->dns->conf->hosts.s.p, bare, h->family))
		return false;
	h->family[DNS_V4].ttl_s = h->family[DNS_V6].ttl_s = HOSTS_TTL_S;
	return true;
}

static void
ask_addresses(struct lookup *l, size_t host, const char *name)
{
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
	dns_channel_close(&l->channel);
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
		ask_addresses(l, 0, name);
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
		set_host_name(&l->answer->hosts[i], srv->target);
		if (!find_in_hosts(l, i, srv->target))
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
	if (l->channel.ares == NULL)
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
begin(struct lookup *l)
{
	struct loop *loop = l->dns->loop;

	l->deadline_ns = loop->now_ns + l->dns->conf->timeout_ns;
	loop_timer_set(loop, &l->limit, l->deadline_ns);
	if (!l->query->is_srv && find_in_hosts(l, 0, l->query->name)) {
		set_host_name(&l->answer->hosts[0], l->query->name);
		l->state = LOOKUP_TARGETS;
		loop_defer(loop, &l->step);
		return;
	}
	if (dns_channel_open(&l->channel, loop, l->dns->conf) != ERR_NONE) {
		log_error("dns: c-ares cannot begin");
		loop_defer(loop, &l->step);
		return;
	}
	l->n_candidates = dns_channel_candidates(&l->channel, l->query->name, l->candidates);
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
