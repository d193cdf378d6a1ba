/*
 * The daemon's own messages (not the access log). One sink per process: standard error, lines written
 * whole. Under systemd (JOURNAL_STREAM set) each line carries its <priority>.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compiler.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };

/* Call once, before threads start. Messages above `max` are dropped. */
void log_init(enum log_level max);
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)

#endif
