/*
 * One configuration, ready to serve: what the file says, the compiled routes, the mock services. Read-only
 * once made; any thread.
 */
#ifndef DAEMON_GENERATION_H
#define DAEMON_GENERATION_H

#include "conf/conf.h"
#include "conf/conf_error.h"
#include "net/tls_client.h"
#include "server/site.h"

/* A `mock:` upstream, as a listener of gatherd's own. */
struct generation_mock {
	struct listener_conf listener;
	struct site *site;
	int fd; /* listening socket on a loopback port; owned until mock_take_fd() */
};

struct generation {
	struct arena arena; /* owned; everything below lives in it */
	struct conf *conf;
	struct site *site;
	struct generation_mock *mocks;
	size_t n_mocks;
	struct tls_client_files *tls_files; /* by index of the upstream; empty without https */
	struct listener_conf admin_socket; /* of conf->admin, when it is there */
	struct listener_conf admin_address;
	struct conf_errors errors;
};

/*
 * Reads, checks and compiles a file. NULL after telling standard error why not (*is_config tells a bad
 * file from a failing system). Blocks on files. The names of servers are looked up later (names.h). Free with
 * generation_free().
 */
struct generation *generation_load(const char *path, bool *is_config);
/*
 * The same without the world outside, for commands that explain: names are not resolved, and every upstream has
 * one plain server at an address that is only a name, as mock services have. NULL: the file is bad, and standard
 * error says why.
 */
struct generation *generation_read(const char *path);
/* The same from a text, for tests: names are not resolved, so servers must be addresses; no mocks. */
struct generation *generation_load_text(struct str text);
void generation_free(struct generation *gen);
/* One plain server in place of those of the file. */
void generation_set_server(
    struct generation *gen, struct upstream_conf *up, struct str host, const struct addr *at);
/* A listener of gatherd's own, with limits fit for peers on the same machine. */
void generation_own_listener(struct listener_conf *out, struct str name, const struct addr *at);

#endif
