/*
 * The deterministic simulator: the whole worker on memory streams and a virtual clock, between
 * simulated clients and simulated servers, all of it decided by one seed. An episode is one
 * configuration, one set of faults and some hundred requests; the invariants are checked after
 * every turn and at rest.
 */
#ifndef SIM_H
#define SIM_H

#include "base/arena.h"
#include "base/err.h"
#include "net/mem_world.h"

#define SIM_UPSTREAMS 3
#define SIM_SERVERS 3 /* of an upstream, at most */
#define SIM_CALLS 6   /* of a route, at most */
#define SIM_WORKERS 3 /* at most */

/* A set of enum err_code; arenas align to no more than this. */
typedef unsigned __int128 sim_reasons __attribute__((aligned(8)));
#define SIM_REASON(e) ((sim_reasons)1 << (e))

/* How much of an answer can be foretold. */
enum sim_mode {
	SIM_EXACT,   /* plenty of everything and a kind network: the answer follows from the scripts alone */
	SIM_LIMITED, /* the same, with low limits: some are shed or run out of time */
	SIM_STORM,   /* resets, refused and silent connections, servers that die, clients that leave */
};

/* What an episode is made of. */
struct sim_env {
	enum sim_mode mode;
	unsigned n_workers;
	unsigned n_clients;   /* at once */
	unsigned evil_chance; /* of an upstream's answer being broken, per MEM_WORLD_CHANCE */
	unsigned slow_chance; /* of it being slower than a timeout allows */
	unsigned rude_chance; /* of a client leaving midway, dripping or sending nonsense */
	bool has_idle_close;  /* servers close idle connections at any time */
	bool has_jumps;       /* of the clock */
	bool has_tls;         /* between clients and workers */
	bool has_compression; /* routes compress their answers */
	uint64_t compress_min, compress_memory;
	uint64_t header_ms, body_ms, idle_ms, write_stall_ms;
	uint64_t overload_limit, overload_queue, overload_wait_ms;
	struct {
		unsigned n_servers;
		uint64_t limit, queue_size, queue_ms;
		uint64_t max_connections, max_idle, idle_ms, max_requests;
		uint64_t connect_ms, first_byte_ms, total_ms;
		bool is_round_robin;
		bool has_name; /* its servers are the addresses of one name, which change */
	} up[SIM_UPSTREAMS];
};

#define SIM_ITEMS 10 /* items of a for_each are numbers below this */
#define SIM_LIST 12  /* of them in one list, at most */
#define SIM_PARALLEL 3

/* One call of a request, as the servers saw it. */
struct sim_call {
	bool is_open;          /* its answer is not all out */
	unsigned n_seen;       /* how often it arrived */
	bool is_retry_allowed; /* the last arrival was on a connection that had served before */
	int script;            /* of the last arrival */
	sim_reasons reasons;   /* how it may end; with ERR_NONE: well */
	unsigned status;       /* that the script answers */
	struct str body;       /* likewise; compressed as it is sent where it only passes through */
	const char *coding;    /* of that; NULL: none */
};

struct sim_route;

struct sim_tunnel;
enum sim_tunnel_side { SIM_TUNNEL_CLIENT, SIM_TUNNEL_SERVER };

/* What one end of a tunnel has said and heard. */
struct sim_tunnel_words {
	uint64_t total; /* that it has to say */
	uint64_t said;
	uint64_t tried; /* the same, and what a write was refused for: it may be on its way */
	uint64_t heard;
	bool has_ended; /* its direction, in good order */
	bool is_gone;   /* before all was said and heard */
	const struct sim_tunnel *of; /* the end: of several attempts, the last */
};

/* One request of a client. */
struct sim_request {
	uint64_t number;
	const struct sim_route *route; /* NULL: nothing of it may ever reach a server */
	bool is_malformed;             /* refused by its syntax */
	bool is_head;
	bool is_http10;
	bool is_lax; /* its client is rude or the network stalls: it may be refused or dropped */
	bool has_x;  /* ?x= */
	const char *offers;  /* Upgrade; NULL: none */
	bool asks_upgrade;   /* that is what the route takes */
	bool must_refuse;    /* that is nothing that anybody takes: 403, and no call */
	struct sim_tunnel_words words[2]; /* by enum sim_tunnel_side */
	const char *accepts; /* Accept-Encoding; NULL: none */
	struct str body; /* that it sends */
	bool is_sent;    /* its head was written */
	bool is_settled; /* answered or dropped */
	unsigned status; /* of the answer */
	struct sim_call calls[SIM_CALLS];
	/* Of a batch: its entries, requests of their own; in the arena. */
	struct sim_request **entries;
	unsigned n_entries;
	bool is_entry;
	struct str ref; /* that the first call told, for the others */
	/* Of a for_each: the list that its first call told, and the calls of its second by item. */
	uint8_t list[SIM_LIST];
	unsigned n_list;
	struct sim_call *items; /* in the arena; NULL: no list was told */
};

struct sim_client;
struct sim_server;
struct sim_tls;

struct sim {
	uint64_t seed;
	bool is_verbose;
	struct sim_env env;
	struct mem_world *world;
	struct rnd rnd; /* of clients and servers */
	struct loop *client_loop;
	struct loop *server_loop;
	struct arena arena; /* of the episode */
	struct addr listen_at;
	struct sim_request *requests;
	size_t n_planned;  /* requests of the episode */
	size_t n_requests; /* the same, or fewer when the workers were stopped */
	size_t n_begun;
	size_t n_settled;
	size_t n_clients;            /* connections of clients */
	size_t n_sconns;             /* connections of servers */
	struct sim_server *servers;  /* owned; SIM_UPSTREAMS * SIM_SERVERS */
	struct sim_workers *workers; /* owned */
	struct sim_tls *tls;         /* owned; NULL: plain HTTP */
	struct timer drain;          /* of one worker, in the middle of the episode */
	struct timer stop;           /* of all workers */
	struct timer jump;           /* of the clock */
	struct timer names;          /* of names whose addresses change */
	bool has_drained;
	bool is_stopped;
	/* what happened, for the report */
	size_t n_by_status[600];
	size_t n_dropped;
	size_t n_calls_seen;
};

/* ---- sim.c */

/* Tells what is wrong, with the seed that shows it, and ends the program. */
void sim_fail(const struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* With --verbose: what happens, with its time. */
void sim_trace(const struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* True with probability chance / MEM_WORLD_CHANCE. */
bool sim_chance(struct sim *s, unsigned chance);
/* Uniform in from .. to. */
uint64_t sim_between(struct sim *s, uint64_t from, uint64_t to);

#endif
