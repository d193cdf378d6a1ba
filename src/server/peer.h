/* Who the client is, when trusted proxies stand between. */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include "codec/header.h"
#include "server/listener_conf.h"

/* Whether the address is in one of trusted_proxies; a unix peer is in none. */
bool peer_is_trusted(const struct listener_conf *conf, const struct addr *peer);
/*
 * The client's address according to X-Forwarded-For of a trusted peer: from the right, the first
 * one that is not a trusted proxy itself. `peer` when there is none, or when what stands there is
 * no address.
 */
struct str peer_client_ip(
    const struct listener_conf *conf, const struct header_list *headers, struct str peer);

#endif
