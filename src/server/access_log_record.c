/* Writes access-log records. No state; on the worker of the exchange. */
#include "server/access_log_record.h"

#include <time.h>

#include "base/compiler.h"
#include "codec/json_write.h"
#include "server/compress.h"
#include "server/exchange.h"
#include "server/proxy.h"
#include "upstream/upstream.h"

/* Room for all of a record, or of a call in it, but for the strings that are not ours. */
#define RECORD_BYTES 768
#define CALL_BYTES 512

/* Where the next byte goes; room was made for all of them. */
struct pen {
	char *at;
};

static inline void
put(struct pen *pen, struct str ours)
{
	memcpy(pen->at, ours.p, ours.n);
	pen->at += ours.n;
}

static void
put_text(struct pen *pen, struct str key, struct str value)
{
	put(pen, key);
	pen->at += json_write_to(pen->at, value);
}

/* A reason token, which has nothing to escape. */
static void
put_reason(struct pen *pen, struct str key, enum err_code e)
{
	put(pen, key);
	*pen->at++ = '"';
	put(pen, str_c(err_token(e)));
	*pen->at++ = '"';
}

static void
put_u64(struct pen *pen, struct str key, uint64_t value)
{
	put(pen, key);
	pen->at += str_put_u64(pen->at, value);
}

static void
put_thousandths(struct pen *pen, uint64_t n)
{
	pen->at[0] = '.';
	pen->at[1] = (char)('0' + n / 100);
	pen->at[2] = (char)('0' + n / 10 % 10);
	pen->at[3] = (char)('0' + n % 10);
	pen->at += 4;
}

/* Milliseconds with three decimals. */
static void
put_ms(struct pen *pen, struct str key, uint64_t ns)
{
	uint64_t us = ns / NS_PER_US;

	put_u64(pen, key, us / 1000);
	put_thousandths(pen, us % 1000);
}

/* From `from` to `to`; null when either did not happen. */
static void
put_span(struct pen *pen, struct str key, uint64_t from, uint64_t to)
{
	if (from != 0 && to >= from) {
		put_ms(pen, key, to - from);
		return;
	}
	put(pen, key);
	put(pen, STR("null"));
}

/* RFC 3339 in UTC, milliseconds. */
static void
put_time(struct pen *pen, struct access_log_record_clock *clock, uint64_t wall_ns)
{
	uint64_t second = wall_ns / NS_PER_SEC;

	if (clock->second != second || clock->text[0] == '\0') {
		time_t seconds = (time_t)second;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(clock->text, sizeof(clock->text), "%Y-%m-%dT%H:%M:%S", &tm);
		clock->second = second;
	}
	put(pen, STR("{\"time\":\""));
	put(pen, str_of(clock->text, sizeof(clock->text) - 1));
	put_thousandths(pen, wall_ns / NS_PER_MS % 1000);
	put(pen, STR("Z\""));
}

/* Path and query stand side by side in the head that they were parsed from. */
static struct str
target_of(const struct request *r)
{
	struct str target = r->path;

	if (!str_is_none(r->query) && r->query.p == r->path.p + r->path.n + 1)
		target.n += 1 + r->query.n;
	return target;
}

static void
put_call(struct buf *out, struct str name, const struct call *c, enum err_code reason)
{
	struct str upstream = c->upstream->conf->name;
	const struct call_times *t = &c->times;
	struct pen pen = { buf_reserve(out, CALL_BYTES + json_write_bound(name) +
						json_write_bound(upstream) +
						json_write_bound(c->server)) };
	char *start = pen.at;

	put_text(&pen, STR("{\"name\":"), name);
	put_text(&pen, STR(",\"upstream\":"), upstream);
	put_text(&pen, STR(",\"server\":"), c->server);
	put_u64(&pen, STR(",\"status\":"), c->status);
	put_reason(&pen, STR(",\"reason\":"), reason);
	put_span(
	    &pen, STR(",\"queue_ms\":"), t->started, t->permitted != 0 ? t->permitted : t->done);
	put_span(&pen, STR(",\"connect_ms\":"), t->permitted, t->leased);
	put_span(&pen, STR(",\"first_byte_ms\":"), t->leased, t->first_byte);
	put_span(&pen, STR(",\"total_ms\":"), t->started, t->done);
	put_u64(&pen, STR(",\"bytes\":"), c->bytes_in);
	put(&pen, c->is_reused ? STR(",\"reused\":true}") : STR(",\"reused\":false}"));
	buf_commit(out, (size_t)(pen.at - start));
}

static void
put_calls(struct buf *out, const struct exchange *x)
{
	buf_add_c(out, ",\"calls\":[");
	for (size_t i = 0; x->gather != NULL && i < x->gather->plan->n_calls; i++) {
		const struct gather_call *gc = &x->gather->calls[i];

		if (i > 0)
			buf_add_char(out, ',');
		put_call(out, gc->plan->conf->name, gather_call_of(gc), gc->error);
	}
	if (x->proxy != NULL)
		put_call(out, STR("proxy"), &x->proxy->call, x->proxy->call.error);
	buf_add_c(out, "]}\n");
}

void
access_log_record_write(const struct exchange *x, struct access_log_record_clock *clock,
    uint64_t wall_ns, struct buf *out)
{
	const struct request *r = &x->request;
	struct str listener = x->listener->conf->name, target = target_of(r);
	struct str route = x->route == NULL ? str_none() : x->route->conf->name;
	uint64_t took_ns = x->ended_ns - x->started_ns;
	bool is_upgraded = x->proxy != NULL && x->proxy->tunnel != NULL;
	struct pen pen = { buf_reserve(
	    out, RECORD_BYTES + json_write_bound(r->client_ip) + json_write_bound(listener) +
		     json_write_bound(r->method_text) + json_write_bound(target) +
		     json_write_bound(r->authority) + json_write_bound(route) +
		     (is_upgraded ? json_write_bound(x->proxy->protocol) : 0)) };
	char *start = pen.at;

	put_time(&pen, clock, wall_ns - took_ns);
	put_text(&pen, STR(",\"client\":"), r->client_ip);
	put_text(&pen, STR(",\"listener\":"), listener);
	put_text(&pen, STR(",\"method\":"), r->method_text);
	put_text(&pen, STR(",\"path\":"), target);
	put_text(&pen, STR(",\"host\":"), r->authority);
	put_text(&pen, STR(",\"route\":"), route);
	put_u64(&pen, STR(",\"status\":"), x->status);
	put_reason(&pen, STR(",\"reason\":"), x->reason);
	put_u64(&pen, STR(",\"bytes_in\":"), x->bytes_in);
	put_u64(&pen, STR(",\"bytes_out\":"), x->bytes_out);
	if (UNLIKELY(x->compress != NULL))
		put_text(&pen, STR(",\"encoding\":"), coding_name(x->compress->coding));
	put_ms(&pen, STR(",\"ms\":"), took_ns);
	if (is_upgraded)
		put_text(&pen, STR(",\"upgrade\":"), x->proxy->protocol);
	buf_commit(out, (size_t)(pen.at - start));
	put_calls(out, x);
}
