/* What the connections of one worker share. Owned by the worker; its thread. */
#include "server/server.h"

#include <stdlib.h>

#include "base/mem.h"
#include "server/cconn_h1.h"
#include "server/iobuf.h"

static void
free_streams(struct server *s, size_t n)
{
	s->n_free_streams -= n;
	while (n-- > 0) {
		struct cconn_h1_stream *stream = SLIST_FIRST(&s->free_streams);

		SLIST_REMOVE_HEAD(&s->free_streams, link);
		cconn_h1_free_stream(s, stream);
	}
	s->n_least_streams = s->n_free_streams;
}

static void
free_iobufs(struct server *s, size_t n)
{
	s->n_free_iobufs -= n;
	while (n-- > 0) {
		struct iobuf *b = SLIST_FIRST(&s->free_iobufs);

		SLIST_REMOVE_HEAD(&s->free_iobufs, link);
		free(b);
	}
	s->n_least_iobufs = s->n_free_iobufs;
}

/* Half of what has been free all the time, as arenas do it. */
static void
on_trim(void *arg)
{
	struct server *s = arg;

	free_streams(s, (s->n_least_streams + 1) / 2);
	free_iobufs(s, (s->n_least_iobufs + 1) / 2);
	server_trim_later(s);
}

void
server_init(struct server *s, const struct server_setup *setup)
{
	*s = (struct server){ .setup = *setup, .loop = setup->gather->loop };
	TAILQ_INIT(&s->listeners);
	SLIST_INIT(&s->free_streams);
	SLIST_INIT(&s->free_iobufs);
	timer_init(&s->trim, on_trim, s);
	rnd_init(&s->rnd, setup->seed);
}

void
server_lend_fields(struct server *s, size_t n)
{
	if (n <= s->n_fields)
		return;
	/* Nobody holds on to the old ones: they are lent for the length of one call. */
	free(s->fields);
	s->fields = mem_calloc_lines(n, sizeof(*s->fields));
	s->n_fields = n;
}

void
server_fini(struct server *s)
{
	assert(TAILQ_EMPTY(&s->listeners) && s->n_exchanges == 0);
	loop_timer_drop(s->loop, &s->trim);
	free_streams(s, s->n_free_streams);
	free_iobufs(s, s->n_free_iobufs);
	free(s->fields);
	s->fields = NULL;
}

void
server_drain(struct server *s)
{
	struct listener *l;

	s->is_draining = true;
	TAILQ_FOREACH (l, &s->listeners, link)
		if (l->kind == LISTENER_PUBLIC)
			listener_drain(l);
}

bool
server_is_idle(const struct server *s)
{
	const struct listener *l;

	TAILQ_FOREACH (l, &s->listeners, link)
		if (l->kind == LISTENER_PUBLIC && l->n_conns > 0)
			return false;
	return true;
}

void
server_close(struct server *s)
{
	while (!TAILQ_EMPTY(&s->listeners)) {
		struct listener *l = TAILQ_FIRST(&s->listeners);

		listener_close(&l);
	}
}
