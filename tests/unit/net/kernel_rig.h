/*
 * What the kernel does for stream_encrypt(), done here: a stream over another that makes records of
 * TLS 1.2 and 1.3 with AES-128-GCM of the keys that OpenSSL hands over. The real one is one
 * setsockopt() away, and not on every machine.
 */
#ifndef KERNEL_RIG_H
#define KERNEL_RIG_H

#include <linux/tls.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "net/stream.h"
#include "unit.h"

#define KERNEL_TAG_BYTES 16

struct kernel_stream {
	struct stream base;
	struct stream *inner;
	struct tls12_crypto_info_aes_gcm_128 keys;
	uint64_t seq;
	bool is_on;
	bool is_blocked;
	bool is_end_due;
	struct buf out;
	size_t at;
	struct grave grave;
};

/* of all of them */
static size_t kernel_n_data, kernel_n_others;
static bool kernel_refuses;

static inline struct kernel_stream *
kernel_of(struct stream *s)
{
	return CONTAINER_OF(s, struct kernel_stream, base);
}

static inline enum io_status
kernel_flush(struct kernel_stream *k)
{
	while (k->at < k->out.n) {
		struct iovec iov = { k->out.p + k->at, k->out.n - k->at };
		size_t put;
		enum io_status io = stream_writev(k->inner, &iov, 1, &put);

		if (io != IO_OK)
			return io;
		k->at += put;
	}
	buf_clear(&k->out);
	k->at = 0;
	if (k->is_end_due)
		stream_shutdown_write(k->inner);
	k->is_end_due = false;
	return IO_OK;
}

static inline void
kernel_put_u64(unsigned char to[8], uint64_t v)
{
	for (int i = 0; i < 8; i++)
		to[i] = (unsigned char)(v >> (56 - 8 * i));
}

/* RFC 8446 5.2 and 5.3, RFC 5288 3. */
static inline void
kernel_seal(struct kernel_stream *k, uint8_t type, struct str payload)
{
	bool is_13 = k->keys.info.version == TLS_1_3_VERSION;
	size_t n_sealed = payload.n + KERNEL_TAG_BYTES + (is_13 ? 1 : 8);
	unsigned char nonce[12], aad[13],
	    head[5] = { is_13 ? 0x17 : type, 3, 3, (unsigned char)(n_sealed >> 8),
		    (unsigned char)n_sealed };
	unsigned char *sealed = mem_alloc(payload.n + 1 + KERNEL_TAG_BYTES), seq[8];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0, total = 0;

	kernel_put_u64(seq, k->seq++);
	memcpy(nonce, k->keys.salt, 4);
	memcpy(nonce + 4, is_13 ? k->keys.iv : seq, 8);
	for (int i = 0; is_13 && i < 8; i++)
		nonce[4 + i] ^= seq[i];
	memcpy(aad, is_13 ? head : seq, is_13 ? 5 : 8);
	if (!is_13)
		memcpy(aad + 8,
		    (unsigned char[]){
			type, 3, 3, (unsigned char)(payload.n >> 8), (unsigned char)payload.n },
		    5);
	ck_assert(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, k->keys.key, nonce));
	ck_assert(EVP_EncryptUpdate(c, NULL, &n, aad, is_13 ? 5 : 13));
	ck_assert(
	    EVP_EncryptUpdate(c, sealed, &n, (const unsigned char *)payload.p, (int)payload.n));
	total = n;
	if (is_13)
		ck_assert(EVP_EncryptUpdate(c, sealed + total, &n, &type, 1));
	total += is_13 ? n : 0;
	ck_assert(EVP_EncryptFinal_ex(c, sealed + total, &n));
	ck_assert(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, KERNEL_TAG_BYTES, sealed + total));
	buf_add(&k->out, str_of((char *)head, sizeof head));
	if (!is_13)
		buf_add(&k->out, str_of((char *)seq, sizeof seq));
	buf_add(&k->out, str_of((char *)sealed, (size_t)total + KERNEL_TAG_BYTES));
	EVP_CIPHER_CTX_free(c);
	free(sealed);
}

static inline enum io_status
kernel_read(struct stream *s, char *to, size_t n, size_t *got)
{
	return stream_read(kernel_of(s)->inner, to, n, got);
}

static inline enum io_status
kernel_writev(struct stream *s, const struct iovec *iov, size_t n, size_t *put)
{
	struct kernel_stream *k = kernel_of(s);
	enum io_status io = kernel_flush(k);
	size_t part = iov->iov_len < 16384 ? iov->iov_len : 16384;

	*put = 0;
	if (io == IO_OK && !k->is_on)
		io = stream_writev(k->inner, iov, n, put);
	else if (io == IO_OK) {
		kernel_n_data++;
		kernel_seal(k, 23, str_of(iov->iov_base, part));
		*put = part;
		kernel_flush(k);
	}
	k->is_blocked = io == IO_AGAIN;
	return io;
}

static inline bool
kernel_encrypt(struct stream *s, const void *keys, size_t n)
{
	struct kernel_stream *k = kernel_of(s);

	if (kernel_refuses)
		return false;
	ck_assert_uint_eq(n, sizeof k->keys);
	memcpy(&k->keys, keys, n);
	for (int i = 0; i < 8; i++)
		k->seq = k->seq << 8 | k->keys.rec_seq[i];
	k->is_on = true;
	return true;
}

static inline enum io_status
kernel_write_record(struct stream *s, uint8_t type, struct str payload)
{
	struct kernel_stream *k = kernel_of(s);
	enum io_status io = kernel_flush(k);

	k->is_blocked = io == IO_AGAIN;
	if (io != IO_OK)
		return io;
	kernel_n_others++;
	kernel_seal(k, type, payload);
	kernel_flush(k);
	return IO_OK;
}

static inline void
kernel_want_read(struct stream *s, bool is_wanted)
{
	stream_want_read(kernel_of(s)->inner, is_wanted);
}

static inline void
kernel_shutdown_write(struct stream *s)
{
	kernel_of(s)->is_end_due = true;
	kernel_flush(kernel_of(s));
}

static inline void
kernel_close(struct stream *s)
{
	struct kernel_stream *k = kernel_of(s);

	kernel_flush(k);
	stream_close(&k->inner);
	buf_fini(&k->out);
	loop_bury(s->loop, &k->grave, free, k);
}

static inline void
kernel_reset(struct stream *s)
{
	kernel_close(s);
}

static const struct stream_ops kernel_ops = {
	.read = kernel_read,
	.writev = kernel_writev,
	.want_read = kernel_want_read,
	.shutdown_write = kernel_shutdown_write,
	.close = kernel_close,
	.reset = kernel_reset,
	.encrypt = kernel_encrypt,
	.write_record = kernel_write_record,
};

static inline void
kernel_on_readable(void *owner)
{
	struct kernel_stream *k = owner;

	k->base.events->on_readable(k->base.owner);
}

static inline void
kernel_on_writable(void *owner)
{
	struct kernel_stream *k = owner;

	if (kernel_flush(k) == IO_AGAIN || !k->is_blocked)
		return;
	k->is_blocked = false;
	k->base.events->on_writable(k->base.owner);
}

static const struct stream_events kernel_events = { .on_readable = kernel_on_readable,
	.on_writable = kernel_on_writable };

static inline struct stream *
kernel_new(struct stream *inner)
{
	struct kernel_stream *k = mem_calloc(1, sizeof *k);

	k->base = (struct stream){ .ops = &kernel_ops, .loop = inner->loop };
	k->inner = inner;
	stream_set_owner(inner, &kernel_events, k);
	return &k->base;
}

#endif
