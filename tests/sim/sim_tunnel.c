/* Ends of tunnels. What both know of each other stands in the request. */
#include "sim_tunnel.h"

#include <inttypes.h>

#define PIECE_BYTES 3000

static struct sim_tunnel_words *
own(const struct sim_tunnel *t)
{
	return &t->request->words[t->side];
}

static const struct sim_tunnel_words *
theirs(const struct sim_tunnel *t)
{
	return &t->request->words[!t->side];
}

static char
byte_at(const struct sim_tunnel *t, enum sim_tunnel_side side, uint64_t n)
{
	return (char)(n * 31 + n / 251 + t->request->number * 3 + side);
}

/* The answer did not arrive, and the request was sent again. */
static bool
is_superseded(const struct sim_tunnel *t)
{
	return own(t)->of != t;
}

/*
 * With records, an end at times does not read before it has written. If both had much to say they would wait for
 * each other, whoever is between them, unless he held all of it.
 */
static bool
may_say_much(const struct sim_tunnel *t)
{
	return !t->sim->world->has_records || theirs(t)->total <= 100;
}

void
sim_tunnel_begin(struct sim_tunnel *t, struct sim *s, struct sim_request *r,
    enum sim_tunnel_side side, struct stream *stream)
{
	*t = (struct sim_tunnel){ .sim = s, .request = r, .side = side, .stream = stream };
	*own(t) = (struct sim_tunnel_words){ .of = t };
	own(t)->total = sim_between(s, 0, may_say_much(t) && sim_chance(s, 500000) ? 100000 : 100);
	sim_trace(s, "q%" PRIu64 " is a tunnel: the %s has %" PRIu64 " bytes to say", r->number,
	    side == SIM_TUNNEL_CLIENT ? "client" : "server", own(t)->total);
}

void
sim_tunnel_say(struct sim_tunnel *t)
{
	struct sim_tunnel_words *w = own(t);
	char bytes[PIECE_BYTES];

	if (is_superseded(t))
		return;
	while (w->said < w->total && !t->cannot_write) {
		uint64_t n = w->total - w->said;
		struct iovec iov = { bytes, n < sizeof bytes ? n : sizeof bytes };
		size_t put;
		enum io_status io;

		for (size_t i = 0; i < iov.iov_len; i++)
			bytes[i] = byte_at(t, t->side, w->said + i);
		w->tried = w->said + iov.iov_len;
		io = stream_writev(t->stream, &iov, 1, &put);
		t->cannot_write = io == IO_ERROR;
		if (io != IO_OK)
			return;
		w->said += put;
	}
	if (w->said == w->total && !w->has_ended) {
		w->has_ended = true;
		stream_shutdown_write(t->stream);
	}
}

void
sim_tunnel_hear(struct sim_tunnel *t, struct str bytes)
{
	struct sim_tunnel_words *w = own(t);

	if (is_superseded(t) && bytes.n > 0)
		sim_fail(t->sim, "q%" PRIu64 ": bytes for a connection that was given up",
		    t->request->number);
	if (w->heard + bytes.n > theirs(t)->tried)
		sim_fail(t->sim, "q%" PRIu64 ": more came through the tunnel than was said",
		    t->request->number);
	for (size_t i = 0; i < bytes.n; i++)
		if (bytes.p[i] != byte_at(t, (enum sim_tunnel_side)!t->side, w->heard + i))
			sim_fail(t->sim, "q%" PRIu64 ": byte %" PRIu64 " of the tunnel is another",
			    t->request->number, w->heard + i);
	w->heard += bytes.n;
}

/* Its time was over, or that of its worker. */
static bool
may_be_closed(const struct sim *s)
{
	return s->is_stopped || s->has_drained || s->world->faults.stall_chance != 0 ||
	    s->env.has_jumps;
}

/*
 * Over TLS, and what is shaped like it, a client that leaves in mid-sentence says goodbye all the same. One that was
 * reset before it heard of the tunnel has no sentence.
 */
static bool
may_have_left(const struct sim_tunnel *t)
{
	return t->side == SIM_TUNNEL_SERVER && t->sim->env.mode == SIM_STORM &&
	       (t->sim->tls != NULL || t->sim->world->has_records ||
		   theirs(t)->tried == 0);
}

void
sim_tunnel_hear_end(struct sim_tunnel *t, enum io_status io)
{
	const struct sim_tunnel_words *from = theirs(t);
	bool is_whole = from->has_ended && own(t)->heard >= from->said;

	sim_trace(t->sim, "q%" PRIu64 ": the %s hears the %s of the tunnel, behind %" PRIu64 " bytes",
	    t->request->number, t->side == SIM_TUNNEL_CLIENT ? "client" : "server",
	    io == IO_EOF ? "end" : "reset", own(t)->heard);
	t->is_over = true;
	if (io == IO_ERROR || is_superseded(t))
		t->cannot_write = true;
	if (is_whole || is_superseded(t) || may_be_closed(t->sim) || may_have_left(t))
		return;
	if (io == IO_EOF)
		sim_fail(t->sim, "q%" PRIu64 ": an end after %" PRIu64 " of %" PRIu64 " bytes",
		    t->request->number, own(t)->heard, from->said);
	if (!from->is_gone && !own(t)->is_gone && t->sim->env.mode != SIM_STORM)
		sim_fail(t->sim, "q%" PRIu64 ": a tunnel is cut, and nobody is at fault",
		    t->request->number);
}

bool
sim_tunnel_is_done(const struct sim_tunnel *t)
{
	return t->is_over && (t->cannot_write || own(t)->has_ended);
}

void
sim_tunnel_leave(struct sim_tunnel *t)
{
	if (t->request == NULL || is_superseded(t))
		return;
	/* What was said arrives, and then an end, or it is cut off. */
	own(t)->is_gone = !sim_tunnel_is_done(t) || t->cannot_write;
	own(t)->has_ended = true;
	t->request = NULL;
}
