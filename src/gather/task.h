/* One request of a route's call and the part that its answer becomes. */
#ifndef GATHER_TASK_H
#define GATHER_TASK_H

#include "gather/gather_env.h"
#include "gather/plan.h"
#include "upstream/call.h"

struct task {
	struct call call;
	struct h1_request request;
	const struct call_plan *plan; /* borrowed, as everything below but what is in the arena */
	const struct gather_env *env;
	struct arena *arena;
	void (*on_done)(struct task *t); /* once, never from inside task_start(), never after a cancel */
	void *owner;                     /* back pointer */

	enum err_code error;              /* settled with on_done */
	bool is_passed;                   /* pass_errors: its answer becomes the client's */
	struct str content_type;          /* then, and with plan->keeps_type; in the arena */
	struct json_value body;           /* as received; JSON_NONE when there is an error */
	struct json_value result;         /* as shaped; likewise */
	const struct header_list *fields; /* when plan->keeps_fields; in the arena */
};

void task_init(struct task *t, const struct call_plan *plan, const struct gather_env *env,
    struct arena *arena);
/*
 * Writes the request. shared: see h1_request. ERR_MISSING_... or ERR_BAD_... of template_eval() when it cannot be
 * written, and so must not be sent.
 */
enum err_code task_build(struct task *t, const struct template_env *values, struct str shared);
void task_start(struct task *t, uint64_t deadline_ns);
void task_cancel(struct task *t);

#endif
