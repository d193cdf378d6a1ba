/* The JSON that gatherd itself says: metadata of partial answers, problem bodies (RFC 9457). */
#ifndef GATHER_META_H
#define GATHER_META_H

#include "base/arena.h"
#include "base/err.h"

#define META_BODY_MAX 1024 /* bytes of an upstream's body that are shown */

/* What the upstream of a failed call said; status 0: nothing is told of it. */
struct meta_detail {
	unsigned status;
	struct str body; /* the beginning of it; may be empty */
};

/* A call whose part, or something of it, is missing from the answer. */
struct meta_call {
	struct str name;
	enum err_code error;
	size_t n_items; /* of a for_each that are null for it; 0: the whole part is missing */
	uint64_t ms; /* from the start of the request to the failure */
	struct meta_detail detail;
};

/*
 * {"complete":false,"calls":{"orders":{"error":"timeout","ms":400}}} in the arena; with no calls
 * {"complete":true}. Of a part that has gaps it says `"items":2` besides.
 */
struct str meta_of_calls(struct arena *a, const struct meta_call *calls, size_t n);

/* Why a request was not served. */
struct meta_problem {
	unsigned status;
	struct str detail; /* a sentence for people; none: the error's own */
	struct str call;   /* name of the call that decided; none: no call did */
	enum err_code error;
	struct meta_detail upstream;
};

/* A body of application/problem+json in the arena. */
struct str meta_of_problem(struct arena *a, const struct meta_problem *problem);

#endif
