/* Rules of a listener's socket: which options suit which address. */
#ifndef CONF_CONF_CHECK_SOCKET_H
#define CONF_CONF_CHECK_SOCKET_H

#include "conf/conf_check.h"

void conf_check_socket(const struct conf_check *check, const struct listener_conf *l);
/* What an upstream's servers cannot be told. */
void conf_check_socket_upstream(const struct conf_check *check, const struct upstream_conf *up);

#endif
