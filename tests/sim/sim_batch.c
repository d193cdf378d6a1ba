/* Batches: their entries are requests of the episode like any other. */
#include "sim_batch.h"

#include <inttypes.h>

#include "sim_json.h"
#include "sim_oracle.h"

/* ---- asking */

static void
write_entry(const struct sim_request *e, struct buf *out)
{
	buf_printf(out, "{\"method\":\"%s\",\"path\":\"/%s/q%" PRIu64, e->is_head ? "HEAD" : e->route->method,
	    e->route->name, e->number);
	if (e->has_x)
		buf_printf(out, "?x=x%" PRIu64 "&y=secret", e->number);
	buf_printf(out, "\",\"headers\":{\"X-Fwd\":\"q%" PRIu64 "\",\"X-Secret\":\"secret\"}", e->number);
	if (e->body.n > 0) {
		buf_add_c(out, ",\"body\":");
		buf_add(out, e->body);
	}
	buf_add_char(out, '}');
}

void
sim_batch_draw(struct sim *s, struct sim_request *r)
{
	uint64_t n = sim_between(s, 0, SIM_BATCH_MAX);
	struct buf b = BUF_INIT;

	r->entries = arena_calloc(&s->arena, SIM_BATCH_MAX, sizeof *r->entries);
	buf_add_char(&b, '[');
	for (; r->n_entries < n; r->n_entries++) {
		struct sim_request *e = sim_oracle_next_entry(s);

		if (e == NULL)
			break;
		buf_add_c(&b, r->n_entries == 0 ? "" : ", ");
		write_entry(e, &b);
		r->entries[r->n_entries] = e;
	}
	buf_add_char(&b, ']');
	r->body = arena_str(&s->arena, buf_str(&b));
	buf_fini(&b);
}

void
sim_batch_sent(const struct sim_request *r)
{
	for (unsigned i = 0; i < r->n_entries && !r->is_malformed; i++) {
		r->entries[i]->is_lax = r->is_lax;
		r->entries[i]->is_sent = true;
	}
}

/* ---- the answer */

static unsigned
hex_of(char digit)
{
	return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)((digit | 0x20) - 'a') + 10;
}

/* A JSON string without its quotes and escapes; those of characters that need none are never written. */
static struct str
text_of(struct sim *s, struct str string)
{
	char *to = arena_alloc(&s->arena, string.n);
	size_t n = 0;

	for (size_t i = 1; i + 1 < string.n; i++) {
		static const char from[] = "nrtbf", into[] = "\n\r\t\b\f";
		const char *at;

		if (string.p[i] != '\\') {
			to[n++] = string.p[i];
			continue;
		}
		if (string.p[++i] == 'u') { /* of a control character */
			to[n++] = (char)(16 * hex_of(string.p[i + 3]) + hex_of(string.p[i + 4]));
			i += 4;
			continue;
		}
		at = strchr(from, string.p[i]);
		to[n++] = at != NULL ? into[at - from] : string.p[i];
	}
	return str_of(to, n);
}

/* A body stands in the record as it is when it is JSON, and else as a text of it. */
static struct str
body_of(struct sim *s, const struct sim_request *e, struct str value)
{
	bool is_text = value.n > 1 && value.p[0] == '"';

	if (str_eq(value, STR("null")))
		return STR("");
	if (is_text && e->route->kind == SIM_KIND_PROXY && !str_eq(value, e->calls[0].body))
		return text_of(s, value);
	return is_text && e->route->format != SIM_FORMAT_JSON ? text_of(s, value) : value;
}

static void
add_field(struct buf *head, struct str fields, struct str name)
{
	struct str value = sim_json_member(fields, name);

	if (value.n > 2)
		buf_printf(head, "%.*s: %.*s\r\n", STR_FMT(name),
		    STR_FMT(str_of(value.p + 1, value.n - 2)));
}

/* The record as the answer that it would have been. */
static void
check_record(struct sim *s, struct sim_request *e, struct str record)
{
	struct str value = sim_json_member(record, STR("body"));
	struct sim_http h;
	uint64_t status;

	if (!str_to_u64(sim_json_member(record, STR("status")), &status) || status < 200 || status > 599)
		sim_fail(s, "q%" PRIu64 ": a record without a status: %.*s", e->number, STR_FMT(record));
	if (str_is_none(value)) { /* bytes that are no text */
		if (e->route->kind != SIM_KIND_PROXY || str_is_none(sim_json_member(record, STR("body_base64"))))
			sim_fail(s, "q%" PRIu64 ": a record without a body: %.*s", e->number, STR_FMT(record));
		e->calls[0].body = str_none();
	}
	sim_http_init(&h, true);
	h.status = (unsigned)status;
	buf_printf(&h.head, "HTTP/1.1 %" PRIu64 " of an entry\r\n", status);
	add_field(&h.head, sim_json_member(record, STR("headers")), STR("Content-Type"));
	add_field(&h.head, sim_json_member(record, STR("headers")), STR("Content-Encoding"));
	if (!str_is_none(value))
		buf_add(&h.body, body_of(s, e, value));
	if (e->is_head && h.body.n != 0)
		sim_fail(s, "q%" PRIu64 ": HEAD has a body: %.*s", e->number, STR_FMT(record));
	sim_oracle_check(s, e, &h);
	sim_http_fini(&h);
}

void
sim_batch_check(struct sim *s, struct sim_request *r, const struct sim_http *h)
{
	struct str rest = buf_str(&h->body), record;

	for (unsigned i = 0; i < r->n_entries; i++) {
		if (rest.n < 2 || rest.p[0] != (i == 0 ? '[' : ','))
			sim_fail(s, "q%" PRIu64 ": a batch with too few answers", r->number);
		rest = str_of(rest.p + 1, rest.n - 1);
		if (!sim_json_value(&rest, &record))
			sim_fail(s, "q%" PRIu64 ": a record that is no value", r->number);
		check_record(s, r->entries[i], record);
	}
	if (!str_eq(rest, r->n_entries == 0 ? STR("[]\n") : STR("]\n")))
		sim_fail(s, "q%" PRIu64 ": a batch that ends in %.*s", r->number, STR_FMT(rest));
}

void
sim_batch_dropped(struct sim *s, struct sim_request *r, bool is_excused)
{
	for (unsigned i = 0; i < r->n_entries; i++)
		sim_oracle_dropped(s, r->entries[i], is_excused);
}
