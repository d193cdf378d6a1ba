/* One of the `tests` of a configuration: a request, what the calls are answered, and what must come of it. */
#ifndef CONF_TEST_CONF_H
#define CONF_TEST_CONF_H

#include "base/conf_row.h"
#include "base/conf_value.h"

enum test_conf_fault {
	TEST_CONF_NO_FAULT,
	TEST_CONF_REFUSE,   /* the upstream takes no connections */
	TEST_CONF_RESET,    /* the connection is reset when the request has come */
	TEST_CONF_TIMEOUT,  /* nothing is ever answered */
	TEST_CONF_TRUNCATE, /* the connection ends in the middle of the answer */
	TEST_CONF_GARBAGE,  /* what is answered is not HTTP */
};

/* What requests are answered. */
struct test_conf_call {
	struct str name; /* of the call, unless an upstream is named */
	struct conf_pos pos;
	struct conf_text upstream_name; /* none: the requests of the call `name` */
	size_t upstream;                /* index in conf.upstreams, with upstream_name */
	struct conf_text path;          /* of the request, with {wildcards}; none: any */
	uint64_t status;
	struct conf_pair_list headers;
	struct conf_text body;
	struct conf_json json;
	uint64_t delay_ns;
	enum test_conf_fault fault;
};

struct test_conf {
	struct str name;
	struct conf_pos pos;
	struct {
		struct conf_text method;
		struct conf_text path; /* with query */
		struct conf_pair_list headers;
		struct conf_text body;
		struct conf_json json;
	} request;
	struct test_conf_call *calls;
	size_t n_calls;
	struct {
		uint64_t status; /* 0: any */
		struct conf_pair_list headers;
		struct conf_text body;
		struct conf_json json;
		struct conf_text reason;
		uint64_t max_time_ns; /* 0: any */
	} expect;
};

/* The rows of one element of `calls`. */
extern const struct conf_section test_conf_call_section;
/* The rows of one element of `tests`. */
extern const struct conf_section test_conf_section;

#endif
