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

static void
add_host(struct places *p, const struct dns_host *host, const struct server_conf *server)
{
	unsigned port = server->is_srv ? host->port : (unsigned)server->port;
	struct place at = { .weight = server->weight };

	if (server->is_srv) {
		at.weight = host->weight;
		at.priority = host->priority;
	}
	for (int k = 0; k < DNS_FAMILIES; k++)
		for (size_t i = 0; i < host->family[k].n; i++) {
			addr_of_bytes(host->family[k].ip[i], k == DNS_V4 ? 4 : 16, port, &at.addr);
			add(p, &at);
		}
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
places_make(struct places *out, const struct dns_answer *answer, const struct server_conf *server)
{
	*out = (struct places){ .at = mem_calloc(PLACES_MAX, sizeof *out->at) };
	for (size_t i = 0; i < answer->n_hosts; i++)
		add_host(out, &answer->hosts[i], server);
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

static void
describe(const struct places *p, const struct places *other, char sign, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < p->n; i++) {
		if (has_address(other, &p->at[i].addr))
			continue;
		buf_printf(out, " %c%.*s", sign, (int)addr_format(&p->at[i].addr, text), text);
	}
}

void
places_describe_change(const struct places *old, const struct places *now, struct buf *out)
{
	buf_printf(out, "%zu %s:", now->n, now->n == 1 ? "address" : "addresses");
	describe(now, old, '+', out);
	describe(old, now, '-', out);
}
