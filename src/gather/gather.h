/*
 * The calls of one request, in flight, and the answer made of them: admission of all required calls before
 * the first one leaves, start of all at once, early verdict, merge in the order of the file.
 */
#ifndef GATHER_GATHER_H
#define GATHER_GATHER_H

#include "gather/plan.h"
#include "gather/request.h"
#include "upstream/call.h"

struct gather;

/* What the client gets. Memory: the exchange's arena and the calls' buffers, until the exchange is done. */
struct answer {
	unsigned status;
	enum err_code reason;    /* ERR_NONE, or why it is not the full answer */
	bool is_partial;
	struct str content_type; /* none: no body */
	struct str fields;       /* further complete field lines: response.headers, Proxy-Status */
	unsigned retry_after_s;  /* 0: no Retry-After */
	struct iovec *body;
	size_t n_body;
	uint64_t body_bytes;
};

struct gather_events {
	/* Once; g->answer is settled. Never from inside gather_start(), never after gather_cancel(). */
	void (*on_done)(struct gather *g);
};

struct gather_call {
	struct call call;
	struct gather *gather;            /* back pointer */
	const struct call_plan *plan;
	struct h1_request request;
	enum err_code error; /* why the part is missing; ERR_NONE when it is there */
	bool is_settled;
	struct str part; /* JSON text of the part when settled without error */
};

/* What a worker gives to all its gathers. */
struct gather_env {
	struct loop *loop;
	struct upstream *upstreams; /* by index in the configuration */
	struct json_scan *js;
};

struct gather {
	const struct plan *plan;
	const struct request *request;
	const struct gather_env *env;
	struct arena *arena;
	const struct gather_events *events;
	void *owner;
	struct gather_call *calls; /* plan->n_calls of them, in the order of the file */
	size_t n_admitted;
	size_t n_unsettled;
	uint64_t started_ns;
	uint64_t deadline_ns;
	struct str client_body_json; /* span of the parsed request body, when the plan refers to it */
	struct defer finish_later;
	enum gather_state { GATHER_INIT, GATHER_ADMIT, GATHER_RUN, GATHER_DONE } state;
	struct answer answer;
};

/* In the arena of the exchange; env, plan and request outlive it. deadline_ns: of the loop's clock. */
struct gather *gather_new(struct arena *arena, const struct gather_env *env, const struct plan *plan,
    const struct request *request, uint64_t deadline_ns, const struct gather_events *events,
    void *owner);
void gather_start(struct gather *g);
/* Cancels every call; no event follows. Harmless when done. */
void gather_cancel(struct gather *g);
/*
 * An answer that is an error (RFC 9457 problem+json with the reason token), for verdicts of gather and of the
 * floors above it. call: the name of the call that decided, or none.
 */
void answer_problem(struct answer *out, struct arena *arena, enum err_code e, struct str call);

#endif
