/* Reports of tests, as TAP version 13 and as JUnit XML. */
#ifndef DAEMON_SELFTEST_REPORT_H
#define DAEMON_SELFTEST_REPORT_H

#include "base/buf.h"
#include "conf/conf.h"
#include "daemon/rehearsal.h"

/* What became of one test. */
struct selftest_report {
	const struct conf *conf;
	const struct test_conf *test;
	const struct rehearsal_result *result;
	struct str differences; /* lines; empty: it passed */
};

void selftest_report_tap(struct buf *out, size_t number, const struct selftest_report *r);
/* `<testsuite>` opens before the first and closes behind the last case. */
void selftest_report_junit_begin(struct buf *out, const char *file, size_t n_tests);
void selftest_report_junit(struct buf *out, const struct selftest_report *r);
void selftest_report_junit_end(struct buf *out);

#endif
