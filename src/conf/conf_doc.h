/* doc/reference.md out of the rows. */
#ifndef CONF_CONF_DOC_H
#define CONF_CONF_DOC_H

#include "base/buf.h"

/* The whole page, Markdown. */
void conf_doc(struct buf *out);

#endif
