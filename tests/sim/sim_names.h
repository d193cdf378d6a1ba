/* Names of servers: which addresses they have, and how that changes while requests are under way. */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "sim.h"

struct worker;

/* What is known of the names when a worker is made. */
void sim_names_begin(struct sim *s, struct worker *w);
/* From now on they change. */
void sim_names_plan(struct sim *s);

#endif
