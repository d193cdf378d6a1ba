/* What a worker gives to all its gathers. */
#ifndef GATHER_GATHER_ENV_H
#define GATHER_GATHER_ENV_H

struct json_scan;
struct loop;
struct upstream;

struct gather_env {
	struct loop *loop;
	struct upstream *upstreams; /* by index in the configuration */
	struct json_scan *js;
};

#endif
