/* The PROXY protocol's header. The reader is its owner's; no state of its own; any thread. */
#include "codec/proxy_header.h"

#include <string.h>

#include "base/compiler.h"
#include "base/ip.h"

#define V1_BEGIN STR("PROXY ")
#define V2_BEGIN STR("\r\n\r\n\0\r\nQUIT\n")
#define V2_FIXED 16
/* "PROXY UNKNOWN\r\n": no header of either version is shorter. */
#define SHORTEST 15
#define V1_SPACES 5

void
proxy_header_init(struct proxy_header *h)
{
	*h = (struct proxy_header){ .need = SHORTEST };
}

static struct str
seen(const struct proxy_header *h)
{
	return str_of(h->bytes, h->n < sizeof h->bytes ? h->n : sizeof h->bytes);
}

static enum proxy_header_progress
refuse(struct proxy_header *h)
{
	h->need = 0;
	return PROXY_HEADER_REFUSED;
}

static enum proxy_header_progress
done(struct proxy_header *h)
{
	h->need = 0;
	return PROXY_HEADER_DONE;
}

static enum proxy_header_progress
more(struct proxy_header *h, size_t need)
{
	h->need = need;
	return PROXY_HEADER_MORE;
}

/* ---- version 1: a line (2.1) */

static bool
parse_ip(enum proxy_header_family family, struct str text, uint8_t *ip)
{
	return family == PROXY_HEADER_IPV4 ? ip_parse_v4(text, ip) : ip_parse_v6(text, ip);
}

static bool
parse_port(struct str text, uint16_t *port)
{
	uint64_t n;

	if (text.n > 5 || (text.n > 1 && text.p[0] == '0') || !str_to_u64(text, &n) ||
	    n > UINT16_MAX)
		return false;
	*port = (uint16_t)n;
	return true;
}

/* Exactly one space between two parts: an empty part is neither an address nor a port. */
static bool
parse_line(struct proxy_header *h, struct str line)
{
	struct str part[V1_SPACES + 1];
	uint8_t ip[16];
	uint16_t port;
	size_t n = 0;

	while (n < ARRAY_LEN(part) && str_split(&line, ' ', &part[n]))
		n++;
	if (n != ARRAY_LEN(part) || !str_is_none(line))
		return false;
	h->family = str_eq(part[1], STR("TCP4")) ? PROXY_HEADER_IPV4 : PROXY_HEADER_IPV6;
	if (h->family == PROXY_HEADER_IPV6 && !str_eq(part[1], STR("TCP6")))
		return false;
	return parse_ip(h->family, part[2], h->ip) && parse_ip(h->family, part[3], ip) &&
	    parse_port(part[4], &h->port) && parse_port(part[5], &port);
}

static bool
is_unknown(struct str text)
{
	return str_has_prefix(text, STR("PROXY UNKNOWN\r")) ||
	    str_has_prefix(text, STR("PROXY UNKNOWN "));
}

/* At least so many bytes are left of a line that has not ended. */
static size_t
least_rest(struct str text)
{
	size_t spaces = 0;

	if (text.p[text.n - 1] == '\r')
		return 1;
	if (is_unknown(text))
		return 2;
	for (size_t i = 0; i < text.n; i++)
		spaces += text.p[i] == ' ';
	/* Each space to come has at least one byte behind it; then the CRLF. */
	return spaces >= V1_SPACES ? 2 : 2 * (V1_SPACES - spaces) + 2;
}

static enum proxy_header_progress
feed_v1(struct proxy_header *h)
{
	struct str text = seen(h);
	size_t end = str_find(text, '\n'), cr = str_find(text, '\r'), rest;

	/* CR and LF stand at the end, together, and nowhere else. */
	if (cr + 1 < text.n && (end != cr + 1 || end + 1 != text.n))
		return refuse(h);
	if (end < text.n) {
		struct str line = str_of(text.p, cr);

		if (cr + 1 != end)
			return refuse(h);
		return is_unknown(text) || parse_line(h, line) ? done(h) : refuse(h);
	}
	rest = least_rest(text);
	return text.n + rest > PROXY_HEADER_V1_MAX ? refuse(h) : more(h, rest);
}

/* ---- version 2: binary (2.2) */

static size_t
u16_at(const struct proxy_header *h, size_t at)
{
	return (size_t)(uint8_t)h->bytes[at] << 8 | (uint8_t)h->bytes[at + 1];
}

/* Whether family and transport are known, and how long the addresses then are. */
static bool
address_bytes(uint8_t family, size_t *n)
{
	switch (family) {
	case 0x00: /* not said */
		*n = 0;
		return true;
	case 0x11: /* TCP over IPv4 */
		*n = 12;
		return true;
	case 0x21: /* TCP over IPv6 */
		*n = 36;
		return true;
	case 0x31: /* a unix stream socket */
		*n = 216;
		return true;
	default: /* datagrams, and what 2.2 reserves */
		return false;
	}
}

static void
keep_client(struct proxy_header *h)
{
	uint8_t family = (uint8_t)h->bytes[13];

	if (family == 0x11) {
		h->family = PROXY_HEADER_IPV4;
		memcpy(h->ip, h->bytes + V2_FIXED, 4);
		h->port = (uint16_t)u16_at(h, V2_FIXED + 8);
	} else if (family == 0x21) {
		h->family = PROXY_HEADER_IPV6;
		memcpy(h->ip, h->bytes + V2_FIXED, 16);
		h->port = (uint16_t)u16_at(h, V2_FIXED + 32);
	}
}

static enum proxy_header_progress
feed_v2(struct proxy_header *h)
{
	bool is_local;
	size_t length, least;

	if (h->n < V2_FIXED)
		return more(h, V2_FIXED - h->n);
	is_local = h->bytes[12] == 0x20;
	if (!is_local && h->bytes[12] != 0x21)
		return refuse(h);
	length = u16_at(h, 14);
	if (V2_FIXED + length > PROXY_HEADER_V2_MAX)
		return refuse(h);
	/* 2.2: a LOCAL connection's family and addresses mean nothing. */
	if (!is_local && (!address_bytes((uint8_t)h->bytes[13], &least) || length < least))
		return refuse(h);
	if (h->n < V2_FIXED + length)
		return more(h, V2_FIXED + length - h->n);
	if (!is_local)
		keep_client(h);
	return done(h);
}

/* ---- both */

/* Whether text and begin are the same as far as both go. */
static bool
agrees(struct str text, struct str begin)
{
	size_t n = text.n < begin.n ? text.n : begin.n;

	return memcmp(text.p, begin.p, n) == 0;
}

static void
keep(struct proxy_header *h, struct str bytes)
{
	size_t had = seen(h).n, room = sizeof h->bytes - had;

	memcpy(h->bytes + had, bytes.p, bytes.n < room ? bytes.n : room);
	h->n += bytes.n;
}

enum proxy_header_progress
proxy_header_feed(struct proxy_header *h, struct str bytes)
{
	struct str text;

	assert(bytes.n > 0 && bytes.n <= h->need);
	keep(h, bytes);
	text = seen(h);
	if (!agrees(text, V1_BEGIN) && !agrees(text, V2_BEGIN))
		return refuse(h);
	if (h->n < SHORTEST)
		return more(h, SHORTEST - h->n);
	return text.p[0] == 'P' ? feed_v1(h) : feed_v2(h);
}

/* ---- writing */

static size_t
put(char *dst, size_t n, struct str s)
{
	memcpy(dst + n, s.p, s.n);
	return n + s.n;
}

static size_t
write_v1(char *dst, enum proxy_header_family family, struct str ip)
{
	bool is_v4 = family == PROXY_HEADER_IPV4;
	size_t n;

	if (family == PROXY_HEADER_UNKNOWN)
		return put(dst, 0, STR("PROXY UNKNOWN\r\n"));
	n = put(dst, 0, is_v4 ? STR("PROXY TCP4 ") : STR("PROXY TCP6 "));
	n = put(dst, n, ip);
	return put(dst, n, is_v4 ? STR(" 0.0.0.0 0 0\r\n") : STR(" :: 0 0\r\n"));
}

static size_t
write_v2(char *dst, enum proxy_header_family family, const uint8_t *ip)
{
	static const struct {
		char code;
		size_t n_ip, n;
	} rows[] = {
		[PROXY_HEADER_UNKNOWN] = { 0x00, 0, 0 },
		[PROXY_HEADER_IPV4] = { 0x11, 4, 12 },
		[PROXY_HEADER_IPV6] = { 0x21, 16, 36 },
	};
	size_t n = put(dst, 0, V2_BEGIN);

	dst[n++] = 0x21;
	dst[n++] = rows[family].code;
	dst[n++] = 0;
	dst[n++] = (char)rows[family].n;
	memset(dst + n, 0, rows[family].n);
	memcpy(dst + n, ip, rows[family].n_ip);
	return n + rows[family].n;
}

size_t
proxy_header_write(char *dst, enum proxy_header_version version, struct str ip)
{
	enum proxy_header_family family = PROXY_HEADER_UNKNOWN;
	uint8_t bytes[16] = { 0 };

	if (ip_parse_v4(ip, bytes))
		family = PROXY_HEADER_IPV4;
	else if (ip_parse_v6(ip, bytes))
		family = PROXY_HEADER_IPV6;
	if (version == PROXY_HEADER_NONE)
		return 0;
	return version == PROXY_HEADER_V1 ? write_v1(dst, family, ip)
					  : write_v2(dst, family, bytes);
}
