/*
 * Names to addresses: what is asked and what is answered, whoever finds it out: c-ares on a loop (dns_ares.h),
 * or a test. Used on one thread, the one that turns the loop.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DNS_NAME_MAX 253 /* a name as text (RFC 1035 2.3.4), without the dot at its end */
#define DNS_ADDRS_MAX 32 /* of one family of a name; more are not used */
#define DNS_HOSTS_MAX 64 /* of one SRV name; more are not used */
#define DNS_TTL_NONE UINT32_MAX

enum dns_family { DNS_V4, DNS_V6, DNS_FAMILIES };

/* The addresses of one family of a name. */
struct dns_addrs {
	enum err_code error; /* ERR_NONE: there are some. ERR_DNS_NOT_FOUND: there are none. Else nobody knows */
	uint32_t ttl_s;      /* of what is said, be it yes or no; DNS_TTL_NONE: not told */
	size_t n;
	uint8_t ip[DNS_ADDRS_MAX][16]; /* network order; IPv4 in the first four bytes */
};

struct dns_host {
	char name[DNS_NAME_MAX + 1]; /* in lower case */
	uint16_t port;               /* of SRV, with the two below; 0 without */
	uint16_t priority;
	uint16_t weight;
	struct dns_addrs family[DNS_FAMILIES];
};

/* One allocation; its receiver frees it with free(). */
struct dns_answer {
	enum err_code error; /* ERR_NONE: there is an address. ERR_DNS_NOT_FOUND, _TIMEOUT, _FAILED: there is none */
	uint64_t ttl_ns;     /* until it should be asked again; UINT64_MAX: not told */
	size_t n_hosts;      /* the name itself, or the targets of SRV */
	struct dns_host hosts[];
};

/* Embedded by whoever asks; zeroed, then name, is_srv, on_done and owner set before the first use. */
struct dns_query {
	const char *name; /* borrowed; NUL-terminated */
	bool is_srv;
	/* Once for each start, never from inside it, never after a cancel. The answer is the receiver's. */
	void (*on_done)(struct dns_query *q, struct dns_answer *answer);
	void *owner;   /* back pointer, for on_done */
	void *running; /* of the resolver; NULL: not asked now */
};

struct dns;

struct dns_ops {
	void (*start)(struct dns *dns, struct dns_query *q);
	void (*cancel)(struct dns *dns, struct dns_query *q);
};

struct dns {
	const struct dns_ops *ops;
};

static inline void
dns_start(struct dns *dns, struct dns_query *q)
{
	dns->ops->start(dns, q);
}

/* Harmless when it is not asked. */
static inline void
dns_cancel(struct dns *dns, struct dns_query *q)
{
	if (q->running != NULL)
		dns->ops->cancel(dns, q);
}

#endif
