/* Networks such as 10.0.0.0/8 or fd00::/8, and who is in them. */
#ifndef NET_CIDR_H
#define NET_CIDR_H

#include "net/addr.h"

struct cidr {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;     /* 0 to 128, of `bytes` */
};

/* "10.0.0.0/8", "10.1.2.3", "::1/128"; host bits beyond the prefix must be 0. */
enum err_code cidr_parse(struct str text, struct cidr *out);
/* Unix peers are in no network. */
bool cidr_has(const struct cidr *c, const struct addr *a);

#endif
