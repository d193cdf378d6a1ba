/* The opening handshake of WebSocket (RFC 6455 4): its key and the answer to it. No state; any thread. */
#ifndef CODEC_WEBSOCKET_H
#define CODEC_WEBSOCKET_H

#include <stdbool.h>

#include "base/str.h"

#define WEBSOCKET_ACCEPT_BYTES 28 /* base64 of a SHA-1 */

/* At load: OpenSSL reads its files when it is first asked for something, and that is not to be in a worker. */
void websocket_init(void);
/* RFC 6455 4.1: 16 octets in base64. */
bool websocket_is_key(struct str key);
/* RFC 6455 4.2.2: what Sec-WebSocket-Accept says to this key. */
void websocket_accept(struct str key, char accept[WEBSOCKET_ACCEPT_BYTES]);

#endif
