/* Writes access-log records. No state; on the worker of the exchange. */
#include "server/access_log_record.h"

#include <time.h>

#include "base/compiler.h"
#include "codec/json_write.h"
#include "server/exchange.h"
#include "server/proxy.h"
#include "upstream/upstream.h"

static void
put_text(struct buf *out, const char *key, struct str value)
{
	buf_add_c(out, key);
	json_write_buf(out, value);
}

static void
put_u64(struct buf *out, const char *key, uint64_t value)
{
	buf_add_c(out, key);
	buf_add_u64(out, value);
}

/* Milliseconds with three decimals. */
static void
put_ms(struct buf *out, const char *key, uint64_t ns)
{
	uint64_t us = ns / NS_PER_US;
	char *to;

	put_u64(out, key, us / 1000);
	us %= 1000;
	to = buf_reserve(out, 4);
	to[0] = '.';
	to[1] = (char)('0' + us / 100);
	to[2] = (char)('0' + us / 10 % 10);
	to[3] = (char)('0' + us % 10);
	buf_commit(out, 4);
}

/* From `from` to `to`; null when either did not happen. */
static void
put_span(struct buf *out, const char *key, uint64_t from, uint64_t to)
{
	if (from != 0 && to >= from) {
		put_ms(out, key, to - from);
		return;
	}
	buf_add_c(out, key);
	buf_add_c(out, "null");
}

/* RFC 3339 in UTC, milliseconds. */
static void
put_time(struct buf *out, struct access_log_record_clock *clock, uint64_t wall_ns)
{
	uint64_t second = wall_ns / NS_PER_SEC, ms = wall_ns / NS_PER_MS % 1000;
	char *to;

	if (clock->second != second || clock->text[0] == '\0') {
		time_t seconds = (time_t)second;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(clock->text, sizeof(clock->text), "%Y-%m-%dT%H:%M:%S", &tm);
		clock->second = second;
	}
	buf_add_c(out, clock->text);
	to = buf_reserve(out, 5);
	to[0] = '.';
	to[1] = (char)('0' + ms / 100);
	to[2] = (char)('0' + ms / 10 % 10);
	to[3] = (char)('0' + ms % 10);
	to[4] = 'Z';
	buf_commit(out, 5);
}

/* Path and query stand side by side in the head that they were parsed from. */
static void
put_target(struct buf *out, const struct request *r)
{
	struct str target = r->path;

	if (!str_is_none(r->query) && r->query.p == r->path.p + r->path.n + 1)
		target.n += 1 + r->query.n;
	put_text(out, ",\"path\":", target);
}

static void
put_call(struct buf *out, struct str name, const struct call *c, enum err_code reason)
{
	const struct call_times *t = &c->times;

	put_text(out, "{\"name\":", name);
	put_text(out, ",\"upstream\":", c->upstream->conf->name);
	put_text(out, ",\"server\":", c->endpoint == NULL ? str_none() : str_c(c->endpoint->name));
	put_u64(out, ",\"status\":", c->status);
	put_text(out, ",\"reason\":", str_c(err_token(reason)));
	put_span(out, ",\"queue_ms\":", t->started, t->permitted != 0 ? t->permitted : t->done);
	put_span(out, ",\"connect_ms\":", t->permitted, t->leased);
	put_span(out, ",\"first_byte_ms\":", t->leased, t->first_byte);
	put_span(out, ",\"total_ms\":", t->started, t->done);
	put_u64(out, ",\"bytes\":", c->bytes_in);
	buf_add_c(out, c->is_reused ? ",\"reused\":true}" : ",\"reused\":false}");
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
	buf_add_char(out, ']');
}

void
access_log_record_write(const struct exchange *x, struct access_log_record_clock *clock,
    uint64_t wall_ns, struct buf *out)
{
	uint64_t took_ns = x->ended_ns - x->started_ns;

	buf_add_c(out, "{\"time\":\"");
	put_time(out, clock, wall_ns - took_ns);
	put_text(out, "\",\"client\":", x->request.client_ip);
	put_text(out, ",\"listener\":", x->listener->conf->name);
	put_text(out, ",\"method\":", x->request.method_text);
	put_target(out, &x->request);
	put_text(out, ",\"host\":", x->request.authority);
	put_text(out, ",\"route\":", x->route == NULL ? str_none() : x->route->conf->name);
	put_u64(out, ",\"status\":", x->status);
	put_text(out, ",\"reason\":", str_c(err_token(x->reason)));
	put_u64(out, ",\"bytes_in\":", x->bytes_in);
	put_u64(out, ",\"bytes_out\":", x->bytes_out);
	put_ms(out, ",\"ms\":", took_ns);
	put_calls(out, x);
	buf_add_c(out, "}\n");
}
