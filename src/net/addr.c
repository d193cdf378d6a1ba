/* Addresses as text and as the kernel's structures. No state; any thread. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "base/compiler.h"
#include "base/ip.h"

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static enum err_code
parse_unix(struct str path, struct addr *out)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&out->sa;
	bool is_abstract = path.n > 0 && path.p[0] == '@';

	if (path.n == 0 || path.n >= sizeof un->sun_path || str_find(path, '\0') != path.n)
		return ERR_BAD_CONFIG;
	if (is_abstract && path.n == 1)
		return ERR_BAD_CONFIG;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.p, path.n);
	if (is_abstract)
		un->sun_path[0] = '\0';
	/* An abstract name is as long as it is; a path has its NUL counted. */
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + !is_abstract);
	return ERR_NONE;
}

static bool
parse_port(struct str text, unsigned *out)
{
	uint64_t port;

	if (text.n > 5 || !str_to_u64(text, &port) || port > UINT16_MAX)
		return false;
	*out = (unsigned)port;
	return true;
}

static enum err_code
parse_v6(struct str text, struct addr *out)
{
	size_t end = str_find(text, ']');
	uint8_t ip[16];
	unsigned port;

	if (end + 1 >= text.n || text.p[end + 1] != ':' ||
	    !ip_parse_v6(str_of(text.p + 1, end - 1), ip) ||
	    !parse_port(str_of(text.p + end + 2, text.n - end - 2), &port))
		return ERR_BAD_CONFIG;
	addr_of_bytes(ip, sizeof ip, port, out);
	return ERR_NONE;
}

static enum err_code
parse_v4(struct str text, struct addr *out)
{
	size_t end = str_find(text, ':');
	uint8_t ip[4];
	unsigned port;

	if (end == text.n || !ip_parse_v4(str_of(text.p, end), ip) ||
	    !parse_port(str_of(text.p + end + 1, text.n - end - 1), &port))
		return ERR_BAD_CONFIG;
	addr_of_bytes(ip, sizeof ip, port, out);
	return ERR_NONE;
}

enum err_code
addr_parse(struct str text, struct addr *out)
{
	memset(out, 0, sizeof *out);
	if (str_has_prefix(text, STR("unix:")))
		return parse_unix(str_of(text.p + 5, text.n - 5), out);
	if (text.n > 0 && text.p[0] == '[')
		return parse_v6(text, out);
	return parse_v4(text, out);
}

void
addr_of_bytes(const uint8_t *ip, size_t n, unsigned port, struct addr *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->sa;

	memset(out, 0, sizeof *out);
	if (n == sizeof in->sin_addr) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, ip, n);
		out->len = sizeof *in;
	} else {
		assert(n == sizeof in6->sin6_addr);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		memcpy(&in6->sin6_addr, ip, n);
		out->len = sizeof *in6;
	}
}

enum err_code
addr_of_ip(struct str ip, unsigned port, struct addr *out)
{
	uint8_t bytes[16];

	if (port > UINT16_MAX)
		return ERR_BAD_CONFIG;
	if (ip_parse_v4(ip, bytes))
		addr_of_bytes(bytes, 4, port, out);
	else if (ip_parse_v6(ip, bytes))
		addr_of_bytes(bytes, 16, port, out);
	else
		return ERR_BAD_CONFIG;
	return ERR_NONE;
}

bool
addr_is_name(struct str s)
{
	struct str label;

	if (s.n > 1 && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n == 0 || s.n > 253)
		return false;
	while (str_split(&s, '.', &label))
		if (!str_is_word(label) || label.n > 63)
			return false;
	return true;
}

static size_t
unix_path_len(const struct addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;
	size_t n = a->len - offsetof(struct sockaddr_un, sun_path);

	if (a->len <= offsetof(struct sockaddr_un, sun_path))
		return 0; /* the client's end: it has no name */
	return un->sun_path[0] == '\0' ? n : strnlen(un->sun_path, n);
}

static size_t
format_unix(const struct addr *a, char *dst)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;
	size_t n = unix_path_len(a);

	memcpy(dst, "unix:", 5);
	memcpy(dst + 5, un->sun_path, n);
	if (n > 0 && un->sun_path[0] == '\0')
		dst[5] = '@';
	dst[5 + n] = '\0';
	return 5 + n;
}

/* What inet_ntop() writes, in a tenth of its instructions: it is done for each client that connects. */
static size_t
format_ipv4(const struct in_addr *ip, char *dst)
{
	uint32_t octets = ntohl(ip->s_addr);
	size_t n = 0;

	for (int shift = 24; shift >= 0; shift -= 8) {
		n += str_put_u64(dst + n, octets >> shift & 0xff);
		dst[n++] = '.';
	}
	dst[--n] = '\0';
	return n;
}

size_t
addr_format_ip(const struct addr *a, char *dst)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

	if (a->sa.ss_family == AF_INET)
		return format_ipv4(&in->sin_addr, dst);
	dst[0] = '\0';
	if (a->sa.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, dst, ADDR_TEXT_MAX);
	return strlen(dst);
}

size_t
addr_format(const struct addr *a, char *dst)
{
	bool is_v6 = a->sa.ss_family == AF_INET6;
	size_t n = 0;

	if (addr_is_unix(a))
		return format_unix(a, dst);
	if (is_v6)
		dst[n++] = '[';
	n += addr_format_ip(a, dst + n);
	if (is_v6)
		dst[n++] = ']';
	dst[n++] = ':';
	n += str_put_u64(dst + n, addr_port(a));
	dst[n] = '\0';
	return n;
}

unsigned
addr_port(const struct addr *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

	if (a->sa.ss_family == AF_INET)
		return ntohs(in->sin_port);
	return a->sa.ss_family == AF_INET6 ? ntohs(in6->sin6_port) : 0;
}

bool
addr_is_unix(const struct addr *a)
{
	return a->sa.ss_family == AF_UNIX;
}

bool
addr_ip(const struct addr *a, uint8_t out[16])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

	if (a->sa.ss_family == AF_INET) {
		memcpy(out, mapped_prefix, 12);
		memcpy(out + 12, &in->sin_addr, 4);
		return true;
	}
	if (a->sa.ss_family != AF_INET6)
		return false;
	memcpy(out, &in6->sin6_addr, 16);
	return true;
}

void
addr_unmap(struct addr *a)
{
	const struct sockaddr_in6 in6 = *(const struct sockaddr_in6 *)&a->sa;
	struct sockaddr_in *in = (struct sockaddr_in *)&a->sa;

	if (a->sa.ss_family != AF_INET6 || memcmp(&in6.sin6_addr, mapped_prefix, 12) != 0)
		return;
	memset(&a->sa, 0, sizeof a->sa);
	in->sin_family = AF_INET;
	in->sin_port = in6.sin6_port;
	memcpy(&in->sin_addr, in6.sin6_addr.s6_addr + 12, 4);
	a->len = sizeof *in;
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	const struct sockaddr_un *ua = (const struct sockaddr_un *)&a->sa;
	const struct sockaddr_un *ub = (const struct sockaddr_un *)&b->sa;
	uint8_t x[16], y[16];
	size_t n;

	if (a->sa.ss_family != b->sa.ss_family)
		return false;
	if (addr_ip(a, x) && addr_ip(b, y))
		return addr_port(a) == addr_port(b) && memcmp(x, y, sizeof x) == 0;
	n = unix_path_len(a);
	return n == unix_path_len(b) && memcmp(ua->sun_path, ub->sun_path, n) == 0;
}

bool
addr_takes(const struct addr *a, bool is_v6only, const struct addr *b)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

	if (addr_eq(a, b))
		return true;
	if (addr_is_unix(a) || addr_is_unix(b) || addr_port(a) != addr_port(b))
		return false;
	if (a->sa.ss_family == AF_INET)
		return b->sa.ss_family == AF_INET && in->sin_addr.s_addr == INADDR_ANY;
	return IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) &&
	    (b->sa.ss_family == AF_INET6 || !is_v6only);
}
