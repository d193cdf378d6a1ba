/*
 * The handshake of an upgrade (RFC 9110 7.8), as a party that passes it on sees it: what of the client's offer
 * goes to the upstream, and whether the 101 that comes back is an answer to it. WebSocket's own handshake (RFC
 * 6455 4) is checked on both sides. No state; worker thread.
 */
#ifndef SERVER_UPGRADE_H
#define SERVER_UPGRADE_H

#include "codec/h1_head.h"
#include "gather/proxy_conf.h"
#include "gather/request.h"

/*
 * The first protocol of the client's offer that the route takes, as the route writes it; none when there is
 * none: then the request is an ordinary one. ERR_BAD_UPGRADE, ERR_WEBSOCKET_VERSION: it must be refused.
 */
enum err_code upgrade_choose(
    const struct proxy_conf *conf, const struct request *r, struct str *protocol);
/* Fields that the answer to a refused one has (RFC 9110 15.5.22, RFC 6455 4.4), as lines; may be empty. */
struct str upgrade_refusal_fields(enum err_code e);
/* ERR_NONE or ERR_INVALID_UPGRADE. `head` is that of a 101. */
enum err_code upgrade_check_answer(
    const struct request *r, struct str protocol, const struct h1_head *head);

#endif
