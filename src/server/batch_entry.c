/* Reads entries of batches. No state; memory is the entry's arena. */
#include "server/batch_entry.h"

#include "base/buf.h"
#include "base/compiler.h"
#include "codec/h1_frame.h"
#include "codec/json_iter.h"
#include "codec/json_str.h"

/* What an entry says, as it stands there. */
struct entry {
	struct json_value method;
	struct json_value path;
	struct json_value headers;
	struct json_value body;
};

/* ---- its members */

static enum err_code
read_members(struct json_value object, struct entry *out)
{
	const struct {
		struct str key;
		struct json_value *to;
	} known[] = {
		{ STR("method"), &out->method },
		{ STR("path"), &out->path },
		{ STR("headers"), &out->headers },
		{ STR("body"), &out->body },
	};
	struct json_member member;
	struct json_iter it;
	size_t i;

	if (object.kind != JSON_OBJECT)
		return ERR_BAD_ENTRY;
	for (json_iter_init(&it, object); json_iter_next(&it, &member);) {
		for (i = 0; i < ARRAY_LEN(known) && !json_str_eq(member.key, known[i].key);)
			i++;
		if (i == ARRAY_LEN(known))
			return ERR_BAD_ENTRY;
		*known[i].to = member.value;
	}
	return ERR_NONE;
}

static struct str
text_of(struct arena *arena, struct json_value string)
{
	return json_str_text(arena, str_of(string.text.p + 1, string.text.n - 2));
}

/* ---- the head, as text */

/* The parser judges the rest; what would change where something ends must not reach it. */
static enum err_code
put_request_line(struct exchange *x, const struct entry *entry, struct buf *to)
{
	struct str method = STR("GET"), path;

	if (entry->method.kind == JSON_STRING)
		method = text_of(&x->arena, entry->method);
	else if (entry->method.kind != JSON_NONE)
		return ERR_BAD_ENTRY;
	if (entry->path.kind != JSON_STRING || !header_is_token(method))
		return ERR_BAD_ENTRY;
	path = text_of(&x->arena, entry->path);
	if (path.n == 0 || path.p[0] != '/' || !header_is_value(path) ||
	    str_find(path, ' ') < path.n || str_find(path, '\t') < path.n)
		return ERR_BAD_ENTRY;
	buf_add(to, method);
	buf_add_char(to, ' ');
	buf_add(to, path);
	buf_add_c(to, x->outer->request.minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
	return ERR_NONE;
}

static void
put_line(struct buf *to, struct str name, struct str value)
{
	buf_add(to, name);
	buf_add_c(to, ": ");
	buf_add(to, value);
	buf_add_c(to, "\r\n");
}

static enum err_code
put_field(struct exchange *x, struct str name, struct json_value value, struct buf *to)
{
	struct str text;

	if (value.kind != JSON_STRING)
		return ERR_BAD_ENTRY;
	text = text_of(&x->arena, value);
	if (!header_is_value(text))
		return ERR_BAD_ENTRY;
	put_line(to, name, text);
	return ERR_NONE;
}

/* A field may be repeated; it may not be one that belongs to the connection, or that gatherd says itself. */
static enum err_code
put_fields(struct exchange *x, struct json_member member, struct buf *to)
{
	struct str name = json_str_text(&x->arena, member.key);
	const unsigned not_its_own = FIELD_HOP | FIELD_FRAMING | FIELD_OWN_REQUEST;
	struct json_member one;
	struct json_iter it;
	enum err_code e = ERR_NONE;

	if (!header_is_token(name) ||
	    (http_table_header_flags(http_table_header(name)) & not_its_own) != 0)
		return ERR_BAD_ENTRY;
	if (member.value.kind != JSON_ARRAY)
		return put_field(x, name, member.value, to);
	for (json_iter_init(&it, member.value); e == ERR_NONE && json_iter_next(&it, &one);)
		e = put_field(x, name, one.value, to);
	return e;
}

/* Who asks, and for which host: as the batch itself came, which a trusted proxy may have told. */
static void
put_origin(const struct request *outer, struct buf *to)
{
	if (outer->minor > 0 || outer->authority.n > 0)
		put_line(to, STR("Host"), outer->authority);
	for (size_t i = 0; i < outer->headers->n; i++) {
		const struct header *h = &outer->headers->at[i];

		if (h->id != HEADER_HOST && !h->is_hop &&
		    (http_table_header_flags(h->id) & FIELD_OWN_REQUEST) != 0)
			put_line(to, h->name, h->value);
	}
}

static enum err_code
put_headers(struct exchange *x, const struct entry *entry, bool is_json, struct buf *to)
{
	bool has_type = false;
	struct json_member member;
	struct json_iter it;
	enum err_code e = ERR_NONE;

	if (entry->headers.kind != JSON_NONE && entry->headers.kind != JSON_OBJECT)
		return ERR_BAD_ENTRY;
	for (json_iter_init(&it, entry->headers); e == ERR_NONE && json_iter_next(&it, &member);) {
		has_type |= str_ieq(json_str_text(&x->arena, member.key), STR("Content-Type"));
		e = put_fields(x, member, to);
	}
	if (is_json && !has_type)
		put_line(to, STR("Content-Type"), STR("application/json"));
	return e;
}

/* ---- from text to request */

static void
fill_request(struct exchange *x, const struct h1_head *head, const struct h1_frame *frame)
{
	const struct request *outer = &x->outer->request;
	struct request *r = &x->request;

	request_take_head(r, head, frame);
	r->scheme = outer->scheme;
	r->peer_ip = outer->peer_ip;
	r->client_ip = outer->client_ip;
	r->client_cert = outer->client_cert;
	r->is_peer_trusted = outer->is_peer_trusted;
	r->is_rfc7239 = outer->is_rfc7239;
	r->given_proto = outer->given_proto;
	r->given_host = outer->given_host;
	r->sends_forwarded = outer->sends_forwarded;
	x->has_length = frame->has_length;
	x->length = frame->length;
	x->is_body_complete = true;
	x->bytes_in = head->n_bytes + r->body.n;
}

static enum err_code
parse(struct exchange *x, struct h1_head *head, struct str text)
{
	const struct listener_conf *conf = x->listener->conf;
	const struct h1_limits limits = listener_conf_head_limits(conf);
	struct h1_frame frame;
	enum err_code e;
	size_t n_lines = 0;

	for (size_t i = 0; i < text.n; i++)
		n_lines += text.p[i] == '\n';
	if (n_lines > conf->limits.headers)
		n_lines = conf->limits.headers;
	h1_head_init_request(
	    head, &limits, arena_alloc(&x->arena, n_lines * sizeof(struct header)), n_lines);
	if (h1_head_feed(head, text) != H1_DONE)
		return head->error;
	e = h1_frame_request(&frame, head);
	if (e == ERR_NONE)
		fill_request(x, head, &frame);
	return e;
}

/* A text is sent as it is, anything else as the JSON that it is. */
static struct str
read_body(struct exchange *x, struct json_value body)
{
	if (body.kind == JSON_NONE || body.kind == JSON_NULL)
		return str_none();
	return body.kind == JSON_STRING ? text_of(&x->arena, body) : body.text;
}

enum err_code
batch_entry_read(struct exchange *x, struct h1_head *head, struct json_value value)
{
	struct entry entry = { .method = { .kind = JSON_NONE } };
	struct buf text = BUF_INIT;
	enum err_code e = read_members(value, &entry);
	bool is_json = entry.body.kind != JSON_STRING;

	x->request.body = read_body(x, entry.body);
	if (e == ERR_NONE)
		e = put_request_line(x, &entry, &text);
	if (e == ERR_NONE) {
		put_origin(&x->outer->request, &text);
		e = put_headers(x, &entry, is_json && x->request.body.n > 0, &text);
	}
	if (e == ERR_NONE) {
		if (!str_is_none(x->request.body))
			buf_printf(&text, "Content-Length: %zu\r\n", x->request.body.n);
		buf_add_c(&text, "\r\n");
		e = parse(x, head, arena_str(&x->arena, buf_str(&text)));
	}
	buf_fini(&text);
	return e;
}

bool
batch_entry_is_head(struct json_value value)
{
	struct entry entry = { .method = { .kind = JSON_NONE } };
	struct str inside;

	if (read_members(value, &entry) != ERR_NONE || entry.method.kind != JSON_STRING)
		return false;
	inside = str_of(entry.method.text.p + 1, entry.method.text.n - 2);
	return json_str_eq(inside, STR("HEAD"));
}
