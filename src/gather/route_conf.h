/* What the file says of one route and its calls, after inheritance. Templates are not compiled yet. */
#ifndef GATHER_ROUTE_CONF_H
#define GATHER_ROUTE_CONF_H

#include <stdbool.h>

#include "base/conf_row.h"
#include "base/conf_value.h"
#include "gather/batch_conf.h"
#include "gather/response_conf.h"
#include "gather/require.h"
#include "gather/shape.h"

enum part_format { PART_JSON, PART_TEXT, PART_BASE64 };
/* How an answer that calls give is written. */
enum route_format { FORMAT_JSON, FORMAT_NDJSON, FORMAT_SSE, FORMAT_MULTIPART, FORMAT_COUNT };
enum route_kind { ROUTE_CALLS, ROUTE_PROXY, ROUTE_REPLY, ROUTE_BATCH };

/* What of the client's request leaves; nothing by default. */
struct forward_conf {
	struct conf_text_list headers; /* names; "*": all but hop-by-hop */
	struct conf_text_list query;   /* names; "*": all */
};

struct call_conf {
	struct str name;
	struct conf_pos pos;
	struct conf_text upstream_name;
	size_t upstream; /* index in conf.upstreams */
	struct conf_text method;
	struct conf_text path; /* template */
	struct conf_pair_list query;   /* values are templates */
	struct conf_pair_list headers; /* values are templates */
	struct conf_text body;         /* template; excludes json */
	struct conf_json json;         /* template */
	struct forward_conf forward;
	uint64_t timeout_ns; /* 0: none of its own */
	bool is_required;
	struct conf_json default_value; /* CONF_JSON_NONE: none */
	struct status_set accept;
	struct status_set pass_errors;
	uint64_t max_body_bytes;
	enum part_format format;
	struct conf_text into; /* none: under the call's name */
	bool keep_last_duplicate; /* duplicate_keys: last */
	struct shape_conf shape;
	struct conf_text when;         /* condition; none: always */
	struct conf_text_list after;   /* names of calls that must have ended first */
	struct {
		struct conf_text list; /* template of one reference; none: the call is made once */
		bool is_distinct;
		bool is_truncated;     /* over max_items: the first ones; else the call fails */
		uint64_t max_items;
		uint64_t parallel;
	} for_each;
	struct {
		uint64_t max;          /* items of one call; 0: no batches */
		struct conf_text match; /* key of the answer's elements that is the item */
	} batch;
};

struct proxy_conf {
	struct conf_text upstream_name;
	size_t upstream; /* index in conf.upstreams */
	struct conf_text path; /* template; none: the client's path as it came */
};

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
};

/*
 * The most bytes that the arena of one exchange may take: what the bodies may need twice (as text and escaped
 * or encoded), and room for all else. body_limit: of the client's body; calls_bytes: max_body of all calls.
 */
uint64_t route_conf_arena_bytes(uint64_t body_limit, uint64_t calls_bytes);

/* The rows of one element of `routes`, and those of one call in it. */
extern const struct conf_section route_conf_section;
extern const struct conf_section route_conf_call_section;

#endif
