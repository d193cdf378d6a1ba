/*
 * What the TLS streams of one thread share: the BIO through which OpenSSL reads and writes the
 * stream below, and the buffer in which slices become one record. One BIO serves them all, because
 * only one call into OpenSSL is under way at a time; an idle connection then needs none of its own.
 */
#ifndef NET_TLS_IO_H
#define NET_TLS_IO_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "net/stream.h"
#include "net/tls_conf.h"

#define TLS_IO_RECORD_BYTES 16384 /* RFC 8446 5.1: the most that a record carries */
#define TLS_IO_PROTOCOLS "\x08http/1.1" /* RFC 7301 3.1: what is spoken, each with its length before it */

/*
 * Encrypted bytes that the stream below did not take. OpenSSL is never told of it: its own way to
 * hold a record back fails when a read has to write as well (a key update) before the record is
 * out.
 */
struct tls_held {
	struct buf bytes; /* owned */
	size_t at;        /* of them are sent */
	bool is_corked;   /* all of it is held, until tls_io_flush() */
	bool is_kernels;  /* the kernel encrypts: the bytes here are not, and this comes after them: */
	uint8_t n_alert;
	char alert[2];
	bool is_broken; /* the stream below takes nothing any more; reading may tell why */
};

static inline bool
tls_io_is_held(const struct tls_held *held)
{
	return held->at < held->bytes.n || held->n_alert != 0;
}

struct tls_io {
	BIO_METHOD *method;    /* owned */
	BIO *bio;              /* owned; every SSL of the thread holds it as well */
	struct stream *stream; /* borrowed for the call under way, as the next */
	struct tls_held *held;
	unsigned n_reads; /* of the call under way */
	uint8_t type;     /* of the next record for the kernel; 0: data */
	bool is_drained;  /* it shall read no more: the last read was short, or there were many */
	bool is_ended;    /* the stream below has ended */
	char record[TLS_IO_RECORD_BYTES];
};

struct tls_io *tls_io_new(void);
/* Every stream that uses it is closed. */
void tls_io_free(struct tls_io *io);
/* What both ends need of the context of their connections: how tls_io reads and writes, and what is never wanted. */
void tls_io_set_up(SSL_CTX *c, enum tls_version least);
/* Gives ssl its way down. */
void tls_io_attach(struct tls_io *io, SSL *ssl);
/*
 * Before each call into OpenSSL: what it reads and writes goes through `below`; its errors are its
 * own.
 */
void tls_io_begin(struct tls_io *io, struct stream *below, struct tls_held *held);
/*
 * Sends what is held, the cork drawn: IO_OK when nothing is left, IO_AGAIN when on_writable of the
 * stream below will come, or IO_ERROR.
 */
enum io_status tls_io_flush(struct tls_held *held, struct stream *below);
void tls_io_drop(struct tls_held *held);
/*
 * The first bytes of the slices, as many as make one record: where they lie, when the first slice
 * alone is that long, otherwise copied into io->record. Returns how many.
 */
size_t tls_io_gather(struct tls_io *io, const struct iovec *iov, size_t n, const char **from);

#endif
