/* Answers of DNS as places. No state; any thread. */
#include "daemon/places.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* RFC 2782: beside others, a weight of 0 means next to no calls. */
#define NEXT_TO_NONE 64

/* ---- what is kept of the answer before */

static const struct dns_host *
find_host(const struct dns_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->n_hosts; i++)
		if (strcmp(answer->hosts[i].name, name) == 0)
			return &answer->hosts[i];
	return NULL;
}

static bool
is_unknown(const struct dns_addrs *a)
{
	return a->error != ERR_NONE && a->error != ERR_DNS_NOT_FOUND;
}

void
places_keep(struct dns_answer *answer, const struct dns_answer *old)
{
	for (size_t i = 0; old != NULL && i < answer->n_hosts; i++) {
		struct dns_host *host = &answer->hosts[i];
		const struct dns_host *before = find_host(old, host->name);

		for (int k = 0; before != NULL && k < DNS_FAMILIES; k++)
			if (is_unknown(&host->family[k]) && before->family[k].error == ERR_NONE)
				host->family[k] = before->family[k];
	}
}

/* ---- making */

static bool
has_address(const struct places *p, const struct addr *at)
{
	for (size_t i = 0; i < p->n; i++)
		if (addr_eq(&p->at[i].addr, at))
			return true;
	return false;
}

static void
add(struct places *p, const struct place *at)
{
	if (p->n < PLACES_MAX && !has_address(p, &at->addr))
		p->at[p->n++] = *at;
}

static int
compare_ips(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* In an order that does not depend on the answer's: pairs stay together from one to the next. */
static void
sort_ips(struct dns_addrs *a)
{
	qsort(a->ip, a->n, sizeof a->ip[0], compare_ips);
}

/*
 * DNS does not tell which addresses are those of one machine. So one of each family is taken for a server, as long
 * as there are some: the IPv6 one, and an IPv4 one that connections may go to instead (RFC 8305); what is left over
 * of IPv4 are servers of their own. A wrong guess costs nothing but that one server stands in for another.
 */
static void
pair(struct places *p, const struct dns_host *host, unsigned port, struct place *at)
{
	const struct dns_addrs *v4 = &host->family[DNS_V4], *v6 = &host->family[DNS_V6];

	at->has_other = v4->n != 0;
	for (size_t i = 0; i < v6->n; i++) {
		addr_of_bytes(v6->ip[i], 16, port, &at->addr);
		if (at->has_other)
			addr_of_bytes(v4->ip[i % v4->n], 4, port, &at->other);
		add(p, at);
	}
	at->has_other = false;
	at->other = (struct addr){ 0 };
	for (size_t i = v6->n; i < v4->n; i++) {
		addr_of_bytes(v4->ip[i], 4, port, &at->addr);
		add(p, at);
	}
}

static void
add_host(struct places *p, const struct dns_host *host, const struct server_conf *server)
{
	unsigned port = server->is_srv ? host->port : (unsigned)server->port;
	struct place at = { .weight = server->weight };

	if (server->is_srv) {
		at.weight = host->weight;
		at.priority = host->priority;
	}
	pair(p, host, port, &at);
}

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/*
 * SRV's weights are relative, those of the balance also say how many calls a server takes as lightly as another
 * takes one: as small as they can be. All of 0 are all the same.
 */
static void
settle_weights(struct places *p)
{
	uint64_t divisor = 0;
	bool has_none = false;

	for (size_t i = 0; i < p->n; i++) {
		divisor = common_divisor(divisor, p->at[i].weight);
		has_none |= p->at[i].weight == 0;
	}
	for (size_t i = 0; i < p->n; i++) {
		uint64_t *w = &p->at[i].weight;

		if (*w == 0)
			*w = 1;
		else
			*w = *w / divisor * (has_none ? NEXT_TO_NONE : 1);
	}
}

static int
compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	uint8_t ip_x[16], ip_y[16];

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	addr_ip(&x->addr, ip_x);
	addr_ip(&y->addr, ip_y);
	if (memcmp(ip_x, ip_y, sizeof ip_x) != 0)
		return memcmp(ip_x, ip_y, sizeof ip_x);
	return (int)addr_port(&x->addr) - (int)addr_port(&y->addr);
}

void
places_make(struct places *out, struct dns_answer *answer, const struct server_conf *server)
{
	*out = (struct places){ .at = mem_calloc(PLACES_MAX, sizeof *out->at) };
	for (size_t i = 0; i < answer->n_hosts; i++) {
		sort_ips(&answer->hosts[i].family[DNS_V4]);
		sort_ips(&answer->hosts[i].family[DNS_V6]);
		add_host(out, &answer->hosts[i], server);
	}
	if (server->is_srv)
		settle_weights(out);
	qsort(out->at, out->n, sizeof *out->at, compare);
	out->at = mem_realloc(out->at, (out->n + 1) * sizeof *out->at);
}

void
places_fini(struct places *p)
{
	free(p->at);
	*p = (struct places){ 0 };
}

/* ---- comparing */

static bool
is_same(const struct place *a, const struct place *b)
{
	if (a->has_other != b->has_other || (a->has_other && !addr_eq(&a->other, &b->other)))
		return false;
	return addr_eq(&a->addr, &b->addr) && a->weight == b->weight && a->priority == b->priority;
}

bool
places_equal(const struct places *a, const struct places *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!is_same(&a->at[i], &b->at[i]))
			return false;
	return true;
}

static bool
has_anywhere(const struct places *p, const struct addr *at)
{
	for (size_t i = 0; i < p->n; i++)
		if (addr_eq(&p->at[i].addr, at) ||
		    (p->at[i].has_other && addr_eq(&p->at[i].other, at)))
			return true;
	return false;
}

static void
describe_one(const struct addr *at, const struct places *other, char sign, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	if (!has_anywhere(other, at))
		buf_printf(out, " %c%.*s", sign, (int)addr_format(at, text), text);
}

static void
describe(const struct places *p, const struct places *other, char sign, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		describe_one(&p->at[i].addr, other, sign, out);
		if (p->at[i].has_other)
			describe_one(&p->at[i].other, other, sign, out);
	}
}

void
places_describe_change(const struct places *old, const struct places *now, struct buf *out)
{
	buf_printf(out, "%zu %s", now->n, now->n == 1 ? "server" : "servers");
	describe(now, old, '+', out);
	describe(old, now, '-', out);
}
