/* The opening handshake of WebSocket. No state; any thread. */
#include "codec/websocket.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 24 /* base64 of 16 octets */
#define SHA1_BYTES 20

/* RFC 6455 1.3 */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static bool
is_base64(char c)
{
	return str_is_alnum(c) || c == '+' || c == '/';
}

void
websocket_init(void)
{
	unsigned char hash[SHA1_BYTES];

	if (EVP_Digest("", 0, hash, NULL, EVP_sha1(), NULL) != 1)
		abort(); /* only for want of memory, or of SHA-1 */
}

bool
websocket_is_key(struct str key)
{
	if (key.n != KEY_BYTES || !str_has_suffix(key, STR("==")))
		return false;
	for (size_t i = 0; i < KEY_BYTES - 2; i++)
		if (!is_base64(key.p[i]))
			return false;
	return true;
}

void
websocket_accept(struct str key, char accept[WEBSOCKET_ACCEPT_BYTES])
{
	unsigned char text[KEY_BYTES + sizeof guid - 1], hash[SHA1_BYTES];
	unsigned char base64[WEBSOCKET_ACCEPT_BYTES + 1]; /* with the NUL that it gets */

	assert(key.n == KEY_BYTES);
	memcpy(text, key.p, KEY_BYTES);
	memcpy(text + KEY_BYTES, guid, sizeof guid - 1);
	if (EVP_Digest(text, sizeof text, hash, NULL, EVP_sha1(), NULL) != 1)
		abort(); /* only for want of memory */
	EVP_EncodeBlock(base64, hash, SHA1_BYTES);
	memcpy(accept, base64, WEBSOCKET_ACCEPT_BYTES);
}
