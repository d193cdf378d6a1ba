/* The scripts of simulated servers, good ones and evil ones: one row each. */
#include "sim_script.h"

#include <inttypes.h>

#include "base/compiler.h"
#include "sim_coding.h"

#define R(e) SIM_REASON(ERR_##e)

struct build {
	struct sim *sim;
	struct sim_request *request;
	struct sim_call *call;
	size_t index;
	struct sim_answer *out;
	struct buf body;
};

/* ---- pieces of answers */

static void
step(struct build *b, uint64_t delay_ns)
{
	assert(b->out->n_steps < SIM_STEPS);
	b->out->steps[b->out->n_steps].upto = b->out->bytes.n;
	b->out->steps[b->out->n_steps++].delay_ns = delay_ns;
}

static void
add_status(struct build *b, unsigned status)
{
	b->call->status = status;
	buf_printf(&b->out->bytes, "HTTP/1.1 %u X\r\nServer: sim\r\n", status);
}

static void
add_length(struct build *b, size_t n)
{
	buf_printf(&b->out->bytes, "Content-Length: %zu\r\n", n);
}

static void
end_head(struct build *b)
{
	buf_add_c(&b->out->bytes, "Content-Type: application/json\r\n\r\n");
}

static void
add_body(struct build *b)
{
	if (!b->request->is_head || b->request->route->kind != SIM_KIND_PROXY)
		buf_add(&b->out->bytes, buf_str(&b->body));
}

static void
add_chunked(struct build *b, bool is_cut)
{
	struct str body = buf_str(&b->body);

	while (body.n > 0) {
		size_t n = sim_between(b->sim, 1, body.n);

		buf_printf(
		    &b->out->bytes, sim_chance(b->sim, 500000) ? "%zx\r\n" : "%zX;x=\"y\"\r\n", n);
		buf_add(&b->out->bytes, str_of(body.p, n));
		if (is_cut && n == body.n)
			return;
		buf_add_c(&b->out->bytes, "\r\n");
		body = str_of(body.p + n, body.n - n);
	}
	buf_add_c(&b->out->bytes, "0\r\n");
	if (sim_chance(b->sim, 300000))
		buf_add_c(&b->out->bytes, "X-Trailer: yes\r\n");
	buf_add_c(&b->out->bytes, "\r\n");
}

/* The end of the head, and the body by its length or in chunks. */
static void
add_rest(struct build *b)
{
	if (sim_chance(b->sim, 500000)) {
		add_length(b, b->body.n);
		end_head(b);
		add_body(b);
	} else {
		buf_add_c(&b->out->bytes, "Transfer-Encoding: chunked\r\n");
		end_head(b);
		add_chunked(b, false);
	}
}

static void
add_whole(struct build *b, unsigned status)
{
	add_status(b, status);
	add_rest(b);
}

/* Cuts the bytes at a place from `from` to the last but one. */
static void
cut(struct build *b, size_t from)
{
	b->out->bytes.n = sim_between(b->sim, from, b->out->bytes.n - 1);
}

static size_t
head_length(const struct build *b)
{
	const char *p = memmem(b->out->bytes.p, b->out->bytes.n, "\r\n\r\n", 4);

	assert(p != NULL);
	return (size_t)(p - b->out->bytes.p) + 4;
}

/* ---- fine answers */

static void
ok_length(struct build *b)
{
	add_status(b, 200);
	add_length(b, b->body.n);
	end_head(b);
	add_body(b);
}

static void
ok_chunked(struct build *b)
{
	add_status(b, 200);
	buf_add_c(&b->out->bytes, "Transfer-Encoding: chunked\r\n");
	end_head(b);
	add_chunked(b, false);
}

static void
ok_until_close(struct build *b)
{
	add_status(b, 200);
	if (sim_chance(b->sim, 500000))
		buf_add_c(&b->out->bytes, "Connection: close\r\n");
	end_head(b);
	add_body(b);
	b->out->end = SIM_END_CLOSE;
}

static void
ok_last(struct build *b)
{
	add_status(b, 200);
	buf_add_c(&b->out->bytes, "Connection: close\r\n");
	add_length(b, b->body.n);
	end_head(b);
	add_body(b);
	b->out->end = sim_chance(b->sim, 500000) ? SIM_END_CLOSE : SIM_END_HANG;
}

static void
ok_stale(struct build *b)
{
	add_whole(b, 200);
	b->out->end = SIM_END_STALE;
}

/* Something unasked follows, at once or later. */
static void
ok_noise(struct build *b)
{
	add_whole(b, 200);
	if (b->sim->env.mode == SIM_STORM)
		b->out->end = SIM_END_NOISE;
}

static void
ok_http10(struct build *b)
{
	b->call->status = 200;
	buf_add_c(&b->out->bytes, "HTTP/1.0 200 OK\r\n");
	end_head(b);
	add_body(b);
	b->out->end = SIM_END_CLOSE;
}

static void
ok_interim(struct build *b)
{
	buf_add_c(&b->out->bytes, "HTTP/1.1 100 Continue\r\n\r\n");
	step(b, 0);
	buf_add_c(&b->out->bytes, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
	step(b, sim_between(b->sim, 0, 5 * NS_PER_MS));
	add_whole(b, 200);
}

static void
ok_drip(struct build *b)
{
	struct buf *bytes = &b->out->bytes;
	size_t whole, at = 0;

	add_whole(b, 200);
	whole = bytes->n;
	for (int i = 0; i < SIM_STEPS - 1 && at < whole; i++) {
		at = sim_between(b->sim, at + 1, whole);
		bytes->n = at;
		step(b, sim_between(b->sim, 0, 20 * NS_PER_MS));
	}
	bytes->n = whole;
}

static void
ok_later(struct build *b)
{
	step(b, sim_between(b->sim, NS_PER_MS, 100 * NS_PER_MS));
	add_whole(b, 200);
}

static void
ok_empty(struct build *b)
{
	buf_clear(&b->body);
	if (sim_chance(b->sim, 500000)) {
		add_status(b, 204);
		end_head(b);
	} else {
		add_status(b, 200);
		add_length(b, 0);
		end_head(b);
	}
}

/* ---- answers that a call does not take */

static void
no_503(struct build *b)
{
	add_whole(b, 503);
}

static void
no_404(struct build *b)
{
	add_whole(b, 404);
}

/* ---- broken answers */

static void
cut_length(struct build *b)
{
	ok_length(b);
	if (b->body.n > 0)
		cut(b, head_length(b));
	b->out->end = SIM_END_CLOSE;
}

static void
cut_chunk(struct build *b)
{
	ok_chunked(b);
	cut(b, head_length(b));
	b->out->end = SIM_END_CLOSE;
}

static void
cut_head(struct build *b)
{
	add_whole(b, 200);
	b->out->bytes.n = sim_between(b->sim, 1, head_length(b) - 1);
	b->out->end = sim_chance(b->sim, 500000) ? SIM_END_CLOSE : SIM_END_RESET;
}

static void
close_at_once(struct build *b)
{
	b->out->end = SIM_END_CLOSE;
}

static void
reset_at_once(struct build *b)
{
	b->out->end = SIM_END_RESET;
}

static void
reset_in_body(struct build *b)
{
	add_whole(b, 200);
	cut(b, head_length(b));
	b->out->end = SIM_END_RESET;
}

static void
garbage(struct build *b)
{
	size_t n = sim_between(b->sim, 1, 300);

	for (size_t i = 0; i < n; i++)
		buf_add_char(&b->out->bytes, (char)sim_between(b->sim, 0, 255));
	/* Not even by chance the beginning of an answer. */
	b->out->bytes.p[0] = '\n';
	b->out->end = SIM_END_CLOSE;
}

static void
two_lengths(struct build *b)
{
	add_status(b, 200);
	add_length(b, b->body.n);
	add_length(b, b->body.n + 1);
	end_head(b);
	add_body(b);
}

static void
length_and_chunked(struct build *b)
{
	add_status(b, 200);
	add_length(b, b->body.n);
	buf_add_c(&b->out->bytes, "Transfer-Encoding: chunked\r\n");
	end_head(b);
	add_chunked(b, false);
}

static void
bad_length(struct build *b)
{
	add_status(b, 200);
	buf_printf(&b->out->bytes, "Content-Length: +%zu\r\n", b->body.n);
	end_head(b);
	add_body(b);
}

static void
bad_chunk(struct build *b)
{
	add_status(b, 200);
	buf_add_c(&b->out->bytes, "Transfer-Encoding: chunked\r\n");
	end_head(b);
	buf_add_c(&b->out->bytes, "5\r\nhelloXX\r\n0\r\n\r\n");
	b->out->end = SIM_END_HANG;
}

static void
endless_head(struct build *b)
{
	add_status(b, 200);
	for (int i = 0; i < 3000; i++)
		buf_printf(&b->out->bytes, "X-%d: and so on and so on and so on\r\n", i);
	b->out->end = SIM_END_HANG;
}

static void
interim_flood(struct build *b)
{
	for (int i = 0; i < 3000; i++)
		buf_add_c(&b->out->bytes, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
	b->out->end = SIM_END_HANG;
}

static void
fill(struct build *b, size_t n)
{
	buf_clear(&b->body);
	buf_add_char(&b->body, '"');
	while (b->body.n < n)
		buf_add_char(&b->body, 'x');
	buf_add_char(&b->body, '"');
}

static void
huge(struct build *b)
{
	fill(b, 100000);
	add_whole(b, 200);
}

static void
silent(struct build *b)
{
	b->out->end = SIM_END_HANG;
}

static void
stall_in_body(struct build *b)
{
	add_whole(b, 200);
	cut(b, head_length(b));
	b->out->end = SIM_END_HANG;
}

/* Each step is in time, all of them are not. */
static void
too_slow(struct build *b)
{
	struct buf *bytes = &b->out->bytes;
	size_t whole;

	add_whole(b, 200);
	whole = bytes->n;
	for (size_t i = 1; i < SIM_STEPS; i++) {
		bytes->n = whole * i / SIM_STEPS;
		step(b, 500 * NS_PER_MS);
	}
	bytes->n = whole;
}

static void
too_late(struct build *b)
{
	step(b, 2500 * NS_PER_MS);
	add_whole(b, 200);
}

static void
stall_in_head(struct build *b)
{
	add_whole(b, 200);
	b->out->bytes.n = sim_between(b->sim, 1, head_length(b) - 1);
	b->out->end = SIM_END_HANG;
}

/* ---- valid answers with bodies that are not JSON */

static void
bad_json(struct build *b)
{
	static const struct str bodies[] = {
		STR_INIT("{\"id\":"),
		STR_INIT("{\"id\":\"evil\",}"),
		STR_INIT("{\"id\":\"evil\"} {}"),
		STR_INIT("{\"id\":1,\"id\":2}"),
		STR_INIT("[01]"),
		STR_INIT("\"\xff\xfe\""),
		STR_INIT("\"\xed\xa0\x80\""),
		STR_INIT("nul"),
		STR_INIT("\"a\nb\""),
		STR_INIT(" "),
		STR_INIT("\xef\xbb\xbf{}"),
	};

	buf_clear(&b->body);
	buf_add(&b->body, bodies[sim_between(b->sim, 0, ARRAY_LEN(bodies) - 1)]);
	add_whole(b, 200);
}

static void
deep_json(struct build *b)
{
	buf_clear(&b->body);
	for (int i = 0; i < 10000; i++)
		buf_add_char(&b->body, '[');
	for (int i = 0; i < 10000; i++)
		buf_add_char(&b->body, ']');
	add_whole(b, 200);
}

/* ---- compressed answers */

/* The body becomes what is sent of it; a call is told what it was, a proxied client gets it as it is. */
static void
add_coded(struct build *b, const char *coding, struct buf *coded)
{
	struct buf text = b->body;

	b->body = *coded;
	b->call->coding = coding;
	add_status(b, 200);
	buf_printf(&b->out->bytes, "Content-Encoding: %s\r\n", coding);
	add_rest(b);
	if (b->request->route->kind == SIM_KIND_PROXY) {
		buf_fini(&text);
		return;
	}
	buf_fini(&b->body);
	b->body = text;
}

static void
ok_coded(struct build *b)
{
	struct buf coded = BUF_INIT;

	add_coded(b, sim_coding_compress(b->sim, buf_str(&b->body), &coded), &coded);
}

static void
coded_cut(struct build *b)
{
	struct buf coded = BUF_INIT;
	const char *coding = sim_coding_compress(b->sim, buf_str(&b->body), &coded);

	coded.n = sim_between(b->sim, 1, coded.n - 1);
	add_coded(b, coding, &coded);
}

static void
coded_and_more(struct build *b)
{
	struct buf coded = BUF_INIT;
	const char *coding = sim_coding_compress(b->sim, buf_str(&b->body), &coded);

	buf_add_c(&coded, "evil");
	add_coded(b, coding, &coded);
}

static void
coded_not(struct build *b)
{
	struct buf plain = BUF_INIT;

	buf_add(&plain, buf_str(&b->body));
	add_coded(b, "gzip", &plain);
}

static void
coded_unknown(struct build *b)
{
	struct buf plain = BUF_INIT;

	buf_add(&plain, buf_str(&b->body));
	add_coded(b, sim_chance(b->sim, 500000) ? "zstd" : "gzip, br", &plain);
}

static void
bomb(struct build *b)
{
	struct buf coded = BUF_INIT;
	const char *coding;

	fill(b, 30000 + sim_between(b->sim, 0, 300000));
	coding = sim_coding_compress(b->sim, buf_str(&b->body), &coded);
	add_coded(b, coding, &coded);
}

enum script_kind { FINE, EVIL, SLOW };

static const struct script {
	const char *name;
	enum script_kind kind;
	sim_reasons reasons;       /* how a call may end */
	sim_reasons proxy_reasons; /* how a streamed answer may end */
	void (*build)(struct build *b);
} scripts[] = {
	{ "ok_length", FINE, R(NONE), R(NONE), ok_length },
	{ "ok_length", FINE, R(NONE), R(NONE), ok_length },
	{ "ok_length", FINE, R(NONE), R(NONE), ok_length },
	{ "ok_length", FINE, R(NONE), R(NONE), ok_length },
	{ "ok_chunked", FINE, R(NONE), R(NONE), ok_chunked },
	{ "ok_chunked", FINE, R(NONE), R(NONE), ok_chunked },
	{ "ok_until_close", FINE, R(NONE), R(NONE), ok_until_close },
	{ "ok_last", FINE, R(NONE), R(NONE), ok_last },
	{ "ok_stale", FINE, R(NONE), R(NONE), ok_stale },
	{ "ok_noise", FINE, R(NONE), R(NONE), ok_noise },
	{ "ok_http10", FINE, R(NONE), R(NONE), ok_http10 },
	{ "ok_interim", FINE, R(NONE), R(NONE), ok_interim },
	{ "ok_drip", FINE, R(NONE), R(NONE), ok_drip },
	{ "ok_later", FINE, R(NONE), R(NONE), ok_later },
	{ "ok_empty", FINE, R(NONE), R(NONE), ok_empty },
	{ "ok_coded", FINE, R(NONE), R(NONE), ok_coded },
	{ "ok_coded", FINE, R(NONE), R(NONE), ok_coded },
	{ "coded_cut", EVIL, R(CONTENT_CODING_INVALID), R(NONE), coded_cut },
	{ "coded_and_more", EVIL, R(CONTENT_CODING_INVALID), R(NONE), coded_and_more },
	{ "coded_not", EVIL, R(CONTENT_CODING_INVALID), R(NONE), coded_not },
	{ "coded_unknown", EVIL, R(CONTENT_CODING_UNKNOWN), R(NONE), coded_unknown },
	{ "bomb", EVIL, R(DECODED_TOO_LARGE) | R(DECODED_RATIO), R(NONE), bomb },
	{ "no_503", EVIL, R(STATUS_NOT_ACCEPTED), R(NONE), no_503 },
	{ "no_404", EVIL, R(STATUS_NOT_ACCEPTED), R(NONE), no_404 },
	{ "cut_length", EVIL, R(RESET), R(RESET), cut_length },
	{ "cut_chunk", EVIL, R(RESET), R(RESET), cut_chunk },
	{ "cut_head", EVIL, R(RESET), R(RESET), cut_head },
	{ "close_at_once", EVIL, R(RESET), R(RESET), close_at_once },
	{ "reset_at_once", EVIL, R(RESET), R(RESET), reset_at_once },
	{ "reset_in_body", EVIL, R(RESET), R(RESET), reset_in_body },
	{ "garbage", EVIL, R(INVALID_RESPONSE), R(INVALID_RESPONSE), garbage },
	{ "two_lengths", EVIL, R(INVALID_RESPONSE), R(INVALID_RESPONSE), two_lengths },
	{ "length_and_chunked", EVIL, R(INVALID_RESPONSE), R(INVALID_RESPONSE),
	    length_and_chunked },
	{ "bad_length", EVIL, R(INVALID_RESPONSE), R(INVALID_RESPONSE), bad_length },
	{ "bad_chunk", EVIL, R(INVALID_RESPONSE), R(INVALID_RESPONSE), bad_chunk },
	{ "endless_head", EVIL, R(RESPONSE_HEAD_TOO_LARGE), R(RESPONSE_HEAD_TOO_LARGE),
	    endless_head },
	{ "interim_flood", EVIL, R(INVALID_RESPONSE) | R(RESPONSE_HEAD_TOO_LARGE),
	    R(INVALID_RESPONSE) | R(RESPONSE_HEAD_TOO_LARGE), interim_flood },
	{ "huge", EVIL, R(RESPONSE_TOO_LARGE), R(NONE), huge },
	{ "bad_json", EVIL, R(INVALID_BODY), R(NONE), bad_json },
	{ "deep_json", EVIL, R(INVALID_BODY), R(NONE), deep_json },
	{ "silent", SLOW, R(FIRST_BYTE_TIMEOUT) | R(TIMEOUT), R(FIRST_BYTE_TIMEOUT) | R(TIMEOUT),
	    silent },
	{ "stall_in_head", SLOW, R(TIMEOUT) | R(FIRST_BYTE_TIMEOUT),
	    R(TIMEOUT) | R(FIRST_BYTE_TIMEOUT), stall_in_head },
	{ "stall_in_body", SLOW, R(TIMEOUT), R(TIMEOUT), stall_in_body },
	{ "too_slow", SLOW, R(TIMEOUT), R(NONE) | R(TIMEOUT), too_slow },
	{ "too_late", SLOW, R(FIRST_BYTE_TIMEOUT) | R(TIMEOUT), R(FIRST_BYTE_TIMEOUT) | R(TIMEOUT),
	    too_late },
};

static const struct script *
draw(struct sim *s)
{
	enum script_kind kind = FINE;
	const struct script *pick = NULL;
	uint64_t n = 0;

	if (sim_chance(s, s->env.slow_chance))
		kind = SLOW;
	else if (sim_chance(s, s->env.evil_chance))
		kind = EVIL;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		if (scripts[i].kind == kind && rnd_below(&s->rnd, ++n) == 0)
			pick = &scripts[i];
	assert(pick != NULL);
	return pick;
}

/* ---- bodies: each value of a kind that is easily spoiled */

/* What later calls of the route refer to. */
static void
fill_referred(struct build *b)
{
	struct sim_request *r = b->request;

	if (r->route->n_calls < 2 || r->route->calls[1].refers == NULL || b->index != 0)
		return;
	if (r->route->calls[1].refers[0] == 'r') {
		r->ref = arena_printf(&b->sim->arena, "r%" PRIu64, sim_between(b->sim, 0, 1000000));
		buf_printf(&b->body, ",\"ref\":\"%.*s\"", STR_FMT(r->ref));
		return;
	}
	r->items = arena_calloc(&b->sim->arena, SIM_ITEMS, sizeof *r->items);
	r->n_list = (unsigned)sim_between(b->sim, 0, SIM_LIST);
	buf_add_c(&b->body, ",\"list\":[");
	for (unsigned i = 0; i < r->n_list; i++) {
		r->list[i] = (uint8_t)sim_between(b->sim, 0, SIM_ITEMS - 1);
		buf_printf(&b->body, "%s%u", i == 0 ? "" : ", ", r->list[i]);
	}
	buf_add_char(&b->body, ']');
}

static void
fill_json(struct build *b)
{
	static const char *const oddities[] = { "1.10", "1E400", "-0", "9007199254740993",
		"1234567890123456789", "\"\\u003c\\/\\n\"", "\"<>&\xc3\xa9\"", "[ ]", "{ }", "null",
		"[1, 2,3 ]", "{\"b\":1 , \"a\":2}", "true" };
	struct buf *out = &b->body;
	uint64_t n = sim_between(b->sim, 0, 8);

	buf_printf(out, "{\"id\":\"q%" PRIu64 "\",\"call\":\"%s\"", b->request->number,
	    b->request->route->calls[b->index].name);
	for (uint64_t i = 0; i < n; i++)
		buf_printf(out, ",%s\"k%" PRIu64 "\":%s", i % 2 ? " " : "", i,
		    oddities[sim_between(b->sim, 0, ARRAY_LEN(oddities) - 1)]);
	fill_referred(b);
	if (sim_chance(b->sim, 100000)) {
		buf_add_c(out, ",\"pad\":\"");
		for (uint64_t i = sim_between(b->sim, 0, 15000); i > 0; i--)
			buf_add_char(out, 'p');
		buf_add_char(out, '"');
	}
	buf_add_char(out, '}');
}

static void
fill_text(struct build *b)
{
	buf_printf(&b->body, "text of q%" PRIu64, b->request->number);
}

void
sim_script_draw(
    struct sim *s, struct sim_request *r, struct sim_call *c, size_t index, struct sim_answer *out)
{
	struct build b = { .sim = s, .request = r, .call = c, .index = index, .out = out };
	bool is_proxy = r->route->kind == SIM_KIND_PROXY;
	const struct script *script = draw(s);

	buf_clear(&out->bytes);
	c->coding = NULL;
	out->n_steps = 0;
	out->end = SIM_END_KEEP;
	if (r->route->calls[index].is_text)
		fill_text(&b);
	else
		fill_json(&b);
	if (is_proxy && r->is_head)
		script = &scripts[0];
	script->build(&b);
	step(&b, 0);
	c->script = (int)(script - scripts);
	c->reasons = is_proxy ? script->proxy_reasons : script->reasons;
	c->body = arena_str(&s->arena, buf_str(&b.body));
	if (r->route->calls[index].is_text &&
	    (script->build == bad_json || script->build == deep_json)) {
		/* Most of those are good text. */
		c->reasons |= R(NONE);
		c->body = str_none();
	}
	if (script->kind == SLOW && s->env.has_jumps)
		c->reasons |= R(NONE); /* nothing is late when answer and deadline come together */
	if (s->env.mode == SIM_STORM &&
	    (script->build == ok_until_close || script->build == ok_http10)) {
		/* A server that dies ends its answer early, and nothing tells. */
		c->reasons |= R(INVALID_BODY);
		c->body = str_none();
	}
	buf_fini(&b.body);
}

const char *
sim_script_name(int script)
{
	return scripts[script].name;
}
