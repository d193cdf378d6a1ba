/* The keys of `tls` of an upstream. */
#ifndef UPSTREAM_UPSTREAM_TLS_CONF_H
#define UPSTREAM_UPSTREAM_TLS_CONF_H

#include "base/conf_row.h"

extern const struct conf_section upstream_tls_conf_section;

#endif
