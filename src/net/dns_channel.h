/*
 * A channel of c-ares on a loop: its sockets and its time. For one look-up: opened, it reads resolv.conf(5) as it is
 * then, and its questions leave from ports of their own.
 */
#ifndef NET_DNS_CHANNEL_H
#define NET_DNS_CHANNEL_H

#include <ares.h>
#include <sys/queue.h>

#include "net/dns_conf.h"
#include "net/loop.h"

#define DNS_CHANNEL_CANDIDATES 17

struct dns_watch;

struct dns_channel {
	struct loop *loop;  /* borrowed */
	ares_channel ares; /* owned; NULL: not open */
	LIST_HEAD(, dns_watch) watches; /* owned: sockets that c-ares wants to hear of */
	struct timer retry; /* when c-ares wants to be called */
};

/* The loop must be of loop_real_new(). ERR_SYSTEM when c-ares cannot begin: it is not open then. */
enum err_code dns_channel_open(
    struct dns_channel *c, struct loop *loop, const struct dns_conf *conf);
/*
 * Not from inside a callback of c-ares; questions that are under way are told ARES_EDESTRUCTION. Harmless when it
 * is not open.
 */
void dns_channel_close(struct dns_channel *c);
/* fn comes once, perhaps from inside. */
void dns_channel_ask(
    struct dns_channel *c, const char *name, int type, ares_callback fn, void *arg);
/*
 * What a name may stand for, in the order in which it is looked for: as it is, and in each search domain; in lower
 * case, without a dot at the end. Each is the caller's to free. Returns how many.
 */
size_t dns_channel_candidates(
    struct dns_channel *c, const char *name, char *out[DNS_CHANNEL_CANDIDATES]);

#endif
