/*
 * A request given by hand (command line, `tests:`): its bytes as a client would send them, and what the daemon
 * would make of them. Lives in the caller's arena; main thread.
 */
#ifndef DAEMON_CANNED_H
#define DAEMON_CANNED_H

#include "base/arena.h"
#include "codec/h1_frame.h"
#include "codec/h1_head.h"
#include "gather/request.h"
#include "server/listener_conf.h"

struct canned_setup {
	struct str method;
	struct str url;           /* "/path?query", or "http://host/path?query" */
	const struct str *fields; /* field lines "Name: value" without line ends */
	size_t n_fields;
	struct str body;          /* none: no body */
	struct str type;          /* Content-Type of the body unless `fields` have one; none: no word of it */
	const struct listener_conf *listener; /* through which it comes */
};

struct canned {
	struct str bytes; /* head and body */
	struct h1_head head;
	struct h1_frame frame;
	bool is_routed;         /* a route is looked for; not so for "OPTIONS *" (RFC 9110 9.3.7) */
	struct request request; /* from the loopback address; without route parameters */
};

/* The listener that an URL means: the first one with TLS for https, else the first one without. 0: none such. */
size_t canned_listener(const struct listener_conf *listeners, size_t n, struct str url);
/* ERR_NONE; else what the daemon would answer to it at once. What setup points to outlives *out. */
enum err_code canned_build(
    struct arena *arena, const struct canned_setup *setup, struct canned *out);

#endif
