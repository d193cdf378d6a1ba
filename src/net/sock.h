/* System calls on sockets, with errors as sentences. Blocking nowhere. */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "net/addr.h"

/*
 * A listening, non-blocking, close-on-exec socket. is_shared sets SO_REUSEPORT (IP only) so that
 * every worker has its own; IPv6 sockets are IPV6_V6ONLY. A stale unix socket file (nobody listens)
 * is replaced. On failure returns ERR_SYSTEM and errno tells why.
 */
enum err_code sock_listen(const struct addr *at, bool is_shared, int backlog, int *fd);
/*
 * Whether an IP address is free: shared sockets of two daemons would get on with each other and
 * split the clients, silently. ERR_SYSTEM and errno EADDRINUSE when somebody listens there, shared
 * or not.
 */
enum err_code sock_probe(const struct addr *at);
/* A stream socket of a family that addr.h knows, and listening. */
bool sock_is_listening(int fd);
/* The address a socket is bound to. */
enum err_code sock_local_addr(int fd, struct addr *out);

#endif
