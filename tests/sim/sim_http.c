/* The simulator's own reader of messages. */
#include "sim_http.h"

#include <string.h>

#define MAX_HEAD 70000

void
sim_http_init(struct sim_http *h, bool is_answer)
{
	memset(h, 0, sizeof *h);
	h->is_answer = is_answer;
}

void
sim_http_fini(struct sim_http *h)
{
	buf_fini(&h->in);
	buf_fini(&h->head);
	buf_fini(&h->body);
}

void
sim_http_add(struct sim_http *h, struct str bytes)
{
	if (h->at > 0 && h->at == h->in.n) {
		buf_clear(&h->in);
		h->at = 0;
	}
	buf_add(&h->in, bytes);
}

static bool
broken(struct sim_http *h, const char *fault)
{
	h->state = SIM_HTTP_BROKEN;
	h->fault = fault;
	return false;
}

static struct str
rest(const struct sim_http *h)
{
	return str_of(h->in.p + h->at, h->in.n - h->at);
}

/* A line with its CRLF taken off; false when it is not all there. */
static bool
take_line(struct sim_http *h, struct str *line)
{
	struct str r = rest(h);
	size_t n = str_find(r, '\n');

	if (n == r.n)
		return false;
	h->at += n + 1;
	if (n == 0 || r.p[n - 1] != '\r') {
		broken(h, "a line ends without CR");
		*line = str_none();
		return true;
	}
	*line = str_of(r.p, n - 1);
	return true;
}

struct str
sim_http_start(const struct sim_http *h)
{
	struct str s = buf_str(&h->head);

	return str_of(s.p, str_find(s, '\r'));
}

struct str
sim_http_value(struct str lines, struct str name, size_t n)
{
	struct str line, key;

	while (str_split(&lines, '\n', &line)) {
		if (!str_split(&line, ':', &key) || !str_ieq(key, name) || n-- > 0)
			continue;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		return str_trim(line);
	}
	return str_none();
}

struct str
sim_http_field(const struct sim_http *h, struct str name, size_t n)
{
	struct str lines = buf_str(&h->head), start;

	str_split(&lines, '\n', &start);
	return sim_http_value(lines, name, n);
}

static bool
check_fields(struct sim_http *h)
{
	struct str lines = buf_str(&h->head), line, key;

	str_split(&lines, '\n', &line);
	while (!str_is_none(lines) && str_split(&lines, '\n', &line)) {
		struct str value = line;

		if (line.n == 0)
			break;
		if (line.p[line.n - 1] != '\r')
			return broken(h, "a field line ends without CR");
		if (!str_split(&value, ':', &key) || str_is_none(value) || key.n == 0)
			return broken(h, "a field without a colon");
		for (size_t i = 0; i < key.n; i++)
			if (key.p[i] <= ' ' || key.p[i] == '"' || key.p[i] == '(')
				return broken(h, "a field name that is no token");
	}
	return true;
}

static bool
read_status(struct sim_http *h)
{
	struct str line = sim_http_start(h);
	uint64_t status;

	if (!h->is_answer) {
		if (!str_has_suffix(line, STR(" HTTP/1.1")))
			return broken(h, "a request line that is not of HTTP/1.1");
		return true;
	}
	if (line.n < 12 || !str_has_prefix(line, STR("HTTP/1.1 ")) ||
	    !str_to_u64(str_of(line.p + 9, 3), &status) || status < 100 ||
	    (line.n > 12 && line.p[12] != ' '))
		return broken(h, "a status line that is none");
	h->status = (unsigned)status;
	return true;
}

static bool
is_bodiless_status(const struct sim_http *h)
{
	return h->is_answer && (h->is_bodiless || h->status == 204 || h->status == 304);
}

/* RFC 9112 6.3, for messages that leave nothing to interpret. */
static bool
read_framing(struct sim_http *h)
{
	struct str length = sim_http_field(h, STR("Content-Length"), 0);
	struct str coding = sim_http_field(h, STR("Transfer-Encoding"), 0);
	struct str connection = sim_http_field(h, STR("Connection"), 0);

	h->is_closing = str_ieq(connection, STR("close"));
	if (!str_is_none(sim_http_field(h, STR("Content-Length"), 1)) ||
	    !str_is_none(sim_http_field(h, STR("Transfer-Encoding"), 1)))
		return broken(h, "framing fields are repeated");
	if (!str_is_none(length) && !str_is_none(coding))
		return broken(h, "both a length and a coding");
	if (!str_is_none(coding) && (!str_eq(coding, STR("chunked")) || h->is_http10))
		return broken(h, "a coding that the other side does not know");
	h->is_closing |= h->is_http10;
	if (!str_is_none(length) && !str_to_u64(length, &h->left))
		return broken(h, "a length that is no number");
	if (is_bodiless_status(h))
		h->state = SIM_HTTP_COMPLETE;
	else if (!str_is_none(coding))
		h->state = SIM_HTTP_CHUNK_SIZE;
	else if (!str_is_none(length))
		h->state = h->left == 0 ? SIM_HTTP_COMPLETE : SIM_HTTP_LENGTH;
	else
		h->state = h->is_answer ? SIM_HTTP_UNTIL_CLOSE : SIM_HTTP_COMPLETE;
	if (h->state == SIM_HTTP_UNTIL_CLOSE)
		h->is_closing = true;
	return true;
}

/* The answer to an upgrade. */
static bool
read_upgrade(struct sim_http *h)
{
	if (!h->takes_upgrade)
		return broken(h, "an upgrade that nobody asked for");
	if (!str_eq(sim_http_field(h, STR("Upgrade"), 0), STR("sim")) ||
	    !str_eq(sim_http_field(h, STR("Connection"), 0), STR("Upgrade")) ||
	    !str_is_none(sim_http_field(h, STR("Content-Length"), 0)) ||
	    !str_is_none(sim_http_field(h, STR("Transfer-Encoding"), 0)))
		return broken(h, "an upgrade to something else");
	h->state = SIM_HTTP_COMPLETE;
	return true;
}

static bool
run_head(struct sim_http *h)
{
	struct str r = rest(h);
	const char *end;

	end = r.n < 4 ? NULL : memmem(r.p, r.n, "\r\n\r\n", 4);
	if (end == NULL) {
		if (r.n > MAX_HEAD)
			broken(h, "a head without end");
		return false;
	}
	buf_clear(&h->head);
	buf_clear(&h->body);
	buf_add(&h->head, str_of(r.p, (size_t)(end - r.p) + 2));
	h->at += (size_t)(end - r.p) + 4;
	if (!read_status(h) || !check_fields(h))
		return false;
	if (h->is_answer && h->status == 101)
		return read_upgrade(h);
	if (h->is_answer && h->status < 200) {
		h->is_interim_seen = true;
		return true; /* and another head follows */
	}
	return read_framing(h);
}

static bool
run_counted(struct sim_http *h)
{
	struct str r = rest(h);
	size_t n = r.n < h->left ? r.n : h->left;

	buf_add(&h->body, str_of(r.p, n));
	h->at += n;
	h->left -= n;
	return h->left == 0;
}

/* Hex digits alone, 1 to 16 of them. */
static bool
read_size(struct str s, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";

	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		int c = s.p[i] >= 'A' && s.p[i] <= 'F' ? s.p[i] | 0x20 : s.p[i];
		const char *digit = memchr(digits, c, sizeof digits - 1);

		if (digit == NULL)
			return false;
		*out = *out << 4 | (uint64_t)(digit - digits);
	}
	return s.n > 0 && s.n <= 16;
}

static bool
run_chunk_size(struct sim_http *h)
{
	struct str line;

	if (!take_line(h, &line) || h->state == SIM_HTTP_BROKEN)
		return false;
	if (!read_size(line, &h->left))
		return broken(h, "a chunk size that is none");
	h->state = h->left == 0 ? SIM_HTTP_TRAILER : SIM_HTTP_CHUNK;
	return true;
}

static bool
run_chunk(struct sim_http *h)
{
	struct str line;

	if (h->left > 0 && !run_counted(h))
		return false;
	if (!take_line(h, &line) || h->state == SIM_HTTP_BROKEN)
		return false;
	if (line.n != 0)
		return broken(h, "a chunk longer than its size");
	h->state = SIM_HTTP_CHUNK_SIZE;
	return true;
}

static bool
run_trailer(struct sim_http *h)
{
	struct str line;

	if (!take_line(h, &line) || h->state == SIM_HTTP_BROKEN)
		return false;
	if (line.n == 0)
		h->state = SIM_HTTP_COMPLETE;
	return true;
}

static bool
run_length(struct sim_http *h)
{
	if (!run_counted(h))
		return false;
	h->state = SIM_HTTP_COMPLETE;
	return true;
}

/* True when there was progress. */
static bool
step(struct sim_http *h)
{
	switch (h->state) {
	case SIM_HTTP_HEAD:
		return run_head(h);
	case SIM_HTTP_LENGTH:
		return run_length(h);
	case SIM_HTTP_CHUNK_SIZE:
		return run_chunk_size(h);
	case SIM_HTTP_CHUNK:
		return run_chunk(h);
	case SIM_HTTP_TRAILER:
		return run_trailer(h);
	case SIM_HTTP_UNTIL_CLOSE:
		buf_add(&h->body, rest(h));
		h->at = h->in.n;
		return false;
	case SIM_HTTP_COMPLETE:
	case SIM_HTTP_BROKEN:
		break;
	}
	return false;
}

bool
sim_http_run(struct sim_http *h)
{
	while (step(h))
		continue;
	return h->state == SIM_HTTP_COMPLETE;
}

bool
sim_http_end(struct sim_http *h)
{
	if (h->state != SIM_HTTP_UNTIL_CLOSE)
		return false;
	h->state = SIM_HTTP_COMPLETE;
	return true;
}

void
sim_http_go_on(struct sim_http *h)
{
	h->state = SIM_HTTP_HEAD;
	h->is_bodiless = false;
	h->is_http10 = false;
	h->is_closing = false;
	h->takes_upgrade = false;
}

struct str
sim_http_rest(const struct sim_http *h)
{
	return rest(h);
}

bool
sim_http_has_bytes(const struct sim_http *h)
{
	return h->at < h->in.n || (h->state != SIM_HTTP_HEAD && h->state != SIM_HTTP_COMPLETE);
}
