/* Request targets: checks, decoding and encoding. Pure functions over the caller's memory. */
#include "codec/uri.h"

#include <string.h>

#include "base/compiler.h"
#include "base/ip.h"
#include "codec/octet.h"

static char
triplet_value(const char *p)
{
	return (char)(octet_hex(p[1]) << 4 | octet_hex(p[2]));
}

bool
uri_is_dot_segment(struct str segment)
{
	size_t dots = 0, i = 0;

	while (i < segment.n && segment.p[i] != ';') {
		if (segment.p[i] == '.')
			i++;
		else if (octet_is_triplet(segment.p + i, segment.n - i) &&
			 triplet_value(segment.p + i) == '.')
			i += 3;
		else
			return false;
		dots++;
	}
	return dots == 1 || dots == 2;
}

/* At path.p[at], which is not the first byte. */
static bool
begins_dot_segment(struct str path, size_t at)
{
	struct str rest = str_of(path.p + at, path.n - at);

	return path.p[at - 1] == '/' && uri_is_dot_segment(str_of(rest.p, str_find(rest, '/')));
}

/* Decoded by a server that does not look, these change what a path means. */
static bool
is_harmful(char c)
{
	return c == '\0' || c == '\r' || c == '\n';
}

bool
uri_check_path(struct str path)
{
	if (path.n == 0 || path.p[0] != '/')
		return false;
	for (size_t i = octet_skip_common_in_paths(path.p, path.n); i < path.n; i++) {
		char c = path.p[i];

		if (LIKELY(octet_is(c, OCTET_PATH))) {
			if (c == '.' && begins_dot_segment(path, i))
				return false;
			continue;
		}
		if (c != '%' || begins_dot_segment(path, i) ||
		    !octet_is_triplet(path.p + i, path.n - i) ||
		    is_harmful(triplet_value(path.p + i)))
			return false;
		i += 2;
	}
	return true;
}

/* True when every byte is of one of the classes or begins a whole percent triplet. */
static bool
is_encoded(struct str s, unsigned classes)
{
	for (size_t i = 0; i < s.n; i++) {
		if (octet_is(s.p[i], classes))
			continue;
		if (!octet_is_triplet(s.p + i, s.n - i))
			return false;
		i += 2;
	}
	return true;
}

bool
uri_check_query(struct str query)
{
	return is_encoded(query, OCTET_LOOSE_QUERY);
}

/* Digits of a number up to 65535, or nothing (RFC 3986 3.2.3 allows an empty port). */
static bool
is_port(struct str s)
{
	uint64_t v;

	return s.n == 0 || (str_to_u64(s, &v) && v <= UINT16_MAX);
}

/*
 * The address inside the brackets. No zone (RFC 6874) and no IPvFuture: no host can be reached by
 * them.
 */
static bool
is_ipv6(struct str s)
{
	uint8_t ip[16];

	return ip_parse_v6(s, ip);
}

bool
uri_split_authority(struct str authority, struct str *host, struct str *port)
{
	bool is_literal = authority.n > 0 && authority.p[0] == '[';
	size_t end; /* of the host */

	end = str_find(authority, is_literal ? ']' : ':');
	if (is_literal) {
		if (end == authority.n || !is_ipv6(str_of(authority.p + 1, end - 1)))
			return false;
		end++;
	} else if (end == 0 || !is_encoded(str_of(authority.p, end), OCTET_REG_NAME)) {
		return false;
	}
	*host = str_of(authority.p, end);
	*port = str_none();
	if (end == authority.n)
		return true;
	*port = str_of(authority.p + end + 1, authority.n - end - 1);
	return authority.p[end] == ':' && is_port(*port);
}

bool
uri_next_segment(struct str *path, struct str *segment)
{
	struct str rest;
	size_t n;

	if (path->n == 0)
		return false;
	assert(path->p[0] == '/');
	rest = str_of(path->p + 1, path->n - 1);
	n = str_find(rest, '/');
	*segment = str_of(rest.p, n);
	*path = str_of(rest.p + n, rest.n - n);
	return true;
}

bool
uri_next_pair(struct str *query, struct str *name, struct str *value)
{
	struct str pair;
	size_t eq;

	do {
		if (!str_split(query, '&', &pair))
			return false;
	} while (pair.n == 0);
	eq = str_find(pair, '=');
	*name = str_of(pair.p, eq);
	*value = eq == pair.n ? str_none() : str_of(pair.p + eq + 1, pair.n - eq - 1);
	return true;
}

bool
uri_next_value(struct str *query, struct str name, struct str *value)
{
	struct str key;

	while (uri_next_pair(query, &key, value))
		if (uri_decodes_to(key, name)) {
			if (str_is_none(*value))
				*value = STR("");
			return true;
		}
	return false;
}

static size_t
decode(char *dst, struct str s, bool is_form)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (octet_is_triplet(s.p + i, s.n - i)) {
			dst[n++] = triplet_value(s.p + i);
			i += 2;
		} else {
			dst[n++] = is_form && s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	return n;
}

size_t
uri_decode(char *dst, struct str s)
{
	return decode(dst, s, false);
}

size_t
uri_decode_query(char *dst, struct str s)
{
	return decode(dst, s, true);
}

bool
uri_decodes_to(struct str encoded, struct str plain)
{
	size_t n = 0;

	for (size_t i = 0; i < encoded.n; i++, n++) {
		char c = encoded.p[i];

		if (octet_is_triplet(encoded.p + i, encoded.n - i)) {
			c = triplet_value(encoded.p + i);
			i += 2;
		}
		if (n == plain.n || c != plain.p[n])
			return false;
	}
	return n == plain.n;
}

static size_t
put_triplet(char *dst, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;

	dst[0] = '%';
	dst[1] = digits[u >> 4];
	dst[2] = digits[u & 15];
	return 3;
}

/* Encodes every byte that is not of one of the classes. */
static size_t
put(char *dst, struct str s, unsigned classes)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (octet_is(s.p[i], classes))
			dst[n++] = s.p[i];
		else
			n += put_triplet(dst + n, s.p[i]);
	}
	return n;
}

size_t
uri_put_segment(char *dst, struct str s)
{
	return put(dst, s, OCTET_UNRESERVED);
}

size_t
uri_put_query_value(char *dst, struct str s)
{
	return put(dst, s, OCTET_UNRESERVED);
}

size_t
uri_put_query(char *dst, struct str query)
{
	size_t n = 0;

	for (size_t i = 0; i < query.n; i++) {
		if (octet_is(query.p[i], OCTET_QUERY) || octet_is_triplet(query.p + i, query.n - i))
			dst[n++] = query.p[i];
		else
			n += put_triplet(dst + n, query.p[i]);
	}
	return n;
}
