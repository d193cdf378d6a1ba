/* Listening sockets. No state; any thread. */
#include "net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool
turn_on(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof one) == 0;
}

static bool
set_options(int fd, int family, bool is_shared)
{
	if (family == AF_UNIX)
		return true;
	if (!turn_on(fd, SOL_SOCKET, SO_REUSEADDR))
		return false;
	if (is_shared && !turn_on(fd, SOL_SOCKET, SO_REUSEPORT))
		return false;
	/* 0.0.0.0 and [::] are two addresses; each can be listened to without the other. */
	return family != AF_INET6 || turn_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
}

/*
 * True when nobody accepts behind the file of a unix socket: its server died without removing it.
 */
static bool
is_stale(const struct addr *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale =
	    connect(fd, (const struct sockaddr *)&at->sa, at->len) != 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static bool
bind_to(int fd, const struct addr *at)
{
	const struct sockaddr *sa = (const struct sockaddr *)&at->sa;
	const struct sockaddr_un *un = (const struct sockaddr_un *)&at->sa;

	if (bind(fd, sa, at->len) == 0)
		return true;
	if (errno != EADDRINUSE || !addr_is_unix(at) || un->sun_path[0] == '\0')
		return false;
	if (!is_stale(at)) {
		errno = EADDRINUSE;
		return false;
	}
	return unlink(un->sun_path) == 0 && bind(fd, sa, at->len) == 0;
}

enum err_code
sock_listen(const struct addr *at, bool is_shared, int backlog, int *out)
{
	int family = at->sa.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return ERR_SYSTEM;
	if (set_options(fd, family, is_shared) && bind_to(fd, at) && listen(fd, backlog) == 0) {
		*out = fd;
		return ERR_NONE;
	}
	error = errno;
	close(fd);
	errno = error;
	return ERR_SYSTEM;
}

enum err_code
sock_probe(const struct addr *at)
{
	int fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_free;
	int error;

	if (fd < 0)
		return ERR_SYSTEM;
	is_free = set_options(fd, at->sa.ss_family, false) && bind_to(fd, at);
	error = errno;
	close(fd);
	errno = error;
	return is_free ? ERR_NONE : ERR_SYSTEM;
}

static bool
has_option(int fd, int option, int value)
{
	int is;
	socklen_t n = sizeof is;

	return getsockopt(fd, SOL_SOCKET, option, &is, &n) == 0 && is == value;
}

bool
sock_is_listening(int fd)
{
	bool is_known = has_option(fd, SO_DOMAIN, AF_INET) || has_option(fd, SO_DOMAIN, AF_INET6) ||
	    has_option(fd, SO_DOMAIN, AF_UNIX);

	return is_known && has_option(fd, SO_TYPE, SOCK_STREAM) && has_option(fd, SO_ACCEPTCONN, 1);
}

enum err_code
sock_local_addr(int fd, struct addr *out)
{
	*out = (struct addr){ .len = sizeof out->sa };
	if (getsockname(fd, (struct sockaddr *)&out->sa, &out->len) != 0)
		return ERR_SYSTEM;
	return ERR_NONE;
}
