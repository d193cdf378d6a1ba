/* Socket addresses: IPv4, IPv6 and unix sockets, as text and as the kernel's structures. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

#define ADDR_TEXT_MAX 128 /* room for addr_format() */

/*
 * "127.0.0.1:80", "[::1]:80", "unix:/path" (and "unix:@name" in the abstract namespace). Ports 0 to
 * 65535. ERR_BAD_CONFIG when the text is none of these; names are not resolved here.
 */
enum err_code addr_parse(struct str text, struct addr *out);
/*
 * Blocking look-up of a host name, for start-up only: every address of host with port, at most max.
 */
enum err_code addr_resolve(
    const char *host, unsigned port, struct addr *out, size_t max, size_t *n);
/* "127.0.0.1:80", "[::1]:80", "unix:/path"; dst has room for ADDR_TEXT_MAX. Returns the length. */
size_t addr_format(const struct addr *a, char *dst);
/* The IP without port and brackets ("::1"); empty for unix sockets. dst as for addr_format(). */
size_t addr_format_ip(const struct addr *a, char *dst);
unsigned addr_port(const struct addr *a);
bool addr_is_unix(const struct addr *a);
/* The IP in network order, IPv4 as ::ffff:a.b.c.d; false for unix sockets. */
bool addr_ip(const struct addr *a, uint8_t out[16]);
/* An IPv4 address inside IPv6 (RFC 4291 2.5.5.2) becomes IPv4; all others stay. */
void addr_unmap(struct addr *a);
/* The same family, address and port, or path. */
bool addr_eq(const struct addr *a, const struct addr *b);
/*
 * The same, or a stands for all addresses of its port, b's among them: one listener of the two is all that
 * bind(2) allows. Without is_v6only, [::] stands for IPv4 as well.
 */
bool addr_takes(const struct addr *a, bool is_v6only, const struct addr *b);

#endif
