/* Splices two streams. Owned by its proxy, in the exchange's arena; what is held is from the heap. Worker thread. */
#include "server/tunnel.h"

#include "base/compiler.h"

static struct tunnel_end *
other(struct tunnel_end *end)
{
	struct tunnel *t = end->tunnel;

	return end == &t->end[TUNNEL_CLIENT] ? &t->end[TUNNEL_UPSTREAM] : &t->end[TUNNEL_CLIENT];
}

static enum tunnel_side
side_of(const struct tunnel_end *end)
{
	return end == &end->tunnel->end[TUNNEL_CLIENT] ? TUNNEL_CLIENT : TUNNEL_UPSTREAM;
}

static struct loop *
loop_of(const struct tunnel *t)
{
	return t->end[TUNNEL_CLIENT].stream->loop;
}

static struct str
held(const struct tunnel_end *from)
{
	return str_of(from->held.p + from->held_at, from->held.n - from->held_at);
}

/* ---- the end */

static void
detach(struct tunnel *t)
{
	loop_timer_drop(loop_of(t), &t->timer);
	loop_defer_cancel(loop_of(t), &t->begin);
	for (int i = 0; i < 2; i++)
		stream_want_read(t->end[i].stream, false);
	t->tag = 0;
}

void
tunnel_stop(struct tunnel *t)
{
	if (t->tag == TUNNEL_TAG)
		detach(t);
	for (int i = 0; i < 2; i++) {
		buf_fini(&t->end[i].held);
		t->end[i].held_at = 0;
	}
}

static void
be_over(struct tunnel *t, enum err_code why)
{
	detach(t);
	t->events->on_over(t->owner, why);
}

static void
fail(struct tunnel *t, enum err_code why)
{
	t->is_failed = true;
	be_over(t, why);
}

/* Why it is over when both directions are: the client's connection counts first, it is whom the log is about. */
static enum err_code
why_over(const struct tunnel *t)
{
	if (t->end[TUNNEL_UPSTREAM].way == TUNNEL_BROKEN)
		return ERR_CLIENT_GONE;
	return t->end[TUNNEL_CLIENT].way == TUNNEL_BROKEN ? ERR_RESET : ERR_NONE;
}

/* After bytes were moved. Last. */
static void
settle(struct tunnel *t)
{
	if (t->end[TUNNEL_CLIENT].way != TUNNEL_OPEN && t->end[TUNNEL_UPSTREAM].way != TUNNEL_OPEN)
		be_over(t, why_over(t));
}

bool
tunnel_is_cut(const struct tunnel *t, enum tunnel_side side)
{
	const struct tunnel_end *from = &t->end[!side];

	if (from->way == TUNNEL_ENDED)
		return false;
	return t->is_failed || from->way == TUNNEL_BROKEN || held(from).n > 0;
}

/* ---- limits */

static void
set_timer(struct tunnel *t)
{
	uint64_t idle_until_ns = loop_of(t)->now_ns + t->idle_ns;

	loop_timer_set(loop_of(t), &t->timer,
	    idle_until_ns < t->expires_ns ? idle_until_ns : t->expires_ns);
}

static void
on_timer(void *arg)
{
	struct tunnel *t = arg;

	TAG_CHECK(t, TUNNEL_TAG);
	be_over(t, loop_of(t)->now_ns >= t->expires_ns ? ERR_TUNNEL_EXPIRED : ERR_TUNNEL_IDLE);
}

/* ---- moving bytes */

/*
 * The receiver takes no more, but it may have said something before: that is read to its end. What its sender
 * still says nobody will hear.
 */
static void
break_way(struct tunnel_end *from)
{
	from->way = TUNNEL_BROKEN;
	buf_fini(&from->held);
	from->held_at = 0;
	stream_want_read(from->stream, false);
}

/* As much as the receiver takes; returns how much that was. */
static size_t
push(struct tunnel_end *from, struct str bytes)
{
	struct tunnel *t = from->tunnel;
	size_t put;
	enum io_status io = stream_push(other(from)->stream, bytes, &put);

	if (put > 0) {
		set_timer(t);
		t->events->on_passed(t->owner, side_of(from), put);
	}
	if (io == IO_ERROR)
		break_way(from);
	return put;
}

/* What is held goes on; when nothing is left the sender is read again. */
static void
push_held(struct tunnel_end *from)
{
	size_t taken = 0;

	if (held(from).n > 0)
		taken = push(from, held(from));
	if (from->way == TUNNEL_BROKEN)
		return;
	from->held_at += taken;
	if (held(from).n > 0)
		return;
	buf_fini(&from->held);
	from->held_at = 0;
	stream_want_read(from->stream, true);
}

static void
pass(struct tunnel_end *from, struct str bytes)
{
	size_t taken = push(from, bytes);

	if (taken == bytes.n || from->way == TUNNEL_BROKEN)
		return;
	buf_add(&from->held, str_of(bytes.p + taken, bytes.n - taken));
	stream_want_read(from->stream, false);
}

/* ---- events */

static void
on_readable(void *owner)
{
	struct tunnel_end *from = owner;
	struct tunnel *t = from->tunnel;
	char *scratch = loop_of(t)->scratch;
	size_t got;

	TAG_CHECK(t, TUNNEL_TAG);
	assert(from->way == TUNNEL_OPEN && held(from).n == 0); /* or it would not be read */
	switch (stream_read(from->stream, scratch, LOOP_SCRATCH_BYTES, &got)) {
	case IO_OK:
		pass(from, str_of(scratch, got));
		break;
	case IO_AGAIN:
		return;
	case IO_EOF:
		stream_want_read(from->stream, false);
		stream_shutdown_write(other(from)->stream);
		from->way = TUNNEL_ENDED;
		break;
	case IO_ERROR:
		if (side_of(from) == TUNNEL_CLIENT)
			fail(t, ERR_CLIENT_GONE);
		else
			fail(t, from->stream->failure == ERR_NONE ? ERR_RESET : from->stream->failure);
		return;
	}
	settle(t);
}

static void
on_writable(void *owner)
{
	struct tunnel_end *to = owner;
	struct tunnel *t = to->tunnel;

	TAG_CHECK(t, TUNNEL_TAG);
	if (other(to)->way != TUNNEL_OPEN)
		return;
	push_held(other(to));
	settle(t);
}

static const struct stream_events stream_events = {
	.on_readable = on_readable,
	.on_writable = on_writable,
};

/* ---- start */

static void
on_begin(void *arg)
{
	struct tunnel *t = arg;

	TAG_CHECK(t, TUNNEL_TAG);
	push_held(&t->end[TUNNEL_UPSTREAM]);
	push_held(&t->end[TUNNEL_CLIENT]);
	settle(t);
}

void
tunnel_init(struct tunnel *t, const struct tunnel_events *events, void *owner)
{
	*t = (struct tunnel){ .events = events, .owner = owner };
	timer_init(&t->timer, on_timer, t);
	defer_init(&t->begin, on_begin, t);
	for (int i = 0; i < 2; i++)
		t->end[i].tunnel = t;
}

void
tunnel_start(struct tunnel *t, struct stream *client, struct stream *upstream, uint64_t idle_ns,
    uint64_t most_ns)
{
	t->tag = TUNNEL_TAG;
	t->end[TUNNEL_CLIENT].stream = client;
	t->end[TUNNEL_UPSTREAM].stream = upstream;
	t->idle_ns = idle_ns;
	t->expires_ns = most_ns == 0 ? TIMER_NEVER : client->loop->now_ns + most_ns;
	for (int i = 0; i < 2; i++) {
		stream_set_owner(t->end[i].stream, &stream_events, &t->end[i]);
		stream_want_read(t->end[i].stream, false);
	}
	set_timer(t);
	loop_defer(client->loop, &t->begin);
}
