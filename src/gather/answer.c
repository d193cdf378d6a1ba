/* Answers that are errors, and small bodies. No state. */
#include "gather/answer.h"

#include "base/compiler.h"

void
answer_set_body(struct answer *out, struct arena *arena, struct str content_type, struct str body)
{
	out->content_type = content_type;
	out->body = arena_alloc(arena, sizeof *out->body);
	out->body[0] = str_iov(body);
	out->n_body = 1;
	out->body_bytes = body.n;
}

static void
set_problem(struct answer *out, struct arena *arena, const struct meta_problem *problem)
{
	*out = (struct answer){ .status = problem->status, .reason = problem->error };
	if (problem->status == 503)
		out->retry_after_s = ANSWER_RETRY_AFTER_S;
	answer_set_body(
	    out, arena, STR("application/problem+json"), meta_of_problem(arena, problem));
}

void
answer_problem(struct answer *out, struct arena *arena, enum err_code e, struct str call)
{
	const struct meta_problem problem = { .status = err_status(e), .error = e, .call = call };

	set_problem(out, arena, &problem);
}

void
answer_problem_because(struct answer *out, struct arena *arena, enum err_code e, struct str why)
{
	const struct meta_problem problem = { .status = err_status(e), .error = e, .detail = why };

	set_problem(out, arena, &problem);
}

void
answer_problem_of(struct answer *out, struct arena *arena, enum err_code e, struct str call,
    const struct meta_detail *detail)
{
	const struct meta_problem problem = {
		.status = err_status(e),
		.error = e,
		.call = call,
		.upstream = *detail,
	};

	set_problem(out, arena, &problem);
}
