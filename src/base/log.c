/* The one process-wide sink. Any thread: a line is one write(2). */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum log_level max_level = LOG_INFO;
static bool has_journal;

void
log_init(enum log_level max)
{
	max_level = max;
	has_journal = getenv("JOURNAL_STREAM") != NULL;
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	static const struct {
		const char *name;
		int priority; /* of syslog(3) */
	} levels[] = { { "error", 3 }, { "warning", 4 }, { "info", 6 } };
	char line[2048];
	size_t n = 0;
	va_list ap;
	int k;

	if (level > max_level)
		return;
	if (has_journal)
		k = snprintf(line, sizeof line, "<%d>", levels[level].priority);
	else
		k = snprintf(line, sizeof line, "gatherd: %s: ", levels[level].name);
	n += (size_t)k;
	va_start(ap, fmt);
	k = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
	va_end(ap);
	if (k > 0)
		n += (size_t)k < sizeof line - n - 1 ? (size_t)k : sizeof line - n - 2;
	line[n++] = '\n';
	/* A log that cannot be written has nowhere to be reported. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}
