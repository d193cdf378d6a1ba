/* The rules of `tls`, on either side; see conf_check.h. Reads certificates and keys. */
#ifndef CONF_CONF_CHECK_TLS_H
#define CONF_CONF_CHECK_TLS_H

#include "conf/conf_check.h"

/*
 * Settles paths, and that the section is there at all; then loads everything once, to see that it
 * can be.
 */
void conf_check_tls_listener(const struct conf_check *check, struct listener_conf *l);
void conf_check_tls_upstream(const struct conf_check *check, struct upstream_conf *up);

#endif
