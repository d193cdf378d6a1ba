/* Records of streamed answers. No state. */
#include "sim_stream.h"

#include "sim_json.h"

static struct str
unquoted(struct str s)
{
	return s.n >= 2 ? str_of(s.p + 1, s.n - 2) : str_none();
}

/* Takes the text up to a mark off, and the mark. */
static bool
take_until(struct str *rest, struct str mark, struct str *out)
{
	const char *at = rest->n == 0 ? NULL : memmem(rest->p, rest->n, mark.p, mark.n);

	if (at == NULL)
		return false;
	*out = str_of(rest->p, (size_t)(at - rest->p));
	*rest = str_of(at + mark.n, rest->n - out->n - mark.n);
	return true;
}

static bool
take(struct str *rest, struct str mark)
{
	if (!str_has_prefix(*rest, mark))
		return false;
	*rest = str_of(rest->p + mark.n, rest->n - mark.n);
	return true;
}

/* {"call":...,"error":...} or, of a part, a problem. */
static bool
read_failure(struct str object, const char *key, struct sim_record *out)
{
	out->kind = SIM_RECORD_FAILURE;
	out->call = unquoted(sim_json_member(object, STR("call")));
	out->text = unquoted(sim_json_member(object, str_c(key)));
	return out->call.n > 0 && out->text.n > 0;
}

static bool
read_end(struct str object, struct sim_record *out)
{
	*out = (struct sim_record){ .kind = SIM_RECORD_END, .call = str_none(), .text = object };
	return !str_is_none(sim_json_member(object, STR("complete")));
}

static bool
next_line(struct str *rest, struct sim_record *out)
{
	struct str line;

	if (!take_until(rest, STR("\n"), &line))
		return false;
	if (!str_is_none(sim_json_member(line, STR("complete"))))
		return read_end(line, out);
	if (!str_is_none(sim_json_member(line, STR("error"))))
		return str_is_none(sim_json_member(line, STR("result"))) && read_failure(line, "error", out);
	out->kind = SIM_RECORD_RESULT;
	out->call = unquoted(sim_json_member(line, STR("call")));
	out->text = sim_json_member(line, STR("result"));
	return out->call.n > 0 && !str_is_none(out->text);
}

static bool
next_event(struct str *rest, struct sim_record *out)
{
	struct str name, data;

	if (!take(rest, STR("event: ")) || !take_until(rest, STR("\ndata: "), &name) ||
	    !take_until(rest, STR("\n\n"), &data) || str_find(data, '\n') < data.n)
		return false;
	if (str_eq(name, STR("end")))
		return read_end(data, out);
	if (str_eq(name, STR("failure")))
		return read_failure(data, "error", out);
	*out = (struct sim_record){ .kind = SIM_RECORD_RESULT, .call = name, .text = data };
	return true;
}

/* RFC 2046 5.1 */
static bool
next_part(struct str boundary, struct str *rest, struct sim_record *out)
{
	const struct str inline_as = STR("inline; name=\"");
	struct str head, disposition;
	uint64_t n;

	if (!take(rest, STR("--")) || !take(rest, boundary) || !take(rest, STR("\r\n")) ||
	    !take_until(rest, STR("\r\n\r\n"), &head) ||
	    !str_to_u64(sim_http_value(head, STR("Content-Length"), 0), &n) || n + 2 > rest->n)
		return false;
	out->text = str_of(rest->p, (size_t)n);
	*rest = str_of(rest->p + n, rest->n - (size_t)n);
	if (!take(rest, STR("\r\n")))
		return false;
	disposition = sim_http_value(head, STR("Content-Disposition"), 0);
	if (str_is_none(disposition))
		return read_end(out->text, out) && take(rest, STR("--")) && take(rest, boundary) &&
		    take(rest, STR("--\r\n"));
	if (str_eq(sim_http_value(head, STR("Content-Type"), 0), STR("application/problem+json")))
		return read_failure(out->text, "reason", out);
	out->kind = SIM_RECORD_RESULT;
	if (!take(&disposition, inline_as) || disposition.n < 2)
		return false;
	out->call = str_of(disposition.p, disposition.n - 1);
	return true;
}

bool
sim_stream_next(enum sim_format format, const struct sim_http *h, struct str *rest, struct sim_record *out)
{
	struct str type = sim_http_field(h, STR("Content-Type"), 0);

	*out = (struct sim_record){ .call = str_none() };
	switch (format) {
	case SIM_FORMAT_NDJSON:
		return str_eq(type, STR("application/x-ndjson")) && next_line(rest, out);
	case SIM_FORMAT_SSE:
		return str_eq(type, STR("text/event-stream")) && next_event(rest, out);
	case SIM_FORMAT_MULTIPART:
		return take(&type, STR("multipart/mixed; boundary=")) && type.n > 0 && next_part(type, rest, out);
	case SIM_FORMAT_JSON:
		break;
	}
	return false;
}
