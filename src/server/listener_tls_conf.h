/* The keys of `tls` of a listener. */
#ifndef SERVER_LISTENER_TLS_CONF_H
#define SERVER_LISTENER_TLS_CONF_H

#include "base/conf_row.h"

extern const struct conf_section listener_tls_conf_section;

#endif
