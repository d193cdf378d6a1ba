/* `gatherd explain --run-mocks`: the request answered by the mock services, in memory. */
#ifndef DAEMON_EXPLAIN_MOCKS_H
#define DAEMON_EXPLAIN_MOCKS_H

#include "base/buf.h"
#include "daemon/canned.h"
#include "daemon/generation.h"

/* Appends the answer and what each request to an upstream took. gen is of generation_read(). */
void explain_mocks_put(
    struct buf *out, const struct generation *gen, const struct canned *canned, struct arena *arena);

#endif
