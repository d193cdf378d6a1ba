/* The request of one call, written from its plan and the client's request. */
#ifndef GATHER_CALL_REQUEST_H
#define GATHER_CALL_REQUEST_H

#include "gather/plan.h"
#include "upstream/uconn_h1.h"

/* The field lines that calls have in common: what gatherd says, and what `forward` lists. In the arena. */
struct str call_request_shared(
    const struct request *r, const struct forward_set *forward, struct arena *arena);
/*
 * Everything but `shared`, in canonical form, in the arena. ERR_MISSING_REFERENCE or ERR_BAD_PARAMETER when
 * a template cannot be evaluated: the call must not be sent.
 */
enum err_code call_request_build(const struct call_plan *cp, const struct template_env *env,
    struct arena *arena, struct h1_request *out);

/* The lines of fields that the configuration sets, in the arena; errors as above, of the first value that has one. */
enum err_code call_request_fields(const struct field_plan *fields, size_t n,
    const struct template_env *env, struct arena *arena, struct str *out);
/* Is one of these the key by which the server knows a repetition? */
bool call_request_has_key(const struct field_plan *fields, size_t n);

#endif
