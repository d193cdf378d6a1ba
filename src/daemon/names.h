/*
 * The names of all servers and the addresses they have now: looked up when the daemon starts, again before each
 * answer has run out, and told to whoever makes the workers use them. What was known last stays when nobody answers.
 * Main thread only.
 */
#ifndef DAEMON_NAMES_H
#define DAEMON_NAMES_H

#include "conf/conf.h"
#include "conf/conf_error.h"
#include "net/dns.h"
#include "net/loop.h"
#include "upstream/place.h"

struct metric_shard;
struct names;

/* What is known of the name of one server. */
struct names_state {
	size_t upstream; /* by index in the configuration, with the one below */
	size_t server;
	const struct place *places; /* borrowed until the next change */
	size_t n_places;            /* 0: there is none, and */
	enum err_code error;        /* why */
};

struct names_events {
	/* After names_settle(): a name has other addresses, or another reason why it has none. */
	void (*on_changed)(void *owner, const struct names_state *state);
};

struct names_setup {
	const struct conf *conf; /* outlives it, as do the three below */
	struct loop *loop;
	struct dns *dns;
	struct metric_shard *metrics; /* the main thread's */
	const struct names_events *events;
	void *owner;
	uint64_t seed;
};

/* Begins to look up every name. */
struct names *names_new(const struct names_setup *setup);
/* Harmless when NULL. Ends what is looked up; a turn of the loop frees the rest. */
void names_free(struct names *names);
/* Each name has had its first answer, or none in time. */
bool names_are_settled(const struct names *names);
/*
 * From now on changes are told. ERR_BAD_CONFIG when a name has no address and its upstream says `refuse`: all
 * of them are added to errors.
 */
enum err_code names_settle(struct names *names, struct conf_errors *errors);
/*
 * For the page of upstreams: `,"names":[{"name":"users.internal","reason":"none","servers":["10.0.0.1:80"]}]`; nothing
 * where no server has a name. The reason is that of the last look-up; servers with two addresses show both.
 */
void names_put(const struct names *names, size_t upstream, struct buf *out);
/* How many servers have names, and what is known of one of them. */
size_t names_count(const struct names *names);
void names_get(const struct names *names, size_t i, struct names_state *out);

#endif
