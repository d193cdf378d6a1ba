/* Sockets of the service manager. Owned by the daemon; main thread. */
#include "daemon/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "net/sock.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

void
activation_init(struct activation *a)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	*a = (struct activation){ 0 };
	if (n < 0)
		log_warn("the sockets of the service manager cannot be used: %s", strerror(-n));
	if (n <= 0)
		return;
	a->n = (size_t)n;
	a->sockets = mem_calloc(a->n, sizeof *a->sockets);
	for (int i = 0; i < n; i++)
		a->sockets[i] = (struct activation_socket){ names[i], SD_LISTEN_FDS_START + i };
	free(names);
}
#else
void
activation_init(struct activation *a)
{
	*a = (struct activation){ 0 };
}
#endif

/* How many of that name there are; *out is the first. */
static size_t
find(const struct activation *a, struct str name, struct activation_socket **out)
{
	size_t n_found = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (!str_eq(str_c(a->sockets[i].name), name))
			continue;
		if (n_found++ == 0)
			*out = &a->sockets[i];
	}
	return n_found;
}

static const char *
fault_of(size_t n_found, const struct activation_socket *s)
{
	if (n_found == 0)
		return "the service manager passed no socket of that name "
		       "(FileDescriptorName= in the .socket unit)";
	if (n_found > 1)
		return "the service manager passed several sockets of that name; a listener takes one";
	if (s->fd < 0)
		return "another listener has that socket already";
	if (!sock_is_listening(s->fd))
		return "the socket of that name does not listen for streams "
		       "(ListenStream= and Accept=no in the .socket unit)";
	return NULL;
}

static bool
make_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

int
activation_take(struct activation *a, struct str name, struct str listener)
{
	struct activation_socket *s = NULL;
	size_t n_found = find(a, name, &s);
	const char *fault = fault_of(n_found, s);
	int fd;

	if (fault == NULL && !make_nonblocking(s->fd))
		fault = strerror(errno);
	if (fault != NULL) {
		log_error("listener %.*s: systemd:%.*s: %s", STR_FMT(listener), STR_FMT(name), fault);
		return -1;
	}
	fd = s->fd;
	s->fd = -1;
	return fd;
}

void
activation_tell_unused(const struct activation *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->sockets[i].fd >= 0)
			log_warn("no listener has the address systemd:%s; the socket of that name "
				 "is not used", a->sockets[i].name);
}

void
activation_fini(struct activation *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->sockets[i].fd >= 0)
			close(a->sockets[i].fd);
		free(a->sockets[i].name);
	}
	free(a->sockets);
	*a = (struct activation){ 0 };
}
