/* Where an endpoint of an upstream is: what the main thread finds out of a name and tells the workers. */
#ifndef UPSTREAM_PLACE_H
#define UPSTREAM_PLACE_H

#include <stdbool.h>

#include "net/addr.h"

struct place {
	struct addr addr;
	struct addr other; /* the same server by the other family; has_other */
	bool has_other;
	uint64_t weight;   /* its share of the calls; from 1 */
	unsigned priority; /* of SRV (RFC 2782): the lowest number that can be reached is used */
};

#endif
