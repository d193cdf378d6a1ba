/*
 * One request through a whole worker without a socket: memory streams, a clock that moves only when nothing else can,
 * and upstreams that answer as they are told or by their mock rules. The same request gives the same result every
 * time. Main thread.
 */
#ifndef DAEMON_REHEARSAL_H
#define DAEMON_REHEARSAL_H

#include <sys/queue.h>

#include "codec/h1_head.h"
#include "daemon/generation.h"

/* A request that reached an upstream. */
struct rehearsal_request {
	STAILQ_ENTRY(rehearsal_request) link;
	size_t upstream;   /* index in the configuration */
	struct str call;   /* name of the call that made it */
	size_t call_index; /* over all calls of the configuration; SIZE_MAX: nobody waits for it any more */
	struct str method;
	struct str target;
	uint64_t begin_ns; /* on the clock of the rehearsal, which begins with the client's request */
	uint64_t end_ns;   /* its answer was out, or gatherd left */
	bool has_ended;
	unsigned status;   /* of the answer; 0: none */
	bool is_unforeseen; /* nobody knew an answer */
};

enum rehearsal_end {
	REHEARSAL_KEEP,  /* the connection lives on */
	REHEARSAL_CLOSE, /* it ends behind the bytes */
	REHEARSAL_RESET, /* it is reset instead of an answer */
	REHEARSAL_NEVER, /* nothing comes */
};

struct rehearsal_answer {
	struct str bytes; /* lives as long as the rehearsal */
	unsigned status;
	uint64_t delay_ns;
	enum rehearsal_end end;
};

struct rehearsal_events {
	/* False: the upstream's mock answers, or nobody. */
	bool (*on_request)(
	    void *owner, const struct rehearsal_request *request, struct rehearsal_answer *out);
	/* Whether an upstream takes no connections. */
	bool (*is_refusing)(void *owner, size_t upstream);
};

struct rehearsal_setup {
	const struct generation *gen; /* of generation_read() */
	size_t listener;              /* through which the request comes, index in the configuration */
	struct str bytes;             /* of the client's request */
	enum http_method method;
	const struct rehearsal_events *events;
	void *owner;
	struct arena *arena; /* holds the result */
};

STAILQ_HEAD(rehearsal_request_list, rehearsal_request);

struct rehearsal_result {
	bool is_answered;    /* the answer is complete */
	unsigned status;
	struct header_list fields;
	struct str body;
	uint64_t took_ns;
	uint64_t begun_ns;    /* when the first byte of the body was there; 0: there is none */
	enum err_code reason; /* as the metrics have it */
	struct rehearsal_request_list requests; /* by the time at which they came, then by call */
	size_t n_requests;
};

void rehearsal_run(const struct rehearsal_setup *setup, struct rehearsal_result *out);

#endif
