/* X-Forwarded-For of trusted proxies. No state; any thread. */
#include "server/peer.h"

#include <stdio.h>

#include "base/compiler.h"

#define MAX_HOPS 32

bool
peer_is_trusted(const struct listener_conf *conf, const struct addr *peer)
{
	for (size_t i = 0; i < conf->n_trusted_proxies; i++)
		if (cidr_has(&conf->trusted_proxies[i], peer))
			return true;
	return false;
}

static bool
is_trusted(const struct listener_conf *conf, struct str ip, bool *is_address)
{
	char text[ADDR_TEXT_MAX];
	bool is_v6 = str_find(ip, ':') != ip.n;
	struct addr addr;
	int n;

	*is_address = false;
	if (ip.n > 45)
		return false;
	n = snprintf(text, sizeof(text), is_v6 ? "[%.*s]:0" : "%.*s:0", STR_FMT(ip));
	if (n < 0 || addr_parse(str_of(text, (size_t)n), &addr) != ERR_NONE || addr_is_unix(&addr))
		return false;
	*is_address = true;
	return peer_is_trusted(conf, &addr);
}

/* The last MAX_HOPS elements of all X-Forwarded-For fields, in order; returns their number. */
static size_t
hops_of(const struct header_list *headers, struct str hops[MAX_HOPS])
{
	size_t n = 0;

	for (const struct header *h = header_find(headers, HEADER_X_FORWARDED_FOR); h != NULL;
	     h = header_next(headers, h))
		for (struct str rest = h->value, e; header_next_element(&rest, &e);) {
			if (n == MAX_HOPS)
				memmove(hops, hops + 1, --n * sizeof(*hops));
			hops[n++] = e;
		}
	return n;
}

struct str
peer_client_ip(const struct listener_conf *conf, const struct header_list *headers, struct str peer)
{
	struct str hops[MAX_HOPS], client = peer;
	bool is_address;

	for (size_t i = hops_of(headers, hops); i > 0; i--) {
		bool is_proxy = is_trusted(conf, hops[i - 1], &is_address);

		if (!is_address)
			break;
		client = hops[i - 1];
		if (!is_proxy)
			break;
	}
	return client;
}
