/* Simulated upstream servers: they check what arrives and answer by script. */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "sim.h"

/* All servers of the episode, listening. */
void sim_server_start_all(struct sim *s);
/* All of them gone, with their connections. */
void sim_server_stop_all(struct sim *s);

#endif
