/* A route of kind `calls`, compiled at load: nothing of it is parsed per request. Read-only, any thread. */
#ifndef GATHER_PLAN_H
#define GATHER_PLAN_H

#include "gather/answer_fields.h"
#include "gather/condition.h"
#include "gather/forward_set.h"
#include "gather/json_template.h"
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
	struct template path_query; /* what follows a question mark in `path` */
	struct query_plan *query;
	size_t n_query;
	struct field_plan *fields;
	size_t n_fields;
	struct template body;
	struct json_template *json; /* NULL: none */
	struct str default_json;    /* none: no default */
	struct condition *when;     /* NULL: always */
	struct template list;       /* of for_each; no ops: the call is made once */
	struct json_path match;     /* batch.match */
	struct shape *shape;        /* NULL: the part is the answer as received */
	struct json_path zip;       /* into: within the part of zip_into, one "[]" in it; no steps: not zipped */
	size_t zip_into;            /* the call whose part takes the results */
	uint64_t deps;              /* bits of the calls that must have ended before */
	bool is_certain;            /* it runs whatever other calls do: its permit can be taken ahead */
	bool keeps_type;            /* its Content-Type is wanted */
	bool keeps_body;            /* some template refers to the body as received, or errors tell it */
	bool keeps_fields;          /* some template refers to the fields of its answer */
	struct forward_set forward_headers;
	struct forward_set forward_query;
	bool has_content_type;      /* `headers` sets it */
	struct str accept_encoding; /* a field line; empty: none */
	bool shares_forward;        /* forwards the same as the first call */
	size_t index;               /* over all calls of the configuration, for metrics */
};

/* One rule of response.status. */
struct status_plan {
	struct condition *when; /* NULL: always */
	struct template status;
};

/* The calls to one upstream that are required and certain to run. */
struct admission_plan {
	uint64_t upstream;
	uint64_t calls; /* bits */
};

struct plan {
	const struct route_conf *conf;
	struct call_plan *calls; /* in the order of the file */
	size_t n_calls;
	struct admission_plan *admission; /* in the order of the upstreams: permits are taken in this order */
	size_t n_admission;
	struct merge_plan *merge;
	struct merge_place *places; /* of the calls, by index */
	size_t *merged;             /* the calls whose parts are merged, by index in the merge plan */
	size_t n_merged;            /* all but those that are zipped into others */
	struct answer_shape *answer_shape; /* NULL: the answer is the merged one */
	struct field_plan *set_headers;
	size_t n_set_headers;
	struct copy_plan *copies; /* response.headers.copy */
	size_t n_copies;
	struct status_plan *status; /* the first that holds counts */
	size_t n_status;
	struct template body; /* response.body; no ops, and no `json`: the merged answer */
	struct json_template *json; /* response.json */
	bool has_waits;       /* some call waits for another */
	bool needs_body;      /* the client's body is read before the calls start */
	bool needs_body_json; /* and must be JSON */
};

struct plan_setup {
	const struct route_conf *conf;
	const struct upstream_conf *upstreams;
	const struct template_params *params;
	size_t first_call; /* index of its first call over all calls of the configuration */
};

/* Why a route cannot be compiled. */
struct plan_fault {
	struct conf_pos where;
	char message[256];
};

/* Sets it. Always ERR_BAD_CONFIG. */
enum err_code plan_fault_at(struct plan_fault *fault, const struct conf_pos *where, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/*
 * Compiles a route into the arena; what the setup points to outlives the plan, but for setup itself.
 * ERR_BAD_CONFIG with *fault set when a template, a path or the merge cannot be.
 */
enum err_code plan_compile(
    struct arena *arena, const struct plan_setup *setup, struct plan **out, struct plan_fault *fault);
/* field_plans for `name: template` pairs; for replies and response.headers.set as well. */
enum err_code plan_fields(struct arena *arena, const struct conf_pair_list *pairs,
    const struct template_params *params, struct field_plan **out, struct plan_fault *fault);
/* A condition of the configuration, its error told with its place. */
enum err_code plan_condition(struct arena *arena, const struct conf_text *text,
    const struct template_params *params, struct condition **out, struct plan_fault *fault);
/* JSON with references, its error told with its place. *out stays NULL when the configuration has none. */
enum err_code plan_json(struct arena *arena, const struct conf_json *tree, const struct template_params *params,
    struct json_template **out, struct plan_fault *fault);
/* What templates of this route may refer to beside its path's parameters: its calls, by name. */
void plan_name_calls(struct arena *arena, const struct route_conf *conf, struct template_params *params);
/* A template of the configuration, its error told with its place. */
enum err_code plan_template(struct arena *arena, const struct conf_text *text, enum template_place place,
    const struct template_params *params, struct template *out, struct plan_fault *fault);

#endif
