/* Connections before their PROXY header. Owned by their listener; worker thread. */
#include "server/preface.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"

#define PREFACE_TAG UINT32_C(0x70726566)

static void on_readable(void *arg);
static void on_timer(void *arg);

/* Nothing is written. */
static const struct stream_events stream_events = { .on_readable = on_readable };

void
preface_new(struct listener *l, struct stream *stream, const struct addr *peer)
{
	struct preface *p = mem_calloc(1, sizeof *p);

	p->tag = PREFACE_TAG;
	p->listener = l;
	p->stream = stream;
	p->peer = *peer;
	proxy_header_init(&p->header);
	TAILQ_INSERT_TAIL(&l->prefaces, p, link);
	timer_init(&p->timer, on_timer, p);
	loop_timer_set(
	    stream->loop, &p->timer, stream->loop->now_ns + l->conf->timeouts.header_ns);
	stream_set_owner(stream, &stream_events, p);
	stream_want_read(stream, true);
}

static void
bury(void *arg)
{
	struct preface *p = arg;

	p->tag = 0;
	free(p);
}

/* Its stream has another owner or is closed. */
static void
forget(struct preface *p, struct loop *loop)
{
	TAILQ_REMOVE(&p->listener->prefaces, p, link);
	loop_timer_drop(loop, &p->timer);
	loop_bury(loop, &p->grave, bury, p);
}

void
preface_close(struct preface *p)
{
	struct listener *l = p->listener;
	struct loop *loop = p->stream->loop;

	stream_close(&p->stream);
	forget(p, loop);
	listener_forget(l);
}

static void
refuse(struct preface *p, const char *why)
{
	listener_refuse(p->listener, &p->peer, why);
	preface_close(p);
}

static void
on_timer(void *arg)
{
	struct preface *p = arg;

	TAG_CHECK(p, PREFACE_TAG);
	refuse(p, "sent no whole PROXY header in time");
}

static struct addr
client_of(const struct preface *p)
{
	const struct proxy_header *h = &p->header;
	struct addr client;

	if (h->family == PROXY_HEADER_UNKNOWN)
		return p->peer;
	addr_of_bytes(h->ip, h->family == PROXY_HEADER_IPV4 ? 4 : 16, h->port, &client);
	addr_unmap(&client);
	return client;
}

static void
admit(struct preface *p)
{
	struct listener *l = p->listener;
	struct stream *stream = p->stream;
	struct addr client = client_of(p);

	forget(p, stream->loop);
	listener_admit(l, stream, &client);
}

/* Reads what is there of the header, and not a byte of what follows. False: p is gone. */
static bool
advance(struct preface *p)
{
	enum proxy_header_progress progress = PROXY_HEADER_MORE;
	char *to = p->stream->loop->scratch;
	size_t got;

	while (progress == PROXY_HEADER_MORE) {
		enum io_status io = stream_read(p->stream, to, p->header.need, &got);

		if (io == IO_AGAIN)
			return true;
		if (io != IO_OK) {
			preface_close(p);
			return false;
		}
		progress = proxy_header_feed(&p->header, str_of(to, got));
	}
	if (progress == PROXY_HEADER_DONE)
		admit(p);
	else
		refuse(p, "sent no valid PROXY header");
	return false;
}

static void
on_readable(void *arg)
{
	struct preface *p = arg;

	TAG_CHECK(p, PREFACE_TAG);
	advance(p);
}

void
preface_drain(struct preface *p)
{
	if (advance(p))
		preface_close(p);
}
