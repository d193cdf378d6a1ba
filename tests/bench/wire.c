/* See wire.h. Uses memmem(), and reads numbers without a look at what else could be there. */
#include "wire.h"

#include <string.h>
#include <strings.h>

static size_t
read_number(const char *p, size_t base)
{
	size_t n = 0;

	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			n = n * base + (size_t)(*p - '0');
		else if (base == 16 && (*p | 32) >= 'a' && (*p | 32) <= 'f')
			n = n * base + (size_t)((*p | 32) - 'a' + 10);
		else
			return n;
	}
}

static void
read_field(struct wire *w, const char *line)
{
	static const char length[] = "content-length: ", chunked[] = "transfer-encoding: chunked",
	    closes[] = "connection: close";

	if (strncasecmp(line, length, sizeof length - 1) == 0) {
		w->body = read_number(line + sizeof length - 1, 10);
		w->until_close = false;
	} else if (strncasecmp(line, chunked, sizeof chunked - 1) == 0) {
		w->is_chunked = true;
		w->until_close = false;
	} else if (strncasecmp(line, closes, sizeof closes - 1) == 0) {
		w->closes = true;
	}
}

static void
read_head(struct wire *w, const char *bytes)
{
	const char *line = bytes;
	const char *end = bytes + w->head - 2;
	bool is_answer = memcmp(bytes, "HTTP/", 5) == 0;

	w->until_close = is_answer;
	if (is_answer)
		w->status = (unsigned)read_number(bytes + sizeof "HTTP/1.1", 10);
	w->closes = is_answer && bytes[sizeof "HTTP/1.1" - 2] == '0';
	while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL)
		read_field(w, ++line);
	w->end = w->head + w->body;
}

/* Goes from line to line of the chunks. True: the last one was found; no trailer is expected behind it. */
static bool
skip_chunks(struct wire *w, const char *bytes, size_t n)
{
	while (!w->is_last && w->end < n) {
		const char *eol = memchr(bytes + w->end, '\n', n - w->end);
		size_t size;

		if (eol == NULL)
			return false;
		size = read_number(bytes + w->end, 16);
		w->end = (size_t)(eol - bytes) + 1 + size + 2;
		w->body += size;
		w->is_last = size == 0;
	}
	return w->is_last && w->end <= n;
}

bool
wire_feed(struct wire *w, const char *bytes, size_t n)
{
	if (w->head == 0) {
		const char *end = memmem(bytes, n, "\r\n\r\n", 4);

		if (end == NULL)
			return false;
		w->head = (size_t)(end - bytes) + 4;
		read_head(w, bytes);
	}
	if (w->is_chunked)
		return skip_chunks(w, bytes, n);
	if (w->until_close) {
		w->end = n;
		w->body = n - w->head;
		return false;
	}
	return n >= w->end;
}

void
wire_join_chunks(struct wire *w, char *bytes)
{
	char *to = bytes + w->head;
	const char *line = to;
	size_t size;

	while ((size = read_number(line, 16)) != 0) {
		const char *data = (const char *)memchr(line, '\n', 20) + 1;

		memmove(to, data, size);
		to += size;
		line = data + size + 2;
	}
	w->end = (size_t)(to - bytes);
}
