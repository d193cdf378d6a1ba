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
/* An IPv4 or IPv6 address, without brackets, and a port. ERR_BAD_CONFIG when it is neither. */
enum err_code addr_of_ip(struct str ip, unsigned port, struct addr *out);
/* The same from network order; n: 4 or 16 bytes. */
void addr_of_bytes(const uint8_t *ip, size_t n, unsigned port, struct addr *out);
/*
 * Could be the name of a host or service: labels of letters, digits, '-' and '_', at most 253 bytes, with or without
 * a dot at the end (RFC 1035 2.3.4; names of services have underscores).
 */
bool addr_is_name(struct str s);
/*
 * "127.0.0.1:80", "[::1]:80", "unix:/path"; dst has room for ADDR_TEXT_MAX. Returns the length,
 * without the NUL that ends it.
 */
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
