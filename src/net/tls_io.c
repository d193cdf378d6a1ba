/* The BIO between OpenSSL and the stream below. One per thread, owned by its worker. */
#include "net/tls_io.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <linux/tls.h>
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

/*
 * What OpenSSL says to a BIO that may hand its records to the kernel. <openssl/bio.h> lists the
 * numbers and keeps the names to itself; Debian's OpenSSL 3.0 does not change them.
 */
enum { CTRL_SET_KTLS = 72, CTRL_SET_KTLS_TYPE = 74, CTRL_CLEAR_KTLS_TYPE = 75 };

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

/*
 * What is not data goes at once, but for the alert that is the end: a client can do without a
 * ticket. Other keys cannot be given to the kernel, so the connection ends where they would begin.
 */
static void
write_record(struct tls_io *io, struct str payload)
{
	uint8_t type = io->type;
	struct tls_held *held = io->held;
	enum io_status result = IO_AGAIN;

	io->type = 0;
	if (type == SSL3_RT_HANDSHAKE && payload.n != 0 && payload.p[0] == SSL3_MT_KEY_UPDATE)
		result = IO_ERROR;
	else if (!tls_io_is_held(held))
		result = stream_write_record(io->stream, type, payload);
	if (result == IO_AGAIN && type == SSL3_RT_ALERT && payload.n == sizeof held->alert) {
		memcpy(held->alert, payload.p, payload.n);
		held->n_alert = sizeof held->alert;
	}
	if (result != IO_ERROR)
		return;
	held->is_broken = true;
	tls_io_drop(held);
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
	if (io->type != 0) {
		write_record(io, str_of(from, n));
		return 1;
	}
	if (!held->is_broken && !held->is_corked && !tls_io_is_held(held) &&
	    stream_push(io->stream, str_of(from, n), &sent) == IO_ERROR)
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
	io = stream_push(below, str_of(held->bytes.p + held->at, held->bytes.n - held->at), &put);
	held->at += put;
	if (io == IO_OK && held->n_alert != 0)
		io = stream_write_record(below, SSL3_RT_ALERT, str_of(held->alert, held->n_alert));
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
	held->n_alert = 0;
}

static size_t
keys_size(const struct tls_crypto_info *keys)
{
	switch (keys->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		return sizeof(struct tls12_crypto_info_aes_gcm_128);
	case TLS_CIPHER_AES_GCM_256:
		return sizeof(struct tls12_crypto_info_aes_gcm_256);
	case TLS_CIPHER_CHACHA20_POLY1305:
		return sizeof(struct tls12_crypto_info_chacha20_poly1305);
	default:
		return 0;
	}
}

/* All that was encrypted here has to be out before. Reading stays here: alerts and tickets come that way. */
static bool
give_to_kernel(struct tls_io *io, const struct tls_crypto_info *keys)
{
	size_t n = keys_size(keys);

	if (n == 0 || tls_io_flush(io->held, io->stream) != IO_OK)
		return false;
	io->held->is_kernels = stream_encrypt(io->stream, keys, n);
	return io->held->is_kernels;
}

static long
bio_ctrl(BIO *b, int command, long number, void *arg)
{
	struct tls_io *io = BIO_get_data(b);

	switch (command) {
	case BIO_CTRL_EOF:
		return io->is_ended;
	case BIO_CTRL_FLUSH:
		return 1;
	case CTRL_SET_KTLS:
		return number != 0 && give_to_kernel(io, arg);
	case BIO_CTRL_GET_KTLS_SEND:
		return io->held->is_kernels;
	case CTRL_SET_KTLS_TYPE:
		io->type = (uint8_t)number;
		return 0;
	case CTRL_CLEAR_KTLS_TYPE:
		io->type = 0;
		return 0;
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
	struct tls_io *io = mem_calloc_lines(1, sizeof *io);

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
tls_io_set_up(SSL_CTX *c, enum tls_version least)
{
	SSL_CTX_set_min_proto_version(c, least == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				SSL_MODE_RELEASE_BUFFERS);
	/* One read takes a record's head and body, and the records behind it. */
	SSL_CTX_set_read_ahead(c, 1);
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
	if (n > 0 && iov[0].iov_len >= TLS_IO_RECORD_BYTES) {
		*from = iov[0].iov_base;
		return TLS_IO_RECORD_BYTES;
	}
	*from = io->record;
	return str_copy_iov(io->record, TLS_IO_RECORD_BYTES, iov, n);
}
