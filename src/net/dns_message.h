/*
 * Answers of DNS servers (RFC 1035 4): the addresses of a name and the targets of a service, out of bytes that
 * anybody may have sent. No state; any thread.
 */
#ifndef NET_DNS_MESSAGE_H
#define NET_DNS_MESSAGE_H

#include "base/str.h"
#include "net/dns.h"

/* One record of RFC 2782. */
struct dns_srv {
	char target[DNS_NAME_MAX + 1];
	uint16_t port;
	uint16_t priority;
	uint16_t weight;
};

struct dns_srv_list {
	enum err_code error; /* as in struct dns_addrs */
	uint32_t ttl_s;
	size_t n;
	struct dns_srv at[DNS_HOSTS_MAX];
};

/*
 * The A or AAAA records of `name` (in lower case, without a dot at its end), aliases followed within the message.
 * The time to live is the shortest on the way (RFC 2181 8); that of a denial is RFC 2308's. What is not of
 * that name, type and class is passed over; ERR_DNS_FAILED when the message is malformed, truncated or says so.
 */
void dns_message_addresses(
    struct str message, struct str name, enum dns_family family, struct dns_addrs *out);
/* The same for SRV records. A service that is decidedly not available (target ".") is not found. */
void dns_message_services(struct str message, struct str name, struct dns_srv_list *out);

#endif
