/* Nonsense: rows of requests, `%` standing for the number. RFC 9112 has the reason for each. */
#include "sim_nonsense.h"

#include <inttypes.h>

#include "base/compiler.h"

/* A request that hides in the body of another; it may never be served. */
#define HIDDEN "GET /one/q% HTTP/1.1\r\nHost: a\r\n\r\n"

static const char *const rows[] = {
	"GET /one/q% HTTP/1.1\r\n\r\n",
	"GET /one/q% HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"GET /one/q% HTTP/1.1\nHost: a\n\n",
	"GET /one/q% HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
	"GET /one/q% HTTP/1.1\r\nHost : a\r\n\r\n",
	"GET /one/q% HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
	"GET  /one/q% HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /one/q% HTTP/2.0\r\nHost: a\r\n\r\n",
	"GET /one/q% HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
	"GET /one/q% HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: "
	"5\r\n\r\n" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
	"\r\n0\r\n\r\n" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, "
	"chunked\r\n\r\n0\r\n\r\n" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}X" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
	"chunked\r\n\r\n2\n{}\r\n0\r\n\r\n" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" HIDDEN,
	"POST /post/q% HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{},",
	"DELETE /one/q% HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /one/q%/../../three/q% HTTP/1.1\r\nHost: a\r\n\r\n",
	"\x16\x03\x01 no HTTP at all %\r\n\r\n",
};

void
sim_nonsense_write(struct sim *s, struct sim_request *r, struct buf *out)
{
	const char *row = rows[sim_between(s, 0, ARRAY_LEN(rows) - 1)];

	r->route = NULL;
	r->is_head = false;
	r->is_malformed = true;
	for (; *row != '\0'; row++)
		if (*row == '%')
			buf_add_u64(out, r->number);
		else
			buf_add_char(out, *row);
}
