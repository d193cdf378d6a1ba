/*
 * Two connections joined: what comes from one goes to the other, in order and unread. Each direction has at
 * most one read's worth that the receiver has not taken, and while there is any the sender is not read.
 *
 *     a direction   OPEN -> ENDED     the sender has ended, which is heard when nothing is held; so has the tunnel
 *                   OPEN -> BROKEN    the receiver takes no more
 *
 * The tunnel is over when both directions are ENDED or BROKEN, when a connection has failed, or when nothing
 * has passed for too long. It borrows both streams: whoever owns them closes them.
 */
#ifndef SERVER_TUNNEL_H
#define SERVER_TUNNEL_H

#include "base/buf.h"
#include "net/stream.h"

#define TUNNEL_TAG UINT32_C(0x74756e6c)

enum tunnel_side { TUNNEL_CLIENT, TUNNEL_UPSTREAM };
enum tunnel_way { TUNNEL_OPEN, TUNNEL_ENDED, TUNNEL_BROKEN };

struct tunnel;

struct tunnel_events {
	/* n bytes that came from this side are with the other one. */
	void (*on_passed)(void *owner, enum tunnel_side from, size_t n);
	/*
	 * It is over. ERR_NONE: both sides have ended; ERR_CLIENT_GONE, ERR_RESET (or what the stream knows):
	 * that connection has failed; ERR_TUNNEL_IDLE, ERR_TUNNEL_EXPIRED. Last; no event follows.
	 */
	void (*on_over)(void *owner, enum err_code why);
};

/* One side, and the direction that begins there. */
struct tunnel_end {
	struct tunnel *tunnel; /* back pointer */
	struct stream *stream; /* borrowed; its events are the tunnel's until the end */
	enum tunnel_way way;
	struct buf held; /* came from here, not taken by the other side; owned */
	size_t held_at;  /* what of it was taken */
};

struct tunnel {
	uint32_t tag;
	struct tunnel_end end[2]; /* by enum tunnel_side */
	const struct tunnel_events *events;
	void *owner;         /* back pointer */
	struct timer timer;  /* of the nearer limit */
	uint64_t idle_ns;    /* how long nothing may pass */
	uint64_t expires_ns; /* TIMER_NEVER: not by itself */
	struct defer begin;
	bool is_failed; /* a connection is dead */
};

/* Zeroes it. Bytes that are here already may be added to end[].held before the start. */
void tunnel_init(struct tunnel *t, const struct tunnel_events *events, void *owner);
/*
 * Takes over the events of both streams. It ends when nothing has passed for idle_ns, and after most_ns (0: no limit).
 * No event of the tunnel comes from inside.
 */
void tunnel_start(struct tunnel *t, struct stream *client, struct stream *upstream,
    uint64_t idle_ns, uint64_t most_ns);
/* No more events of the tunnel or its streams; harmless when it is over or was not started. */
void tunnel_stop(struct tunnel *t);
/*
 * Would a plain close look to this side like the end of what the other had to say, when it is not? Also after
 * the end of the tunnel.
 */
bool tunnel_is_cut(const struct tunnel *t, enum tunnel_side side);

#endif
