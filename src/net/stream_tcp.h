/* Streams over kernel sockets (TCP and unix), with libevent for readiness. */
#ifndef NET_STREAM_TCP_H
#define NET_STREAM_TCP_H

#include "net/stream.h"

/* Takes over an accepted, non-blocking socket, which has its options from the one that listened. */
struct stream *stream_tcp_accepted(
    struct loop *loop, int fd, const struct stream_events *events, void *owner);
/* loop_ops.connect of the real loop. */
struct stream *stream_tcp_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner);

#endif
