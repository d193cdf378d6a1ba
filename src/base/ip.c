/* inet_pton(3) for slices. No state; any thread. */
#include "base/ip.h"

#include <arpa/inet.h>

/* inet_pton() wants a NUL behind; a text with a NUL inside it is no address. */
static bool
parse(int family, struct str text, uint8_t *out)
{
	char c[INET6_ADDRSTRLEN];

	if (text.n >= sizeof c || str_find(text, '\0') != text.n)
		return false;
	if (text.n != 0)
		memcpy(c, text.p, text.n);
	c[text.n] = '\0';
	return inet_pton(family, c, out) == 1;
}

bool
ip_parse_v4(struct str text, uint8_t out[4])
{
	return parse(AF_INET, text, out);
}

bool
ip_parse_v6(struct str text, uint8_t out[16])
{
	return parse(AF_INET6, text, out);
}
