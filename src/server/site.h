/*
 * What a listener serves: the compiled routes and the way to find them. Built once per
 * configuration (and once for the mock services), read-only afterwards; any thread. Lives in the
 * arena of its configuration.
 */
#ifndef SERVER_SITE_H
#define SERVER_SITE_H

#include "gather/json_template.h"
#include "gather/plan.h"
#include "server/router.h"

/* A static answer. */
struct reply_plan {
	struct field_plan *fields;
	size_t n_fields;
	struct template body;       /* no ops: none */
	struct json_template *json; /* NULL: none */
	bool needs_body;            /* the client's body is read first */
	bool needs_body_json;       /* and must be JSON */
};

/* A streamed route. */
struct proxy_plan {
	size_t upstream;
	bool has_path;
	struct template path;      /* with has_path; else the client's own path goes on */
	struct field_plan *fields; /* response.headers.set */
	size_t n_fields;
	struct field_plan *request_fields; /* headers */
	size_t n_request_fields;
	struct forward_set *forward; /* what of the client's fields crosses beside those; NULL: all */
	size_t call_index; /* over all calls, for metrics */
};

struct route {
	const struct route_conf *conf;
	size_t index;         /* in the configuration */
	struct require *require; /* NULL: nothing */
	uint64_t calls_bytes; /* most that the bodies of its calls may take */
	union {               /* by conf->kind */
		struct plan *calls;
		struct proxy_plan proxy;
		struct reply_plan reply;
	} plan;
};

/* A call of the configuration, by its index: what its metrics are labelled with. */
struct site_call {
	struct str route;
	struct str call;
	size_t upstream;
};

struct site {
	struct route *routes;
	size_t n_routes;
	struct router *router;
	struct site_call *calls;
	size_t n_calls;
};

struct site_conf {
	const struct route_conf *routes;
	size_t n_routes;
	const struct upstream_conf *upstreams;
};

/*
 * Into the arena; conf's arrays outlive the site. ERR_BAD_CONFIG with *fault set to the first
 * mistake (`gatherd check` has told all of them before).
 */
enum err_code site_build(
    struct arena *arena, const struct site_conf *conf, struct site **out, struct plan_fault *fault);

#endif
