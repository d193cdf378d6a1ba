/* Who the client is, when trusted proxies stand between. */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include "gather/request.h"
#include "server/listener_conf.h"

/* Whether the address is in one of trusted_proxies; a unix peer, whether `unix` is among them. */
bool peer_is_trusted(const struct listener_conf *conf, const struct addr *peer);
/*
 * Settles what the request, with its headers, peer_ip and is_peer_trusted set, says of its client: client_ip, and
 * what Forwarded says beside it. The client is, from the right, the first hop that is not a trusted proxy itself;
 * the last one that is an address when something else stands there; the peer when it is not trusted.
 */
void peer_find_client(const struct listener_conf *conf, struct request *r);

#endif
