/* Compression of answers. Owned by the exchange; worker thread. */
#include "server/compress.h"

#include "base/compiler.h"
#include "codec/accept.h"
#include "server/compress_fields.h"
#include "server/observe.h"
#include "server/server.h"

/* Most that goes in during one turn of the loop, of one answer and of all: about a millisecond, and four. */
#define TURN_BYTES ((size_t)65536)
#define TURN_BYTES_OF_ALL (4 * TURN_BYTES)

/* What comes out before the turn ends leaves then when it is so much. */
#define PUSH_BYTES ((size_t)16384)

static const struct compress_conf *
conf_of(const struct exchange *x)
{
	return &x->route->conf->compress;
}

/* ---- whether, and how */

/* An answer before it is sent. */
struct subject {
	unsigned status;
	bool has_length;
	uint64_t length; /* with has_length */
	struct compress_fields fields;
};

/* What is decided. */
struct verdict {
	unsigned edits; /* of compress_fields_edit() */
	enum coding coding;
};

static bool
client_forbids(const struct exchange *x)
{
	return header_has_token(
	    x->request.headers, HEADER_CACHE_CONTROL, STR("no-transform")); /* RFC 9111 5.2.1.6 */
}

/*
 * RFC 9110 15.4.5: a 304 has the fields that the 200 would have had. A cache that holds the compressed answer holds
 * a weak tag, and may only be told of the same one (RFC 9111 4.3.4).
 */
static struct verdict
decide_not_modified(enum coding wanted)
{
	return (struct verdict){
		.edits = COMPRESS_FIELDS_VARY |
		    (wanted == CODING_IDENTITY ? 0 : (unsigned)COMPRESS_FIELDS_WEAK),
		.coding = CODING_IDENTITY,
	};
}

static struct verdict
decide(const struct exchange *x, const struct subject *s)
{
	const struct compress_conf *conf = conf_of(x);
	struct verdict none = { .coding = CODING_IDENTITY }, vary = none;
	struct compress_facts facts;
	enum coding wanted;

	vary.edits = COMPRESS_FIELDS_VARY;
	compress_fields_read(&s->fields, &facts);
	if (facts.is_coded || facts.is_fixed || client_forbids(x))
		return none;
	wanted = accept_coding(x->request.headers, conf->codings, conf->n_codings);
	if (s->status == 304)
		return decide_not_modified(wanted);
	if (s->status < 200 || s->status == 204 || s->status == 205 ||
	    (s->has_length && (s->length == 0 || s->length < conf->min_bytes)) ||
	    !compress_conf_takes(conf, facts.content_type))
		return none;
	/* Ranges are of the body as it is (RFC 9110 14.1.2). */
	if (s->status == 206 || wanted == CODING_IDENTITY)
		return vary;
	return (struct verdict){
		.edits = COMPRESS_FIELDS_VARY | COMPRESS_FIELDS_WEAK | COMPRESS_FIELDS_CODED,
		.coding = wanted,
	};
}

/* ---- the encoder */

static void
close_encoder(struct compress *c)
{
	const struct exchange *x = c->exchange;
	struct metric_shard *m = x->server->setup.metrics;

	if (c->encoder == NULL)
		return;
	coding_encoder_free(&c->encoder);
	metric_add(m, METRIC_COMPRESSION_IN, observe_route(x), 0, c->bytes_in);
	metric_add(m, METRIC_COMPRESSION_OUT, observe_route(x), 0, c->bytes_out);
}

static void
free_compress(void *arg)
{
	struct compress *c = arg;

	close_encoder(c);
	buf_fini(&c->out);
}

static void on_later(void *arg);

/* Sets x->compress; false: there is no memory for it, and the answer leaves as it is. */
static bool
open_encoder(struct exchange *x, enum coding coding, uint64_t size_bytes)
{
	const struct compress_conf *conf = conf_of(x);
	const struct coding_setup setup = {
		.coding = coding,
		.level = (unsigned)(coding == CODING_GZIP ? conf->gzip_level : conf->br_level),
		.size_bytes = size_bytes,
	};
	struct coding_encoder *encoder = coding_encoder_new(x->server->setup.coding, &setup);
	struct compress *c;

	if (encoder == NULL) {
		metric_add(x->server->setup.metrics, METRIC_COMPRESSION_SKIPPED, observe_route(x), 0, 1);
		return false;
	}
	c = arena_calloc(&x->arena, 1, sizeof *c);
	c->exchange = x;
	c->coding = coding;
	c->encoder = encoder;
	defer_init(&c->later, on_later, c);
	arena_on_reset(&x->arena, free_compress, c);
	x->compress = c;
	return true;
}

static void
feed(struct compress *c, struct str in, enum coding_flush flush)
{
	size_t before = c->out.n;

	coding_encode(c->encoder, in, flush, &c->out);
	c->bytes_in += in.n;
	c->bytes_out += c->out.n - before;
}

static size_t
less(size_t most, size_t n)
{
	return n < most ? most - n : 0;
}

/* How much may still go in before everybody else has a turn: those who come again do so as they have asked. */
static size_t
room_of_turn(struct compress *c)
{
	struct server *s = c->exchange->server;
	size_t own, of_all;

	if (c->turn != s->loop->turns)
		c->turn_bytes = 0;
	if (s->compressed.turn != s->loop->turns)
		s->compressed.bytes = 0;
	c->turn = s->compressed.turn = s->loop->turns;
	own = less(TURN_BYTES, c->turn_bytes);
	of_all = less(TURN_BYTES_OF_ALL, s->compressed.bytes);
	return own < of_all ? own : of_all;
}

static void
feed_in_turn(struct compress *c, struct str in)
{
	c->turn_bytes += in.n;
	c->exchange->server->compressed.bytes += in.n;
	feed(c, in, CODING_HOLD);
}

/* The exchange's timer is free while its answer is made or leaves; it fires in the next turn. */
static void
come_again(struct compress *c)
{
	struct exchange *x = c->exchange;

	loop_timer_set(x->server->loop, &x->timer, x->server->loop->now_ns);
}

/* ---- a whole answer */

static bool
has_input(const struct compress *c)
{
	return c->slice < c->exchange->answer.n_body;
}

/* The next of the body's bytes, at most n. */
static struct str
take_input(struct compress *c, size_t n)
{
	const struct iovec *v = &c->exchange->answer.body[c->slice];
	struct str in = str_of((const char *)v->iov_base + c->offset, v->iov_len - c->offset);

	if (in.n > n) {
		in.n = n;
		c->offset += n;
	} else {
		c->slice++;
		c->offset = 0;
	}
	return in;
}

/* False: the rest is for the next turn. */
static bool
run_answer(struct compress *c)
{
	struct exchange *x = c->exchange;

	while (has_input(c)) {
		size_t room = room_of_turn(c);
		struct str in;

		if (room == 0) {
			come_again(c);
			return false;
		}
		in = take_input(c, room);
		feed_in_turn(c, in);
	}
	feed(c, str_none(), CODING_FINISH);
	close_encoder(c);
	c->has_ended = true;
	answer_set_body(&x->answer, &x->arena, x->answer.content_type, buf_str(&c->out));
	return true;
}

static void
begin_answer(struct exchange *x)
{
	struct answer *answer = &x->answer;
	struct subject s = {
		.status = answer->status,
		.has_length = true,
		.length = answer->body_bytes,
		.fields = { .lines = answer->fields },
	};
	struct compress_fields type = { .lines = str_none() };
	struct verdict v;

	/* The type stands beside the other fields. */
	if (answer->content_type.n > 0) {
		type.lines = arena_printf(&x->arena, "Content-Type: %.*s\r\n%.*s",
		    STR_FMT(answer->content_type), STR_FMT(answer->fields));
		s.fields.lines = type.lines;
	}
	v = decide(x, &s);
	if (v.coding != CODING_IDENTITY && x->request.method == METHOD_HEAD)
		answer->is_length_untold = true;
	else if (v.coding != CODING_IDENTITY && !open_encoder(x, v.coding, answer->body_bytes))
		v.edits = COMPRESS_FIELDS_VARY;
	if (v.edits == 0)
		return;
	s.fields.lines = answer->fields;
	compress_fields_edit(&s.fields, v.edits, v.coding, &x->arena);
	answer->fields = s.fields.lines;
}

bool
compress_answer(struct exchange *x)
{
	if (x->server->setup.coding == NULL)
		return true;
	if (x->compress == NULL)
		begin_answer(x);
	if (x->compress == NULL || x->compress->has_ended)
		return true;
	return run_answer(x->compress);
}

/* ---- a streamed one */

void
compress_head(struct exchange *x, const struct exchange_head *head)
{
	struct exchange_head out = *head;
	struct subject s = {
		.status = head->status,
		.has_length = head->has_length,
		.length = head->length,
		.fields = { .list = head->fields, .lines = head->more },
	};
	struct verdict v = { .coding = CODING_IDENTITY };

	if (x->server->setup.coding != NULL)
		v = decide(x, &s);
	if (v.coding != CODING_IDENTITY && x->request.method != METHOD_HEAD &&
	    !open_encoder(x, v.coding, head->has_length ? head->length : 0)) {
		v.edits = COMPRESS_FIELDS_VARY;
		v.coding = CODING_IDENTITY;
	}
	if (v.edits != 0) {
		compress_fields_edit(&s.fields, v.edits, v.coding, &x->arena);
		out.fields = s.fields.list;
		out.more = s.fields.lines;
	}
	if (v.coding != CODING_IDENTITY) {
		out.has_length = false;
		if (out.length_kind == EXCHANGE_LENGTH_KNOWN)
			out.length_kind = EXCHANGE_LENGTH_UNKNOWN;
	}
	x->ops->send_head(x, &out);
}

/* Hands over what is there. False: the client is slow, and compress_on_writable() will come. */
static bool
push(struct compress *c)
{
	struct exchange *x = c->exchange;

	if (c->out.n > 0 && x->ops->send_piece(x, buf_str(&c->out)) == 0)
		return false;
	buf_clear(&c->out);
	return true;
}

static void
on_later(void *arg)
{
	struct compress *c = arg;

	feed(c, str_none(), CODING_FLUSH);
	push(c);
}

size_t
compress_piece(struct compress *c, struct str piece)
{
	if (!push(c)) {
		c->is_refused = true;
		return 0;
	}
	if (room_of_turn(c) == 0) {
		c->is_refused = true;
		come_again(c);
		return 0;
	}
	feed_in_turn(c, piece);
	loop_flush_later(c->exchange->server->loop, &c->later);
	/* Less is not worth a chunk of its own: the header of gzip comes out at once. */
	if (c->out.n >= PUSH_BYTES)
		push(c);
	return piece.n;
}

void
compress_end(struct compress *c)
{
	struct exchange *x = c->exchange;

	loop_defer_cancel(x->server->loop, &c->later);
	feed(c, str_none(), CODING_FINISH);
	close_encoder(c);
	c->is_end_due = !push(c);
	if (!c->is_end_due)
		x->ops->send_end(x);
}

bool
compress_on_writable(struct compress *c)
{
	struct exchange *x = c->exchange;
	bool was_refused = c->is_refused;

	if (c->has_ended || !push(c))
		return false;
	c->is_refused = false;
	if (c->is_end_due) {
		c->is_end_due = false;
		x->ops->send_end(x);
		return false;
	}
	return was_refused;
}

void
compress_cancel(struct compress *c)
{
	loop_defer_cancel(c->exchange->server->loop, &c->later);
	close_encoder(c);
}
