/*
 * One connection to a server. Always owned by its pool; a lease borrows it for one request.
 *
 *     CONNECT -> IDLE <-> BUSY
 *        |        |        |
 *        +--------+--------+---> CLOSED (freed at the end of the turn)
 *
 * While IDLE, anything that arrives closes it: an answer nobody asked for, or the server's end.
 */
#ifndef UPSTREAM_UCONN_H
#define UPSTREAM_UCONN_H

#include "net/stream.h"
#include "upstream/pool.h"

enum uconn_state { UCONN_CONNECT, UCONN_IDLE, UCONN_BUSY, UCONN_CLOSED };

struct uconn {
	uint32_t tag;
	enum uconn_state state;
	TAILQ_ENTRY(uconn) link; /* in the pool's list of this state */
	struct pool *pool;       /* owner */
	struct stream *stream;   /* owned; NULL while there is a race for it */
	struct race *race;       /* owned; NULL: one address only, or settled */
	struct addr *other;      /* owned: what it is connected to; NULL: the endpoint's first address */
	struct lease *lease;     /* borrowed while BUSY, cut by uconn_cut() */
	struct timer timer;      /* connect time-out, or idle time-out */
	struct grave grave;
	uint64_t n_requests; /* leases so far */
	uint64_t leased_turn; /* the loop's turn in which the last one began */
};

/* Begins to connect; the pool hears of the outcome through pool_on_connected(). */
struct uconn *uconn_open(struct pool *pool);
/* Moves it between the pool's lists; the one place that keeps lists, counts and timers together. */
void uconn_set_state(struct uconn *uc, enum uconn_state to);
/* Closes and frees at the end of the turn. Harmless when closed. */
void uconn_close(struct uconn *uc);
/* IDLE to BUSY: l holds it. */
void uconn_bind(struct uconn *uc, struct lease *l);
/* The request that holds it is not its first. */
static inline bool
uconn_is_reused(const struct uconn *uc)
{
	return uc->n_requests > 1;
}
/* Its address is still one of its endpoint's. */
bool uconn_is_wanted(const struct uconn *uc);
/* Cuts the two pointers between a lease and its connection. */
void uconn_cut(struct uconn *uc);

#endif
