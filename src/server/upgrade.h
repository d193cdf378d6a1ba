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
 * Must the offer of a head (offers_upgrade) be looked at? Not in HTTP/1.0 (RFC 9110 7.8), nor when it is of nothing
 * but h2c and TLS (RFC 2817): clients make these by habit, and are content with HTTP/1.1.
 */
bool upgrade_is_offered(const struct h1_head *head);
/* The first protocol of the client's offer that the route takes, as the route writes it; else none. */
struct str upgrade_choose(const struct proxy_conf *conf, const struct request *r);
/*
 * May a request that offers an upgrade go on? ERR_UPGRADE_REFUSED: the route takes nothing of what is offered;
 * ERR_BAD_UPGRADE, ERR_WEBSOCKET_VERSION: its handshake is wrong.
 */
enum err_code upgrade_check(const struct proxy_conf *conf, const struct request *r);
/* Fields that the answer to a refused one has (RFC 9110 15.5.22, RFC 6455 4.4), as lines; may be empty. */
struct str upgrade_refusal_fields(enum err_code e);
/* ERR_NONE or ERR_INVALID_UPGRADE. `head` is that of a 101. */
enum err_code upgrade_check_answer(
    const struct request *r, struct str protocol, const struct h1_head *head);

#endif
