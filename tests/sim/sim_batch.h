/*
 * Batches of the simulated clients: requests of their own that go out as the entries of one, and the answer that has
 * all of theirs. Each entry is checked as if it had come alone.
 */
#ifndef SIM_BATCH_H
#define SIM_BATCH_H

#include "sim.h"
#include "sim_http.h"

#define SIM_BATCH_MAX 6
#define SIM_BATCH_PARALLEL 3

/* Draws the entries of a batch and writes them as its body. Some may be missing when all requests have begun. */
void sim_batch_draw(struct sim *s, struct sim_request *r);
/* The batch is on its way, and so are its entries. */
void sim_batch_sent(const struct sim_request *r);
/* A whole answer to a batch: checks and settles the entries. */
void sim_batch_check(struct sim *s, struct sim_request *r, const struct sim_http *h);
/* The batch was refused, or is not answered: nor are its entries. */
void sim_batch_dropped(struct sim *s, struct sim_request *r, bool is_excused);

#endif
