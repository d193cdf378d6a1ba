/*
 * How long heads, framing and writing take: messages as they cross a gateway every day, the best of many
 * short rounds each. Prints nanoseconds per message.
 *
 *     bench_h1 [milliseconds per measure]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "codec/h1_frame.h"
#include "codec/h1_head.h"
#include "codec/h1_write.h"

enum { ROUND = 2000, MAX_FIELDS = 100 };

static const char small_request[] = "GET /v1/users/7 HTTP/1.1\r\nHost: bench\r\n\r\n";

/* What a browser sends: some 400 bytes. */
static const char request[] =
    "GET /v1/users/7/dashboard?from=2024-01-01&to=2024-02-01 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: application/json, text/plain, */*\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://www.example.com/app/\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef\r\n"
    "X-Request-ID: 7f2c\r\n\r\n";

/* What a service answers: some 400 bytes. */
static const char response[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Server: nginx/1.22.1\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: 512\r\n"
    "Connection: keep-alive\r\n"
    "Vary: Accept-Encoding\r\n"
    "Cache-Control: private, max-age=0, must-revalidate\r\n"
    "Last-Modified: Sun, 06 Nov 1994 08:00:00 GMT\r\n"
    "ETag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Strict-Transport-Security: max-age=63072000\r\n\r\n";

static const struct h1_limits limits = { 16384, 8192 };
static struct header fields[MAX_FIELDS];
static uint64_t sink; /* keeps results alive */

static void
parse_request(struct str bytes)
{
	struct h1_head head;
	struct h1_frame frame;

	h1_head_init_request(&head, &limits, fields, MAX_FIELDS);
	if (h1_head_feed(&head, bytes) != H1_DONE || h1_frame_request(&frame, &head) != ERR_NONE)
		abort();
	sink += head.fields.n + frame.length;
}

static void
parse_small(void)
{
	parse_request(STR(small_request));
}

static void
parse_browser(void)
{
	parse_request(STR(request));
}

static void
parse_response(void)
{
	struct h1_head head;
	struct h1_frame frame;

	h1_head_init_response(&head, &limits, fields, MAX_FIELDS);
	if (h1_head_feed(&head, STR(response)) != H1_DONE ||
	    h1_frame_response(&frame, &head, METHOD_GET) != ERR_NONE)
		abort();
	sink += head.fields.n + frame.length;
}

static void
write_request(void)
{
	static struct h1_head head;
	char to[2048];
	struct h1_write w;

	if (head.fields.n == 0) {
		h1_head_init_request(&head, &limits, fields, MAX_FIELDS);
		if (h1_head_feed(&head, STR(request)) != H1_DONE)
			abort();
	}
	h1_write_init(&w, to, sizeof(to));
	h1_write_request_line(&w, head.method_text, head.path, head.query);
	h1_write_known(&w, HEADER_HOST, STR("10.0.0.1:8080"));
	h1_write_crossing(&w, &head.fields);
	h1_write_known(&w, HEADER_VIA, STR("1.1 gatherd"));
	h1_write_end(&w);
	if (!h1_write_is_ok(&w))
		abort();
	sink += h1_write_str(&w).n;
}

/* A body of 64 chunks of 64 bytes. */
static void
decode_chunks(void)
{
	static char body[8192];
	static size_t n;
	struct h1_frame frame = { .kind = H1_FRAME_CHUNKED };
	struct str in, payload;
	size_t used;

	for (; n < 64 * (4 + 64 + 2); n += 4 + 64 + 2) {
		memcpy(body + n, "40\r\n", 4);
		memset(body + n + 4, 'x', 64);
		memcpy(body + n + 4 + 64, "\r\n", 2);
	}
	memcpy(body + n, H1_WRITE_LAST_CHUNK, 5);
	for (in = str_of(body, n + 5); in.n > 0; in = str_of(in.p + used, in.n - used)) {
		if (h1_frame_feed(&frame, in, &used, &payload) == H1_REFUSED)
			abort();
		sink += payload.n;
	}
}

/* The best round of those that fit into the time. */
static void
measure(const char *what, void (*fn)(void), uint64_t budget_ns)
{
	uint64_t start = clock_mono_ns(), best = UINT64_MAX, now = start;

	while (now - start < budget_ns) {
		uint64_t from = clock_mono_ns();

		for (unsigned i = 0; i < ROUND; i++)
			fn();
		now = clock_mono_ns();
		if (now - from < best)
			best = now - from;
	}
	printf("%-24s %8.1f ns\n", what, (double)best / ROUND);
}

int
main(int argc, char **argv)
{
	uint64_t ms = 300;

	if (argc > 1 && !str_to_u64(str_c(argv[1]), &ms))
		return 2;
	measure("request head, 43 B", parse_small, ms * NS_PER_MS);
	measure("request head, browser", parse_browser, ms * NS_PER_MS);
	measure("response head", parse_response, ms * NS_PER_MS);
	measure("request head, written", write_request, ms * NS_PER_MS);
	measure("64 chunks of 64 B", decode_chunks, ms * NS_PER_MS);
	return sink == 0;
}
