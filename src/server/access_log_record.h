/* One record of the access log. */
#ifndef SERVER_ACCESS_LOG_RECORD_H
#define SERVER_ACCESS_LOG_RECORD_H

#include "base/buf.h"

struct exchange;

/* The text of the second of the last record, which is most often that of the next. Starts zeroed. */
struct access_log_record_clock {
	uint64_t second;
	char text[20]; /* 2026-01-31T23:59:59 */
};

/* Appends the JSON object of an exchange that is done, and a line feed. wall_ns: now. */
void access_log_record_write(const struct exchange *x, struct access_log_record_clock *clock,
    uint64_t wall_ns, struct buf *out);

#endif
