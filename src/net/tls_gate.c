/* Handshakes of one listener on one worker. Owned by the listener; runs on the worker's thread. */
#include "net/tls_gate.h"

#include "base/compiler.h"
#include "net/tls_ctx.h"

/*
 * Handshakes between two turns' I/O: a step costs a tenth of a millisecond, with an RSA key a whole
 * one, and this is what a request on an established connection may have to wait for them.
 */
#define STEPS_NS NS_PER_MS
#define STEPS_PER_TURN 16

static bool
has_steps(struct tls_gate *gate)
{
	struct loop *loop = gate->loop;

	if (gate->turn != loop->turns) {
		gate->turn = loop->turns;
		gate->n_steps = 0;
		gate->steps_end_ns = loop->ops->mono(loop) + STEPS_NS;
		return true;
	}
	return gate->n_steps < STEPS_PER_TURN && loop->ops->mono(loop) < gate->steps_end_ns;
}

static void
unready(struct tls_handshake *h)
{
	if (!h->is_ready)
		return;
	TAILQ_REMOVE(&h->gate->ready, h, ready_link);
	h->is_ready = false;
}

static void
continue_next_turn(struct tls_gate *gate)
{
	loop_timer_set(gate->loop, &gate->more, gate->loop->now_ns);
}

static void
on_more(void *arg)
{
	struct tls_gate *gate = arg;
	struct tls_handshake *h;

	while (has_steps(gate) && (h = TAILQ_FIRST(&gate->ready)) != NULL) {
		unready(h);
		gate->n_steps++;
		h->events->on_turn(h->stream);
	}
	if (!TAILQ_EMPTY(&gate->ready))
		continue_next_turn(gate);
}

static void
expire(struct tls_handshake *h, enum err_code e)
{
	h->events->on_expired(h->stream, e);
}

static void
on_due(void *arg)
{
	struct tls_gate *gate = arg;
	struct tls_handshake *h;

	while ((h = TAILQ_FIRST(&gate->entered)) != NULL && h->due_ns <= gate->loop->now_ns)
		expire(h, ERR_REQUEST_TIMEOUT);
	if (h != NULL)
		loop_timer_set(gate->loop, &gate->due, h->due_ns);
}

/* An honest client is through in a round trip or two: it is the oldest that hang. */
static void
on_trim(void *arg)
{
	struct tls_gate *gate = arg;

	while (gate->n_begun > gate->limit)
		expire(TAILQ_FIRST(&gate->begun), ERR_OVERLOADED);
}

void
tls_gate_init(struct tls_gate *gate, const struct tls_gate_setup *setup)
{
	*gate = (struct tls_gate){
		.loop = setup->loop,
		.io = setup->io,
		.ctx = setup->ctx,
		.timeout_ns = setup->timeout_ns,
		.limit = setup->limit,
		.on_ended = setup->on_ended,
		.owner = setup->owner,
	};
	TAILQ_INIT(&gate->entered);
	TAILQ_INIT(&gate->begun);
	TAILQ_INIT(&gate->ready);
	timer_init(&gate->due, on_due, gate);
	timer_init(&gate->more, on_more, gate);
	defer_init(&gate->trim, on_trim, gate);
}

void
tls_gate_fini(struct tls_gate *gate)
{
	assert(TAILQ_EMPTY(&gate->entered));
	loop_timer_drop(gate->loop, &gate->due);
	loop_timer_drop(gate->loop, &gate->more);
	loop_defer_cancel(gate->loop, &gate->trim);
	tls_ctx_close(&gate->ctx);
}

void
tls_gate_replace(struct tls_gate *gate, struct tls_ctx *ctx)
{
	tls_ctx_close(&gate->ctx);
	gate->ctx = ctx;
}

void
tls_gate_enter(struct tls_gate *gate, struct tls_handshake *h, const struct tls_gate_events *events,
    void *stream)
{
	*h = (struct tls_handshake){ .gate = gate, .events = events, .stream = stream };
	h->due_ns = gate->loop->now_ns + gate->timeout_ns;
	if (TAILQ_EMPTY(&gate->entered))
		loop_timer_set(gate->loop, &gate->due, h->due_ns);
	TAILQ_INSERT_TAIL(&gate->entered, h, entered_link);
}

void
tls_gate_ask(struct tls_handshake *h)
{
	struct tls_gate *gate = h->gate;

	if (h->is_ready)
		return;
	if (TAILQ_EMPTY(&gate->ready) && has_steps(gate)) {
		gate->n_steps++;
		h->events->on_turn(h->stream);
		return;
	}
	TAILQ_INSERT_TAIL(&gate->ready, h, ready_link);
	h->is_ready = true;
	continue_next_turn(gate);
}

SSL *
tls_gate_begin(struct tls_handshake *h)
{
	struct tls_gate *gate = h->gate;

	assert(!h->is_begun);
	h->is_begun = true;
	TAILQ_INSERT_TAIL(&gate->begun, h, begun_link);
	if (++gate->n_begun > gate->limit)
		loop_defer(gate->loop, &gate->trim);
	h->ctx = tls_ctx_hold(gate->ctx);
	return tls_ctx_begin(h->ctx, gate->loop->now_ns, gate->loop->wall_ns);
}

void
tls_gate_count(struct tls_handshake *h, enum err_code e, const SSL *ssl)
{
	if (h->gate->on_ended != NULL)
		h->gate->on_ended(h->gate->owner, e, ssl);
}

void
tls_gate_leave(struct tls_handshake *h)
{
	struct tls_gate *gate = h->gate;

	unready(h);
	TAILQ_REMOVE(&gate->entered, h, entered_link);
	if (h->is_begun) {
		TAILQ_REMOVE(&gate->begun, h, begun_link);
		gate->n_begun--;
		tls_ctx_close(&h->ctx);
	}
	h->stream = NULL;
}
