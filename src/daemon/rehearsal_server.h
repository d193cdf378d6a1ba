/*
 * The upstreams of a rehearsal: each takes connections at its server's address, asks for an answer to every
 * request, and passes on to its mock service what nobody else answers.
 */
#ifndef DAEMON_REHEARSAL_SERVER_H
#define DAEMON_REHEARSAL_SERVER_H

#include "daemon/rehearsal.h"
#include "daemon/worker.h"
#include "net/mem_world.h"

struct rehearsal_server;

struct rehearsal_servers {
	const struct rehearsal_setup *setup; /* borrowed */
	struct mem_world *world;             /* borrowed, as all below */
	struct loop *loop;
	struct worker *worker; /* to know whose request it is */
	struct rehearsal_result *result;
	uint64_t started_ns;
	struct rehearsal_server *at; /* owned; by upstream */
};

/* What *s borrows is set. */
void rehearsal_server_start_all(struct rehearsal_servers *s);
/* A turn of the loop must follow. */
void rehearsal_server_stop_all(struct rehearsal_servers *s);

#endif
