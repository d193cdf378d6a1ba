/* The client of a rehearsal. Main thread, on the rehearsal's outer loop. */
#include "daemon/rehearsal_client.h"

#include "codec/coding.h"

#define READ_BYTES 65536

/* Tests expect what the answer says, however it is compressed. What cannot be decoded stays as it is. */
static void
decode_body(struct rehearsal_client *c)
{
	static const struct coding_limits limits = { UINT64_C(1) << 30, UINT64_MAX };
	struct coding_store store;
	struct coding_decoder *d;
	struct buf text = BUF_INIT;
	enum coding coding;

	if (coding_of_fields(&c->head.fields, &coding) != ERR_NONE || coding == CODING_IDENTITY)
		return;
	coding_store_init(&store, 0, NULL);
	d = coding_decoder_new(&store, coding, &limits);
	if (coding_decode(d, buf_str(&c->body), &text) == ERR_NONE &&
	    coding_decode_end(d) == ERR_NONE) {
		buf_fini(&c->body);
		c->body = text;
	} else {
		buf_fini(&text);
	}
	coding_decoder_free(&d);
}

static void
end(struct rehearsal_client *c, bool is_answered)
{
	if (is_answered)
		decode_body(c);
	c->is_answered = is_answered;
	c->is_done = true;
	stream_close(&c->stream);
}

static void
await_head(struct rehearsal_client *c)
{
	const struct h1_limits limits = { .head_bytes = 1 << 20, .target_bytes = 0 };

	h1_head_init_response(&c->head, &limits, c->fields, REHEARSAL_CLIENT_FIELDS);
}

static void
drop_front(struct buf *b, size_t n)
{
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
}

/* The head is kept apart, so that its slices stay; interim answers (RFC 9110 15.2) are passed over. */
static bool
take_head(struct rehearsal_client *c)
{
	enum h1_progress progress = h1_head_feed(&c->head, buf_str(&c->in));

	if (progress == H1_REFUSED)
		end(c, false);
	if (progress != H1_DONE)
		return false;
	buf_clear(&c->head_bytes);
	buf_add(&c->head_bytes, str_of(c->in.p, c->head.n_bytes));
	h1_head_move(&c->head, c->head_bytes.p);
	drop_front(&c->in, c->head.n_bytes);
	if (c->head.status < 200) {
		await_head(c);
		return c->in.n > 0;
	}
	c->has_head = true;
	if (h1_frame_response(&c->frame, &c->head, c->method) != ERR_NONE)
		end(c, false);
	return !c->is_done;
}

static void
take_body(struct rehearsal_client *c)
{
	enum h1_progress progress;
	struct str payload;
	size_t used;

	do {
		progress = h1_frame_feed(&c->frame, buf_str(&c->in), &used, &payload);
		if (c->body_ns == 0 && payload.n > 0)
			c->body_ns = c->loop->now_ns;
		buf_add(&c->body, payload);
		drop_front(&c->in, used);
	} while (progress == H1_MORE && c->in.n > 0);
	if (progress != H1_MORE)
		end(c, progress == H1_DONE);
}

static void
take(struct rehearsal_client *c)
{
	while (!c->has_head)
		if (!take_head(c))
			return;
	take_body(c);
}

static void
on_readable(void *arg)
{
	struct rehearsal_client *c = arg;
	size_t got;

	switch (stream_read(c->stream, buf_reserve(&c->in, READ_BYTES), READ_BYTES, &got)) {
	case IO_OK:
		buf_commit(&c->in, got);
		take(c);
		break;
	case IO_AGAIN:
		break;
	case IO_EOF:
		end(c, c->has_head && h1_frame_eof(&c->frame) == ERR_NONE);
		break;
	case IO_ERROR:
		end(c, false);
		break;
	}
}

static void
on_writable(void *arg)
{
	struct rehearsal_client *c = arg;
	size_t put;

	/* An error is told by reading, too. */
	stream_push(c->stream, str_of(c->bytes.p + c->n_sent, c->bytes.n - c->n_sent), &put);
	c->n_sent += put;
}

static void
on_connected(void *arg, enum err_code e)
{
	struct rehearsal_client *c = arg;

	if (e != ERR_NONE) {
		end(c, false);
		return;
	}
	stream_want_read(c->stream, true);
	on_writable(c);
}

static const struct stream_events events = {
	.on_connected = on_connected,
	.on_readable = on_readable,
	.on_writable = on_writable,
};

void
rehearsal_client_start(struct rehearsal_client *c, struct loop *loop, const struct addr *to,
    struct str bytes, enum http_method method)
{
	*c = (struct rehearsal_client){ .bytes = bytes, .method = method, .loop = loop };
	await_head(c);
	c->stream = stream_connect(loop, to, &events, c);
}

void
rehearsal_client_fini(struct rehearsal_client *c)
{
	stream_close(&c->stream);
	buf_fini(&c->in);
	buf_fini(&c->head_bytes);
	buf_fini(&c->body);
}
