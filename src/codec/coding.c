/* Content codings by libz and libbrotli, with memory of the thread's free lists. One thread per state. */
#include "codec/coding.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <string.h>
#include <zlib.h>

#include "base/compiler.h"

/* Smaller pieces are from the heap: a kept one would waste too much of itself. */
#define KEPT_MIN_BYTES ((size_t)8192)
/* Room made for output at a time. */
#define OUT_BYTES ((size_t)16384)
/* As long as there is this much room the output need not grow. */
#define OUT_LEAST_BYTES ((size_t)1024)

/* ---- names */

static const struct str names[CODING_COUNT] = {
	[CODING_IDENTITY] = STR_INIT("identity"),
	[CODING_GZIP] = STR_INIT("gzip"),
	[CODING_BR] = STR_INIT("br"),
	[CODING_DEFLATE] = STR_INIT("deflate"),
};

struct str
coding_name(enum coding c)
{
	return names[c];
}

bool
coding_find(struct str token, enum coding *out)
{
	for (unsigned i = 0; i < CODING_COUNT; i++) {
		*out = (enum coding)i;
		if (str_ieq(token, names[i]))
			return true;
	}
	*out = CODING_GZIP;
	return str_ieq(token, STR("x-gzip"));
}

enum err_code
coding_of_fields(const struct header_list *fields, enum coding *out)
{
	const struct header *h = header_find(fields, HEADER_CONTENT_ENCODING);
	enum coding one;

	*out = CODING_IDENTITY;
	for (; h != NULL; h = header_next(fields, h)) {
		for (struct str rest = h->value, e; header_next_element(&rest, &e);) {
			if (!coding_find(e, &one) ||
			    (one != CODING_IDENTITY && *out != CODING_IDENTITY))
				return ERR_CONTENT_CODING_UNKNOWN;
			if (one != CODING_IDENTITY)
				*out = one;
		}
	}
	return ERR_NONE;
}

/* ---- memory */

void
coding_store_init(struct coding_store *s, size_t max_bytes, struct freelist *pieces)
{
	*s = (struct coding_store){ .pieces = pieces, .max_bytes = max_bytes };
}

static void *
take(struct freelist *pieces, size_t bytes)
{
	return freelist_take(bytes < KEPT_MIN_BYTES ? NULL : pieces, bytes);
}

static void *
state_new(struct coding_store *s, size_t bytes)
{
	void *state = take(s->pieces, bytes);

	memset(state, 0, bytes);
	s->n_states++;
	return state;
}

static void
state_free(struct coding_store *s, void *state)
{
	s->n_states--;
	freelist_give(s->pieces, state);
}

/* ---- memory of compressors: what they take is known, coding_encoder_bytes() */

static void *
lend(void *store, size_t bytes)
{
	return take(((struct coding_store *)store)->pieces, bytes);
}

static voidpf
lend_items(voidpf store, uInt n, uInt size)
{
	return lend(store, (size_t)n * size);
}

static void
take_back(void *store, void *piece)
{
	freelist_give(((struct coding_store *)store)->pieces, piece);
}

/* ---- memory of decompressors, which depends on what they are given, and has a bound */

struct lender {
	struct coding_store *store; /* borrowed, outlives it */
	size_t lent_bytes;
	size_t max_bytes;
};

/* Before each piece that a decompressor holds. */
struct lent {
	size_t bytes;
	char data[] __attribute__((aligned(16)));
};

/* NULL beyond the bound, which the library reports. */
static void *
lend_bounded(void *lender, size_t bytes)
{
	struct lender *l = lender;
	struct lent *piece;

	if (bytes > l->max_bytes || l->lent_bytes > l->max_bytes - bytes)
		return NULL;
	piece = take(l->store->pieces, sizeof *piece + bytes);
	piece->bytes = bytes;
	l->lent_bytes += bytes;
	return piece->data;
}

static voidpf
lend_items_bounded(voidpf lender, uInt n, uInt size)
{
	return lend_bounded(lender, (size_t)n * size);
}

static void
take_back_bounded(void *lender, void *data)
{
	struct lent *piece = data == NULL ? NULL : CONTAINER_OF(data, struct lent, data);
	struct lender *l = lender;

	if (piece == NULL)
		return;
	l->lent_bytes -= piece->bytes;
	freelist_give(l->store->pieces, piece);
}

/* ---- compressing */

/* Of gzip, RFC 1952; the window is that of DEFLATE at its largest. */
#define GZIP_WINDOW_BITS 15
#define GZIP_MEMORY_LEVEL 8
#define GZIP_WRAPPER 16 /* added to the window bits: a gzip header and trailer */
/* A body shorter than the window by this much is always inside it; see deflate_stored() and MIN_LOOKAHEAD of zlib. */
#define GZIP_LOOKAHEAD 262
#define GZIP_MIN_BITS 9
/* 64 KiB: for the texts that are served a larger window costs memory and finds little. */
#define BR_WINDOW_BITS 16

struct coding_encoder {
	struct coding_store *store; /* borrowed, outlives it */
	enum coding coding;
	size_t charged_bytes; /* in the store's used_bytes */
	union {
		z_stream z;
		BrotliEncoderState *br; /* owned */
	};
};

/* How much smaller the state for a short body can be, in powers of two. */
static int
gzip_shrink(const struct coding_setup *setup)
{
	int bits = GZIP_WINDOW_BITS;

	while (setup->size_bytes != 0 && bits > GZIP_MIN_BITS &&
	    setup->size_bytes + GZIP_LOOKAHEAD < (UINT64_C(1) << (bits - 1)))
		bits--;
	return GZIP_WINDOW_BITS - bits;
}

static int
gzip_memory_level(int shrink)
{
	int level = GZIP_MEMORY_LEVEL - shrink;

	return level < 1 ? 1 : level;
}

/* The measures are those of zlib's zconf.h, and of what libbrotli 1.0 takes at most (a test compares). */
size_t
coding_encoder_bytes(const struct coding_setup *setup)
{
	if (setup->coding == CODING_GZIP) {
		int shrink = gzip_shrink(setup), memory = gzip_memory_level(shrink);

		return ((size_t)1 << (GZIP_WINDOW_BITS - shrink + 2)) + ((size_t)1 << (memory + 9)) +
		    16384;
	}
	if (setup->level < 4)
		return (size_t)1280 << 10;
	return (size_t)(setup->level < CODING_BR_LEVEL_MAX ? 2560 : 4096) << 10;
}

static void
open_gzip(struct coding_encoder *e, const struct coding_setup *setup)
{
	int shrink = gzip_shrink(setup), status;

	e->z.zalloc = lend_items;
	e->z.zfree = take_back;
	e->z.opaque = e->store;
	status = deflateInit2(&e->z, (int)setup->level, Z_DEFLATED,
	    GZIP_WINDOW_BITS - shrink + GZIP_WRAPPER, gzip_memory_level(shrink), Z_DEFAULT_STRATEGY);
	assert(status == Z_OK); /* the parameters are in range, and lend() never fails */
	(void)status;
}

static void
open_br(struct coding_encoder *e, const struct coding_setup *setup)
{
	e->br = BrotliEncoderCreateInstance(lend, take_back, e->store);
	assert(e->br != NULL);
	BrotliEncoderSetParameter(e->br, BROTLI_PARAM_QUALITY, setup->level);
	BrotliEncoderSetParameter(e->br, BROTLI_PARAM_LGWIN, BR_WINDOW_BITS);
	if (setup->size_bytes != 0 && setup->size_bytes < (UINT64_C(1) << 30))
		BrotliEncoderSetParameter(
		    e->br, BROTLI_PARAM_SIZE_HINT, (uint32_t)setup->size_bytes);
}

struct coding_encoder *
coding_encoder_new(struct coding_store *s, const struct coding_setup *setup)
{
	size_t bytes = coding_encoder_bytes(setup);
	struct coding_encoder *e;

	assert(setup->coding == CODING_GZIP || setup->coding == CODING_BR);
	if (bytes > s->max_bytes || s->used_bytes > s->max_bytes - bytes)
		return NULL;
	e = state_new(s, sizeof *e);
	e->store = s;
	e->coding = setup->coding;
	e->charged_bytes = bytes;
	s->used_bytes += bytes;
	if (e->coding == CODING_GZIP)
		open_gzip(e, setup);
	else
		open_br(e, setup);
	return e;
}

void
coding_encoder_free(struct coding_encoder **to_free)
{
	struct coding_encoder *e = *to_free;

	if (e == NULL)
		return;
	*to_free = NULL;
	if (e->coding == CODING_GZIP)
		deflateEnd(&e->z);
	else
		BrotliEncoderDestroyInstance(e->br);
	e->store->used_bytes -= e->charged_bytes;
	state_free(e->store, e);
}

/* zlib counts in 32 bits. */
static uInt
clamp(size_t n)
{
	return n < ((size_t)1 << 30) ? (uInt)n : (uInt)1 << 30;
}

/* Where the next output goes, and how much of it. */
static char *
output_room(struct buf *out, size_t *n)
{
	size_t left = out->cap - out->n;

	*n = left >= OUT_LEAST_BYTES && left < OUT_BYTES ? left : OUT_BYTES;
	return buf_reserve(out, *n);
}

static void
encode_gzip(struct coding_encoder *e, struct str in, int flush, struct buf *out)
{
	z_stream *z = &e->z;
	size_t room;
	int status;

	do {
		z->next_in = (Bytef *)(uintptr_t)in.p;
		z->avail_in = clamp(in.n);
		z->next_out = (Bytef *)output_room(out, &room);
		z->avail_out = (uInt)room;
		status = deflate(z, z->avail_in < in.n ? Z_NO_FLUSH : flush);
		/* A flush with nothing to flush is a Z_BUF_ERROR, which changes nothing. */
		assert(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR);
		buf_commit(out, room - z->avail_out);
		in = str_of((const char *)z->next_in, in.n - (size_t)((const char *)z->next_in - in.p));
	} while (in.n > 0 || z->avail_out == 0 || (flush == Z_FINISH && status == Z_OK));
}

static void
encode_br(struct coding_encoder *e, struct str in, BrotliEncoderOperation op, struct buf *out)
{
	const uint8_t *next_in = (const uint8_t *)in.p;
	size_t avail_in = in.n;

	do {
		size_t room;
		uint8_t *next_out = (uint8_t *)output_room(out, &room);
		size_t avail_out = room;
		BROTLI_BOOL is_fine = BrotliEncoderCompressStream(
		    e->br, op, &avail_in, &next_in, &avail_out, &next_out, NULL);

		assert(is_fine); /* it fails for want of memory only, and lend() never does */
		(void)is_fine;
		buf_commit(out, room - avail_out);
	} while (avail_in > 0 || BrotliEncoderHasMoreOutput(e->br));
}

void
coding_encode(struct coding_encoder *e, struct str in, enum coding_flush flush, struct buf *out)
{
	static const int gzip[] = {
		[CODING_HOLD] = Z_NO_FLUSH,
		[CODING_FLUSH] = Z_SYNC_FLUSH,
		[CODING_FINISH] = Z_FINISH,
	};
	static const BrotliEncoderOperation br[] = {
		[CODING_HOLD] = BROTLI_OPERATION_PROCESS,
		[CODING_FLUSH] = BROTLI_OPERATION_FLUSH,
		[CODING_FINISH] = BROTLI_OPERATION_FINISH,
	};

	if (e->coding == CODING_GZIP)
		encode_gzip(e, in, gzip[flush], out);
	else
		encode_br(e, in, br[flush], out);
}

/* ---- decompressing */

/* The largest window of RFC 7932, and half of it while it grows. */
#define BR_RING_MAX_BYTES ((uint64_t)24 << 20)
/* Tables of both libraries, and the window of DEFLATE. */
#define DECODER_BASE_BYTES ((size_t)512 << 10)

struct coding_decoder {
	struct lender lender;
	enum coding coding;
	struct coding_limits limits;
	uint64_t bytes_in; /* used up */
	uint64_t bytes_out;
	bool has_ended; /* a complete stream; of gzip, a member, which another may follow */
	union {
		z_stream z;
		BrotliDecoderState *br; /* owned */
	};
};

size_t
coding_decoder_bytes(uint64_t max_bytes)
{
	uint64_t ring = max_bytes < BR_RING_MAX_BYTES / 3 ? max_bytes * 3 : BR_RING_MAX_BYTES;

	return DECODER_BASE_BYTES + (size_t)ring;
}

struct coding_decoder *
coding_decoder_new(struct coding_store *s, enum coding coding, const struct coding_limits *limits)
{
	struct coding_decoder *d = state_new(s, sizeof *d);
	/* deflate is the zlib format, RFC 9110 8.4.1.2 */
	int bits = GZIP_WINDOW_BITS + (coding == CODING_GZIP ? GZIP_WRAPPER : 0), status;

	assert(coding != CODING_IDENTITY);
	d->lender = (struct lender){ .store = s, .max_bytes = coding_decoder_bytes(limits->max_bytes) };
	d->coding = coding;
	d->limits = *limits;
	if (coding == CODING_BR) {
		d->br = BrotliDecoderCreateInstance(lend_bounded, take_back_bounded, &d->lender);
		assert(d->br != NULL); /* what a fresh one takes is within DECODER_BASE_BYTES */
		return d;
	}
	d->z.zalloc = lend_items_bounded;
	d->z.zfree = take_back_bounded;
	d->z.opaque = &d->lender;
	status = inflateInit2(&d->z, bits);
	assert(status == Z_OK); /* likewise */
	(void)status;
	return d;
}

void
coding_decoder_free(struct coding_decoder **to_free)
{
	struct coding_decoder *d = *to_free;

	if (d == NULL)
		return;
	*to_free = NULL;
	if (d->coding == CODING_BR)
		BrotliDecoderDestroyInstance(d->br);
	else
		inflateEnd(&d->z);
	assert(d->lender.lent_bytes == 0);
	state_free(d->lender.store, d);
}

/* What a step has used and made is counted; is it within the limits? */
static enum err_code
account(struct coding_decoder *d, size_t used, size_t made)
{
	uint64_t most;

	d->bytes_in += used;
	d->bytes_out += made;
	if (d->bytes_out > d->limits.max_bytes)
		return ERR_DECODED_TOO_LARGE;
	if (d->bytes_out <= CODING_RATIO_FREE_BYTES)
		return ERR_NONE;
	if (__builtin_mul_overflow(d->bytes_in, d->limits.max_ratio, &most))
		return ERR_NONE;
	return d->bytes_out > most ? ERR_DECODED_RATIO : ERR_NONE;
}

/* Room for the next step: one byte more than may come shows that too much does. */
static size_t
room_for(const struct coding_decoder *d)
{
	uint64_t left = d->limits.max_bytes - d->bytes_out;

	return left < OUT_BYTES ? (size_t)left + 1 : OUT_BYTES;
}

/* RFC 1952 2.2: members follow each other, and nothing else does. */
static enum err_code
begin_member(struct coding_decoder *d)
{
	if (d->coding != CODING_GZIP)
		return ERR_CONTENT_CODING_INVALID;
	d->has_ended = false;
	return inflateReset(&d->z) == Z_OK ? ERR_NONE : ERR_CONTENT_CODING_INVALID;
}

static enum err_code
inflate_step(struct coding_decoder *d, struct str *in, struct buf *out, bool *is_full)
{
	size_t room = room_for(d), used;
	z_stream *z = &d->z;
	int status;

	z->next_in = (Bytef *)(uintptr_t)in->p;
	z->avail_in = clamp(in->n);
	z->next_out = (Bytef *)buf_reserve(out, room);
	z->avail_out = (uInt)room;
	status = inflate(z, Z_NO_FLUSH);
	used = (size_t)((const char *)z->next_in - in->p);
	*in = str_of(in->p + used, in->n - used);
	buf_commit(out, room - z->avail_out);
	*is_full = z->avail_out == 0 && status == Z_OK;
	d->has_ended = status == Z_STREAM_END;
	if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
		return ERR_CONTENT_CODING_INVALID;
	return account(d, used, room - z->avail_out);
}

static enum err_code
decode_zlib(struct coding_decoder *d, struct str in, struct buf *out)
{
	bool is_full = false;
	enum err_code e = ERR_NONE;

	while (e == ERR_NONE && (in.n > 0 || is_full)) {
		if (d->has_ended)
			e = begin_member(d);
		if (e == ERR_NONE)
			e = inflate_step(d, &in, out, &is_full);
	}
	return e;
}

/* A window is made as large as what is announced: no body within the limits needs more than it may have. */
static enum err_code
br_error(const struct coding_decoder *d)
{
	int code = (int)BrotliDecoderGetErrorCode(d->br);
	bool is_memory = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
	    code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;

	return is_memory ? ERR_DECODED_TOO_LARGE : ERR_CONTENT_CODING_INVALID;
}

static enum err_code
decode_br(struct coding_decoder *d, struct str in, struct buf *out)
{
	const uint8_t *next_in = (const uint8_t *)in.p;
	BrotliDecoderResult result;
	size_t avail_in = in.n;
	enum err_code e;

	if (in.n == 0)
		return ERR_NONE;
	if (d->has_ended)
		return ERR_CONTENT_CODING_INVALID;
	do {
		size_t room = room_for(d), avail_out = room, before = avail_in;
		uint8_t *next_out = (uint8_t *)buf_reserve(out, room);

		result = BrotliDecoderDecompressStream(
		    d->br, &avail_in, &next_in, &avail_out, &next_out, NULL);
		buf_commit(out, room - avail_out);
		if (result == BROTLI_DECODER_RESULT_ERROR)
			return br_error(d);
		e = account(d, before - avail_in, room - avail_out);
	} while (e == ERR_NONE && result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
	d->has_ended = result == BROTLI_DECODER_RESULT_SUCCESS;
	if (e == ERR_NONE && avail_in > 0)
		e = ERR_CONTENT_CODING_INVALID;
	return e;
}

enum err_code
coding_decode(struct coding_decoder *d, struct str in, struct buf *out)
{
	return d->coding == CODING_BR ? decode_br(d, in, out) : decode_zlib(d, in, out);
}

enum err_code
coding_decode_end(const struct coding_decoder *d)
{
	return d->has_ended || d->bytes_in == 0 ? ERR_NONE : ERR_CONTENT_CODING_INVALID;
}
