/* One record of the access log. */
#ifndef SERVER_ACCESS_LOG_RECORD_H
#define SERVER_ACCESS_LOG_RECORD_H

#include "base/buf.h"

struct exchange;

/* Appends the JSON object of an exchange that is done, and a line feed. wall_ns: now. */
void access_log_record_write(const struct exchange *x, uint64_t wall_ns, struct buf *out);

#endif
