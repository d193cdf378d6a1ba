/* The rows of `listeners.NAME.socket`; they fill listener_conf.socket. */
#ifndef SERVER_LISTENER_SOCKET_CONF_H
#define SERVER_LISTENER_SOCKET_CONF_H

#include "base/conf_row.h"

extern const struct conf_section listener_socket_conf_section;

#endif
