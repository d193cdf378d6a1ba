/* Making and asking sockets; errno tells why something failed. Blocks nowhere. */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "net/addr.h"
#include "net/sock_conf.h"

/*
 * A listening, non-blocking, close-on-exec socket. is_shared sets SO_REUSEPORT (IP only) so that
 * every worker has its own; IPv6 sockets are IPV6_V6ONLY. A stale unix socket file (nobody listens)
 * is replaced. On failure returns ERR_SYSTEM and errno tells why.
 */
enum err_code sock_listen(const struct addr *at, bool is_shared, int backlog, int *fd);
/* The same with the options of the file, which the accepted sockets inherit where they are theirs. */
enum err_code sock_listen_as(
    const struct addr *at, const struct sock_conf *conf, bool is_shared, int *fd);
/*
 * Whether an IP address is free: shared sockets of two daemons would get on with each other and
 * split the clients, silently. ERR_SYSTEM and errno EADDRINUSE when somebody listens there, shared
 * or not.
 */
enum err_code sock_probe(const struct addr *at, bool is_v6only);
/* A stream socket of a family that addr.h knows, and listening. */
bool sock_is_listening(int fd);
/* The address a socket is bound to. */
enum err_code sock_local_addr(int fd, struct addr *out);
/* Output of a turn already leaves in one write: Nagle's delay would only hold back its last segment. */
void sock_set_nodelay(int fd);

#endif
