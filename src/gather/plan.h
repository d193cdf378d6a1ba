/* A route of kind `calls`, compiled at load: nothing of it is parsed per request. Read-only, any thread. */
#ifndef GATHER_PLAN_H
#define GATHER_PLAN_H

#include "gather/merge.h"
#include "gather/route_conf.h"
#include "gather/template.h"
#include "upstream/upstream_conf.h"

struct query_plan {
	struct str name; /* encoded, ready to write */
	struct template value;
};

struct field_plan {
	struct str name;
	struct template value;
};

struct call_plan {
	const struct call_conf *conf;
	const struct upstream_conf *upstream;
	enum http_method method;
	struct template path;
	struct query_plan *query;
	size_t n_query;
	struct field_plan *fields;
	size_t n_fields;
	struct template body;
	struct json_template *json; /* NULL: none */
	struct str default_json;    /* none: no default */
	size_t index;               /* over all calls of the configuration, for metrics */
};

struct plan {
	const struct route_conf *conf;
	struct call_plan *calls; /* in the order of the file */
	size_t n_calls;
	size_t *admission;       /* required calls ordered by upstream: permits are taken in this order */
	size_t n_admission;
	struct merge_plan *merge;
	struct field_plan *set_headers;
	size_t n_set_headers;
	bool needs_body;      /* the client's body is read before the calls start */
	bool needs_body_json; /* and must be JSON */
};

/*
 * Compiles a route. conf and upstreams outlive the plan. ERR_BAD_CONFIG with *where and *error when a
 * template is wrong (`gatherd check` has said so before).
 */
enum err_code plan_compile(struct arena *arena, const struct route_conf *conf,
    const struct upstream_conf *upstreams, const struct template_params *params, struct plan **out,
    struct conf_pos *where, struct template_error *error);

#endif
