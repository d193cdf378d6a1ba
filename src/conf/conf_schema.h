/* conf/gatherd.schema.json out of the rows: for editors, not for the daemon, which knows more. */
#ifndef CONF_CONF_SCHEMA_H
#define CONF_CONF_SCHEMA_H

#include "base/buf.h"

/* The whole schema, JSON Schema draft 7, indented. */
void conf_schema(struct buf *out);

#endif
