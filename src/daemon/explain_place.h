/* Lines about values of the configuration: what they are, and where they stand. No state. */
#ifndef DAEMON_EXPLAIN_PLACE_H
#define DAEMON_EXPLAIN_PLACE_H

#include "base/buf.h"
#include "base/conf_value.h"

/*
 * The value of a key below an item of the effective configuration ("timeouts.total") as "  label   value   file:line
 * key path", or "built-in" where no file says it. Nothing when the key has no value, or a built-in 0, which limits
 * nothing.
 */
void explain_place_line(
    struct buf *out, const char *label, const struct conf_pos *item, const char *path);
/* "file:line". */
void explain_place_at(struct buf *out, const struct conf_pos *pos);

#endif
