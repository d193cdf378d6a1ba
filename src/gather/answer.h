/* What the client gets, whoever made it. */
#ifndef GATHER_ANSWER_H
#define GATHER_ANSWER_H

#include <sys/uio.h>

#include "base/arena.h"
#include "base/err.h"
#include "gather/meta.h"

#define ANSWER_RETRY_AFTER_S 1 /* of 503: queues are short, a second later is another load */

/* Memory: the exchange's arena and the calls' buffers, until the exchange is done. */
struct answer {
	unsigned status;
	enum err_code reason;    /* ERR_NONE, or why it is not the full answer */
	bool is_partial;
	struct str content_type; /* none: not told */
	struct str fields;       /* further complete field lines: response.headers, Proxy-Status */
	unsigned retry_after_s;  /* 0: no Retry-After */
	struct iovec *body;      /* only to be read */
	size_t n_body;
	uint64_t body_bytes;
	bool is_length_untold; /* to HEAD: what the length of the body would be is not known */
};

/* A body of one piece. */
void answer_set_body(struct answer *out, struct arena *arena, struct str content_type, struct str body);
/*
 * The answer that an error makes (RFC 9457 problem+json with the reason token; Retry-After where it was shed).
 * call: name of the call that decided, or none.
 */
void answer_problem(struct answer *out, struct arena *arena, enum err_code e, struct str call);
/* The same with a sentence of its own in place of the error's. */
void answer_problem_because(
    struct answer *out, struct arena *arena, enum err_code e, struct str why);
/* The same, telling what the upstream of that call said. */
void answer_problem_of(struct answer *out, struct arena *arena, enum err_code e, struct str call,
    const struct meta_detail *detail);

#endif
