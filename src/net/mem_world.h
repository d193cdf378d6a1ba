/*
 * A world in memory, for tests and for `gatherd test` (daemon/rehearsal.h): a clock that moves only when nothing else
 * can, loops that live in it, and memory streams (stream_mem.h) between them. One thread. With no faults set every byte
 * arrives at once; with faults, a seed decides the order of readiness, how bytes are split and delayed, and what
 * breaks: the same seed and the same program give the same run.
 */
#ifndef NET_MEM_WORLD_H
#define NET_MEM_WORLD_H

#include <sys/queue.h>

#include "base/rnd.h"
#include "net/addr.h"
#include "net/loop.h"

#define MEM_WORLD_CHANCE 1000000 /* chances are per million */

/* What can happen to streams; all 0: nothing does. Read at each use, so it may change at any time. */
struct mem_faults {
	uint64_t latency_ns;    /* up to this much until bytes, an end or a reset arrive */
	uint64_t connect_ns;    /* up to this much until a connection is settled */
	uint64_t stall_ns;      /* a stalled delivery takes up to this much longer */
	uint64_t turn_ns;       /* a turn takes up to this much of the clock */
	size_t window_bytes;    /* about so many bytes fit into a direction; 0: 64 KiB */
	unsigned stall_chance;  /* of a delivery */
	unsigned split_chance;  /* a read, a write or a delivery moves only a part */
	unsigned again_chance;  /* a read or a write moves nothing, for no reason */
	unsigned late_chance;   /* what is ready is told in a later turn */
	unsigned reset_chance;  /* a delivery finds the connection reset, for both ends */
	unsigned cross_chance;  /* a write has to read first; of streams with records */
	unsigned refuse_chance; /* of a connection */
	unsigned unreachable_chance;
	unsigned silent_chance; /* a connection is never settled */
};

struct stream_mem;

/* Streams that have something to tell. */
struct mem_ready {
	struct stream_mem **at; /* owned array; the streams are borrowed */
	size_t n;
	size_t cap;
};

struct mem_world {
	uint64_t now_ns;
	struct rnd rnd;
	struct mem_faults faults;
	bool has_records; /* connections are shaped like TLS (stream_record.h); set before any is made */
	struct timer_heap events; /* of the world itself: arrivals */
	TAILQ_HEAD(, mem_loop) loops;
	TAILQ_HEAD(, mem_listener) listeners;
	size_t n_streams; /* ends that are not closed */
	size_t n_pairs;   /* connections of which something is left */
};

struct mem_loop {
	struct mem_world *world; /* borrowed, outlives the loop */
	struct loop *loop;       /* back pointer */
	TAILQ_ENTRY(mem_loop) link;
	struct mem_ready ready;
	struct mem_ready running; /* being told in this turn */
	bool is_woken;
};

struct mem_listener;

struct mem_listener_events {
	/* stream is the owner's now: it sets itself as the stream's owner, or closes it. */
	void (*on_accept)(void *owner, struct stream *stream, const struct addr *peer);
};

struct mem_world *mem_world_new(uint64_t seed);
/* Its streams and listeners are closed and its loops freed before. */
void mem_world_free(struct mem_world *w);
/*
 * A loop in the world; free it with loop_free(). Turned by itself, it moves the clock on its own
 * while it waits; several loops are turned by mem_world_step().
 */
struct loop *mem_world_loop(struct mem_world *w);
/*
 * One turn of a loop that has something to do, chosen at random; if there is none, the clock moves
 * to the next arrival or timer. False when nothing is left that could ever happen.
 */
bool mem_world_step(struct mem_world *w);

/* Connections to `at` are accepted on loop; several listeners of one address share them at random. */
struct mem_listener *mem_world_listen(struct mem_world *w, struct loop *loop, const struct addr *at,
    const struct mem_listener_events *events, void *owner);
/* Connections not yet accepted are reset. Sets *l to NULL; harmless when it is. */
void mem_world_unlisten(struct mem_listener **l);

/* True with probability chance / MEM_WORLD_CHANCE. */
bool mem_world_chance(struct mem_world *w, unsigned chance);
/* Uniform in 0 .. max_ns. */
uint64_t mem_world_delay(struct mem_world *w, uint64_t max_ns);

/* ---- for stream_mem.c */

void mem_world_ready_add(struct mem_ready *set, struct stream_mem *s);
void mem_world_ready_drop(struct mem_ready *set, struct stream_mem *s);
/* One of the listeners of an address; NULL when there is none. */
struct mem_listener *mem_world_find(struct mem_world *w, const struct addr *at);
struct loop *mem_world_listener_loop(const struct mem_listener *l);
/* The far end of a connection that was settled; accepted in the listener's next turn. */
void mem_world_offer(struct mem_listener *l, struct stream_mem *s);

#endif
