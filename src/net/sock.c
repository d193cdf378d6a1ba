/* Sockets, mostly those that listen. No state; any thread. */
#include "net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compiler.h"

#define KEEP_ALIVE_PROBES 3

static bool
set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool
set_address_options(int fd, int family, bool is_v6only, bool is_shared)
{
	if (family == AF_UNIX)
		return true;
	if (!set(fd, SOL_SOCKET, SO_REUSEADDR, 1))
		return false;
	if (is_shared && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return false;
	/* Said always: what goes without saying is the system's to change (net.ipv6.bindv6only). */
	return family != AF_INET6 || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_v6only);
}

/* The kernel counts in seconds; what is not 0 stays so. */
static int
seconds(uint64_t ns)
{
	return (int)((ns + NS_PER_SEC - 1) / NS_PER_SEC);
}

static bool
set_keep_alive(int fd, uint64_t ns)
{
	return set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
	    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(ns)) &&
	    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds((ns + KEEP_ALIVE_PROBES - 1) / KEEP_ALIVE_PROBES)) &&
	    set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_ALIVE_PROBES);
}

static bool
set_tcp_options(int fd, const struct sock_conf *conf)
{
	if (conf->keep_alive_ns != 0 && !set_keep_alive(fd, conf->keep_alive_ns))
		return false;
	if (conf->defer_accept_ns != 0 &&
	    !set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds(conf->defer_accept_ns)))
		return false;
	return conf->fast_open == 0 || set(fd, IPPROTO_TCP, TCP_FASTOPEN, (int)conf->fast_open);
}

/* Before listen(2): until then nobody gets in by the permissions that the umask has left. */
static bool
set_file_options(const struct addr *at, const struct sock_conf *conf)
{
	const char *path = ((const struct sockaddr_un *)&at->sa)->sun_path;

	if (conf->has_mode && chmod(path, conf->mode) != 0)
		return false;
	if (!conf->has_owner && !conf->has_group)
		return true;
	return lchown(path, conf->has_owner ? conf->owner : (uid_t)-1,
		   conf->has_group ? conf->group : (gid_t)-1) == 0;
}

static bool
set_options(int fd, const struct addr *at, const struct sock_conf *conf)
{
	return addr_is_unix(at) ? set_file_options(at, conf) : set_tcp_options(fd, conf);
}

/* True when nobody accepts behind the file of a unix socket: its server died without removing it. */
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
sock_listen_as(const struct addr *at, const struct sock_conf *conf, bool is_shared, int *out)
{
	int family = at->sa.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return ERR_SYSTEM;
	if (set_address_options(fd, family, conf->is_v6only, is_shared) && bind_to(fd, at) &&
	    set_options(fd, at, conf) && listen(fd, (int)conf->backlog) == 0) {
		*out = fd;
		return ERR_NONE;
	}
	error = errno;
	close(fd);
	errno = error;
	return ERR_SYSTEM;
}

enum err_code
sock_listen(const struct addr *at, bool is_shared, int backlog, int *out)
{
	const struct sock_conf conf = { .backlog = (uint64_t)backlog, .is_v6only = true };

	return sock_listen_as(at, &conf, is_shared, out);
}

enum err_code
sock_probe(const struct addr *at, bool is_v6only)
{
	int fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_free;
	int error;

	if (fd < 0)
		return ERR_SYSTEM;
	is_free = set_address_options(fd, at->sa.ss_family, is_v6only, false) && bind_to(fd, at);
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

void
sock_set_nodelay(int fd)
{
	/* Fails on unix sockets, where nothing is delayed. */
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}
