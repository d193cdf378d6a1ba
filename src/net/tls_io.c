/* The BIO between OpenSSL and the stream below. One per thread, owned by its worker. */
#include "net/tls_io.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * Reads of one call: a peer that sends no data but, say, one key update behind the other, gets its
 * turn and no more.
 */
#define READS_MAX 8
/*
 * A peer that makes us write and reads nothing: what OpenSSL says of its own accord is held up to
 * here.
 */
#define HELD_MAX_BYTES ((size_t)256 << 10)

static int
tell_again(BIO *b)
{
	BIO_set_retry_read(b);
	return -1;
}

/*
 * A read that got less than it asked for has emptied the socket, or nearly so: readiness will tell
 * of the rest, and the read that would only say EAGAIN is saved.
 */
static int
bio_read(BIO *b, char *to, size_t n, size_t *got)
{
	struct tls_io *io = BIO_get_data(b);

	*got = 0;
	BIO_clear_retry_flags(b);
	if (io->is_drained)
		return tell_again(b);
	switch (stream_read(io->stream, to, n, got)) {
	case IO_OK:
		io->is_drained = *got < n || ++io->n_reads == READS_MAX;
		return 1;
	case IO_AGAIN:
		return tell_again(b);
	case IO_EOF:
		io->is_ended = true;
		return 0;
	case IO_ERROR:
		break;
	}
	return -1;
}

/* As much as the stream below takes; *put is how much. */
static enum io_status
push(struct stream *below, const char *from, size_t n, size_t *put)
{
	enum io_status io = IO_OK;

	*put = 0;
	while (*put < n && io == IO_OK) {
		struct iovec iov = { (void *)(uintptr_t)(from + *put), n - *put };
		size_t part;

		io = stream_writev(below, &iov, 1, &part);
		*put += part;
	}
	return io;
}

/*
 * Always goes well for OpenSSL, which would otherwise give the reading side up as well: a server
 * that refuses us closes behind the alert that says so.
 */
static int
bio_write(BIO *b, const char *from, size_t n, size_t *put)
{
	struct tls_io *io = BIO_get_data(b);
	struct tls_held *held = io->held;
	size_t sent = 0;

	BIO_clear_retry_flags(b);
	*put = n;
	if (!held->is_corked && !tls_io_is_held(held) &&
	    push(io->stream, from, n, &sent) == IO_ERROR)
		held->is_broken = true;
	if (held->bytes.n + n - sent > HELD_MAX_BYTES)
		held->is_broken = true;
	if (held->is_broken)
		tls_io_drop(held);
	else if (sent < n)
		buf_add(&held->bytes, str_of(from + sent, n - sent));
	return 1;
}

enum io_status
tls_io_flush(struct tls_held *held, struct stream *below)
{
	enum io_status io;
	size_t put;

	held->is_corked = false;
	if (!tls_io_is_held(held))
		return held->is_broken ? IO_ERROR : IO_OK;
	io = push(below, held->bytes.p + held->at, held->bytes.n - held->at, &put);
	held->at += put;
	held->is_broken = io == IO_ERROR;
	if (io != IO_AGAIN)
		tls_io_drop(held);
	return io;
}

void
tls_io_drop(struct tls_held *held)
{
	buf_fini(&held->bytes);
	held->at = 0;
}

static long
bio_ctrl(BIO *b, int command, long number, void *arg)
{
	const struct tls_io *io = BIO_get_data(b);

	(void)number;
	(void)arg;
	switch (command) {
	case BIO_CTRL_EOF:
		return io->is_ended;
	case BIO_CTRL_FLUSH:
		return 1;
	default:
		return 0;
	}
}

static BIO_METHOD *
method_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");

	if (m == NULL || !BIO_meth_set_read_ex(m, bio_read) ||
	    !BIO_meth_set_write_ex(m, bio_write) || !BIO_meth_set_ctrl(m, bio_ctrl))
		abort(); /* only for want of memory */
	return m;
}

struct tls_io *
tls_io_new(void)
{
	struct tls_io *io = mem_calloc(1, sizeof *io);

	io->method = method_new();
	io->bio = BIO_new(io->method);
	if (io->bio == NULL)
		abort();
	BIO_set_data(io->bio, io);
	BIO_set_init(io->bio, 1);
	return io;
}

void
tls_io_free(struct tls_io *io)
{
	if (io == NULL)
		return;
	BIO_free(io->bio);
	BIO_meth_free(io->method);
	free(io);
}

void
tls_io_attach(struct tls_io *io, SSL *ssl)
{
	/* One reference for both directions. */
	BIO_up_ref(io->bio);
	SSL_set_bio(ssl, io->bio, io->bio);
}

void
tls_io_begin(struct tls_io *io, struct stream *below, struct tls_held *held)
{
	io->stream = below;
	io->held = held;
	io->n_reads = 0;
	io->is_drained = false;
	io->is_ended = false;
	ERR_clear_error();
}

size_t
tls_io_gather(struct tls_io *io, const struct iovec *iov, size_t n, const char **from)
{
	size_t have = 0;

	if (n > 0 && iov[0].iov_len >= TLS_IO_RECORD_BYTES) {
		*from = iov[0].iov_base;
		return TLS_IO_RECORD_BYTES;
	}
	*from = io->record;
	for (size_t i = 0; i < n && have < TLS_IO_RECORD_BYTES; i++) {
		size_t room = TLS_IO_RECORD_BYTES - have;
		size_t take = iov[i].iov_len < room ? iov[i].iov_len : room;

		if (take != 0)
			memcpy(io->record + have, iov[i].iov_base, take);
		have += take;
	}
	return have;
}
