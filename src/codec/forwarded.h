/* One element of a Forwarded field (RFC 7239 4): what one proxy says of one hop. */
#ifndef CODEC_FORWARDED_H
#define CODEC_FORWARDED_H

#include <stdbool.h>

#include "base/str.h"

/* Slices of the element; none: not said. */
struct forwarded {
	struct str ip;    /* of `for`, without brackets and port; none also for `unknown` and hidden names */
	struct str proto; /* a token */
	struct str host;  /* without quotes; neither empty nor with a backslash in it */
};

/*
 * False when the element breaks the grammar or names a parameter twice. Escapes in quoted values are refused: no
 * address, scheme or host needs one. Whether `ip` is an address is for its user to find out.
 */
bool forwarded_parse(struct str element, struct forwarded *out);
/*
 * Of an element of X-Forwarded-For, which is not empty: what stands for the address, without brackets and the port
 * that some proxies add.
 */
struct str forwarded_bare_ip(struct str element);

#endif
