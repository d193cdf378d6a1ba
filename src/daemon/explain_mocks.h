/* `gatherd explain --run-mocks`: the request answered by the mock services, in memory. */
#ifndef DAEMON_EXPLAIN_MOCKS_H
#define DAEMON_EXPLAIN_MOCKS_H

#include "base/buf.h"
#include "daemon/canned.h"
#include "daemon/generation.h"

struct explain_mocks_setup {
	const struct generation *gen; /* of generation_read() */
	const struct canned *canned;
	size_t listener; /* through which it comes */
	struct arena *arena;
};

/* Appends the answer and what each request to an upstream took. */
void explain_mocks_put(struct buf *out, const struct explain_mocks_setup *setup);

#endif
