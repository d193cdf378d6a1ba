/*
 * The calls of one request, in flight, and the answer made of them: admission of the required calls before
 * the first one leaves, every call as soon as what it refers to is there, early verdict, merge in the order of
 * the file.
 */
#ifndef GATHER_GATHER_H
#define GATHER_GATHER_H

#include "gather/answer.h"
#include "gather/fanout.h"
#include "gather/gather_env.h"
#include "gather/plan.h"
#include "gather/request.h"
#include "gather/task.h"
#include "upstream/permit_group.h"

struct gather;
struct gather_call;

struct gather_events {
	/*
	 * A call has settled, before on_done; maybe from inside gather_start(). Only to be noted: nothing of
	 * the gather may be called. NULL: the parts are merged; else they are not, and the answer has no body.
	 */
	void (*on_part)(struct gather *g, const struct gather_call *gc);
	/* Once; g->answer is settled. Never from inside gather_start(), never after gather_cancel(). */
	void (*on_done)(struct gather *g);
};

/*
 *     PENDING -> RUNNING -> SETTLED
 *     PENDING -> SETTLED   skipped (`when`), refused, or its request could not be written
 */
enum gather_call_state { GATHER_CALL_PENDING, GATHER_CALL_RUNNING, GATHER_CALL_SETTLED };

/* One call of the route and what became of it. */
struct gather_call {
	enum gather_call_state state;
	struct gather *gather; /* back pointer */
	const struct call_plan *plan;
	struct task task;      /* when the call is made once */
	struct fanout *fanout; /* when it is made for each item of a list, and has begun; in the arena */
	enum err_code error;   /* why the part is missing; ERR_NONE: it is there, skipped, or not known yet */
	size_t n_failed_items;      /* for_each: those without a result, */
	enum err_code items_error; /* and why the first of them has none */
	bool is_skipped;
	bool is_passed;          /* pass_errors: its answer becomes the client's */
	struct str content_type; /* then */
};

/* INIT -> ADMIT (permits of the required calls) -> RUN -> DONE */
enum gather_state { GATHER_INIT, GATHER_ADMIT, GATHER_RUN, GATHER_DONE };

struct gather {
	const struct plan *plan;
	const struct request *request;
	const struct gather_env *env;
	struct arena *arena;
	const struct gather_events *events;
	void *owner;
	struct gather_call *calls;   /* plan->n_calls of them, in the order of the file */
	struct template_call *known; /* what templates may see of them */
	size_t n_admitted;           /* of plan->admission; the next one is being asked for */
	struct permit_group group;   /* the permits of that one */
	uint64_t settled;            /* bits of the calls */
	uint64_t started_ns;
	uint64_t deadline_ns;
	struct template_env values; /* what templates refer to */
	struct str shared_fields;   /* of all requests to upstreams that forward the same */
	struct defer finish_later;
	enum gather_state state;
	struct answer answer;
};

/* In the arena of the exchange; env, plan and request outlive it. deadline_ns: of the loop's clock. */
struct gather *gather_new(struct arena *arena, const struct gather_env *env, const struct plan *plan,
    const struct request *request, uint64_t deadline_ns, const struct gather_events *events,
    void *owner);
void gather_start(struct gather *g);
/* Cancels every call; no event follows. Harmless when done. */
void gather_cancel(struct gather *g);
/* For logs: the (last) call that was made; it may never have been started. */
const struct call *gather_call_of(const struct gather_call *gc);

#endif
