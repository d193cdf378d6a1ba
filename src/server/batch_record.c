/* Writes the answers to entries of batches. Owned by their slot; worker thread. */
#include "server/batch_record.h"

#include "codec/json_write.h"
#include "codec/utf8.h"

/* ---- fields */

static void
add_lines(struct header_list *list, struct str lines)
{
	struct str name, value;

	while (header_next_line(&lines, &name, &value))
		header_list_add(list, name, value);
}

static size_t
count_lines(struct str lines)
{
	size_t n = 1;

	for (size_t i = 0; i < lines.n; i++)
		n += lines.p[i] == '\n';
	return n;
}

static void
new_list(struct header_list *list, struct arena *arena, size_t n)
{
	if (n > HEADER_LIST_MAX)
		n = HEADER_LIST_MAX;
	header_list_init(list, arena_alloc(arena, n * sizeof(struct header)), n);
}

static bool
is_same(const struct header *a, const struct header *b)
{
	return a->id == b->id && (a->id != HEADER_OTHER || str_ieq(a->name, b->name));
}

static bool
was_before(const struct header_list *list, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_same(&list->at[k], &list->at[i]))
			return true;
	return false;
}

static void
put_values(struct buf *to, const struct header_list *list, size_t i)
{
	size_t n = 0;

	for (size_t k = i; k < list->n; k++)
		n += is_same(&list->at[k], &list->at[i]);
	if (n > 1)
		buf_add_char(to, '[');
	json_write_buf(to, list->at[i].value);
	for (size_t k = i + 1; k < list->n; k++) {
		if (!is_same(&list->at[k], &list->at[i]))
			continue;
		buf_add_char(to, ',');
		json_write_buf(to, list->at[k].value);
	}
	if (n > 1)
		buf_add_char(to, ']');
}

static void
put_headers(struct buf *to, const struct header_list *list)
{
	const char *before = "";

	buf_add_c(to, ",\"headers\":{");
	for (size_t i = 0; i < list->n; i++) {
		const struct header *h = &list->at[i];

		if (was_before(list, i))
			continue;
		buf_add_c(to, before);
		before = ",";
		json_write_buf(to, h->id == HEADER_OTHER ? h->name : http_table_header_name(h->id));
		buf_add_char(to, ':');
		put_values(to, list, i);
	}
	buf_add_char(to, '}');
}

/* ---- the head */

/* RFC 8259 and the "+json" suffix of RFC 6839. */
static bool
is_json_type(struct str type)
{
	struct str name;

	if (!str_split(&type, ';', &name))
		return false;
	name = str_trim(name);
	return str_ieq(name, STR("application/json")) ||
	    (name.n > 5 && str_ieq(str_of(name.p + name.n - 5, 5), STR("+json")));
}

static void
put_head(struct batch_record *r, unsigned status, const struct header_list *list)
{
	r->is_json = is_json_type(header_value(list, HEADER_CONTENT_TYPE));
	buf_printf(&r->text, "{\"status\":%u", status);
	put_headers(&r->text, list);
}

void
batch_record_head(struct batch_record *r, struct arena *arena, const struct exchange_head *head)
{
	struct header_list list;

	new_list(&list, arena, head->fields->n + count_lines(head->more));
	for (size_t i = 0; i < head->fields->n; i++)
		if (header_crosses(&head->fields->at[i]))
			header_list_add(&list, head->fields->at[i].name, head->fields->at[i].value);
	add_lines(&list, head->more);
	put_head(r, head->status, &list);
}

void
batch_record_answer(struct batch_record *r, struct arena *arena, const struct answer *answer)
{
	struct header_list list;

	new_list(&list, arena, 2 + count_lines(answer->fields));
	if (answer->content_type.n > 0)
		header_list_add(&list, STR("Content-Type"), answer->content_type);
	if (answer->retry_after_s != 0)
		header_list_add(
		    &list, STR("Retry-After"), arena_printf(arena, "%u", answer->retry_after_s));
	add_lines(&list, answer->fields);
	put_head(r, answer->status, &list);
}

/* ---- the body */

static void
put_text(struct batch_record *r, struct arena *arena, struct str body)
{
	if (utf8_is_valid(body)) {
		buf_add_c(&r->text, ",\"body\":");
		json_write_buf(&r->text, body);
		return;
	}
	buf_add_c(&r->text, ",\"body_base64\":");
	buf_add(&r->text, json_write_base64(arena, body));
}

bool
batch_record_end(struct batch_record *r, struct arena *arena, struct json_scan *js, struct str body, uint64_t max)
{
	struct json_value root = { .kind = JSON_NULL, .text = STR("null") };
	size_t before = r->text.n;
	bool is_json = body.n == 0;

	if (body.n > max)
		return false;
	if (body.n > 0 && r->is_json)
		is_json = json_scan_text(js, body, 0, &root, NULL) == ERR_NONE;
	if (is_json) {
		buf_add_c(&r->text, ",\"body\":");
		buf_add(&r->text, root.text);
	} else {
		put_text(r, arena, body);
	}
	if (r->text.n - before > max + sizeof ",\"body_base64\":")
		return false;
	buf_add_char(&r->text, '}');
	return true;
}

void
batch_record_reset(struct batch_record *r)
{
	buf_clear(&r->text);
	buf_clear(&r->body);
}

void
batch_record_fini(struct batch_record *r)
{
	buf_fini(&r->text);
	buf_fini(&r->body);
}
