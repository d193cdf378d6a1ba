/*
 * The calls of one request, in flight, and the answer made of them: admission of all required calls before
 * the first one leaves, start of all at once, early verdict, merge in the order of the file.
 */
#ifndef GATHER_GATHER_H
#define GATHER_GATHER_H

#include "gather/answer.h"
#include "gather/plan.h"
#include "gather/request.h"
#include "upstream/call.h"

struct gather;

struct gather_events {
	/* Once; g->answer is settled. Never from inside gather_start(), never after gather_cancel(). */
	void (*on_done)(struct gather *g);
};

/* One call of the gather and what became of it. */
struct gather_call {
	struct call call;
	struct gather *gather; /* back pointer */
	const struct call_plan *plan;
	struct h1_request request;
	enum err_code error;     /* why the part is missing; ERR_NONE: it is there, or not known yet */
	bool is_settled;
	bool is_passed;          /* pass_errors: its answer becomes the client's */
	struct str content_type; /* of an answer that is passed on; in the arena */
	struct json_value part;  /* JSON_NONE: missing */
};

/* What a worker gives to all its gathers. */
struct gather_env {
	struct loop *loop;
	struct upstream *upstreams; /* by index in the configuration */
	struct json_scan *js;
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
	struct gather_call *calls; /* plan->n_calls of them, in the order of the file */
	size_t n_admitted; /* of plan->admission */
	size_t n_unsettled;
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

#endif
