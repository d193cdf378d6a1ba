/* Listening sockets. No state; main thread. */
#include "daemon/listening.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/sock.h"

static bool
tell_failure(const struct addr *at, struct str name)
{
	char text[ADDR_TEXT_MAX];
	size_t n = addr_format(at, text);

	log_error("listener %.*s: cannot listen on %.*s: %s", STR_FMT(name), (int)n, text,
	    strerror(errno));
	return false;
}

static void
tell_open(const struct addr *at, struct str name)
{
	char text[ADDR_TEXT_MAX];
	size_t n = addr_format(at, text);

	log_info("listener %.*s: %.*s", STR_FMT(name), (int)n, text);
}

/* *at becomes the address of the socket. */
static bool
open_first(const struct listener_conf *conf, struct activation *activation, struct addr *at, int *fd)
{
	bool is_unix = addr_is_unix(at);

	if (!str_is_none(conf->socket_name)) {
		*fd = activation_take(activation, conf->socket_name, conf->name);
		return *fd >= 0 && sock_local_addr(*fd, at) == ERR_NONE;
	}
	if ((!is_unix && sock_probe(at, conf->socket.is_v6only) != ERR_NONE) ||
	    sock_listen_as(at, &conf->socket, !is_unix, fd) != ERR_NONE ||
	    sock_local_addr(*fd, at) != ERR_NONE)
		return tell_failure(at, conf->name);
	return true;
}

/*
 * The kernel spreads connections over sockets of their own. A unix socket cannot be bound twice, and the service
 * manager's was bound by it: then all are one.
 */
static bool
open_next(const struct listener_conf *conf, const struct addr *at, int first, int *fd)
{
	if (addr_is_unix(at) || !str_is_none(conf->socket_name)) {
		*fd = fcntl(first, F_DUPFD_CLOEXEC, 0);
		return *fd >= 0;
	}
	return sock_listen_as(at, &conf->socket, true, fd) == ERR_NONE;
}

bool
listening_open(const struct listener_conf *conf, struct activation *activation, size_t n, int fds[])
{
	struct addr at = conf->address;

	if (!open_first(conf, activation, &at, &fds[0]))
		return false;
	for (size_t i = 1; i < n; i++) {
		if (open_next(conf, &at, fds[0], &fds[i]))
			continue;
		tell_failure(&at, conf->name);
		while (i-- > 0)
			close(fds[i]);
		return false;
	}
	tell_open(&at, conf->name);
	return true;
}

bool
listening_open_admin(const struct listener_conf *conf, int *fd)
{
	if (sock_listen(&conf->address, false, SOCK_BACKLOG, fd) != ERR_NONE)
		return tell_failure(&conf->address, conf->name);
	tell_open(&conf->address, conf->name);
	return true;
}

static void
unlink_socket(const struct addr *at)
{
	char text[ADDR_TEXT_MAX];

	if (!addr_is_unix(at))
		return;
	addr_format(at, text);
	if (text[5] != '@' && unlink(text + 5) != 0)
		log_warn("%s stays behind: %s", text, strerror(errno));
}

void
listening_unlink(const struct conf *c)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		unlink_socket(&c->listeners[i].address);
	if (!str_is_none(c->admin.socket.s))
		unlink_socket(&c->admin.socket_address);
}
