/*
 * Answers of DNS servers. Every number comes from the wire: a reader that has run over its end is `bad` for good
 * and reads zeroes. No state; any thread.
 */
#include "net/dns_message.h"

#include <arpa/nameser.h>
#include <string.h>

#define ALIASES_MAX 16  /* that are followed */
#define RECORDS_MAX 512 /* that are looked at */

struct reader {
	struct str message;
	size_t at;
	bool is_bad;
};

struct record {
	char owner[DNS_NAME_MAX + 1]; /* empty: the root, or no name that is used here */
	uint16_t type;
	uint16_t class;
	uint32_t ttl_s;
	size_t data; /* offset in the message, and its length */
	size_t n;
};

struct header {
	unsigned rcode;
	bool is_truncated;
	size_t n_answers;
	size_t n_authorities;
};

/* ---- reading */

static uint8_t
read_u8(struct reader *r)
{
	if (r->at >= r->message.n) {
		r->is_bad = true;
		return 0;
	}
	return (uint8_t)r->message.p[r->at++];
}

static uint16_t
read_u16(struct reader *r)
{
	unsigned high = read_u8(r);

	return (uint16_t)(high << 8 | read_u8(r));
}

static uint32_t
read_u32(struct reader *r)
{
	uint32_t high = read_u16(r);

	return high << 16 | read_u16(r);
}

static void
skip(struct reader *r, size_t n)
{
	if (n > r->message.n - r->at)
		r->is_bad = true;
	else
		r->at += n;
}

/* Letters in lower case, digits, '-' and '_'; 0 for what no name of a host or service has. */
static char
name_char(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
		return (char)c;
	return 0;
}

/* A label behind its length. False when it has a byte that is not used here, or finds no room. */
static bool
read_label(struct reader *r, size_t n, char *out, size_t *used)
{
	bool is_usable = *used + n + 1 <= DNS_NAME_MAX + 1;

	for (size_t i = 0; i < n && !r->is_bad; i++) {
		char c = name_char(read_u8(r));

		is_usable = is_usable && c != 0;
		if (is_usable)
			out[(*used)++] = c;
	}
	if (is_usable)
		out[(*used)++] = '.';
	return is_usable;
}

/* On with the name where the two bytes point to, which is before all that was read of it: there is an end. */
static void
jump_back(struct reader *r, uint8_t first, size_t *floor)
{
	size_t to = (size_t)(first & 0x3f) << 8 | read_u8(r);

	if ((first & 0xc0) != 0xc0 || to >= *floor)
		r->is_bad = true;
	else
		*floor = r->at = to;
}

/*
 * RFC 1035 4.1.4: labels, then a zero or a pointer to where the name goes on. *out is empty for the root and for
 * names that have other bytes than hosts and services have.
 */
static void
read_name(struct reader *r, char out[DNS_NAME_MAX + 1])
{
	size_t used = 0, floor = r->at, behind = 0;
	bool is_usable = true;
	uint8_t n;

	while ((n = read_u8(r)) != 0 && !r->is_bad) {
		if (n < 0x40) {
			is_usable = read_label(r, n, out, &used) && is_usable;
			continue;
		}
		if (behind == 0)
			behind = r->at + 1;
		jump_back(r, n, &floor);
	}
	if (behind != 0)
		r->at = behind;
	out[is_usable && used != 0 ? used - 1 : 0] = '\0';
}

static bool
read_record(struct reader *r, struct record *out)
{
	read_name(r, out->owner);
	out->type = read_u16(r);
	out->class = read_u16(r);
	out->ttl_s = read_u32(r);
	/* RFC 2181 8: with its highest bit set it counts as 0. */
	if (out->ttl_s > INT32_MAX)
		out->ttl_s = 0;
	out->n = read_u16(r);
	out->data = r->at;
	skip(r, out->n);
	return !r->is_bad;
}

static bool
read_header(struct reader *r, struct header *out)
{
	unsigned flags, n_questions;
	char ignored[DNS_NAME_MAX + 1];

	skip(r, 2); /* c-ares has compared the identifier and the question */
	flags = read_u16(r);
	n_questions = read_u16(r);
	out->n_answers = read_u16(r);
	out->n_authorities = read_u16(r);
	skip(r, 2);
	out->rcode = flags & 0x0f;
	out->is_truncated = (flags & 0x0200) != 0;
	if (n_questions != 1 || (flags & 0x8000) == 0)
		r->is_bad = true;
	read_name(r, ignored);
	skip(r, 4);
	return !r->is_bad;
}

/* ---- looking for */

static struct reader
reader_at(const struct reader *r, size_t at)
{
	return (struct reader){ .message = r->message, .at = at };
}

struct seeker {
	struct reader answers; /* at the first record */
	struct reader authorities;
	struct header header;
	char name[DNS_NAME_MAX + 1]; /* the last alias */
	uint32_t ttl_s;
};

static void
shorten(uint32_t *ttl_s, uint32_t by)
{
	if (by < *ttl_s)
		*ttl_s = by;
}

static bool
is_of(const struct record *rec, const char *owner, uint16_t type)
{
	return rec->type == type && rec->class == ns_c_in && owner[0] != '\0' &&
	    strcmp(rec->owner, owner) == 0;
}

/* True and s->name is another name, when there is an alias for it. */
static bool
follow_alias(struct seeker *s)
{
	struct reader r = s->answers;
	struct record rec;

	for (size_t i = 0; i < s->header.n_answers; i++) {
		if (!read_record(&r, &rec) || !is_of(&rec, s->name, ns_t_cname))
			continue;
		struct reader data = reader_at(&r, rec.data);

		read_name(&data, s->name);
		shorten(&s->ttl_s, rec.ttl_s);
		return !data.is_bad && s->name[0] != '\0';
	}
	return false;
}

/* Over the answers to the authorities: every record is looked at once before any is believed. */
static bool
walk(struct seeker *s)
{
	struct reader r = s->answers;
	struct record rec;

	for (size_t i = 0; i < s->header.n_answers; i++)
		if (!read_record(&r, &rec))
			return false;
	s->authorities = r;
	return true;
}

/* ERR_NONE: there is something to look for. */
static enum err_code
seek_begin(struct seeker *s, struct str message, struct str name)
{
	*s = (struct seeker){ .answers = { .message = message }, .ttl_s = DNS_TTL_NONE };
	if (name.n == 0 || name.n > DNS_NAME_MAX || !read_header(&s->answers, &s->header) ||
	    s->header.n_answers > RECORDS_MAX || s->header.is_truncated || !walk(s))
		return ERR_DNS_FAILED;
	if (s->header.rcode == ns_r_nxdomain)
		return ERR_DNS_NOT_FOUND;
	if (s->header.rcode != 0)
		return ERR_DNS_FAILED;
	memcpy(s->name, name.p, name.n);
	s->name[name.n] = '\0';
	for (int i = 0; i < ALIASES_MAX && follow_alias(s); i++)
		continue;
	return ERR_NONE;
}

/* RFC 2308 5: how long a denial holds is the lesser of the SOA record's own time and its last field. */
static uint32_t
denial_ttl(const struct seeker *s)
{
	struct reader r = s->authorities;
	struct record rec;

	for (size_t i = 0; i < s->header.n_authorities && i < RECORDS_MAX; i++) {
		if (!read_record(&r, &rec))
			break;
		if (rec.type != ns_t_soa || rec.class != ns_c_in || rec.n < 22)
			continue;
		struct reader last = reader_at(&r, rec.data + rec.n - 4);
		uint32_t minimum = read_u32(&last);

		return minimum < rec.ttl_s ? minimum : rec.ttl_s;
	}
	return DNS_TTL_NONE;
}

/* e: of seek_begin(); n: how much was found. Sets the time to live of a yes or a no. */
static enum err_code
seek_end(const struct seeker *s, enum err_code e, size_t n, uint32_t *ttl_s)
{
	if (e == ERR_NONE && n == 0)
		e = ERR_DNS_NOT_FOUND;
	if (e == ERR_NONE)
		*ttl_s = s->ttl_s;
	else if (e == ERR_DNS_NOT_FOUND)
		*ttl_s = denial_ttl(s);
	return e;
}

/* ---- what is asked for */

void
dns_message_addresses(
    struct str message, struct str name, enum dns_family family, struct dns_addrs *out)
{
	uint16_t type = family == DNS_V4 ? ns_t_a : ns_t_aaaa;
	size_t size = family == DNS_V4 ? 4 : 16;
	struct seeker s;
	struct record rec;

	*out = (struct dns_addrs){ .ttl_s = DNS_TTL_NONE };
	out->error = seek_begin(&s, message, name);
	for (size_t i = 0; out->error == ERR_NONE && i < s.header.n_answers; i++) {
		if (!read_record(&s.answers, &rec) || !is_of(&rec, s.name, type) || rec.n != size ||
		    out->n == DNS_ADDRS_MAX)
			continue;
		memcpy(out->ip[out->n++], message.p + rec.data, size);
		shorten(&s.ttl_s, rec.ttl_s);
	}
	out->error = seek_end(&s, out->error, out->n, &out->ttl_s);
}

static bool
read_service(const struct reader *r, const struct record *rec, struct dns_srv *out)
{
	struct reader data = reader_at(r, rec->data);

	out->priority = read_u16(&data);
	out->weight = read_u16(&data);
	out->port = read_u16(&data);
	read_name(&data, out->target);
	return !data.is_bad && out->target[0] != '\0' && out->port != 0;
}

void
dns_message_services(struct str message, struct str name, struct dns_srv_list *out)
{
	struct seeker s;
	struct record rec;

	out->n = 0;
	out->ttl_s = DNS_TTL_NONE;
	out->error = seek_begin(&s, message, name);
	for (size_t i = 0; out->error == ERR_NONE && i < s.header.n_answers; i++) {
		if (!read_record(&s.answers, &rec) || !is_of(&rec, s.name, ns_t_srv) ||
		    out->n == DNS_HOSTS_MAX)
			continue;
		if (!read_service(&s.answers, &rec, &out->at[out->n]))
			continue;
		out->n++;
		shorten(&s.ttl_s, rec.ttl_s);
	}
	out->error = seek_end(&s, out->error, out->n, &out->ttl_s);
}
