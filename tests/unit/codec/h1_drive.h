/*
 * Puts a message through the head parser, the framing function and the body decoder, in pieces of
 * the test's choice, and tells the outcome as text, so that outcomes can be compared. Each feed
 * gets fresh memory of the exact size: reading behind it, or keeping a slice into what was moved
 * away, shows under AddressSanitizer.
 */
#ifndef H1_DRIVE_H
#define H1_DRIVE_H

#include "base/buf.h"
#include "base/mem.h"
#include "codec/h1_frame.h"
#include "codec/h1_head.h"
#include "codec/h1_write.h"
#include "unit.h"

struct drive {
	struct str bytes;
	bool is_response;
	enum http_method asked; /* responses: the request's method */
	size_t cut;             /* the first piece, and ... */
	size_t step;            /* ... each one after it */
	/* The message so far. */
	size_t at; /* bytes that earlier heads and bodies took */
	size_t seen;
	char *memory; /* owned; the last piece */
	struct h1_head head;
	struct h1_frame frame;
	struct header fields[100];
	struct buf out; /* owned */
};

enum { DRIVE_HEAD_BYTES = 16384, DRIVE_TARGET_BYTES = 8192 };

/* The next piece has come; false when there are no more. */
static inline bool
drive_more(struct drive *d)
{
	size_t n = d->seen == 0 && d->cut > 0 ? d->cut : d->step;

	if (d->seen == d->bytes.n)
		return false;
	d->seen = n < d->bytes.n - d->seen ? d->seen + n : d->bytes.n;
	return true;
}

/* What came and was not taken yet, in memory of its own. */
static inline struct str
drive_input(struct drive *d)
{
	size_t n = d->seen - d->at;
	char *fresh = mem_alloc(n + 1);

	memcpy(fresh + 1, d->bytes.p + d->at, n);
	free(d->memory);
	d->memory = fresh;
	return str_of(fresh + 1, n);
}

/* In the notation of tests/data/h1/README.md. */
static inline void
drive_add_quoted(struct buf *out, const char *name, struct str s)
{
	static const char plain[] = "\r\n\t\"\\", escaped[] = "rnt\"\\";

	buf_printf(out, "%s \"", name);
	for (size_t i = 0; i < s.n; i++) {
		const char *special = s.p[i] == '\0' ? NULL : strchr(plain, s.p[i]);

		if (s.p[i] == '\0')
			buf_add_c(out, "\\0");
		else if (special != NULL)
			buf_printf(out, "\\%c", escaped[special - plain]);
		else if (s.p[i] >= ' ' && s.p[i] < 0x7f)
			buf_add_char(out, s.p[i]);
		else
			buf_printf(out, "\\x%02x", (unsigned)(unsigned char)s.p[i]);
	}
	buf_add_c(out, "\"\n");
}

static inline void
drive_tell_error(struct drive *d, enum err_code e)
{
	buf_clear(&d->out);
	buf_printf(&d->out, "reject %u %s\n", err_status(e), err_token(e));
}

static inline void
drive_tell_head(struct drive *d)
{
	char memory[3 * DRIVE_HEAD_BYTES];
	const struct h1_head *h = &d->head;
	struct str authority = str_is_none(h->authority) ? STR("-") : h->authority;
	struct h1_write w;

	if (h->is_response) {
		buf_printf(&d->out, "accept %u\n", h->status);
	} else if (str_is_none(h->path)) {
		buf_printf(&d->out, "accept %.*s %.*s\n", STR_FMT(h->method_text), STR_FMT(authority));
	} else {
		h1_write_init(&w, memory, sizeof(memory));
		h1_write_request_line(&w, h->method_text, h->path, h->query);
		ck_assert(h1_write_is_ok(&w));
		buf_add(&d->out, STR("accept "));
		buf_add(&d->out, str_of(memory, h1_write_str(&w).n - strlen(" HTTP/1.1\r\n")));
		buf_printf(&d->out, " %.*s\n", STR_FMT(authority));
	}
	for (uint16_t i = 0; i < h->fields.n; i++) {
		const struct header *f = &h->fields.at[i];

		if (!header_crosses(f) || (!h->is_response && f->id == HEADER_HOST))
			continue;
		h1_write_init(&w, memory, sizeof(memory));
		h1_write_received(&w, f);
		drive_add_quoted(&d->out, "field", str_of(memory, h1_write_str(&w).n - 2));
	}
	if (h->expects_continue)
		buf_add_c(&d->out, "continue\n");
	if (!h->is_persistent || d->frame.must_close)
		buf_add_c(&d->out, "close\n");
}

/* H1_MORE: the bytes ended first. */
static inline enum h1_progress
drive_head(struct drive *d)
{
	static const struct h1_limits limits = { DRIVE_HEAD_BYTES, DRIVE_TARGET_BYTES };
	enum h1_progress progress;

	if (d->is_response)
		h1_head_init_response(&d->head, &limits, d->fields, ARRAY_LEN(d->fields));
	else
		h1_head_init_request(&d->head, &limits, d->fields, ARRAY_LEN(d->fields));
	do
		progress = h1_head_feed(&d->head, drive_input(d));
	while (progress == H1_MORE && drive_more(d));
	if (progress == H1_DONE)
		d->at += d->head.n_bytes;
	return progress;
}

static inline enum h1_progress
drive_body(struct drive *d, struct buf *body)
{
	enum h1_progress progress;

	do {
		struct str in = drive_input(d), payload;
		size_t used;

		do {
			progress = h1_frame_feed(&d->frame, in, &used, &payload);
			ck_assert_uint_le(used, in.n);
			ck_assert_uint_le(payload.n, used);
			ck_assert(payload.n == 0 ||
			    (payload.p >= in.p && payload.p + payload.n <= in.p + used));
			ck_assert(progress != H1_MORE || used > 0 || in.n == 0);
			buf_add(body, payload);
			in = str_of(in.p + used, in.n - used);
			d->at += used;
		} while (progress == H1_MORE && in.n > 0);
	} while (progress == H1_MORE && drive_more(d));
	return progress;
}

static inline enum err_code
drive_frame(struct drive *d)
{
	return d->is_response ? h1_frame_response(&d->frame, &d->head, d->asked) :
				h1_frame_request(&d->frame, &d->head);
}

/* One head with its body. False when there is nothing more to tell. */
static inline bool
drive_message(struct drive *d)
{
	struct buf body = BUF_INIT;
	enum h1_progress progress = drive_head(d);
	enum err_code e = progress == H1_REFUSED ? d->head.error : ERR_NONE;

	if (progress == H1_DONE && (e = drive_frame(d)) == ERR_NONE) {
		drive_tell_head(d);
		progress = drive_body(d, &body);
		if (progress == H1_REFUSED)
			e = d->frame.error;
		else if (progress == H1_MORE && h1_frame_eof(&d->frame) == ERR_NONE)
			progress = H1_DONE;
		if (body.n > 0)
			drive_add_quoted(&d->out, "body", buf_str(&body));
	}
	if (e != ERR_NONE)
		drive_tell_error(d, e);
	else if (progress == H1_MORE)
		buf_add_c(&d->out, "incomplete\n");
	buf_fini(&body);
	return e == ERR_NONE && progress == H1_DONE;
}

/*
 * Runs `bytes` in a first piece of `cut` bytes (0: none) and pieces of `step` behind it. An interim
 * response is followed by the next one. The text is owned by the caller's d->out.
 */
static inline void
drive_run(struct drive *d, struct str bytes, size_t cut, size_t step)
{
	bool is_complete;

	d->bytes = bytes;
	d->cut = cut;
	d->step = step;
	d->at = d->seen = 0;
	buf_clear(&d->out);
	drive_more(d);
	do
		is_complete = drive_message(d);
	while (is_complete && d->is_response && d->head.status < 200);
	if (is_complete && d->at < bytes.n)
		drive_add_quoted(&d->out, "left", str_of(bytes.p + d->at, bytes.n - d->at));
	free(d->memory);
	d->memory = NULL;
}

/* Whole, byte by byte and cut at every offset (every 37th of long ones): one outcome, `want`. */
static inline void
drive_check(struct drive *d, const char *name, struct str bytes, struct str want)
{
	size_t stride = bytes.n > 2000 ? 37 : 1;

	drive_run(d, bytes, 0, bytes.n + 1);
	ck_assert_msg(str_eq(buf_str(&d->out), want), "%s: got\n%.*swant\n%.*s", name,
	    STR_FMT(buf_str(&d->out)), STR_FMT(want));
	drive_run(d, bytes, 0, 1);
	ck_assert_msg(str_eq(buf_str(&d->out), want), "%s, byte by byte: got\n%.*swant\n%.*s", name,
	    STR_FMT(buf_str(&d->out)), STR_FMT(want));
	for (size_t cut = 1; cut < bytes.n; cut += stride) {
		drive_run(d, bytes, cut, bytes.n);
		ck_assert_msg(str_eq(buf_str(&d->out), want), "%s, cut at %zu: got\n%.*swant\n%.*s",
		    name, cut, STR_FMT(buf_str(&d->out)), STR_FMT(want));
	}
}

#endif
