/* gatherd's own JSON. No state. */
#include "gather/meta.h"

#include "base/buf.h"
#include "codec/http_table.h"
#include "codec/json_write.h"

/* The text moves to the arena, the buffer goes. */
static struct str
finish(struct arena *a, struct buf *b)
{
	struct str text = arena_str(a, buf_str(b));

	buf_fini(b);
	return text;
}

static void
add_detail(struct buf *b, const struct meta_detail *detail)
{
	if (detail->status == 0)
		return;
	buf_printf(b, ",\"status\":%u,\"body\":", detail->status);
	json_write_buf(b, detail->body);
}

struct str
meta_of_calls(struct arena *a, const struct meta_call *calls, size_t n)
{
	struct buf b = BUF_INIT;

	if (n == 0)
		return STR("{\"complete\":true}");
	buf_add_c(&b, "{\"complete\":false,\"calls\":{");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(&b, ',');
		json_write_buf(&b, calls[i].name);
		buf_printf(&b, ":{\"error\":\"%s\",\"ms\":", err_token(calls[i].error));
		buf_add_u64(&b, calls[i].ms);
		if (calls[i].n_items > 0)
			buf_printf(&b, ",\"items\":%zu", calls[i].n_items);
		add_detail(&b, &calls[i].detail);
		buf_add_char(&b, '}');
	}
	buf_add_c(&b, "}}");
	return finish(a, &b);
}

static void
add_member(struct buf *b, const char *key, struct str value)
{
	buf_printf(b, ",\"%s\":", key);
	json_write_buf(b, value);
}

struct str
meta_of_problem(struct arena *a, const struct meta_problem *problem)
{
	struct buf b = BUF_INIT;
	struct str detail = problem->detail;

	if (str_is_none(detail))
		detail = str_c(err_text(problem->error));
	/* RFC 9457 4.2.1: with no type the title is the phrase of the status */
	buf_printf(&b, "{\"status\":%u", problem->status);
	add_member(&b, "title", http_table_reason(problem->status));
	add_member(&b, "detail", detail);
	if (!str_is_none(problem->call))
		add_member(&b, "call", problem->call);
	add_member(&b, "reason", str_c(err_token(problem->error)));
	if (problem->upstream.status != 0) {
		buf_add_c(&b, ",\"upstream\":{\"reason\":");
		json_write_buf(&b, str_c(err_token(problem->error)));
		add_detail(&b, &problem->upstream);
		buf_add_char(&b, '}');
	}
	buf_add_char(&b, '}');
	return finish(a, &b);
}
