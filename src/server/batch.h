/*
 * A route that takes a JSON array of requests to the daemon's own routes. Each entry is an exchange of its own, on a
 * stream that is no connection: its answer is collected. Entries begin in their order, a bounded number at once, and
 * the batch holds no permit meanwhile: each entry has its own. Lives in the arena of its exchange.
 */
#ifndef SERVER_BATCH_H
#define SERVER_BATCH_H

#include "server/exchange.h"

/*
 * Starts the entries of the batch that the body of the request is. ERR_BAD_BODY or ERR_BATCH_TOO_LARGE: nothing was
 * started. No event comes from inside.
 */
enum err_code batch_start(struct exchange *x);
/* The time of the batch is over: what has not been answered says so. Goes on with the exchange as its last act. */
void batch_on_deadline(struct batch *b);
/* Aborts what is under way; harmless when done. */
void batch_cancel(struct batch *b);

#endif
