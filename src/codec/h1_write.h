/*
 * Writes heads and chunk framing into bounded memory, always in canonical form. Two sticky flags
 * instead of a test per call: the caller looks once at the end.
 */
#ifndef CODEC_H1_WRITE_H
#define CODEC_H1_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/str.h"
#include "codec/header.h"
#include "codec/http_table.h"

struct h1_write {
	char *start; /* borrowed */
	char *at;
	char *end;
	bool is_over; /* sticky: something did not fit; what is written is of no use */
	bool is_bad;  /* sticky: a name, value or target held bytes that would break the framing */
};

void h1_write_init(struct h1_write *w, char *to, size_t n);
/* What was written so far; only of use when h1_write_is_ok(). */
static inline struct str
h1_write_str(const struct h1_write *w)
{
	return str_of(w->start, (size_t)(w->at - w->start));
}

static inline bool
h1_write_is_ok(const struct h1_write *w)
{
	return !w->is_over && !w->is_bad;
}

/*
 * Bytes as they are: only for text that was checked or made here. Inlined because most of it is
 * constant, and then only a few stores.
 */
static inline void
h1_write_raw(struct h1_write *w, struct str s)
{
	if (LIKELY(!w->is_over && s.n <= (size_t)(w->end - w->at))) {
		if (s.n > 0)
			memcpy(w->at, s.p, s.n);
		w->at += s.n;
	} else {
		w->is_over = true;
	}
}

/*
 * "METHOD target HTTP/1.1": the target is path, then "?" and query unless query is none. The path
 * must be encoded; what RFC 3986 does not allow in a query is encoded here.
 */
void h1_write_request_line(
    struct h1_write *w, struct str method, struct str path, struct str query);
/* "HTTP/1.1 status reason", the reason from the table. */
void h1_write_status_line(struct h1_write *w, unsigned status);

/*
 * A field that is ours or a user's: is_bad unless the name is a token and the value has no control
 * bytes.
 */
void h1_write_field(struct h1_write *w, struct str name, struct str value);
/* The same with a known name. */
void h1_write_known(struct h1_write *w, enum header_id id, struct str value);
void h1_write_known_u64(struct h1_write *w, enum header_id id, uint64_t value);
/* A field that was received and checked by the parser; known names become canonical. */
void h1_write_received(struct h1_write *w, const struct header *h);
/* Every received field that may cross this hop (header_crosses()), in order. */
void h1_write_crossing(struct h1_write *w, const struct header_list *list);
/* The empty line. */
void h1_write_end(struct h1_write *w);

#define H1_WRITE_DATE_BYTES 29
/* One per thread: the text of the current second. Starts zeroed. */
struct h1_write_date {
	uint64_t second;
	char text[H1_WRITE_DATE_BYTES];
};

/* wall_ns as IMF-fixdate (RFC 9110 5.6.7), formatted once per second. Borrowed until the next call. */
struct str h1_write_date_text(struct h1_write_date *date, uint64_t wall_ns);

/* Room for the line before a chunk: hex digits of 64 bits and CRLF. */
#define H1_WRITE_CHUNK_BYTES 18
/*
 * "size CRLF" to dst; returns the length. n is not 0. A chunk's data is followed by
 * H1_WRITE_CHUNK_END.
 */
size_t h1_write_chunk(char *dst, uint64_t n);
#define H1_WRITE_CHUNK_END "\r\n"
/* After the CRLF of the last data chunk. */
#define H1_WRITE_LAST_CHUNK "0\r\n\r\n"

#endif
