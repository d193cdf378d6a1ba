/* The answer of a gather whose verdict is known: merged, passed on, or an error. */
#ifndef GATHER_GATHER_ANSWER_H
#define GATHER_GATHER_ANSWER_H

struct gather;
struct gather_call;

/* All that is there, in the order of the file; partial when something is missing. Sets g->answer. */
void gather_answer_merge(struct gather *g);
/* pass_errors: the answer of this call, body and all. */
void gather_answer_pass(struct gather *g, const struct gather_call *gc);
/* A problem that names this call and why it failed. */
void gather_answer_fail(struct gather *g, const struct gather_call *gc);

#endif
