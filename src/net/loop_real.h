/* The loop of the real world: kernel sockets and clocks, libevent for readiness. */
#ifndef NET_LOOP_REAL_H
#define NET_LOOP_REAL_H

#include <event2/event.h>

#include "net/loop.h"

/* NULL when the system refuses (logged). Free with loop_free(). */
struct loop *loop_real_new(void);
/* For streams and acceptors: where their events are assigned. The loop must be of loop_real_new(). */
struct event_base *loop_real_base(struct loop *loop);

#endif
