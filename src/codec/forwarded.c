/* Elements of Forwarded. No state; any thread. */
#include "codec/forwarded.h"

#include <string.h>

#include "codec/octet.h"

enum parameter { FOR, PROTO, HOST, BY, N_KNOWN, OTHER = N_KNOWN };

static enum parameter
parameter_of(struct str name)
{
	static const struct str names[N_KNOWN] = {
		[FOR] = STR_INIT("for"),
		[PROTO] = STR_INIT("proto"),
		[HOST] = STR_INIT("host"),
		[BY] = STR_INIT("by"),
	};

	for (unsigned i = 0; i < N_KNOWN; i++)
		if (str_ieq(name, names[i]))
			return i;
	return OTHER;
}

/* value = token / quoted-string; *rest is what stands behind it. */
static bool
take_value(struct str *rest, struct str *value)
{
	size_t n = 0, quotes = rest->n > 0 && rest->p[0] == '"';

	while (quotes + n < rest->n &&
	    octet_is(rest->p[quotes + n], quotes != 0 ? OCTET_QUOTED : OCTET_TOKEN))
		n++;
	if (n == 0 || (quotes != 0 && (1 + n == rest->n || rest->p[1 + n] != '"')))
		return false;
	*value = str_of(rest->p + quotes, n);
	*rest = str_of(rest->p + n + 2 * quotes, rest->n - n - 2 * quotes);
	return true;
}

/* forwarded-pair = token "=" value */
static bool
take_pair(struct str *rest, struct str *name, struct str *value)
{
	size_t n = str_find(*rest, '=');

	if (n == 0 || n == rest->n || !octet_all(str_of(rest->p, n), OCTET_TOKEN))
		return false;
	*name = str_of(rest->p, n);
	*rest = str_of(rest->p + n + 1, rest->n - n - 1);
	return take_value(rest, value);
}

/* RFC 7239 6: a port is of digits, or hidden (_x); nobody here wants to know it. */
static struct str
ip_of(struct str node)
{
	size_t end;

	if (node.p[0] == '_' || str_ieq(node, STR("unknown")))
		return str_none();
	if (node.p[0] != '[')
		return str_of(node.p, str_find(node, ':'));
	end = str_find(node, ']');
	if (end == node.n || (end + 1 < node.n && node.p[end + 1] != ':'))
		return str_none();
	return str_of(node.p + 1, end - 1);
}

struct str
forwarded_bare_ip(struct str element)
{
	size_t colon = str_find(element, ':');
	bool is_v6 = colon < element.n && memchr(element.p + colon + 1, ':', element.n - colon - 1) != NULL;

	return element.p[0] == '[' || !is_v6 ? ip_of(element) : element;
}

bool
forwarded_parse(struct str element, struct forwarded *out)
{
	struct str rest = element, name, values[N_KNOWN] = { 0 }, value;

	*out = (struct forwarded){ 0 };
	while (rest.n > 0) {
		enum parameter is;

		if (!take_pair(&rest, &name, &value))
			return false;
		is = parameter_of(name);
		if (is != OTHER && !str_is_none(values[is]))
			return false;
		if (is != OTHER)
			values[is] = value;
		if (rest.n == 0)
			break;
		if (rest.p[0] != ';')
			return false;
		rest = str_of(rest.p + 1, rest.n - 1);
	}
	if (!str_is_none(values[FOR]))
		out->ip = ip_of(values[FOR]);
	if (!str_is_none(values[PROTO]) && octet_all(values[PROTO], OCTET_TOKEN))
		out->proto = values[PROTO];
	out->host = values[HOST];
	return true;
}
