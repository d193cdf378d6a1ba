/*
 * The header fields of a gathered answer: what is missing (Proxy-Status), what is copied from the calls' answers,
 * what the route sets.
 */
#ifndef GATHER_ANSWER_FIELDS_H
#define GATHER_ANSWER_FIELDS_H

#include "gather/meta.h"

struct gather;
struct plan;
struct plan_fault;
struct response_conf;

/* One entry of response.headers.copy: "user: ETag" or "user: *". */
struct copy_plan {
	size_t call;
	struct str name; /* none: every field that may cross and does not describe the body */
};

/* Compiles response.headers.copy into plan->copies; marks the calls whose fields are kept. */
enum err_code answer_fields_compile(
    struct arena *arena, const struct response_conf *conf, struct plan *plan, struct plan_fault *fault);
/*
 * Complete field lines in the arena: one Proxy-Status member per missing call (RFC 9209), the copied fields, those
 * that are set. Repeats: every Set-Cookie is copied; of Cache-Control the strictest of all calls it is copied from
 * stays, a call without it counting as no-cache; of others the first call's are copied. A field that is set is not
 * copied. What response.headers.remove lists is left out.
 */
struct str answer_fields_write(struct gather *g, const struct meta_call *missing, size_t n_missing);
/* The value of the first field with this name among such lines; none when there is none. */
struct str answer_fields_value(struct str fields, struct str name);

#endif
