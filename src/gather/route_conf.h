/* What the file says of one route, after inheritance. Templates are not compiled yet. */
#ifndef GATHER_ROUTE_CONF_H
#define GATHER_ROUTE_CONF_H

#include <stdbool.h>

#include "base/conf_row.h"
#include "base/conf_value.h"
#include "gather/batch_conf.h"
#include "gather/call_conf.h"
#include "gather/compress_conf.h"
#include "gather/proxy_conf.h"
#include "gather/response_conf.h"
#include "gather/require.h"
#include "upstream/upstream_conf.h"

/* How an answer that calls give is written. */
enum route_format { FORMAT_JSON, FORMAT_NDJSON, FORMAT_SSE, FORMAT_MULTIPART, FORMAT_COUNT };
enum route_kind { ROUTE_CALLS, ROUTE_PROXY, ROUTE_REPLY, ROUTE_BATCH };

struct reply_conf {
	uint64_t status;
	struct conf_pair_list headers; /* values are templates */
	struct conf_text body;         /* template */
	struct conf_json json;         /* template; sets Content-Type */
	uint64_t delay_ns;             /* mock services only */
};

struct route_conf {
	struct str name; /* given, or made from its path */
	struct conf_pos pos;
	struct conf_text path; /* template such as /users/{id}/files/{rest...} */
	struct conf_text_list methods; /* empty: any */
	uint64_t timeout_ns;
	uint64_t max_request_body_bytes; /* min with the listener's limit; 0: only that */
	bool is_body_required;           /* a JSON document; routes with calls */
	struct require_conf require;
	enum route_kind kind;
	struct call_conf *calls; /* ROUTE_CALLS, in the order of the file */
	size_t n_calls;
	enum route_format formats[FORMAT_COUNT]; /* the client's Accept chooses */
	size_t n_formats;                        /* 0: as if it were FORMAT_JSON alone */
	uint64_t need; /* how many calls must succeed; 0: those that are required */
	struct proxy_conf proxy;
	struct reply_conf reply;
	struct batch_conf batch;
	struct response_conf response;
	struct compress_conf compress;
};

/* How long a body that is kept may be, by the route and by the listener that it comes through. */
static inline uint64_t
route_conf_body_limit(const struct route_conf *route, uint64_t of_listener)
{
	uint64_t own = route->max_request_body_bytes;

	return own != 0 && own < of_listener ? own : of_listener;
}

/*
 * The most bytes that the arena of one exchange may take: what the bodies may need twice (as text and escaped
 * or encoded), and room for all else. body_limit: of the client's body; calls_bytes: max_body of all calls.
 */
uint64_t route_conf_arena_bytes(uint64_t body_limit, uint64_t calls_bytes);

/* A rule of a mock as the route that replies so; borrows from the rule. */
struct route_conf route_conf_of_mock(const struct mock_conf *mock);

/* The rows of one element of `routes`. */
extern const struct conf_section route_conf_section;

#endif
