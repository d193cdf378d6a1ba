/*
 * Any bytes as a body of any framing. However the bytes are cut into pieces, and whether the payload of each is
 * moved together or not, the same payload comes out, the same bytes are taken, and the end is the same; a chunked
 * body written anew decodes to the same payload.
 */
#include "base/buf.h"
#include "base/compiler.h"
#include "codec/h1_frame.h"
#include "codec/h1_write.h"
#include "fuzz.h"

struct outcome {
	struct h1_frame frame;
	enum h1_progress progress;
	size_t used;
	struct buf payload; /* owned */
};

static void
init(struct outcome *o, unsigned choice)
{
	static const char *const heads[] = {
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
	};
	static const struct h1_limits limits = { 256, 64 };
	struct header fields[2];
	struct h1_head head;
	struct str text = str_c(heads[choice % ARRAY_LEN(heads)]);

	memset(o, 0, sizeof(*o));
	o->progress = H1_MORE;
	if (text.p[0] == 'H') {
		h1_head_init_response(&head, &limits, fields, ARRAY_LEN(fields));
		MUST(h1_head_feed(&head, text) == H1_DONE);
		MUST(h1_frame_response(&o->frame, &head, METHOD_GET) == ERR_NONE);
	} else {
		h1_head_init_request(&head, &limits, fields, ARRAY_LEN(fields));
		MUST(h1_head_feed(&head, text) == H1_DONE);
		MUST(h1_frame_request(&o->frame, &head) == ERR_NONE);
	}
}

/* A piece in memory of its own size. */
static void
feed(struct outcome *o, struct str piece)
{
	char *fresh = malloc(piece.n == 0 ? 1 : piece.n);
	struct str in = str_of(fresh, piece.n), payload;
	size_t used;

	MUST(fresh != NULL);
	if (piece.n > 0)
		memcpy(fresh, piece.p, piece.n);
	do {
		o->progress = h1_frame_feed(&o->frame, in, &used, &payload);
		MUST(used <= in.n && payload.n <= used);
		MUST(payload.p >= in.p && payload.p + payload.n <= in.p + in.n);
		MUST(o->progress != H1_MORE || used > 0 || in.n == 0);
		buf_add(&o->payload, payload);
		o->used += used;
		in = str_of(in.p + used, in.n - used);
	} while (o->progress == H1_MORE && in.n > 0);
	free(fresh);
}

/* The same with all payload as one slice. What is behind the message stays as it was. */
static void
feed_all(struct outcome *o, struct str piece)
{
	char *fresh = malloc(piece.n == 0 ? 1 : piece.n);
	struct str payload;
	size_t used;

	MUST(fresh != NULL);
	if (piece.n > 0)
		memcpy(fresh, piece.p, piece.n);
	o->progress = h1_frame_feed_all(&o->frame, fresh, piece.n, &used, &payload);
	MUST(used <= piece.n && payload.n <= used);
	MUST(payload.p >= fresh && payload.p + payload.n <= fresh + used);
	MUST(o->progress != H1_MORE || used == piece.n);
	MUST(memcmp(fresh + used, piece.p + used, piece.n - used) == 0);
	buf_add(&o->payload, payload);
	o->used += used;
	free(fresh);
}

static void
must_agree(const struct outcome *a, const struct outcome *b)
{
	MUST(a->progress == b->progress);
	if (a->progress == H1_REFUSED) {
		MUST(a->frame.error == b->frame.error && a->frame.error != ERR_NONE);
		return;
	}
	MUST(a->used == b->used && str_eq(buf_str(&a->payload), buf_str(&b->payload)));
	MUST(h1_frame_is_done(&a->frame) == (a->progress == H1_DONE));
}

static void
must_survive_writing(const struct outcome *o)
{
	char size[H1_WRITE_CHUNK_BYTES];
	struct buf wire = BUF_INIT;
	struct outcome again;

	if (o->payload.n > 0) {
		buf_add(&wire, str_of(size, h1_write_chunk(size, o->payload.n)));
		buf_add(&wire, buf_str(&o->payload));
		buf_add_c(&wire, H1_WRITE_CHUNK_END);
	}
	buf_add_c(&wire, H1_WRITE_LAST_CHUNK);
	init(&again, 0);
	feed(&again, buf_str(&wire));
	MUST(again.progress == H1_DONE && again.used == wire.n);
	MUST(str_eq(buf_str(&again.payload), buf_str(&o->payload)));
	buf_fini(&again.payload);
	buf_fini(&wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, together, pieces;
	struct str bytes, rest;

	if (size < 2)
		return 0;
	bytes = rest = str_of((const char *)data + 2, size - 2);
	init(&whole, data[0]);
	feed(&whole, bytes);
	init(&together, data[0]);
	feed_all(&together, bytes);
	must_agree(&whole, &together);
	init(&pieces, data[0]);
	while (pieces.progress == H1_MORE && rest.n > 0) {
		size_t n = 1 + data[1] % 16;

		n = n < rest.n ? n : rest.n;
		if (data[1] & 16)
			feed_all(&pieces, str_of(rest.p, n));
		else
			feed(&pieces, str_of(rest.p, n));
		rest = str_of(rest.p + n, rest.n - n);
	}
	must_agree(&whole, &pieces);
	if (whole.progress == H1_DONE)
		must_survive_writing(&whole);
	buf_fini(&whole.payload);
	buf_fini(&together.payload);
	buf_fini(&pieces.payload);
	return 0;
}
