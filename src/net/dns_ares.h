/*
 * Look-ups by c-ares on the loop: /etc/hosts, then DNS over UDP, and TCP when an answer was cut; search domains as
 * resolv.conf(5) has them. The loop must be of loop_real_new().
 */
#ifndef NET_DNS_ARES_H
#define NET_DNS_ARES_H

#include "net/dns.h"
#include "net/dns_conf.h"
#include "net/loop.h"

/* conf and loop outlive it. NULL when c-ares cannot begin (logged). Blocks on nothing but /etc/hosts. */
struct dns *dns_ares_new(struct loop *loop, const struct dns_conf *conf);
/* Every query is done or cancelled, and a turn has passed. Harmless when NULL. */
void dns_ares_free(struct dns *dns);

#endif
