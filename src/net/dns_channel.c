/* c-ares on a loop. Used on the loop's thread; owned by the look-up that it is for. */
#include "net/dns_channel.h"

#include <arpa/nameser.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dns.h"
#include "net/loop_real.h"

/* The time of the whole look-up ends it sooner. */
#define TRIES_MAX 10
/* Answers up to this come whole in one datagram, which no path cuts to pieces (DNS flag day 2020). */
#define UDP_BYTES 1232
/* c-ares counts by a clock of its own. */
#define TIMER_MIN_NS NS_PER_MS

/* A socket, while c-ares wants to hear of it. */
struct dns_watch {
	LIST_ENTRY(dns_watch) link;
	struct dns_channel *channel; /* owner */
	struct event event;
	int fd;
	struct grave grave;
};

/* ---- sockets and time */

static void
rearm(struct dns_channel *c)
{
	struct timeval tv;
	uint64_t ns;

	if (ares_timeout(c->ares, NULL, &tv) == NULL) {
		loop_timer_clear(&c->retry);
		return;
	}
	ns = (uint64_t)tv.tv_sec * NS_PER_SEC + (uint64_t)tv.tv_usec * NS_PER_US;
	loop_timer_set(
	    c->loop, &c->retry, c->loop->now_ns + (ns < TIMER_MIN_NS ? TIMER_MIN_NS : ns));
}

static void
on_retry(void *arg)
{
	struct dns_channel *c = arg;

	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(c);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct dns_channel *c = ((struct dns_watch *)arg)->channel;

	loop_take_time(c->loop);
	ares_process_fd(c->ares, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
	    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	rearm(c);
}

static void
unwatch(struct dns_watch *w)
{
	event_del(&w->event);
	LIST_REMOVE(w, link);
	loop_bury(w->channel->loop, &w->grave, free, w);
}

static void
watch(struct dns_channel *c, int fd, short what)
{
	struct dns_watch *w = mem_calloc(1, sizeof *w);
	int rc;

	w->channel = c;
	w->fd = fd;
	LIST_INSERT_HEAD(&c->watches, w, link);
	rc = event_assign(&w->event, loop_real_base(c->loop), fd, what, on_socket, w);
	assert(rc == 0);
	(void)rc;
	if (event_add(&w->event, NULL) != 0)
		log_error("dns: a socket cannot be waited for");
}

/* From c-ares: what it wants to hear of a socket, which it closes after it wants nothing any more. */
static void
on_socket_state(void *arg, ares_socket_t fd, int is_readable, int is_writable)
{
	struct dns_channel *c = arg;
	short what = EV_PERSIST;
	struct dns_watch *w;

	LIST_FOREACH (w, &c->watches, link)
		if (w->fd == fd)
			break;
	if (w != NULL)
		unwatch(w);
	if (is_readable)
		what |= EV_READ;
	if (is_writable)
		what |= EV_WRITE;
	if (what != EV_PERSIST)
		watch(c, fd, what);
}

/* ---- opening and asking */

enum err_code
dns_channel_open(struct dns_channel *c, struct loop *loop, const struct dns_conf *conf)
{
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
		.timeout = (int)(conf->attempt_ns / NS_PER_MS),
		.tries = TRIES_MAX,
		.ednspsz = UDP_BYTES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = c,
		.domains = conf->search,
		.ndomains = (int)conf->n_search,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
	    ARES_OPT_SOCK_STATE_CB;

	*c = (struct dns_channel){ .loop = loop };
	LIST_INIT(&c->watches);
	timer_init(&c->retry, on_retry, c);
	if (conf->has_search)
		mask |= ARES_OPT_DOMAINS;
	if (ares_init_options(&c->ares, &options, mask) != ARES_SUCCESS) {
		c->ares = NULL;
		return ERR_SYSTEM;
	}
	if (str_is_none(conf->servers) ||
	    ares_set_servers_ports_csv(c->ares, conf->servers.p) == ARES_SUCCESS)
		return ERR_NONE;
	dns_channel_close(c);
	return ERR_SYSTEM;
}

void
dns_channel_close(struct dns_channel *c)
{
	if (c->ares == NULL)
		return;
	ares_destroy(c->ares);
	c->ares = NULL;
	while (!LIST_EMPTY(&c->watches))
		unwatch(LIST_FIRST(&c->watches));
	loop_timer_drop(c->loop, &c->retry);
}

void
dns_channel_ask(struct dns_channel *c, const char *name, int type, ares_callback fn, void *arg)
{
	ares_query(c->ares, name, ns_c_in, type, fn, arg);
	rearm(c);
}

/* ---- search domains */

static void
add_candidate(char **out, size_t *count, const char *name, const char *domain)
{
	size_t n = strlen(name), n_domain = strlen(domain);
	char *text;

	if (*count == DNS_CHANNEL_CANDIDATES || n + 1 + n_domain > DNS_NAME_MAX)
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
	out[(*count)++] = text;
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
size_t
dns_channel_candidates(struct dns_channel *c, const char *name, char *out[DNS_CHANNEL_CANDIDATES])
{
	bool is_whole = name[0] != '\0' && name[strlen(name) - 1] == '.', is_first;
	struct ares_options options;
	size_t n = 0;
	int mask;

	if (is_whole || ares_save_options(c->ares, &options, &mask) != ARES_SUCCESS) {
		add_candidate(out, &n, name, "");
		return n;
	}
	is_first = count_dots(name) >= options.ndots;
	if (is_first)
		add_candidate(out, &n, name, "");
	for (int i = 0; i < options.ndomains; i++)
		add_candidate(out, &n, name, options.domains[i]);
	if (!is_first)
		add_candidate(out, &n, name, "");
	ares_destroy_options(&options);
	return n;
}
