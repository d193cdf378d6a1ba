/* What the file says of a listening socket. */
#ifndef NET_SOCK_CONF_H
#define NET_SOCK_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SOCK_BACKLOG 4096 /* unless the file says otherwise */

struct sock_conf {
	uint64_t backlog;
	uint64_t keep_alive_ns;   /* silence before the kernel probes; 0: it does not */
	uint64_t defer_accept_ns; /* TCP_DEFER_ACCEPT; 0: off */
	uint64_t fast_open;       /* TCP_FASTOPEN, the length of its queue; 0: off */
	bool is_v6only;           /* else an IPv6 socket takes IPv4 as well */
	bool has_mode, has_owner, has_group;
	mode_t mode; /* of the file of a unix socket, as its owner and its group are */
	uid_t owner;
	gid_t group;
};

#endif
