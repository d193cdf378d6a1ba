/* What an episode is made of: drawn from its seed, and written as a configuration. */
#ifndef SIM_ENV_H
#define SIM_ENV_H

#include "base/buf.h"
#include "sim.h"

/* Fills s->env and the faults of s->world. */
void sim_env_draw(struct sim *s);
/* The configuration, as YAML. */
void sim_env_yaml(const struct sim *s, struct buf *out);
/* Where server i of upstream u listens. */
struct addr sim_env_server_addr(unsigned u, unsigned i);

#endif
