/* What the file says of look-ups. */
#ifndef NET_DNS_CONF_H
#define NET_DNS_CONF_H

#include "base/conf_value.h"

struct dns_conf {
	struct str servers;      /* "127.0.0.1:53,[::1]:53", NUL-terminated; none: those of resolv.conf(5) */
	char **search;           /* domains; with has_search in place of those of resolv.conf(5) */
	size_t n_search;
	bool has_search;
	struct conf_text hosts;  /* a file such as /etc/hosts; empty: none is looked at */
	uint64_t timeout_ns;     /* of a whole look-up */
	uint64_t attempt_ns;     /* how long one server is waited for */
	uint64_t ttl_min_ns;     /* bounds of what answers say of their time to live */
	uint64_t ttl_max_ns;
	uint64_t negative_max_ns; /* a failed look-up is repeated after this at the latest */
};

#endif
