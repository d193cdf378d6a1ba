/*
 * Listening sockets that the service manager has opened and handed over by name (sd_listen_fds(3)). They outlive
 * the process, so that no client is refused while it is started anew. Main thread, at start and at the end.
 */
#ifndef DAEMON_ACTIVATION_H
#define DAEMON_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct activation_socket {
	char *name; /* owned */
	int fd;     /* owned; -1: taken */
};

struct activation {
	struct activation_socket *sockets; /* owned */
	size_t n;
};

/* Finds out what was handed over, and clears the environment of it. */
void activation_init(struct activation *a);
/*
 * The listening socket of that name, non-blocking, which is the caller's from now on; -1 after saying for which
 * listener it is missing, or what is wrong with it.
 */
int activation_take(struct activation *a, struct str name, struct str listener);
/* Warns of those that nobody took. */
void activation_tell_unused(const struct activation *a);
void activation_fini(struct activation *a);

#endif
