/* What the file says of a route that passes everything on. */
#ifndef GATHER_PROXY_CONF_H
#define GATHER_PROXY_CONF_H

#include "base/conf_row.h"
#include "base/conf_value.h"

#define PROXY_CONF_UPGRADES 8

struct proxy_conf {
	struct conf_text upstream_name;
	size_t upstream; /* index in conf.upstreams */
	struct conf_text path; /* template; none: the client's path as it came */
	struct conf_pair_list headers; /* of the request; values are templates */
	struct str upgrades[PROXY_CONF_UPGRADES]; /* protocols that clients may change to */
	size_t n_upgrades;
	struct {
		uint64_t idle_ns;
		uint64_t most_ns; /* 0: for as long as both sides like */
	} tunnel;
};

/* The rows; their offsets are those of struct route_conf. */
extern const struct conf_section proxy_conf_section;

#endif
