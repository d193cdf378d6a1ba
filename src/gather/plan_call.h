/* Compiles one call of a route. At load. */
#ifndef GATHER_PLAN_CALL_H
#define GATHER_PLAN_CALL_H

#include "gather/plan.h"

/* What the compilation of a route knows; plan->calls[] are filled one by one. */
struct plan_call_setup {
	struct arena *arena;
	const struct plan_setup *route;
	const struct template_params *params; /* with the names of the calls */
	struct plan_fault *fault;
};

/* *uses gathers what all its texts refer to. */
enum err_code plan_call_compile(const struct plan_call_setup *setup, const struct call_conf *conf,
    struct call_plan *cp, struct template_uses *uses);
/* "/products?ids={items}": the path, and the query or none. */
void plan_call_split_path(struct str text, struct str *path, struct str *query);
/* How many requests leave for a call at most. */
uint64_t plan_call_requests(const struct call_plan *cp);

#endif
