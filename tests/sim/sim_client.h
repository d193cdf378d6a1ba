/* Simulated clients: they send requests, in good manners or bad, and check every answer. */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "sim.h"

/* Starts env.n_clients of them; each goes on with new connections until all requests have begun. */
void sim_client_start_all(struct sim *s);

#endif
