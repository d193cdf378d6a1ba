/*
 * Any bytes as a head. Whole or byte by byte, in memory that moves, the outcome is the same; what was
 * accepted, written anew and read again, means the same.
 */
#include "base/compiler.h"
#include "codec/h1_frame.h"
#include "codec/h1_head.h"
#include "codec/h1_write.h"
#include "fuzz.h"

enum { MAX_FIELDS = 32 };

struct outcome {
	struct h1_head head;
	struct header fields[MAX_FIELDS];
	enum h1_progress progress;
	char *memory; /* owned */
};

static void
init(struct outcome *o, bool is_response)
{
	static const struct h1_limits limits = { 2048, 512 };

	memset(o, 0, sizeof(*o));
	if (is_response)
		h1_head_init_response(&o->head, &limits, o->fields, MAX_FIELDS);
	else
		h1_head_init_request(&o->head, &limits, o->fields, MAX_FIELDS);
}

/* The first n bytes, in fresh memory of that size. */
static void
feed(struct outcome *o, struct str bytes, size_t n)
{
	char *fresh = malloc(n == 0 ? 1 : n);

	MUST(fresh != NULL);
	if (n > 0)
		memcpy(fresh, bytes.p, n);
	o->progress = h1_head_feed(&o->head, str_of(fresh, n));
	free(o->memory);
	o->memory = fresh;
}

static bool
is_same(struct str a, struct str b)
{
	return str_eq(a, b) && str_is_none(a) == str_is_none(b);
}

static void
must_agree(const struct outcome *a, const struct outcome *b)
{
	const struct h1_head *x = &a->head, *y = &b->head;

	MUST(a->progress == b->progress);
	if (a->progress == H1_REFUSED)
		MUST(x->error == y->error);
	if (a->progress != H1_DONE)
		return;
	MUST(x->n_bytes == y->n_bytes && x->minor == y->minor && x->status == y->status);
	MUST(x->is_persistent == y->is_persistent && x->expects_continue == y->expects_continue);
	MUST(x->method == y->method && is_same(x->method_text, y->method_text));
	MUST(is_same(x->path, y->path) && is_same(x->query, y->query));
	MUST(is_same(x->authority, y->authority) && is_same(x->host, y->host));
	MUST(is_same(x->port, y->port) && is_same(x->reason, y->reason));
	MUST(x->fields.n == y->fields.n);
	for (uint16_t i = 0; i < x->fields.n; i++) {
		const struct header *f = &a->fields[i], *g = &b->fields[i];

		MUST(is_same(f->name, g->name) && is_same(f->value, g->value));
		MUST(f->id == g->id && f->is_hop == g->is_hop);
	}
}

/* Written as it goes to an upstream and read again: nothing can be seen in it that was not meant. */
static void
must_survive_writing(const struct outcome *o)
{
	const struct h1_head *head = &o->head;
	char memory[8192];
	struct outcome again;
	struct h1_frame frame;
	struct h1_write w;

	if (head->is_response || str_is_none(head->path) || str_is_none(head->authority))
		return;
	h1_write_init(&w, memory, sizeof(memory));
	h1_write_request_line(&w, head->method_text, head->path, head->query);
	for (uint16_t i = 0; i < head->fields.n; i++)
		if (head->fields.at[i].id != HEADER_HOST && header_crosses(&head->fields.at[i]))
			h1_write_received(&w, &head->fields.at[i]);
	h1_write_known(&w, HEADER_HOST, head->authority);
	h1_write_end(&w);
	MUST(h1_write_is_ok(&w));
	init(&again, false);
	again.progress = h1_head_feed(&again.head, h1_write_str(&w));
	if (again.progress == H1_REFUSED) {
		/* what was encoded, or a canonical name, may be longer than the limits of the first */
		MUST(again.head.error == ERR_URI_TOO_LONG || again.head.error == ERR_HEAD_TOO_LARGE);
		return;
	}
	MUST(again.progress == H1_DONE && again.head.n_bytes == h1_write_str(&w).n);
	MUST(is_same(again.head.path, head->path) && again.head.method == head->method);
	MUST(is_same(again.head.authority, head->authority) && !again.head.offers_upgrade);
	MUST(h1_frame_request(&frame, &again.head) == ERR_NONE && frame.kind == H1_FRAME_NONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;
	struct h1_frame frame;
	struct str bytes;
	size_t step;
	bool is_response;

	if (size < 1)
		return 0;
	is_response = data[0] & 1;
	step = 1 + (data[0] >> 1) % 8;
	bytes = str_of((const char *)data + 1, size - 1);
	init(&whole, is_response);
	feed(&whole, bytes, bytes.n);
	init(&pieces, is_response);
	pieces.progress = H1_MORE;
	for (size_t n = 0; pieces.progress == H1_MORE && n < bytes.n;) {
		n = bytes.n - n < step ? bytes.n : n + step;
		feed(&pieces, bytes, n);
	}
	must_agree(&whole, &pieces);
	if (whole.progress == H1_DONE) {
		must_survive_writing(&whole);
		if (is_response)
			(void)h1_frame_response(&frame, &whole.head, METHOD_GET);
		else
			(void)h1_frame_request(&frame, &whole.head);
	}
	free(whole.memory);
	free(pieces.memory);
	return 0;
}
