/* Writes answers' heads. No state; runs on the worker of the exchange. */
#include "server/respond.h"

#include "base/compiler.h"
#include "codec/h1_write.h"
#include "gather/forward.h"

/* Status line, Date, Via, Content-Length, Connection, Retry-After and the like, at most. */
#define OWN_BYTES 512

bool
respond_has_body(enum http_method method, unsigned status)
{
	return method != METHOD_HEAD && status >= 200 && status != 204 && status != 304;
}

/* RFC 9112 9.3: HTTP/1.1 persists unless told otherwise, HTTP/1.0 when it is told. */
static void
put_connection(struct h1_write *w, const struct respond_context *ctx)
{
	if (!ctx->is_persistent)
		h1_write_raw(w, STR("Connection: close\r\n"));
	else if (ctx->minor == 0)
		h1_write_raw(w, STR("Connection: keep-alive\r\n"));
}

/* Ours, and so not checked as others' fields are. */
static void
put_date(struct h1_write *w, const struct respond_context *ctx)
{
	h1_write_raw(w, STR("Date: "));
	h1_write_raw(w, ctx->date);
	h1_write_raw(w, STR("\r\n"));
}

static struct str
finish(struct h1_write *w)
{
	h1_write_end(w);
	assert(h1_write_is_ok(w)); /* only checked text goes in, and the room is computed */
	return h1_write_str(w);
}

struct str
respond_answer(const struct respond_context *ctx, const struct answer *answer, struct arena *arena)
{
	size_t room = OWN_BYTES + answer->content_type.n + answer->fields.n;
	struct h1_write w;

	h1_write_init(&w, arena_alloc(arena, room), room);
	h1_write_status_line(&w, answer->status);
	put_date(&w, ctx);
	if (answer->content_type.n > 0)
		h1_write_known(&w, HEADER_CONTENT_TYPE, answer->content_type);
	/* RFC 9110 8.6: none in 204; in 304 it would be that of the 200 answer, which is not known. */
	if (respond_has_body(METHOD_GET, answer->status) && !answer->is_length_untold)
		h1_write_known_u64(&w, HEADER_CONTENT_LENGTH, answer->body_bytes);
	if (answer->retry_after_s != 0)
		h1_write_known_u64(&w, HEADER_RETRY_AFTER, answer->retry_after_s);
	if (ctx->is_relayed)
		h1_write_known(&w, HEADER_VIA, forward_via(1));
	h1_write_raw(&w, answer->fields);
	put_connection(&w, ctx);
	return finish(&w);
}

static size_t
fields_bytes(const struct header_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += list->at[i].name.n + list->at[i].value.n + sizeof(": \r\n");
	return n;
}

struct str
respond_upgrade(const struct respond_context *ctx, const struct exchange_head *head,
    struct arena *arena)
{
	size_t room = OWN_BYTES + fields_bytes(head->fields) + head->more.n + head->upgrade.n;
	struct h1_write w;

	h1_write_init(&w, arena_alloc(arena, room), room);
	h1_write_status_line(&w, 101);
	h1_write_raw(&w, STR("Connection: Upgrade\r\n"));
	h1_write_known(&w, HEADER_UPGRADE, head->upgrade);
	h1_write_crossing(&w, head->fields);
	if (ctx->is_relayed)
		h1_write_known(&w, HEADER_VIA, forward_via(1));
	h1_write_raw(&w, head->more);
	return finish(&w);
}

struct str
respond_stream(const struct respond_context *ctx, const struct exchange_head *head,
    struct arena *arena, bool *is_chunked)
{
	size_t room = OWN_BYTES + fields_bytes(head->fields) + head->more.n;
	struct h1_write w;

	*is_chunked = head->length_kind == EXCHANGE_LENGTH_UNKNOWN && ctx->minor > 0;
	assert(head->length_kind != EXCHANGE_LENGTH_UNKNOWN || *is_chunked || !ctx->is_persistent);
	h1_write_init(&w, arena_alloc(arena, room), room);
	h1_write_status_line(&w, head->status);
	h1_write_crossing(&w, head->fields);
	/* RFC 9110 6.6.1: a recipient with a clock adds the Date that is missing. */
	if (header_find(head->fields, HEADER_DATE) == NULL)
		put_date(&w, ctx);
	if (head->has_length)
		h1_write_known_u64(&w, HEADER_CONTENT_LENGTH, head->length);
	else if (*is_chunked)
		h1_write_raw(&w, STR("Transfer-Encoding: chunked\r\n"));
	if (ctx->is_relayed)
		h1_write_known(&w, HEADER_VIA, forward_via(head->minor));
	h1_write_raw(&w, head->more);
	put_connection(&w, ctx);
	return finish(&w);
}
