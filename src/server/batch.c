/* Runs the entries of batches. Owned by the exchange of the batch; worker thread. */
#include "server/batch.h"

#include "base/compiler.h"
#include "gather/slices.h"
#include "gather/values.h"
#include "server/batch_entry.h"
#include "server/batch_record.h"
#include "server/respond.h"
#include "server/server.h"

/*
 *     FREE -> BUSY (an entry is under way) -> FREE
 */
struct batch_slot {
	struct exchange exchange;
	struct h1_head head;         /* of its request */
	struct batch *batch;         /* back pointer; both live in one arena */
	bool is_busy;
	size_t index;                /* of the entry */
	const struct answer *answer; /* a whole one; NULL: streamed, or none */
	enum err_code error;         /* the answer cannot be had as it is */
	struct batch_record record;
	struct defer settle_later;   /* nothing may end from inside exchange_ops */
};

struct batch {
	struct exchange *exchange; /* owner */
	const struct batch_conf *conf;
	struct json_value *entries; /* in the arena, as slots and results */
	size_t n_entries;
	size_t n_begun;
	size_t n_settled;
	struct batch_slot *slots;
	size_t n_slots;
	struct buf *results;     /* one per entry */
	struct defer begin_later;
};

/* ---- the answer of the batch */

static void
answer_batch(struct batch *b)
{
	struct exchange *x = b->exchange;
	struct answer *out = &x->answer;

	*out = (struct answer){ .status = 200, .content_type = STR("application/json") };
	out->body = arena_alloc(&x->arena, (2 * b->n_entries + 2) * sizeof *out->body);
	out->body[out->n_body++] = str_iov(STR("["));
	for (size_t i = 0; i < b->n_entries; i++) {
		if (i > 0)
			out->body[out->n_body++] = str_iov(STR(",\n"));
		out->body[out->n_body++] = str_iov(buf_str(&b->results[i]));
	}
	out->body[out->n_body++] = str_iov(STR("]\n"));
	for (size_t i = 0; i < out->n_body; i++)
		out->body_bytes += out->body[i].iov_len;
	exchange_go(x, EXCHANGE_RESPOND);
}

/* ---- an entry ends */

/* The answer to entry i, in the arena of whoever it is written for. */
static void
write_problem(const struct batch *b, size_t i, struct batch_record *r, struct arena *arena, enum err_code e)
{
	struct answer answer;
	struct str body = str_none();

	answer_problem(&answer, arena, e, str_none());
	if (!batch_entry_is_head(b->entries[i]))
		body = str_of(answer.body->iov_base, answer.body->iov_len);
	batch_record_reset(r);
	batch_record_answer(r, arena, &answer);
	batch_record_end(r, arena, b->exchange->server->setup.gather->js, body, SIZE_MAX / 2);
}

static bool
write_record(struct batch_slot *slot)
{
	struct exchange *x = &slot->exchange;
	struct json_scan *js = x->server->setup.gather->js;
	struct batch_record *r = &slot->record;
	const struct answer *answer = slot->answer;
	uint64_t max = slot->batch->conf->max_body_bytes;
	struct str body = buf_str(&r->body);

	if (answer != NULL) {
		bool has_body = respond_has_body(x->request.method, answer->status);

		if (has_body && answer->body_bytes > max)
			return false;
		batch_record_answer(r, &x->arena, answer);
		body = has_body
		    ? slices_join(&x->arena, answer->body, answer->n_body, answer->body_bytes)
		    : str_none();
	}
	return batch_record_end(r, &x->arena, js, body, max);
}

/* The text of the record becomes the entry's result; the slot is free. */
static void
free_slot(struct batch_slot *slot)
{
	struct batch *b = slot->batch;

	loop_defer_cancel(b->exchange->server->loop, &slot->settle_later);
	b->results[slot->index] = slot->record.text;
	slot->record.text = (struct buf)BUF_INIT;
	batch_record_reset(&slot->record);
	exchange_fini(&slot->exchange);
	slot->is_busy = false;
	b->n_settled++;
}

/* What the client sees of the entry is an error, whatever it was on the way to. */
static void
fail_entry(struct batch_slot *slot, enum err_code e)
{
	struct exchange *x = &slot->exchange;

	exchange_abort(x, e);
	write_problem(slot->batch, slot->index, &slot->record, &x->arena, e);
}

static void begin_entries(struct batch *b);

static void
on_settle(void *arg)
{
	struct batch_slot *slot = arg;
	struct exchange *x = &slot->exchange;
	struct batch *b = slot->batch;

	if (slot->error == ERR_NONE && !write_record(slot))
		slot->error = ERR_RESPONSE_TOO_LARGE;
	if (slot->error != ERR_NONE)
		fail_entry(slot, slot->error);
	x->bytes_out = slot->record.text.n;
	exchange_on_flushed(x);
	free_slot(slot);
	if (b->n_settled == b->n_entries)
		answer_batch(b);
	else
		begin_entries(b);
}

/* ---- what an entry's exchange does with the stream that it lives on */

static struct batch_slot *
slot_of(struct exchange *x)
{
	return CONTAINER_OF(x, struct batch_slot, exchange);
}

static void
settle_later(struct batch_slot *slot)
{
	loop_defer(slot->exchange.server->loop, &slot->settle_later);
}

/* The body is here from the start. */
static void
want_body(struct exchange *x, bool is_wanted)
{
	(void)x;
	(void)is_wanted;
}

static void
send_answer(struct exchange *x, const struct answer *answer)
{
	slot_of(x)->answer = answer;
	settle_later(slot_of(x));
}

static void
send_head(struct exchange *x, const struct exchange_head *head)
{
	batch_record_head(&slot_of(x)->record, &x->arena, head);
}

static size_t
send_piece(struct exchange *x, struct str piece)
{
	struct batch_slot *slot = slot_of(x);

	if (slot->error != ERR_NONE)
		return piece.n;
	if (slot->record.body.n + piece.n > slot->batch->conf->max_body_bytes) {
		slot->error = ERR_RESPONSE_TOO_LARGE;
		settle_later(slot);
	} else {
		buf_add(&slot->record.body, piece);
	}
	return piece.n;
}

static void
send_end(struct exchange *x)
{
	settle_later(slot_of(x));
}

static void
reset(struct exchange *x)
{
	slot_of(x)->error = x->reason;
	settle_later(slot_of(x));
}

static const struct exchange_ops entry_ops = {
	.want_body = want_body,
	.send_answer = send_answer,
	.send_head = send_head,
	.send_piece = send_piece,
	.send_end = send_end,
	.reset = reset,
};

/* ---- an entry begins */

static void
begin_entry(struct batch_slot *slot)
{
	struct batch *b = slot->batch;
	struct exchange *x = &slot->exchange;
	enum err_code e;

	slot->is_busy = true;
	slot->index = b->n_begun++;
	slot->answer = NULL;
	slot->error = ERR_NONE;
	exchange_init(x, &entry_ops, b->exchange->listener);
	x->outer = b->exchange;
	e = batch_entry_read(x, &slot->head, b->entries[slot->index]);
	if (e == ERR_NONE) {
		exchange_start(x);
		return;
	}
	x->request = (struct request){ .client_ip = x->outer->request.client_ip };
	exchange_start_refused(x, e);
}

static void
begin_entries(struct batch *b)
{
	for (size_t i = 0; i < b->n_slots && b->n_begun < b->n_entries; i++)
		if (!b->slots[i].is_busy)
			begin_entry(&b->slots[i]);
}

static void
on_begin(void *arg)
{
	struct batch *b = arg;

	if (b->n_entries == 0)
		answer_batch(b);
	else
		begin_entries(b);
}

/* ---- start and end */

static void
free_batch(void *arg)
{
	struct batch *b = arg;

	for (size_t i = 0; i < b->n_slots; i++) {
		exchange_free(&b->slots[i].exchange, b->exchange->server->loop);
		batch_record_fini(&b->slots[i].record);
	}
	for (size_t i = 0; i < b->n_entries; i++)
		buf_fini(&b->results[i]);
}

static void
make_slots(struct batch *b)
{
	b->n_slots = b->conf->parallel < b->n_entries ? (size_t)b->conf->parallel : b->n_entries;
	b->slots = arena_calloc(&b->exchange->arena, b->n_slots, sizeof *b->slots);
	for (size_t i = 0; i < b->n_slots; i++) {
		b->slots[i].batch = b;
		exchange_new(&b->slots[i].exchange);
		defer_init(&b->slots[i].settle_later, on_settle, &b->slots[i]);
	}
}

enum err_code
batch_start(struct exchange *x)
{
	const struct batch_conf *conf = &x->route->conf->batch;
	struct json_value root;
	struct batch *b;

	if (json_scan_text(x->server->setup.gather->js, x->request.body, 0, &root, NULL) != ERR_NONE ||
	    root.kind != JSON_ARRAY)
		return ERR_BAD_BODY;
	b = arena_calloc(&x->arena, 1, sizeof *b);
	b->exchange = x;
	b->conf = conf;
	b->n_entries = values_elements(root, &x->arena, &b->entries);
	if (b->n_entries > conf->max)
		return ERR_BATCH_TOO_LARGE;
	b->results = arena_calloc(&x->arena, b->n_entries, sizeof *b->results);
	make_slots(b);
	arena_on_reset(&x->arena, free_batch, b);
	defer_init(&b->begin_later, on_begin, b);
	x->batch = b;
	/* Entries that waited for permits which batches hold would wait for each other. */
	permit_release(&x->permit);
	if (x->deadline_ns != TIMER_NEVER)
		loop_timer_set(x->server->loop, &x->timer, x->deadline_ns);
	loop_defer(x->server->loop, &b->begin_later);
	return ERR_NONE;
}

void
batch_on_deadline(struct batch *b)
{
	struct exchange *x = b->exchange;
	struct batch_record r = { .is_json = false };

	loop_defer_cancel(x->server->loop, &b->begin_later);
	for (size_t i = 0; i < b->n_slots; i++) {
		if (!b->slots[i].is_busy)
			continue;
		fail_entry(&b->slots[i], ERR_BATCH_TIMEOUT);
		free_slot(&b->slots[i]);
	}
	for (; b->n_begun < b->n_entries; b->n_begun++) {
		write_problem(b, b->n_begun, &r, &x->arena, ERR_BATCH_TIMEOUT);
		b->results[b->n_begun] = r.text;
		r.text = (struct buf)BUF_INIT;
	}
	answer_batch(b);
}

void
batch_cancel(struct batch *b)
{
	struct loop *loop = b->exchange->server->loop;

	loop_defer_cancel(loop, &b->begin_later);
	for (size_t i = 0; i < b->n_slots; i++) {
		struct batch_slot *slot = &b->slots[i];

		if (!slot->is_busy)
			continue;
		loop_defer_cancel(loop, &slot->settle_later);
		exchange_abort(&slot->exchange, ERR_CLIENT_GONE);
		exchange_fini(&slot->exchange);
		slot->is_busy = false;
	}
}
