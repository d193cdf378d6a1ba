/* What the file says of one call of a route, after inheritance. Templates are not compiled yet. */
#ifndef GATHER_CALL_CONF_H
#define GATHER_CALL_CONF_H

#include <stdbool.h>

#include "base/conf_row.h"
#include "base/conf_value.h"
#include "codec/coding.h"
#include "gather/shape.h"

enum part_format { PART_JSON, PART_TEXT, PART_BASE64 };

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
	uint64_t max_ratio; /* of an answer that comes compressed */
	enum coding asked_codings[CODING_COUNT]; /* accept_encoding */
	size_t n_asked_codings;
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

/* The rows of one call. */
extern const struct conf_section call_conf_section;

#endif
