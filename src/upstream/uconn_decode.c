/* Decompresses answers. Owned by the arena of whoever asked; runs on its worker's thread. */
#include "upstream/uconn_decode.h"

#include "base/compiler.h"
#include "upstream/upstream.h"

void
uconn_decode_stop(struct uconn_decode *d)
{
	struct metric_shard *m = d->upstream->metrics;
	size_t index = d->upstream->index;

	if (d->decoder == NULL)
		return;
	coding_decoder_free(&d->decoder);
	metric_add(m, METRIC_UPSTREAM_DECODED_IN, index, 0, d->bytes_in);
	metric_add(m, METRIC_UPSTREAM_DECODED_OUT, index, 0, d->body.n);
}

static void
free_decode(void *arg)
{
	struct uconn_decode *d = arg;

	uconn_decode_stop(d);
	buf_fini(&d->body);
}

enum err_code
uconn_decode_start(struct uconn_decode **out, const struct header_list *fields,
    struct upstream *up, const struct coding_limits *limits, struct arena *arena)
{
	struct uconn_decode *d;
	enum coding coding;
	enum err_code e = coding_of_fields(fields, &coding);

	*out = NULL;
	if (e != ERR_NONE || coding == CODING_IDENTITY)
		return e;
	assert(up->coding != NULL);
	d = arena_calloc(arena, 1, sizeof *d);
	d->upstream = up;
	d->max_bytes_in = limits->max_bytes;
	d->decoder = coding_decoder_new(up->coding, coding, limits);
	arena_on_reset(arena, free_decode, d);
	*out = d;
	return ERR_NONE;
}

enum err_code
uconn_decode_feed(struct uconn_decode *d, struct str piece)
{
	/* Empty blocks cost time and make nothing: what goes in is bounded as well. */
	if (piece.n > d->max_bytes_in - d->bytes_in)
		return ERR_RESPONSE_TOO_LARGE;
	d->bytes_in += piece.n;
	return coding_decode(d->decoder, piece, &d->body);
}

enum err_code
uconn_decode_end(struct uconn_decode *d)
{
	enum err_code e = coding_decode_end(d->decoder);

	uconn_decode_stop(d);
	return e;
}
