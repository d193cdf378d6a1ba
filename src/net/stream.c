/* What all streams share. Used on the loop's thread. */
#include "net/stream.h"

struct stream *
stream_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner)
{
	return loop->ops->connect(loop, to, events, owner);
}

static struct stream *
take(struct stream **s)
{
	struct stream *gone = *s;

	if (gone == NULL)
		return NULL;
	*s = NULL;
	gone->events = NULL;
	gone->owner = NULL;
	return gone;
}

void
stream_close(struct stream **s)
{
	struct stream *gone = take(s);

	if (gone != NULL)
		gone->ops->close(gone);
}

void
stream_reset(struct stream **s)
{
	struct stream *gone = take(s);

	if (gone != NULL)
		gone->ops->reset(gone);
}

void
stream_set_owner(struct stream *s, const struct stream_events *events, void *owner)
{
	s->events = events;
	s->owner = owner;
}

enum io_status
stream_push(struct stream *s, struct str bytes, size_t *put)
{
	enum io_status io = IO_OK;

	*put = 0;
	while (*put < bytes.n && io == IO_OK) {
		struct iovec iov = str_iov(str_of(bytes.p + *put, bytes.n - *put));
		size_t part;

		io = stream_writev(s, &iov, 1, &part);
		*put += part;
	}
	return io;
}
