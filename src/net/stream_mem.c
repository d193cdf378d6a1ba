/*
 * Memory streams. A pair holds one pipe per direction: bytes are written, are under way for a
 * while, are delivered, and are read. The pair outlives its ends, so that what a closed end wrote
 * still arrives.
 */
#include "net/stream_mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

#define TAG_STREAM_MEM 0x736d656d
#define WINDOW_BYTES 65536

/*
 * One direction. A ring: [at, at + n_delivered) can be read, n_flying more were written and are
 * under way.
 */
struct pipe {
	char *ring; /* owned; window bytes */
	size_t window;
	size_t at;
	size_t n_delivered;
	size_t n_flying;
	bool is_ended;     /* the writer has closed or shut down */
	bool is_end_there; /* and the reader can know */
	bool is_cut;       /* a reset is under way to the reader */
	struct timer arrival;
	struct mem_pair *pair; /* back pointer */
	unsigned reader;       /* side that reads it */
};

struct mem_pair {
	struct mem_world *world;   /* outlives it */
	struct stream_mem *end[2]; /* back pointers; NULL: not there yet, or closed */
	struct pipe pipe[2];
	struct timer connect;
	struct addr to;
};

static struct stream_mem *
mem_of(struct stream *s)
{
	struct stream_mem *m = CONTAINER_OF(s, struct stream_mem, base);

	TAG_CHECK(m, TAG_STREAM_MEM);
	return m;
}

static struct mem_loop *
loop_of(const struct stream_mem *s)
{
	return s->base.loop->world;
}

static struct pipe *
in_of(const struct stream_mem *s)
{
	return &s->pair->pipe[s->side];
}

static struct pipe *
out_of(const struct stream_mem *s)
{
	return &s->pair->pipe[!s->side];
}

/* ---- readiness */

static bool
is_readable(const struct stream_mem *s)
{
	return s->state == MEM_STATE_OPEN && s->is_read_wanted && !s->is_offered &&
	       (s->is_reset || in_of(s)->n_delivered > 0 || in_of(s)->is_end_there);
}

static size_t
room(const struct pipe *p)
{
	return p->window - p->n_delivered - p->n_flying;
}

static bool
is_writable(const struct stream_mem *s)
{
	return s->state == MEM_STATE_OPEN && s->is_blocked && (s->is_reset || room(out_of(s)) > 0);
}

void
stream_mem_update(struct stream_mem *s)
{
	if (s->state == MEM_STATE_CLOSED || s->ready != NULL)
		return;
	if (s->is_outcome_due || is_readable(s) || is_writable(s))
		mem_world_ready_add(&loop_of(s)->ready, s);
}

/*
 * Things may have changed since it became ready: each is looked at again, and the owner may close
 * in between.
 */
void
stream_mem_tell(struct stream_mem *s)
{
	bool writes_first = rnd_chance(&loop_of(s)->world->rnd, 1, 2);

	if (s->is_outcome_due) {
		s->is_outcome_due = false;
		s->base.events->on_connected(s->base.owner, s->outcome);
		return;
	}
	for (int i = 0; i < 2; i++) {
		bool is_write = writes_first == (i == 0);

		if (is_write && is_writable(s)) {
			s->is_blocked = false;
			s->base.events->on_writable(s->base.owner);
		} else if (!is_write && is_readable(s)) {
			s->base.events->on_readable(s->base.owner);
		}
	}
}

/* ---- pipes */

static void
update_end(struct mem_pair *p, unsigned side)
{
	if (p->end[side] != NULL)
		stream_mem_update(p->end[side]);
}

static void
pair_maybe_free(struct mem_pair *p)
{
	if (p->end[0] != NULL || p->end[1] != NULL)
		return;
	p->world->n_pairs--;
	timer_heap_drop(&p->world->events, &p->connect);
	for (unsigned i = 0; i < 2; i++) {
		timer_heap_drop(&p->world->events, &p->pipe[i].arrival);
		free(p->pipe[i].ring);
	}
	free(p);
}

/* The end finds the connection dead, with or without what had arrived before. */
static void
break_end(struct mem_pair *p, unsigned side)
{
	struct pipe *in = &p->pipe[side];

	if (p->end[side] == NULL)
		return;
	in->n_flying = 0;
	if (rnd_chance(&p->world->rnd, 1, 2))
		in->n_delivered = 0;
	p->end[side]->is_reset = true;
	update_end(p, side);
}

static void
plan_arrival(struct pipe *p)
{
	struct mem_world *w = p->pair->world;
	uint64_t at_ns = w->now_ns + mem_world_delay(w, w->faults.latency_ns);

	if (timer_is_set(&p->arrival))
		return;
	if (mem_world_chance(w, w->faults.stall_chance))
		at_ns += mem_world_delay(w, w->faults.stall_ns);
	timer_heap_set(&w->events, &p->arrival, at_ns);
}

/* All of it, or with bad luck a part. */
static size_t
portion(struct mem_world *w, size_t n)
{
	return n > 1 && mem_world_chance(w, w->faults.split_chance) ? 1 + rnd_below(&w->rnd, n) : n;
}

static void send_on(struct pipe *p);

/* Bytes reached an end that is closed: it answers with a reset. */
static void
refuse_bytes(struct pipe *p)
{
	struct pipe *back = &p->pair->pipe[!p->reader];

	p->n_delivered = 0;
	if (back->is_cut)
		return;
	back->is_cut = true;
	send_on(back);
}

/* What is under way arrives: first the bytes, then the end or the reset behind them. */
static void
arrive(void *arg)
{
	struct pipe *p = arg;
	struct mem_world *w = p->pair->world;
	size_t n = portion(w, p->n_flying);

	if (mem_world_chance(w, w->faults.reset_chance)) {
		break_end(p->pair, 0);
		break_end(p->pair, 1);
		return;
	}
	p->n_flying -= n;
	p->n_delivered += n;
	if (n > 0 && p->pair->end[p->reader] == NULL)
		refuse_bytes(p);
	if (p->n_flying > 0)
		plan_arrival(p);
	else if (p->is_cut)
		break_end(p->pair, p->reader);
	else if (p->is_ended)
		p->is_end_there = true;
	update_end(p->pair, p->reader);
}

static void
send_on(struct pipe *p)
{
	if (p->pair->world->faults.latency_ns == 0 && !timer_is_set(&p->arrival))
		arrive(p);
	else
		plan_arrival(p);
}

/* ---- the operations of a stream */

static enum io_status
mem_read(struct stream *base, char *to, size_t n, size_t *got)
{
	struct stream_mem *s = mem_of(base);
	struct mem_world *w = loop_of(s)->world;
	struct pipe *p = in_of(s);
	size_t first;

	*got = 0;
	assert(n > 0 && s->state != MEM_STATE_CLOSED);
	if (s->state != MEM_STATE_OPEN)
		return IO_ERROR;
	if (p->n_delivered == 0) {
		if (s->is_reset)
			return IO_ERROR;
		return p->is_end_there ? IO_EOF : IO_AGAIN;
	}
	if (mem_world_chance(w, w->faults.again_chance))
		return IO_AGAIN;
	n = portion(w, n < p->n_delivered ? n : p->n_delivered);
	first = n < p->window - p->at ? n : p->window - p->at;
	memcpy(to, p->ring + p->at, first);
	memcpy(to + first, p->ring, n - first);
	p->at = (p->at + n) % p->window;
	p->n_delivered -= n;
	*got = n;
	update_end(s->pair, !s->side);
	return IO_OK;
}

static void
ring_put(struct pipe *p, const char *from, size_t n)
{
	size_t to = (p->at + p->n_delivered + p->n_flying) % p->window;
	size_t first = n < p->window - to ? n : p->window - to;

	memcpy(p->ring + to, from, first);
	memcpy(p->ring, from + first, n - first);
	p->n_flying += n;
}

static enum io_status
mem_writev(struct stream *base, const struct iovec *iov, size_t n, size_t *put)
{
	struct stream_mem *s = mem_of(base);
	struct mem_world *w = loop_of(s)->world;
	struct pipe *p = out_of(s);
	size_t left;

	*put = 0;
	assert(s->state == MEM_STATE_OPEN || s->state == MEM_STATE_FAILED);
	if (s->state != MEM_STATE_OPEN || s->is_reset || p->is_ended)
		return IO_ERROR;
	if (s->last_turn != 0 && s->last_turn != base->loop->turns)
		assert(!"a stream goes on, although what was written was to be the last");
	s->last_turn = 0;
	if (room(p) == 0 || mem_world_chance(w, w->faults.again_chance)) {
		s->is_blocked = true;
		stream_mem_update(s);
		return IO_AGAIN;
	}
	left = stream_total(iov, n);
	*put = portion(w, left < room(p) ? left : room(p));
	if (s->is_ending && *put == left)
		s->last_turn = base->loop->turns;
	left = *put;
	for (size_t i = 0; left > 0; i++) {
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		ring_put(p, iov[i].iov_base, part);
		left -= part;
	}
	send_on(p);
	return IO_OK;
}

static void
mem_want_read(struct stream *base, bool is_wanted)
{
	struct stream_mem *s = mem_of(base);

	s->is_read_wanted = is_wanted;
	if (is_wanted)
		stream_mem_update(s);
}

static void
end_pipe(struct pipe *p)
{
	if (p->is_ended)
		return;
	p->is_ended = true;
	send_on(p);
}

static void
mem_shutdown_write(struct stream *base)
{
	struct stream_mem *s = mem_of(base);

	if (s->state == MEM_STATE_OPEN)
		end_pipe(out_of(s));
}

static void
mem_expect_end(struct stream *base)
{
	mem_of(base)->is_ending = true;
}

static void
mem_free(void *arg)
{
	struct stream_mem *s = arg;

	s->tag = 0;
	free(s);
}

static void
cut_pipe(struct pipe *p)
{
	/* A reset may overtake what was written before it. */
	if (rnd_chance(&p->pair->world->rnd, 1, 2))
		p->n_flying = 0;
	p->is_cut = true;
	send_on(p);
}

static void
detach(struct stream_mem *s, bool is_reset)
{
	struct mem_world *w = loop_of(s)->world;
	struct mem_pair *pair = s->pair;

	if (s->state == MEM_STATE_OPEN && !s->is_reset) {
		/* As a kernel does it: bytes that nobody will read are answered by a reset. */
		if (is_reset || in_of(s)->n_delivered + in_of(s)->n_flying > 0)
			cut_pipe(out_of(s));
		else
			end_pipe(out_of(s));
	}
	if (s->ready != NULL)
		mem_world_ready_drop(s->ready, s);
	s->state = MEM_STATE_CLOSED;
	s->pair = NULL;
	pair->end[s->side] = NULL;
	w->n_streams--;
	pair_maybe_free(pair);
	loop_bury(s->base.loop, &s->grave, mem_free, s);
}

static void
mem_close(struct stream *base)
{
	detach(mem_of(base), false);
}

static void
mem_reset(struct stream *s)
{
	detach(mem_of(s), true);
}

static const struct stream_ops mem_ops = {
	.read = mem_read,
	.writev = mem_writev,
	.want_read = mem_want_read,
	.shutdown_write = mem_shutdown_write,
	.expect_end = mem_expect_end,
	.close = mem_close,
	.reset = mem_reset,
};

/* ---- making */

static void
pipe_init(struct pipe *p, struct mem_pair *pair, unsigned reader)
{
	const struct mem_faults *f = &pair->world->faults;

	p->window = WINDOW_BYTES;
	if (f->window_bytes != 0)
		p->window =
		    1 + f->window_bytes / 16 + rnd_below(&pair->world->rnd, f->window_bytes);
	p->ring = mem_alloc(p->window);
	p->pair = pair;
	p->reader = reader;
	timer_init(&p->arrival, arrive, p);
}

static struct mem_pair *
pair_new(struct mem_world *w)
{
	struct mem_pair *p = mem_calloc(1, sizeof *p);

	p->world = w;
	w->n_pairs++;
	pipe_init(&p->pipe[0], p, 0);
	pipe_init(&p->pipe[1], p, 1);
	timer_init(&p->connect, NULL, p);
	return p;
}

static struct stream_mem *
end_new(struct mem_pair *p, unsigned side, struct loop *loop)
{
	struct stream_mem *s = mem_calloc(1, sizeof *s);

	s->tag = TAG_STREAM_MEM;
	s->state = MEM_STATE_OPEN;
	s->base = (struct stream){ .ops = &mem_ops, .loop = loop };
	s->pair = p;
	s->side = side;
	p->end[side] = s;
	p->world->n_streams++;
	return s;
}

void
stream_mem_pair(struct loop *a, struct loop *b, struct stream *ends[2])
{
	struct mem_pair *p = pair_new(((struct mem_loop *)a->world)->world);

	ends[0] = &end_new(p, 0, a)->base;
	ends[1] = &end_new(p, 1, b)->base;
}

static void
settle(struct stream_mem *s, enum err_code outcome)
{
	s->state = outcome == ERR_NONE ? MEM_STATE_OPEN : MEM_STATE_FAILED;
	s->outcome = outcome;
	s->is_outcome_due = true;
	stream_mem_update(s);
}

static void
arrive_at_listener(void *arg)
{
	struct mem_pair *p = arg;
	struct mem_world *w = p->world;
	struct mem_listener *l = mem_world_find(w, &p->to);

	if (l == NULL || mem_world_chance(w, w->faults.refuse_chance)) {
		settle(p->end[0], ERR_CONNECT_REFUSED);
	} else if (mem_world_chance(w, w->faults.unreachable_chance)) {
		settle(p->end[0], ERR_CONNECT_FAILED);
	} else {
		mem_world_offer(l, end_new(p, 1, mem_world_listener_loop(l)));
		settle(p->end[0], ERR_NONE);
	}
}

struct stream *
stream_mem_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner)
{
	struct mem_world *w = ((struct mem_loop *)loop->world)->world;
	struct mem_pair *p = pair_new(w);
	struct stream_mem *s = end_new(p, 0, loop);

	s->state = MEM_STATE_CONNECTING;
	s->base.events = events;
	s->base.owner = owner;
	p->to = *to;
	p->connect.fn = arrive_at_listener;
	if (!mem_world_chance(w, w->faults.silent_chance))
		timer_heap_set(
		    &w->events, &p->connect, w->now_ns + mem_world_delay(w, w->faults.connect_ns));
	return &s->base;
}

size_t
stream_mem_unread(struct stream *base)
{
	struct stream_mem *s = mem_of(base);

	return in_of(s)->n_delivered + in_of(s)->n_flying;
}
