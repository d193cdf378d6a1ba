/* X-Forwarded-For or Forwarded (RFC 7239) of trusted proxies. No state; any thread. */
#include "server/peer.h"

#include "base/compiler.h"
#include "codec/forwarded.h"

#define MAX_HOPS 32

bool
peer_is_trusted(const struct listener_conf *conf, const struct addr *peer)
{
	if (addr_is_unix(peer))
		return conf->trusts_unix;
	for (size_t i = 0; i < conf->n_trusted_proxies; i++)
		if (cidr_has(&conf->trusted_proxies[i], peer))
			return true;
	return false;
}

static bool
is_trusted(const struct listener_conf *conf, struct str ip, bool *is_address)
{
	struct addr addr;

	*is_address = addr_of_ip(ip, 0, &addr) == ERR_NONE;
	return *is_address && peer_is_trusted(conf, &addr);
}

/* The last MAX_HOPS elements of all fields of that name, in order; returns their number. */
static size_t
hops_of(const struct header_list *headers, enum header_id id, struct str hops[MAX_HOPS])
{
	size_t n = 0;

	for (const struct header *h = header_find(headers, id); h != NULL;
	     h = header_next(headers, h))
		for (struct str rest = h->value, e; header_next_element(&rest, &e);) {
			if (n == MAX_HOPS)
				memmove(hops, hops + 1, --n * sizeof(*hops));
			hops[n++] = e;
		}
	return n;
}

/* One hop by either field. False: it is no address, and nothing before it is believed. */
static bool
read_hop(const struct request *r, struct str element, struct forwarded *hop)
{
	if (r->is_rfc7239)
		return forwarded_parse(element, hop) && !str_is_none(hop->ip);
	*hop = (struct forwarded){ .ip = forwarded_bare_ip(element) };
	return !str_is_none(hop->ip);
}

void
peer_find_client(const struct listener_conf *conf, struct request *r)
{
	enum header_id id;
	struct str hops[MAX_HOPS];
	bool is_address, is_proxy = r->is_peer_trusted;

	r->client_ip = r->peer_ip;
	r->given_proto = r->given_host = str_none();
	r->is_rfc7239 = conf->trusted_field == TRUSTED_FORWARDED;
	r->sends_forwarded = conf->sends_forwarded;
	if (!r->is_peer_trusted)
		return;
	id = r->is_rfc7239 ? HEADER_FORWARDED : HEADER_X_FORWARDED_FOR;
	for (size_t i = hops_of(r->headers, id, hops); i > 0 && is_proxy; i--) {
		struct forwarded hop;

		if (!read_hop(r, hops[i - 1], &hop))
			break;
		is_proxy = is_trusted(conf, hop.ip, &is_address);
		if (!is_address)
			break;
		r->client_ip = hop.ip;
		r->given_proto = hop.proto;
		r->given_host = hop.host;
	}
}
