/*
 * The calls of a `for_each`: one per item, or per batch of items, at most `parallel` at once, their results in
 * the order of the items. What an item's call needs while it runs is given back when it ends, so that many items
 * take little more memory than their results.
 */
#ifndef GATHER_FANOUT_H
#define GATHER_FANOUT_H

#include "gather/task.h"

/* What an item takes of the request's memory, beside its own bytes and its result. */
#define FANOUT_ITEM_BYTES 80

struct fanout;

struct fanout_setup {
	const struct call_plan *plan;
	const struct gather_env *env;
	struct arena *arena;               /* holds the fanout and the results */
	const struct template_env *values; /* of the gather; the item is the fanout's business */
	struct str shared;                 /* see task_build() */
	uint64_t deadline_ns;
	/* Once, never from inside fanout_start(), never after a cancel: fanout_result() is settled. */
	void (*on_done)(struct fanout *f);
	void *owner;
};

/*
 * Begins with the items that plan->list names. ERR_TOO_MANY_ITEMS, or what template_eval_list() says: nothing was
 * begun and on_done will not come.
 */
enum err_code fanout_start(const struct fanout_setup *setup, struct fanout **out);
void fanout_cancel(struct fanout *f);
void *fanout_owner(const struct fanout *f);
/*
 * ERR_NONE and an array with one element per item, null (or the call's default) for those that failed; or the
 * first failure, when the call is required and has no default.
 */
enum err_code fanout_result(const struct fanout *f, struct json_value *out);
/*
 * How many items have no result because their call failed (equal ones of `distinct` count once), and why the
 * first has none.
 */
size_t fanout_failed_items(const struct fanout *f, enum err_code *first);
/* pass_errors: fanout_last_call() got an answer that becomes the client's; its Content-Type, or none. */
bool fanout_is_passed(const struct fanout *f, struct str *content_type);
/* For logs: the last call made. */
const struct call *fanout_last_call(const struct fanout *f);

#endif
