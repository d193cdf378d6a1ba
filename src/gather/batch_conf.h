/* What the file says of a route that takes batches of requests. */
#ifndef GATHER_BATCH_CONF_H
#define GATHER_BATCH_CONF_H

#include "base/conf_row.h"

struct batch_conf {
	uint64_t max;            /* entries of one batch */
	uint64_t parallel;       /* of them under way at once */
	uint64_t max_body_bytes; /* of one entry's answer */
};

/* The rows; their offsets are those of struct route_conf. */
extern const struct conf_section batch_conf_section;

#endif
