/* Several permits as one. Runs on its worker's thread; memory is the owner's. */
#include "upstream/permit_group.h"

static void
on_all(struct permit *p, enum err_code e)
{
	struct permit_group *g = CONTAINER_OF(p, struct permit_group, all);

	permit_release(&g->turn);
	g->on_settled(g, e);
}

/* The turn is ours, and the places are. */
static void
collect(struct permit_group *g)
{
	permit_wait(&g->all, g->from, g->all.n, g->deadline_ns, on_all);
	if (g->all.state == PERMIT_HELD)
		permit_release(&g->turn);
}

static void
on_turn(struct permit *p, enum err_code e)
{
	struct permit_group *g = CONTAINER_OF(p, struct permit_group, turn);

	if (e == ERR_NONE)
		collect(g);
	else
		limiter_unreserve(g->from, g->all.n);
	if (e != ERR_NONE || g->all.state == PERMIT_HELD)
		g->on_settled(g, e);
}

bool
permit_group_take(
    struct permit_group *g, struct limiter *from, struct limiter *turn, uint32_t n)
{
	return (n == 1 || TAILQ_EMPTY(&turn->waiting)) && permit_take(&g->all, from, n);
}

enum err_code
permit_group_wait(struct permit_group *g, struct limiter *from, struct limiter *turn, uint32_t n,
    uint64_t deadline_ns, void (*on_settled)(struct permit_group *, enum err_code))
{
	enum err_code e = limiter_reserve(from, n);

	if (e != ERR_NONE)
		return e;
	g->from = from;
	g->deadline_ns = deadline_ns;
	g->on_settled = on_settled;
	g->all.n = n;
	/* One unit is never a part of a group. The turn's queue has no bound: the reserved places are the bound. */
	if (n > 1)
		e = permit_acquire(&g->turn, turn, deadline_ns, on_turn);
	if (n == 1 || g->turn.state == PERMIT_HELD)
		collect(g);
	return e;
}

bool
permit_group_is_waiting(const struct permit_group *g)
{
	return g->turn.state == PERMIT_WAITING || g->all.state == PERMIT_WAITING;
}

void
permit_group_release(struct permit_group *g)
{
	if (g->turn.state == PERMIT_WAITING)
		limiter_unreserve(g->from, g->all.n);
	permit_release(&g->turn);
	permit_release(&g->all);
}
