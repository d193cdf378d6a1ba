/* Streams the parts of a gathered answer. Owned by the exchange; worker thread. */
#include "server/parts.h"

#include "base/compiler.h"
#include "codec/accept.h"
#include "gather/answer_fields.h"
#include "gather/meta.h"
#include "server/compress.h"
#include "server/respond.h"
#include "server/server.h"

/* How much is handed to the connection at once, and held when it is busy. */
#define PIECE_BYTES ((size_t)32768)

/* ---- which format */

enum err_code
parts_choose_format(
    const struct route_conf *conf, const struct header_list *headers, enum route_format *out)
{
	unsigned best = 0;

	*out = conf->n_formats == 0 ? FORMAT_JSON : conf->formats[0];
	if (conf->n_formats <= 1)
		return ERR_NONE;
	for (size_t i = 0; i < conf->n_formats; i++) {
		unsigned quality = accept_quality(headers, record_type(conf->formats[i]));

		if (quality > best) {
			best = quality;
			*out = conf->formats[i];
		}
	}
	return best == 0 ? ERR_NOT_ACCEPTABLE : ERR_NONE;
}

/* ---- pieces */

/* Adds text without its line ends; what has none, which is the rule, is copied as a whole. */
static void
add_one_line(struct buf *to, struct str text)
{
	char *at = buf_reserve(to, text.n);
	size_t n = 0;

	if (str_find(text, '\n') == text.n && str_find(text, '\r') == text.n) {
		buf_add(to, text);
		return;
	}
	for (size_t i = 0; i < text.n; i++) {
		at[n] = text.p[i];
		n += text.p[i] != '\n' && text.p[i] != '\r';
	}
	buf_commit(to, n);
}

/* Moves what fits of the current slice into the piece, and on to the next slice behind its end. */
static void
fill_from_slice(struct parts *p)
{
	const struct record *r = &p->records[p->at];
	const struct str slices[] = { r->head, r->body, r->tail };
	struct str rest = slices[p->slice];
	size_t room = PIECE_BYTES - p->piece.n, n = rest.n - p->offset;

	if (n > room)
		n = room;
	if (n > 0 && p->slice == 1 && r->is_one_line)
		add_one_line(&p->piece, str_of(rest.p + p->offset, n));
	else if (n > 0)
		buf_add(&p->piece, str_of(rest.p + p->offset, n));
	p->offset += n;
	if (p->offset < rest.n)
		return;
	p->offset = 0;
	if (++p->slice < ARRAY_LEN(slices))
		return;
	p->slice = 0;
	p->at++;
}

static void
fill(struct parts *p)
{
	while (p->at < p->n_records && p->piece.n < PIECE_BYTES)
		fill_from_slice(p);
}

/* Hands over what is there. False: the client is slow, parts_on_writable() will come. */
static bool
push(struct parts *p)
{
	struct exchange *x = p->exchange;

	for (fill(p); p->piece.n > 0; fill(p)) {
		if (compress_send_piece(x, buf_str(&p->piece)) == 0)
			return false;
		buf_clear(&p->piece);
	}
	return true;
}

/* ---- the head */

static void
send_head(struct parts *p)
{
	static const struct header_list no_fields = { .n = 0 };
	struct exchange *x = p->exchange;
	struct str type = record_media_type(&p->style, &x->arena);
	struct str fields = answer_fields_write(x->gather, NULL, 0);
	const char *vary = x->route->conf->n_formats > 1 ? "Vary: Accept\r\n" : "";
	const struct exchange_head head = {
		.status = 200,
		.fields = &no_fields,
		.more = arena_printf(&x->arena, "Content-Type: %.*s\r\n%s%.*s", STR_FMT(type), vary,
		    STR_FMT(fields)),
		.length_kind = respond_has_body(x->request.method, 200) ? EXCHANGE_LENGTH_UNKNOWN
									: EXCHANGE_LENGTH_NONE,
		.minor = 1,
	};

	x->status = head.status;
	p->is_head_sent = true;
	compress_send_head(x, &head);
}

/* ---- the flow */

void
parts_cancel(struct parts *p)
{
	loop_defer_cancel(p->exchange->server->loop, &p->later);
}

static void
end(struct parts *p)
{
	struct exchange *x = p->exchange;

	parts_cancel(p); /* the answer may be out, and all of this freed, before the turn ends */
	x->state = EXCHANGE_FLUSH;
	compress_send_end(x);
}

/* Sends what there is; ends the answer when nothing will follow. */
static void
flow(struct parts *p)
{
	struct exchange *x = p->exchange;

	if (x->state != EXCHANGE_GATHER)
		return;
	if (!p->is_head_sent)
		send_head(p);
	/* RFC 9110 9.3.2: the head is all that the client gets, so nobody waits for the rest. */
	if (x->request.method == METHOD_HEAD) {
		gather_cancel(x->gather);
		end(p);
		return;
	}
	if (push(p) && x->gather->state == GATHER_DONE)
		end(p);
}

static void
on_later(void *arg)
{
	struct parts *p = arg;

	/* While permits are asked for, a shed request can still be answered with its own status. */
	if (p->exchange->gather->state != GATHER_ADMIT)
		flow(p);
}

void
parts_on_writable(struct parts *p)
{
	flow(p);
}

/* ---- what the gather tells */

static void
add(struct parts *p, struct record r)
{
	p->records[p->n_records++] = r;
	loop_flush_later(p->exchange->server->loop, &p->later);
}

/* The body and its type as they came, where the part is all of it and JSON need not be. */
static struct record
part_of(const struct parts *p, const struct gather_call *gc, struct str result)
{
	struct arena *arena = &p->exchange->arena;
	struct str name = gc->plan->conf->name, type = gc->task.content_type;
	bool is_as_received = gc->error == ERR_NONE && !gc->is_skipped && gc->fanout == NULL &&
	    gc->plan->shape == NULL;

	if (p->style.format != FORMAT_MULTIPART || !is_as_received)
		return record_of_part(&p->style, arena, name, STR("application/json"), result);
	if (str_is_none(type))
		type = STR("application/octet-stream");
	return record_of_part(&p->style, arena, name, type, gc->task.call.body);
}

static void
on_part(struct gather *g, const struct gather_call *gc)
{
	struct exchange *x = g->owner;
	struct parts *p = x->parts;
	struct json_value result = g->known[gc - g->calls].result;
	uint64_t ms = (x->server->loop->now_ns - x->started_ns) / NS_PER_MS;

	TAG_CHECK(x, EXCHANGE_TAG);
	p->latest = gc->plan->conf->name;
	if (result.kind != JSON_NONE)
		add(p, part_of(p, gc, result.text));
	else if (!gc->is_skipped)
		add(p, record_of_failure(&p->style, &x->arena, gc->plan->conf->name, gc->error, ms));
}

/* The answer that it would have been. The call that ended last has decided it. */
static struct str
problem_of(const struct parts *p)
{
	const struct answer *answer = &p->exchange->gather->answer;
	const struct meta_problem problem = {
		.status = answer->status,
		.call = answer->reason == ERR_BUDGET ? str_none() : p->latest,
		.error = answer->reason,
	};

	return meta_of_problem(&p->exchange->arena, &problem);
}

static void
on_done(struct gather *g)
{
	struct exchange *x = g->owner;
	struct parts *p = x->parts;
	bool is_failed = g->answer.reason != ERR_NONE && !g->answer.is_partial;
	struct str problem = str_none();

	TAG_CHECK(x, EXCHANGE_TAG);
	assert(x->state == EXCHANGE_GATHER);
	if (x->arena.is_over) {
		is_failed = true;
		answer_problem(&g->answer, &x->arena, ERR_BUDGET, str_none());
	}
	if (is_failed && !p->is_head_sent) {
		parts_cancel(p);
		x->answer = g->answer;
		exchange_go(x, EXCHANGE_RESPOND);
		return;
	}
	if (is_failed)
		problem = problem_of(p);
	x->reason = g->answer.reason;
	add(p, record_of_end(&p->style, &x->arena, x->reason == ERR_NONE, problem));
}

static const struct gather_events events = { .on_part = on_part, .on_done = on_done };

/* ---- start */

static void
free_piece(void *arg)
{
	struct parts *p = arg;

	buf_fini(&p->piece);
}

/*
 * From the kernel: an upstream that could tell the next boundary from earlier ones, or from trace ids, could
 * end its own part and begin another call's.
 */
static void
make_boundary(struct loop *loop, struct record_style *style)
{
	unsigned char random[RECORD_BOUNDARY_BYTES / 2];

	loop->ops->random(loop, random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++) {
		style->boundary[2 * i] = "0123456789abcdef"[random[i] >> 4];
		style->boundary[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
	}
}

void
parts_start(struct exchange *x, enum route_format format)
{
	const struct plan *plan = x->route->plan.calls;
	struct parts *p = arena_calloc(&x->arena, 1, sizeof *p);

	p->exchange = x;
	p->style.format = format;
	if (format == FORMAT_MULTIPART)
		make_boundary(x->server->loop, &p->style);
	p->records = arena_alloc(&x->arena, (plan->n_calls + 1) * sizeof *p->records);
	defer_init(&p->later, on_later, p);
	arena_on_reset(&x->arena, free_piece, p);
	x->parts = p;
	x->gather = gather_new(&x->arena, x->server->setup.gather, plan, &x->request,
	    x->deadline_ns, &events, x);
	gather_start(x->gather);
}
