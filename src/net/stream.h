/*
 * A connection's bytes, whatever carries them: TCP, a unix socket, TLS, memory in the
 * simulator. The owner reads and writes without blocking and is told when trying again makes sense.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/loop.h"

enum io_status {
	IO_OK,    /* some bytes were moved */
	IO_AGAIN, /* none now; an event will tell */
	IO_EOF,   /* read only: the peer has ended its direction */
	/*
	 * The connection is dead (reset, unreachable): of a read, only stream_close() makes sense;
	 * of a write, what had come before can still be read.
	 */
	IO_ERROR,
};

/*
 * What a stream tells its owner. Never called from inside a function of this header, never after
 * stream_close(). The owner may close the stream in a callback.
 */
struct stream_events {
	/*
	 * Once for a stream from stream_connect(): ERR_NONE, or ERR_CONNECT_REFUSED /
	 * ERR_CONNECT_FAILED; after a failure only stream_close() makes sense. Nothing is written
	 * before it has come.
	 */
	void (*on_connected)(void *owner, enum err_code e);
	/*
	 * Bytes, end or error can be read. Level-triggered while stream_want_read() is on: after
	 * IO_EOF the owner turns it off or closes, or it is called every turn.
	 */
	void (*on_readable)(void *owner);
	/* Once after each IO_AGAIN of stream_writev(). */
	void (*on_writable)(void *owner);
};

struct stream_ops {
	enum io_status (*read)(struct stream *s, char *to, size_t n, size_t *got);
	enum io_status (*writev)(struct stream *s, const struct iovec *iov, size_t n, size_t *put);
	void (*want_read)(struct stream *s, bool is_wanted);
	void (*shutdown_write)(struct stream *s);
	/* NULL where nothing is gained by it: see stream_expect_end() */
	void (*expect_end)(struct stream *s);
	void (*close)(struct stream *s);
	void (*reset)(struct stream *s);
	/* NULL where there is no kernel: see stream_encrypt(). */
	bool (*encrypt)(struct stream *s, const void *keys, size_t n);
	enum io_status (*write_record)(struct stream *s, uint8_t type, struct str payload);
};

struct stream {
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *owner; /* back pointer, cut by stream_close() */
	struct loop *loop;
	enum err_code failure; /* after IO_ERROR: what the transport knows of it, or ERR_NONE */
};

/*
 * Starts a connection to `to`. Always returns a stream; the outcome, even an immediate one, is told
 * by on_connected, at the earliest in this turn's deferred work. Reading is not wanted at first.
 */
struct stream *stream_connect(
    struct loop *loop, const struct addr *to, const struct stream_events *events, void *owner);
/*
 * Closes at once, frees at the end of the turn, and sets *s to NULL. Harmless when *s is NULL.
 * Bytes of the peer that were not read make the kernel send RST, which may overtake what was
 * written.
 */
void stream_close(struct stream **s);
/*
 * As stream_close(), but the peer is told of a failure (RST) where the transport can do that; what
 * it has not read yet may be lost.
 */
void stream_reset(struct stream **s);
/* Gives the stream another owner. */
void stream_set_owner(struct stream *s, const struct stream_events *events, void *owner);

/* At most n bytes (n > 0); *got is 0 unless IO_OK. */
static inline enum io_status
stream_read(struct stream *s, char *to, size_t n, size_t *got)
{
	return s->ops->read(s, to, n, got);
}

/*
 * Part of the iovecs may be written; *put is 0 unless IO_OK. After IO_AGAIN on_writable will come
 * once, and what is offered next begins with all of the same bytes, wherever they lie by then.
 */
static inline enum io_status
stream_writev(struct stream *s, const struct iovec *iov, size_t n, size_t *put)
{
	return s->ops->writev(s, iov, n, put);
}

/* As stream_writev() until all is written, or no more is taken; *put is how much was, whatever is returned. */
enum io_status stream_push(struct stream *s, struct str bytes, size_t *put);

/* How many bytes the slices have. */
static inline size_t
stream_total(const struct iovec *iov, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += iov[i].iov_len;
	return total;
}

/* Cheap when nothing changes. */
static inline void
stream_want_read(struct stream *s, bool is_wanted)
{
	s->ops->want_read(s, is_wanted);
}

/*
 * From now on the kernel makes TLS records of what is written (kTLS): keys are a tls12_crypto_info
 * of <linux/tls.h>. False: it does not, and nothing has changed.
 */
static inline bool
stream_encrypt(struct stream *s, const void *keys, size_t n)
{
	return s->ops->encrypt != NULL && s->ops->encrypt(s, keys, n);
}

/* A whole record of another type than data, after stream_encrypt(); IO_AGAIN as stream_writev(). */
static inline enum io_status
stream_write_record(struct stream *s, uint8_t type, struct str payload)
{
	return s->ops->write_record(s, type, payload);
}

/*
 * What is written from now on is the last and may wait, to leave in one segment with its FIN:
 * stream_shutdown_write() or stream_close() follows in the turn in which the stream has taken all of it.
 */
static inline void
stream_expect_end(struct stream *s)
{
	if (s->ops->expect_end != NULL)
		s->ops->expect_end(s);
}

/* Sends FIN after what was written. */
static inline void
stream_shutdown_write(struct stream *s)
{
	s->ops->shutdown_write(s);
}

#endif
