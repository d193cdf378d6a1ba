/* Streams between two ends in memory, in a mem_world. */
#ifndef NET_STREAM_MEM_H
#define NET_STREAM_MEM_H

#include "net/mem_world.h"
#include "net/stream.h"

/*
 *     CONNECTING ──> OPEN ──> CLOSED     by stream_close()
 *          └──────> FAILED ──────^
 */
enum mem_state { MEM_STATE_CONNECTING, MEM_STATE_OPEN, MEM_STATE_FAILED, MEM_STATE_CLOSED };

struct mem_pair;

/* One end. The fields are for mem_world.c and for tests that look; use the functions of stream.h. */
struct stream_mem {
	uint32_t tag;
	enum mem_state state;
	struct stream base;
	struct mem_pair *pair; /* counted by it; NULL once closed */
	unsigned side;         /* reads pair->pipe[side], writes the other */
	bool is_read_wanted;
	bool is_blocked;     /* a write was told IO_AGAIN */
	bool is_ending;      /* stream_expect_end() was called */
	bool is_reset;       /* by the peer or by a fault */
	bool is_outcome_due; /* on_connected was not told yet: */
	enum err_code outcome;
	uint64_t last_turn; /* of the loop: what was to be the last was taken whole in it; 0: not yet */
	struct mem_ready *ready; /* the set it is in; NULL: none */
	size_t ready_at;
	TAILQ_ENTRY(stream_mem) link; /* in the listener's backlog */
	bool is_offered;              /* in a backlog: not accepted yet */
	struct grave grave;
};

/* Two connected ends without owners, on loops of one world. */
void stream_mem_pair(struct loop *a, struct loop *b, struct stream *ends[2]);
/* loop_ops.connect of the memory world. */
struct stream *stream_mem_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner);
/* Bytes that the peer of s has sent and s has not read: delivered and under way. */
size_t stream_mem_unread(struct stream *s);

/* ---- for mem_world.c */

/* Tells the owner what there is to tell. */
void stream_mem_tell(struct stream_mem *s);
/* Puts it into its loop's ready set, if there is something to tell and it is in none. */
void stream_mem_update(struct stream_mem *s);

#endif
