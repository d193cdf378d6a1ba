/* The request fields that go to upstreams. No state. */
#include "gather/forward.h"

#include <endian.h>
#include <string.h>

#include "base/compiler.h"
#include "codec/uri.h"

/* ---- trace context */

static bool
is_hex_but_zero(struct str s)
{
	bool is_zero = true;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		is_zero = is_zero && c == '0';
	}
	return !is_zero;
}

/* W3C Trace Context 3.2.2, version 00: 00-TRACE-PARENT-FLAGS in lower-case hex. */
static bool
is_traceparent(struct str s)
{
	return s.n == REQUEST_TRACE_BYTES && str_has_prefix(s, STR("00-")) && s.p[35] == '-' &&
	    s.p[52] == '-' && is_hex_but_zero(str_of(s.p + 3, 32)) &&
	    is_hex_but_zero(str_of(s.p + 36, 16)) &&
	    (is_hex_but_zero(str_of(s.p + 53, 2)) || str_eq(str_of(s.p + 53, 2), STR("00")));
}

typedef uint64_t words __attribute__((vector_size(16)));
typedef uint8_t octets __attribute__((vector_size(16)));

/* Sixteen digits at once: a byte for each half of an octet, then 'a' - '0' - 10 more for those above 9. */
static void
put_hex(char *to, uint64_t v)
{
	octets in = (octets)(words){ htobe64(v), 0 };
	octets digits = __builtin_shufflevector(
	    in >> 4, in & 15, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);

	digits += '0' + ((octets)(digits > 9) & ('a' - '0' - 10));
	memcpy(to, &digits, sizeof digits);
}

/* RFC 9110 7.6.1: what Connection names was said to this hop alone. All fields of a name are marked alike. */
static bool
is_for_us_only(const struct request *r, enum header_id id)
{
	const struct header *h = header_find(r->headers, id);

	return h != NULL && h->is_hop;
}

void
forward_trace(struct request *r, struct rnd *rnd)
{
	struct str given = header_value(r->headers, HEADER_TRACEPARENT);
	char *to = r->traceparent;

	if (r->is_peer_trusted && is_traceparent(given) && !is_for_us_only(r, HEADER_TRACEPARENT)) {
		memcpy(to, given.p, REQUEST_TRACE_BYTES);
	} else {
		memcpy(to, "00-", 3);
		put_hex(to + 3, rnd_u64(rnd) | 1);
		put_hex(to + 19, rnd_u64(rnd));
		to[35] = '-';
		memcpy(to + 52, "-00", 3);
	}
	/* Each hop is a span of its own. */
	put_hex(to + 36, rnd_u64(rnd) | 1);
}

/* ---- what gatherd says */

/* The first field that crosses, or NULL. */
static const struct header *
first_given(const struct request *r, enum header_id id)
{
	return is_for_us_only(r, id) ? NULL : header_find(r->headers, id);
}

/* All values of a field that cross, and `last` unless it is empty, as one list; nothing when that is empty. */
static void
put_joined(struct h1_write *w, const struct request *r, enum header_id id, struct str last)
{
	const struct header *h = first_given(r, id);

	if (h == NULL && last.n == 0)
		return;
	h1_write_raw(w, http_table_header_name(id));
	h1_write_raw(w, STR(": "));
	for (; h != NULL; h = header_next(r->headers, h)) {
		h1_write_raw(w, h->value);
		if (last.n != 0 || header_next(r->headers, h) != NULL)
			h1_write_raw(w, STR(", "));
	}
	h1_write_raw(w, last);
	h1_write_raw(w, STR("\r\n"));
}

/* What a trusted proxy said, or what we know. */
static struct str
trusted_or(const struct request *r, enum header_id id, struct str own)
{
	enum header_id said_by = r->is_rfc7239 ? HEADER_FORWARDED : id;
	struct str given = header_value(r->headers, id);

	if (r->is_rfc7239)
		given = id == HEADER_X_FORWARDED_PROTO ? r->given_proto : r->given_host;
	return r->is_peer_trusted && given.n != 0 && !is_for_us_only(r, said_by) ? given : own;
}

/* A value that is ours, or that the parser has checked: it needs no second look. */
static void
put_line(struct h1_write *w, struct str name, struct str value)
{
	h1_write_raw(w, name);
	h1_write_raw(w, value);
	h1_write_raw(w, STR("\r\n"));
}

/* Is there a client behind the peer of whom upstreams may be told? */
static bool
is_behind_proxy(const struct request *r)
{
	return r->is_peer_trusted && !str_eq(r->client_ip, r->peer_ip) &&
	    !is_for_us_only(r, r->is_rfc7239 ? HEADER_FORWARDED : HEADER_X_FORWARDED_FOR);
}

static void
put_forwarded_for(struct h1_write *w, const struct request *r)
{
	bool is_behind = is_behind_proxy(r);

	/* A unix socket has no address. */
	if (r->is_peer_trusted && !r->is_rfc7239) {
		put_joined(w, r, HEADER_X_FORWARDED_FOR, r->peer_ip);
		return;
	}
	if (!is_behind && r->peer_ip.n == 0)
		return;
	h1_write_raw(w, STR("X-Forwarded-For: "));
	h1_write_raw(w, is_behind ? r->client_ip : STR(""));
	h1_write_raw(w, is_behind && r->peer_ip.n != 0 ? STR(", ") : STR(""));
	put_line(w, STR(""), r->peer_ip);
}

/* RFC 7239 6: IPv6 stands in brackets, and those in quotes. */
static void
put_node(struct h1_write *w, struct str ip)
{
	bool is_v6 = str_find(ip, ':') != ip.n;

	h1_write_raw(w, is_v6 ? STR("for=\"[") : STR("for="));
	h1_write_raw(w, ip.n == 0 ? STR("unknown") : ip);
	h1_write_raw(w, is_v6 ? STR("]\"") : STR(""));
}

static void
put_forwarded(struct h1_write *w, const struct request *r)
{
	if (!r->sends_forwarded)
		return;
	h1_write_raw(w, STR("Forwarded: "));
	if (is_behind_proxy(r)) {
		put_node(w, r->client_ip);
		h1_write_raw(w, STR(", "));
	}
	put_node(w, r->peer_ip);
	if (r->authority.n != 0) {
		h1_write_raw(w, STR(";host=\""));
		h1_write_raw(w, r->authority);
		h1_write_raw(w, STR("\""));
	}
	put_line(w, STR(";proto="), str_c(r->scheme));
}

static size_t
values_bound(const struct request *r, enum header_id id)
{
	const struct header *h = header_find(r->headers, id);
	size_t n = 0;

	for (; h != NULL; h = header_next(r->headers, h))
		n += h->value.n + 2;
	return n;
}

struct str
forward_own_fields(const struct request *r, bool keeps_via, struct arena *arena)
{
	size_t room = 512 + 2 * r->authority.n + r->given_proto.n + r->given_host.n +
	    values_bound(r, HEADER_X_FORWARDED_FOR) +
	    values_bound(r, HEADER_X_FORWARDED_HOST) + values_bound(r, HEADER_X_FORWARDED_PROTO) +
	    values_bound(r, HEADER_VIA);
	struct str via = forward_via(r->minor);
	char *to = arena_alloc(arena, room);
	struct h1_write w;

	h1_write_init(&w, to, room);
	put_forwarded_for(&w, r);
	put_forwarded(&w, r);
	put_line(&w, STR("X-Forwarded-Proto: "),
	    trusted_or(r, HEADER_X_FORWARDED_PROTO, str_c(r->scheme)));
	if (r->authority.n != 0)
		put_line(&w, STR("X-Forwarded-Host: "),
		    trusted_or(r, HEADER_X_FORWARDED_HOST, r->authority));
	if (keeps_via && header_find(r->headers, HEADER_VIA) != NULL)
		put_joined(&w, r, HEADER_VIA, via);
	else
		put_line(&w, STR("Via: "), via);
	put_line(&w, STR("traceparent: "), str_of(r->traceparent, REQUEST_TRACE_BYTES));
	assert(h1_write_is_ok(&w));
	arena_trim(arena, to, room, h1_write_str(&w).n);
	return h1_write_str(&w);
}

/* ---- what the client said */

static bool
may_forward(const struct header *h)
{
	return header_crosses(h) && (http_table_header_flags(h->id) & FIELD_OWN_REQUEST) == 0;
}

/* Asks for an answer that cannot be merged, or speaks of a body that is not sent. */
static bool
is_unfit_for_call(enum header_id id)
{
	switch (id) {
	case HEADER_ACCEPT_ENCODING:
	case HEADER_RANGE:
	case HEADER_IF_MATCH:
	case HEADER_IF_NONE_MATCH:
	case HEADER_IF_MODIFIED_SINCE:
	case HEADER_IF_UNMODIFIED_SINCE:
	case HEADER_IF_RANGE:
	case HEADER_CONTENT_TYPE:
	case HEADER_CONTENT_ENCODING:
	case HEADER_CONTENT_LANGUAGE:
	case HEADER_CONTENT_LOCATION:
	case HEADER_CONTENT_RANGE:
	case HEADER_CONTENT_DISPOSITION:
		return true;
	default:
		return false;
	}
}

/* RFC 9110 7.6.2: one less, for OPTIONS; the hop that gets 0 answers (forward_is_last_hop()). */
static bool
count_down(struct h1_write *w, const struct request *r, const struct header *h)
{
	uint64_t hops;

	if (h->id != HEADER_MAX_FORWARDS || r->method != METHOD_OPTIONS ||
	    !str_to_u64(h->value, &hops) || hops == 0)
		return false;
	h1_write_known_u64(w, h->id, hops - 1);
	return true;
}

bool
forward_is_last_hop(const struct request *r)
{
	uint64_t hops;

	return r->method == METHOD_OPTIONS &&
	    str_to_u64(header_value(r->headers, HEADER_MAX_FORWARDS), &hops) && hops == 0;
}

static bool
stays_behind(const struct forward_set *set, struct str name)
{
	bool is_listed;

	return str_is_none(forward_set_field(set, name, &is_listed));
}

void
forward_all(struct h1_write *w, const struct request *r, const struct forward_set *set)
{
	for (size_t i = 0; i < r->headers->n; i++) {
		const struct header *h = &r->headers->at[i];

		if (set != NULL && stays_behind(set, h->name))
			continue;
		if (may_forward(h) && !count_down(w, r, h))
			h1_write_received(w, h);
	}
}

void
forward_listed(struct h1_write *w, const struct request *r, const struct forward_set *set)
{
	for (size_t i = 0; !set->is_empty && i < r->headers->n; i++) {
		const struct header *h = &r->headers->at[i];
		bool is_listed;
		struct str as = forward_set_field(set, h->name, &is_listed);

		if (str_is_none(as) || !may_forward(h) || (!is_listed && is_unfit_for_call(h->id)))
			continue;
		if (as.p == h->name.p)
			h1_write_received(w, h);
		else
			h1_write_field(w, as, h->value);
	}
}

size_t
forward_bound(const struct request *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->headers->n; i++)
		n += r->headers->at[i].name.n + r->headers->at[i].value.n + 4;
	return n;
}

/* One pair as it is sent; 0: it stays behind. */
static size_t
put_pair(char *dst, const struct forward_set *set, struct str key, struct str value)
{
	bool is_renamed;
	struct str as = forward_set_parameter(set, key, &is_renamed);
	size_t n;

	if (str_is_none(as) || (key.n == 0 && str_is_none(value)))
		return 0;
	n = is_renamed ? uri_put_query_value(dst, as) : uri_put_query(dst, as);
	if (!str_is_none(value)) {
		dst[n++] = '=';
		n += uri_put_query(dst + n, value);
	}
	return n;
}

static size_t
query_bound(const struct request *r, const struct forward_set *set)
{
	size_t n = URI_PUT_MAX(r->query.n) + 2, longest = 0, pairs = 1;

	for (size_t i = 0; i < set->n; i++)
		longest = set->rules[i].as.n > longest ? set->rules[i].as.n : longest;
	for (size_t i = 0; i < r->query.n; i++)
		pairs += r->query.p[i] == '&';
	return n + pairs * URI_PUT_MAX(longest);
}

struct str
forward_query(
    const struct request *r, const struct forward_set *set, struct str own, struct arena *arena)
{
	struct str rest = r->query, key, value;
	size_t room, n = own.n;
	char *to;

	if (set->is_empty || r->query.n == 0)
		return own.n == 0 ? str_none() : own;
	room = own.n + query_bound(r, set);
	to = arena_alloc(arena, room);
	memcpy(to, own.n == 0 ? "" : own.p, own.n);
	while (uri_next_pair(&rest, &key, &value)) {
		size_t at = n == 0 ? 0 : n + 1, pair = put_pair(to + at, set, key, value);

		if (pair == 0)
			continue;
		if (n != 0)
			to[n] = '&';
		n = at + pair;
	}
	arena_trim(arena, to, room, n);
	return n == 0 ? str_none() : str_of(to, n);
}
