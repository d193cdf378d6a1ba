/*
 * The listening sockets of the configuration: opened, or taken over from the service manager, and told of. Main
 * thread, at start and at the end.
 */
#ifndef DAEMON_LISTENING_H
#define DAEMON_LISTENING_H

#include "conf/conf.h"
#include "daemon/activation.h"

/*
 * n sockets of one listener, of which its owner closes each. Port 0 is settled by the first. False after saying why;
 * none is open then.
 */
bool listening_open(
    const struct listener_conf *conf, struct activation *activation, size_t n, int fds[]);
/* The one of the admin pages. */
bool listening_open_admin(const struct listener_conf *conf, int *fd);
/* Removes the files of unix sockets that were made here. */
void listening_unlink(const struct conf *conf);

#endif
