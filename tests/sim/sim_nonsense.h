/* Requests that must be refused, some with another one hidden in them. */
#ifndef SIM_NONSENSE_H
#define SIM_NONSENSE_H

#include "base/buf.h"
#include "sim.h"

/*
 * Writes one that carries the number of r, and marks r: neither it nor what it hides may reach a
 * server.
 */
void sim_nonsense_write(struct sim *s, struct sim_request *r, struct buf *out);

#endif
