/* The whole configuration, parsed, checked and resolved; lives in one arena and is never written to. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "conf/test_conf.h"
#include "gather/route_conf.h"
#include "net/dns_conf.h"
#include "server/listener_conf.h"
#include "upstream/upstream_conf.h"

enum access_log_format { ACCESS_LOG_JSON };

struct conf {
	uint64_t workers; /* threads; `auto` was settled: cores, at most 8 */
	struct listener_conf *listeners;
	size_t n_listeners;
	struct {
		struct conf_text socket; /* unix path; none: no socket */
		struct addr socket_address;
		struct conf_text address_text; /* none: no TCP address */
		struct addr address;
	} admin;
	struct {
		struct conf_text path; /* `stderr` or a file */
		bool is_enabled;       /* false: path is `none` */
		enum access_log_format format;
	} access_log;
	struct {
		uint64_t limit; /* requests in flight over all workers; 0: no limit */
		uint64_t queue_size;
		uint64_t queue_timeout_ns;
		uint64_t compression_bytes; /* per worker */
	} overload;
	uint64_t drain_timeout_ns; /* SIGTERM: how long requests in flight may go on */
	struct dns_conf dns;
	struct upstream_conf *upstreams;
	size_t n_upstreams;
	struct route_conf *routes;
	size_t n_routes;
	struct test_conf *tests; /* for `gatherd test`; serving does not look at them */
	size_t n_tests;
	const struct yaml_node *written; /* borrowed, same arena: the files put together, as written */
	const struct yaml_node *effective; /* borrowed, same arena: with every default and what is inherited */
};

#endif
