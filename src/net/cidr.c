/* Networks. No state; any thread. */
#include "net/cidr.h"

/* The address alone; *width is how many bits a prefix can have. */
static bool
parse_ip(struct str ip, uint8_t out[16], unsigned *width)
{
	struct addr a;

	if (addr_of_ip(ip, 0, &a) != ERR_NONE)
		return false;
	*width = a.sa.ss_family == AF_INET6 ? 128 : 32;
	return addr_ip(&a, out);
}

/* The bits of byte i (of 16) that lie behind the first `bits` of all. */
static unsigned
host_mask(unsigned i, unsigned bits)
{
	if (i * 8 >= bits)
		return 0xff;
	return i * 8 + 8 <= bits ? 0 : 0xffu >> (bits - i * 8);
}

enum err_code
cidr_parse(struct str text, struct cidr *out)
{
	struct str rest = text, ip;
	uint64_t bits = UINT64_MAX;
	unsigned width;

	if (!str_split(&rest, '/', &ip))
		return ERR_BAD_CONFIG;
	if (!parse_ip(ip, out->bytes, &width))
		return ERR_BAD_CONFIG;
	if (str_is_none(rest))
		bits = width;
	else if (rest.n > 3 || !str_to_u64(rest, &bits) || bits > width)
		return ERR_BAD_CONFIG;
	out->bits = (unsigned)bits + 128 - width;
	for (unsigned i = 0; i < sizeof out->bytes; i++)
		if (out->bytes[i] & host_mask(i, out->bits))
			return ERR_BAD_CONFIG;
	return ERR_NONE;
}

bool
cidr_has(const struct cidr *c, const struct addr *a)
{
	uint8_t ip[16];

	if (!addr_ip(a, ip))
		return false;
	for (unsigned i = 0; i < sizeof ip; i++)
		if ((ip[i] ^ c->bytes[i]) & ~host_mask(i, c->bits) & 0xff)
			return false;
	return true;
}
