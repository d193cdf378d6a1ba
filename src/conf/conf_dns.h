/* The rows of `dns`. */
#ifndef CONF_CONF_DNS_H
#define CONF_CONF_DNS_H

#include "base/conf_row.h"

extern const struct conf_section conf_dns_section;

#endif
