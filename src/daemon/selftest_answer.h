/* What the upstreams of a test answer. */
#ifndef DAEMON_SELFTEST_ANSWER_H
#define DAEMON_SELFTEST_ANSWER_H

#include "conf/conf.h"
#include "daemon/rehearsal.h"

struct selftest_answer {
	const struct conf *conf;
	const struct test_conf *test;
	const struct route_conf *route; /* that the request finds; NULL: none */
	struct arena *arena;
};

/* A struct selftest_answer is the owner. */
extern const struct rehearsal_events selftest_answer_events;

#endif
