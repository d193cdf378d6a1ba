/*
 * The header of the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): in front of everything
 * else, TLS included, a proxy says for whom it has connected.
 *
 * The reader says how many bytes are certain to be the header's and is given no more, so that nothing of what
 * follows it has to be kept or given back.
 */
#ifndef CODEC_PROXY_HEADER_H
#define CODEC_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define PROXY_HEADER_V1_MAX 107  /* 2.1: with its CRLF */
#define PROXY_HEADER_V2_MAX 4096 /* ours: addresses, and extensions that nobody here reads */

enum proxy_header_progress { PROXY_HEADER_MORE, PROXY_HEADER_DONE, PROXY_HEADER_REFUSED };

enum proxy_header_family {
	PROXY_HEADER_UNKNOWN, /* LOCAL, UNKNOWN, a unix socket: the connection's own address holds */
	PROXY_HEADER_IPV4,
	PROXY_HEADER_IPV6,
};

struct proxy_header {
	/* the client, once DONE */
	enum proxy_header_family family;
	uint8_t ip[16]; /* network order; 4 of them for IPv4 */
	uint16_t port;
	/* the reader's own */
	size_t need; /* bytes that are certain to come; 0 once DONE or REFUSED */
	size_t n;    /* bytes so far */
	char bytes[PROXY_HEADER_V1_MAX]; /* the first ones of them */
};

void proxy_header_init(struct proxy_header *h);
/* bytes.n is 1 to h->need. After REFUSED nothing on the connection is to be believed. */
enum proxy_header_progress proxy_header_feed(struct proxy_header *h, struct str bytes);

enum proxy_header_version { PROXY_HEADER_NONE, PROXY_HEADER_V1, PROXY_HEADER_V2 };

/*
 * Writes a header for a client of that address, of which neither the port nor where it has connected to is told
 * (all zeros); what is no IP address is UNKNOWN. dst has room for PROXY_HEADER_V1_MAX. Returns the length; 0 for
 * PROXY_HEADER_NONE.
 */
size_t proxy_header_write(char *dst, enum proxy_header_version version, struct str ip);

#endif
