/* Reports of tests. No state. */
#include "daemon/selftest_report.h"

#include "codec/utf8.h"

#define BODY_SHOWN_MAX 4096

/* Neither YAML nor XML can say every byte: what they cannot becomes a question mark. */
static void
put_printable(struct buf *out, struct str s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];

		n = utf8_length(s.p + i, s.p + s.n);
		if (n == 0 || (c < ' ' && c != '\n' && c != '\t') || c == 0x7f) {
			buf_add_char(out, '?');
			n = 1;
		} else {
			buf_add(out, str_of(s.p + i, n));
		}
	}
}

static void
put_lines(struct buf *out, const char *margin, struct str text)
{
	struct str line;

	if (text.n != 0 && text.p[text.n - 1] == '\n')
		text.n--;
	while (str_split(&text, '\n', &line)) {
		buf_add_c(out, margin);
		put_printable(out, line);
		buf_add_char(out, '\n');
	}
}

/* "call -> upstream GET /target 200 0..30 ms", one line per request that reached an upstream. */
static void
put_requests(
    struct buf *out, const struct conf *conf, const struct rehearsal_result *result)
{
	const struct rehearsal_request *r;

	STAILQ_FOREACH (r, &result->requests, link) {
		buf_printf(out, "%.*s -> %.*s %.*s %.*s", STR_FMT(r->call),
		    STR_FMT(conf->upstreams[r->upstream].name), STR_FMT(r->method), STR_FMT(r->target));
		if (r->status != 0)
			buf_printf(out, " %u", r->status);
		buf_printf(out, " %.3f..%.3f ms%s\n", (double)r->begin_ns / 1e6,
		    (double)r->end_ns / 1e6, r->has_ended ? "" : " (no answer yet)");
	}
}

/* The name of a test on one line; "#" would begin a directive. */
static void
put_name(struct buf *out, struct str name)
{
	size_t from = out->n;

	put_printable(out, name);
	for (size_t i = from; i < out->n; i++)
		if (out->p[i] == '#' || out->p[i] == '\n')
			out->p[i] = ' ';
}

static void
put_block(struct buf *out, const char *key, struct str text)
{
	if (text.n == 0)
		return;
	buf_printf(out, "  %s: |\n", key);
	put_lines(out, "    ", text);
}

static void
put_details(struct buf *out, const struct selftest_report *r)
{
	struct str body = r->result->body;
	struct buf requests = BUF_INIT;

	buf_printf(out, "  ---\n  at: \"%s:%u\"\n", r->test->pos.file, r->test->pos.line);
	put_block(out, "differences", r->differences);
	put_requests(&requests, r->conf, r->result);
	put_block(out, "requests", buf_str(&requests));
	put_block(out, "body", str_of(body.p, body.n < BODY_SHOWN_MAX ? body.n : BODY_SHOWN_MAX));
	buf_add_c(out, "  ...\n");
	buf_fini(&requests);
}

void
selftest_report_tap(struct buf *out, size_t number, const struct selftest_report *r)
{
	bool is_fine = r->differences.n == 0;

	buf_printf(out, "%s %zu - ", is_fine ? "ok" : "not ok", number);
	put_name(out, r->test->name);
	buf_printf(out, " # time=%.3fms\n", (double)r->result->took_ns / 1e6);
	if (!is_fine)
		put_details(out, r);
}

/* Up to the next byte that XML has another word for; at least one. */
static size_t
plain_length(struct str s)
{
	size_t n = 1;

	while (n < s.n && strchr("<>&\"", s.p[n]) == NULL)
		n++;
	return n;
}

/* XML 1.0 section 2.4 */
static void
put_xml(struct buf *out, struct str s)
{
	size_t n;

	for (; s.n > 0; s = str_of(s.p + n, s.n - n)) {
		n = 1;
		if (s.p[0] == '<') {
			buf_add_c(out, "&lt;");
		} else if (s.p[0] == '>') {
			buf_add_c(out, "&gt;");
		} else if (s.p[0] == '&') {
			buf_add_c(out, "&amp;");
		} else if (s.p[0] == '"') {
			buf_add_c(out, "&quot;");
		} else {
			n = plain_length(s);
			put_printable(out, str_of(s.p, n));
		}
	}
}

void
selftest_report_junit_begin(struct buf *out, const char *file, size_t n_tests)
{
	buf_add_c(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
	put_xml(out, str_c(file));
	buf_printf(out, "\" tests=\"%zu\">\n", n_tests);
}

void
selftest_report_junit(struct buf *out, const struct selftest_report *r)
{
	buf_add_c(out, "  <testcase classname=\"");
	put_xml(out, str_c(r->test->pos.file));
	buf_add_c(out, "\" name=\"");
	put_xml(out, r->test->name);
	buf_printf(out, "\" time=\"%.6f\"", (double)r->result->took_ns / 1e9);
	if (r->differences.n == 0) {
		buf_add_c(out, "/>\n");
		return;
	}
	buf_add_c(out, ">\n    <failure message=\"");
	put_xml(out, str_of(r->differences.p, str_find(r->differences, '\n')));
	buf_add_c(out, "\">");
	put_xml(out, r->differences);
	buf_add_c(out, "</failure>\n  </testcase>\n");
}

void
selftest_report_junit_end(struct buf *out)
{
	buf_add_c(out, "</testsuite>\n");
}
