/* IP addresses as text, alone: without brackets, a port or a zone. No state; any thread. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* "192.0.2.1" in network order; false and *out undefined when the text is anything else. */
bool ip_parse_v4(struct str text, uint8_t out[4]);
/* The same for IPv6: "2001:db8::1". */
bool ip_parse_v6(struct str text, uint8_t out[16]);

#endif
