/* Streams over kernel sockets (TCP and unix), with libevent for readiness. */
#ifndef NET_STREAM_TCP_H
#define NET_STREAM_TCP_H

#include <stdbool.h>

#include "net/stream.h"

/*
 * Whether the kernel has what stream_encrypt() asks for. It may look for its module for that: for
 * start-up and reload.
 */
bool stream_tcp_can_encrypt(void);
/* Takes over an accepted, non-blocking socket, which has its options from the one that listened. */
struct stream *stream_tcp_accepted(
    struct loop *loop, int fd, const struct stream_events *events, void *owner);
/* loop_ops.connect of the real loop. */
struct stream *stream_tcp_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner);

#endif
