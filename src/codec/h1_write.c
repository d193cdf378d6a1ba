/* The writer of heads and chunk framing: bounded, canonical, sticky in failure. Any thread. */
#include "codec/h1_write.h"

#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "codec/octet.h"
#include "codec/uri.h"

void
h1_write_init(struct h1_write *w, char *to, size_t n)
{
	*w = (struct h1_write){ .start = to, .at = to, .end = to + n };
}

/* Room for n bytes; false, and sticky, when there is not. */
static inline bool
has_room(struct h1_write *w, size_t n)
{
	if (LIKELY(!w->is_over && n <= (size_t)(w->end - w->at)))
		return true;
	w->is_over = true;
	return false;
}

static inline void
put(struct h1_write *w, struct str s)
{
	memcpy(w->at, s.p, s.n);
	w->at += s.n;
}

/* Most queries need no encoding, nor the room for it. */
static void
put_query(struct h1_write *w, struct str query)
{
	if (octet_all(query, OCTET_QUERY))
		h1_write_raw(w, query);
	else if (has_room(w, URI_PUT_MAX(query.n)))
		w->at += uri_put_query(w->at, query);
}

void
h1_write_request_line(struct h1_write *w, struct str method, struct str path, struct str query)
{
	h1_write_raw(w, method);
	h1_write_raw(w, STR(" "));
	h1_write_raw(w, path);
	if (!str_is_none(query)) {
		h1_write_raw(w, STR("?"));
		put_query(w, query);
	}
	h1_write_raw(w, STR(" HTTP/1.1\r\n"));
	if (!header_is_token(method) || path.n == 0 || !octet_all(path, OCTET_TARGET))
		w->is_bad = true;
}

void
h1_write_status_line(struct h1_write *w, unsigned status)
{
	char start[] = "HTTP/1.1 000 ";

	assert(status >= 100 && status <= 999);
	for (unsigned left = status, i = 11; left > 0; left /= 10)
		start[i--] = (char)('0' + left % 10);
	h1_write_raw(w, str_of(start, sizeof start - 1));
	h1_write_raw(w, http_table_reason(status));
	h1_write_raw(w, STR("\r\n"));
}

/* A field without a check. */
static void
put_field(struct h1_write *w, struct str name, struct str value)
{
	if (!has_room(w, name.n + value.n + 4))
		return;
	put(w, name);
	put(w, STR(": "));
	if (value.n > 0)
		put(w, value);
	put(w, STR("\r\n"));
}

void
h1_write_field(struct h1_write *w, struct str name, struct str value)
{
	if (!header_is_token(name) || !header_is_value(value)) {
		w->is_bad = true;
		return;
	}
	put_field(w, name, value);
}

void
h1_write_known(struct h1_write *w, enum header_id id, struct str value)
{
	if (!header_is_value(value)) {
		w->is_bad = true;
		return;
	}
	put_field(w, http_table_header_name(id), value);
}

void
h1_write_known_u64(struct h1_write *w, enum header_id id, uint64_t value)
{
	char digits[STR_U64_MAX];

	put_field(w, http_table_header_name(id), str_of(digits, str_put_u64(digits, value)));
}

void
h1_write_received(struct h1_write *w, const struct header *h)
{
	put_field(w, h->id == HEADER_OTHER ? h->name : http_table_header_name(h->id), h->value);
}

void
h1_write_crossing(struct h1_write *w, const struct header_list *list)
{
	for (uint16_t i = 0; i < list->n; i++)
		if (header_crosses(&list->at[i]))
			h1_write_received(w, &list->at[i]);
}

void
h1_write_end(struct h1_write *w)
{
	h1_write_raw(w, STR("\r\n"));
}

static void
put_two(char *dst, int v)
{
	dst[0] = (char)('0' + v / 10 % 10);
	dst[1] = (char)('0' + v % 10);
}

/* Not strftime(): its names of days and months follow the locale. */
static void
format_date(char *dst, const struct tm *tm)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int year = tm->tm_year + 1900;

	memcpy(dst, "Day, 00 Mon 0000 00:00:00 GMT", H1_WRITE_DATE_BYTES);
	memcpy(dst, days + 3 * tm->tm_wday, 3);
	put_two(dst + 5, tm->tm_mday);
	memcpy(dst + 8, months + 3 * tm->tm_mon, 3);
	put_two(dst + 12, year / 100);
	put_two(dst + 14, year % 100);
	put_two(dst + 17, tm->tm_hour);
	put_two(dst + 20, tm->tm_min);
	put_two(dst + 23, tm->tm_sec);
}

struct str
h1_write_date_text(struct h1_write_date *date, uint64_t wall_ns)
{
	uint64_t second = wall_ns / NS_PER_SEC;

	if (second != date->second || date->text[0] == '\0') {
		time_t t = (time_t)second;
		struct tm tm;

		gmtime_r(&t, &tm);
		format_date(date->text, &tm);
		date->second = second;
	}
	return str_of(date->text, H1_WRITE_DATE_BYTES);
}

size_t
h1_write_chunk(char *dst, uint64_t n)
{
	static const char digits[] = "0123456789abcdef";
	unsigned shift = 60;
	size_t len = 0;

	assert(n > 0);
	while (n >> shift == 0)
		shift -= 4;
	for (;; shift -= 4) {
		dst[len++] = digits[n >> shift & 15];
		if (shift == 0)
			break;
	}
	dst[len++] = '\r';
	dst[len++] = '\n';
	return len;
}
