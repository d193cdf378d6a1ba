/*
 * The product in the simulator: workers that share one area, and the invariants that hold for them.
 */
#ifndef SIM_WORKER_H
#define SIM_WORKER_H

#include "sim.h"

struct worker;

/* Configuration, shared area, env.n_workers workers that listen. */
void sim_worker_start_all(struct sim *s);
/* What must hold after every turn. */
void sim_worker_check(struct sim *s);
/* What must hold when no client and no server has anything more to do. */
void sim_worker_check_rest(struct sim *s);
/* One worker, chosen at random, begins to drain; false when that would be the last one. */
bool sim_worker_drain_one(struct sim *s);
/* The worker of one of them, chosen at random. */
struct worker *sim_worker_any(struct sim *s);
/* Begins to end them all at once, whatever is in flight. */
void sim_worker_stop(struct sim *s);
/* Ends them all and frees everything. */
void sim_worker_stop_all(struct sim *s);

#endif
