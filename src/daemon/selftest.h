/*
 * `gatherd test`: the `tests` of a configuration, each a request through a whole worker without sockets, with the
 * upstreams answering as the test says. Main thread.
 */
#ifndef DAEMON_SELFTEST_H
#define DAEMON_SELFTEST_H

#include "base/buf.h"

struct selftest_options {
	const char *file;
	struct buf *tap;   /* TAP version 13 is appended */
	struct buf *junit; /* JUnit XML is appended; NULL: none is wanted */
};

/* Exit status: 0; 1 when a test fails or there is none; 78 with a bad file, told to standard error. */
int selftest_run(const struct selftest_options *options);

#endif
