/*
 * `gatherd explain`: what the configuration makes of one request, told without a socket: the route, its calls
 * over time, limits with the places that they come from, and the requests that would leave. Main thread.
 */
#ifndef DAEMON_EXPLAIN_H
#define DAEMON_EXPLAIN_H

#include "base/buf.h"
#include "base/str.h"

struct explain_options {
	const char *file;
	struct str method;
	struct str url;
	struct str *fields; /* "Name: value" */
	size_t n_fields;
	struct str body;    /* none: no body */
	bool runs_mocks;    /* the request is also answered by the mock services, in memory */
};

/*
 * Appends the text. Exit status: 0; 1 when no route takes the request, or its syntax is refused; 78 with a bad
 * file, told to standard error.
 */
int explain_run(const struct explain_options *options, struct buf *out);

#endif
