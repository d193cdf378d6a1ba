/* Two attempts at one server. Runs on its worker's thread; owned by the connection that it is for. */
#include "upstream/race.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "upstream/endpoint.h"
#include "upstream/upstream.h"

#define RACE_TAG 0x72616365u
/* RFC 8305 5: the "Connection Attempt Delay" that it recommends. */
#define HEAD_START_NS (250 * NS_PER_MS)
/* How long it is remembered that the other one has won (RFC 6555 4.2). */
#define MEMORY_NS (600 * NS_PER_SEC)

enum { FIRST, OTHER, RUNNERS };

struct runner {
	struct race *race; /* owner */
	struct stream *stream; /* owned; NULL: not started, or failed */
	bool is_started;
};

struct race {
	uint32_t tag;
	struct endpoint *endpoint; /* borrowed, outlives it */
	struct addr other; /* the endpoint's may change meanwhile */
	const struct race_events *events;
	void *owner; /* back pointer; cut by finish() */
	struct runner runners[RUNNERS];
	struct timer head_start;
	struct grave grave;
};

static const struct stream_events runner_events;

static struct loop *
loop_of(const struct race *r)
{
	return r->endpoint->upstream->loop;
}

static void
run(struct race *r, int i)
{
	struct endpoint *ep = r->endpoint;
	const struct addr *to = i == FIRST ? &ep->addr : &r->other;
	struct runner *runner = &r->runners[i];

	runner->is_started = true;
	runner->stream = endpoint_connect(ep, to, &runner_events, runner);
}

static void
run_rest(struct race *r)
{
	for (int i = 0; i < RUNNERS; i++)
		if (!r->runners[i].is_started)
			run(r, i);
}

static void
on_head_start(void *arg)
{
	struct race *r = arg;

	TAG_CHECK(r, RACE_TAG);
	run_rest(r);
}

static void
finish(struct race *r)
{
	for (int i = 0; i < RUNNERS; i++)
		stream_close(&r->runners[i].stream);
	loop_timer_drop(loop_of(r), &r->head_start);
	r->tag = 0;
	r->owner = NULL;
	loop_bury(loop_of(r), &r->grave, free, r);
}

static void
on_connected(void *owner, enum err_code e)
{
	struct runner *runner = owner;
	struct race *r = runner->race;
	bool is_other = runner == &r->runners[OTHER];
	struct stream *stream = runner->stream;
	void *up = r->owner;

	TAG_CHECK(r, RACE_TAG);
	if (e != ERR_NONE) {
		stream_close(&runner->stream);
		run_rest(r);
		if (r->runners[FIRST].stream != NULL || r->runners[OTHER].stream != NULL)
			return;
		stream = NULL;
	} else {
		r->endpoint->other_first_until_ns = is_other ? loop_of(r)->now_ns + MEMORY_NS : 0;
		runner->stream = NULL;
	}
	finish(r);
	r->events->on_settled(up, stream, is_other ? &r->other : NULL, e);
}

/* What the winner hears until it has its owner: nothing reads or writes. */
static void
on_nothing(void *owner)
{
	(void)owner;
}

static const struct stream_events runner_events = {
	.on_connected = on_connected,
	.on_readable = on_nothing,
	.on_writable = on_nothing,
};

/* A third of the time for connecting at most, so that the other one has a chance. */
static uint64_t
head_start(const struct endpoint *ep)
{
	uint64_t third = ep->upstream->conf->timeouts.connect_ns / 3;

	return third < HEAD_START_NS ? third : HEAD_START_NS;
}

struct race *
race_new(struct endpoint *ep, const struct race_events *events, void *owner)
{
	struct race *r = mem_calloc(1, sizeof *r);
	struct loop *loop = ep->upstream->loop;

	r->tag = RACE_TAG;
	r->endpoint = ep;
	r->other = ep->other;
	r->events = events;
	r->owner = owner;
	r->runners[FIRST].race = r->runners[OTHER].race = r;
	timer_init(&r->head_start, on_head_start, r);
	loop_timer_set(loop, &r->head_start, loop->now_ns + head_start(ep));
	run(r, loop->now_ns < ep->other_first_until_ns ? OTHER : FIRST);
	return r;
}

void
race_close(struct race **pr)
{
	struct race *r = *pr;

	if (r == NULL)
		return;
	*pr = NULL;
	finish(r);
}
