/* The rows of `upstreams.NAME.discover`. */
#ifndef UPSTREAM_UPSTREAM_DISCOVER_CONF_H
#define UPSTREAM_UPSTREAM_DISCOVER_CONF_H

#include "base/conf_row.h"

extern const struct conf_section upstream_discover_conf_section;

#endif
