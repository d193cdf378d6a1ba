/* Streamed routes. Owned by the exchange; worker thread. */
#include "server/proxy.h"

#include "base/compiler.h"
#include "codec/h1_write.h"
#include "gather/call_request.h"
#include "gather/forward.h"
#include "server/compress.h"
#include "server/observe.h"
#include "server/respond.h"
#include "server/server.h"
#include "server/tunnel.h"
#include "server/upgrade.h"
#include "upstream/upstream.h"

/* ---- the request */

static enum err_code
request_line(struct proxy *p, const struct proxy_plan *plan)
{
	struct exchange *x = p->exchange;
	const struct template_env env = { .request = &x->request };
	struct str path = x->request.path;
	struct h1_write w;
	size_t room;

	if (plan->has_path) {
		enum err_code e = template_eval(&plan->path, &env, &x->arena, &path);

		if (e != ERR_NONE)
			return e;
	}
	room = 64 + x->request.method_text.n + path.n + 3 * x->request.query.n;
	h1_write_init(&w, arena_alloc(&x->arena, room), room);
	h1_write_request_line(&w, x->request.method_text, path, x->request.query);
	if (!h1_write_is_ok(&w))
		return ERR_BAD_PARAMETER;
	p->request.start_line = h1_write_str(&w);
	return ERR_NONE;
}

/* RFC 9112 6.3: the body is framed anew, by its length where that is known. */
static void
put_framing(struct proxy *p, struct h1_write *w)
{
	const struct exchange *x = p->exchange;

	if (x->has_length)
		h1_write_known_u64(w, HEADER_CONTENT_LENGTH, x->length);
	else if (p->is_chunked)
		h1_write_raw(w, STR("Transfer-Encoding: chunked\r\n"));
	else if ((http_table_method_flags(x->request.method) & METHOD_HAS_BODY) != 0)
		h1_write_raw(w, STR("Content-Length: 0\r\n"));
}

/*
 * Whether the connection is to become a tunnel. RFC 9110 7.8: not before the request is complete, so that a body
 * that is still under way keeps it from that.
 */
static enum err_code
choose_upgrade(struct proxy *p)
{
	const struct exchange *x = p->exchange;

	if (!x->request.offers_upgrade || !x->is_body_complete)
		return ERR_NONE;
	p->protocol = upgrade_choose(&x->route->conf->proxy, &x->request);
	p->request.is_upgrade = true;
	/* It would be cut off in a moment, while another instance can have it for long. */
	return x->server->is_draining ? ERR_DRAINING : ERR_NONE;
}

static void
put_upgrade(struct proxy *p, struct h1_write *w)
{
	if (!p->request.is_upgrade)
		return;
	h1_write_raw(w, STR("Connection: Upgrade\r\n"));
	h1_write_known(w, HEADER_UPGRADE, p->protocol);
}

/* The client's fields, and before them those that the route sets in their place. */
static enum err_code
request_fields(struct proxy *p, const struct proxy_plan *plan)
{
	struct exchange *x = p->exchange;
	size_t room = 192 + p->protocol.n + forward_bound(&x->request);
	struct str own = STR("");
	struct h1_write w;

	if (plan->n_request_fields != 0) {
		const struct template_env env = { .request = &x->request };
		enum err_code e = call_request_fields(
		    plan->request_fields, plan->n_request_fields, &env, &x->arena, &own);

		if (e != ERR_NONE)
			return e;
	}
	room += own.n;
	p->request.client_ip = x->request.client_ip;
	p->request.shared = forward_own_fields(&x->request, true, &x->arena);
	h1_write_init(&w, arena_alloc(&x->arena, room), room);
	put_framing(p, &w);
	put_upgrade(p, &w);
	h1_write_raw(&w, own);
	forward_all(&w, &x->request, plan->forward);
	h1_write_end(&w);
	assert(h1_write_is_ok(&w)); /* the parser has checked every field */
	p->request.fields = h1_write_str(&w);
	return ERR_NONE;
}

static enum err_code
answer_fields(struct proxy *p, const struct proxy_plan *plan)
{
	struct exchange *x = p->exchange;
	const struct template_env env = { .request = &x->request };

	for (size_t i = 0; i < plan->n_fields; i++) {
		struct str value;
		enum err_code e = template_eval(&plan->fields[i].value, &env, &x->arena, &value);

		if (e != ERR_NONE)
			return e;
		p->set_fields = arena_printf(&x->arena, "%.*s%.*s: %.*s\r\n",
		    STR_FMT(p->set_fields), STR_FMT(plan->fields[i].name), STR_FMT(value));
	}
	return ERR_NONE;
}

static void
free_upload(void *arg)
{
	struct proxy *p = arg;

	buf_fini(&p->upload);
}

/* ---- the client's body goes up */

static bool
has_upload(const struct proxy *p)
{
	return p->upload_at < p->upload.n;
}

/* Gives the call what waits; the client is read again when all was taken. */
static void
push_upload(struct proxy *p)
{
	struct str rest = { p->upload.p + p->upload_at, p->upload.n - p->upload_at };

	p->upload_at += call_send_body(&p->call, rest, p->is_upload_complete);
	if (has_upload(p)) {
		p->exchange->ops->want_body(p->exchange, false);
		return;
	}
	buf_clear(&p->upload);
	p->upload_at = 0;
	if (!p->is_upload_complete)
		p->exchange->ops->want_body(p->exchange, true);
}

void
proxy_on_body(struct proxy *p, struct str piece, bool is_last)
{
	if (p->is_chunked) {
		/* Room for all of it at once, also for the last chunk that may follow. */
		char *to = buf_reserve(&p->upload, piece.n + H1_WRITE_CHUNK_BYTES +
			sizeof(H1_WRITE_CHUNK_END H1_WRITE_LAST_CHUNK));

		buf_commit(&p->upload, h1_write_chunk(to, piece.n));
		buf_add(&p->upload, piece);
		buf_add_c(&p->upload, H1_WRITE_CHUNK_END);
	} else {
		size_t taken = has_upload(p) ? 0 : call_send_body(&p->call, piece, false);

		buf_add(&p->upload, str_of(piece.p + taken, piece.n - taken));
	}
	/* The end is known already: it leaves with the piece. */
	if (has_upload(p) && !is_last)
		push_upload(p);
}

/* The body of the request or of the answer cannot go on. */
static void
fail(struct proxy *p, enum err_code e)
{
	struct exchange *x = p->exchange;

	if (!p->is_head_sent) {
		exchange_fail(x, e);
		return;
	}
	exchange_abort(x, e);
	x->ops->reset(x);
}

void
proxy_on_body_end(struct proxy *p, enum err_code e)
{
	if (e != ERR_NONE) {
		call_cancel(&p->call);
		fail(p, e);
		return;
	}
	p->is_upload_complete = true;
	if (p->is_chunked)
		buf_add_c(&p->upload, H1_WRITE_LAST_CHUNK);
	push_upload(p);
}

static void
on_sent(struct call *c)
{
	struct proxy *p = c->owner;

	push_upload(p);
}

/* ---- the answer comes down */

static enum err_code
on_head(struct call *c, const struct h1_head *head, const struct h1_frame *frame)
{
	struct proxy *p = c->owner;
	struct exchange *x = p->exchange;
	struct exchange_head out = {
		.status = head->status,
		.fields = &head->fields,
		.more = p->set_fields,
		.minor = head->minor,
	};

	if (!respond_has_body(x->request.method, head->status)) {
		/* RFC 9110 8.6: to HEAD, and in a 304, it is the length of a body that is not sent; a 204 has none. */
		out.length_kind = EXCHANGE_LENGTH_NONE;
		out.has_length = frame->has_length && head->status != 204;
		out.length = frame->length;
	} else if (frame->kind == H1_FRAME_NONE || frame->kind == H1_FRAME_LENGTH) {
		out.length_kind = EXCHANGE_LENGTH_KNOWN;
		out.has_length = true;
		out.length = frame->kind == H1_FRAME_LENGTH ? frame->length : 0;
	} else {
		out.length_kind = EXCHANGE_LENGTH_UNKNOWN;
	}
	x->status = head->status;
	p->is_head_sent = true;
	compress_send_head(x, &out);
	return ERR_NONE;
}

static size_t
on_body(struct call *c, struct str piece)
{
	struct proxy *p = c->owner;
	struct exchange *x = p->exchange;

	/* With compression the end of the answer is another one. */
	x->is_last_piece = x->compress == NULL && h1_frame_is_done(&c->attempt.frame);
	return compress_send_piece(x, piece);
}

void
proxy_on_writable(struct proxy *p)
{
	call_resume(&p->call);
}

static void
on_done(struct call *c)
{
	struct proxy *p = c->owner;
	struct exchange *x = p->exchange;

	if (c->error != ERR_NONE) {
		fail(p, c->error);
		return;
	}
	x->state = EXCHANGE_FLUSH;
	compress_send_end(x);
}

/* ---- the tunnel */

/* The answer to the upgrade stands before the bytes, and is not of them. */
static size_t
without_head(struct proxy *p, size_t n)
{
	size_t of_head = n < p->head_left ? n : p->head_left;

	p->head_left -= of_head;
	return n - of_head;
}

static void
on_passed(void *owner, enum tunnel_side from, size_t n)
{
	struct proxy *p = owner;
	struct exchange *x = p->exchange;
	struct metric_shard *m = x->server->setup.metrics;

	if (from == TUNNEL_CLIENT) {
		x->bytes_in += n;
		call_note_tunnel(&p->call, 0, n);
		metric_add(m, METRIC_TUNNEL_RECEIVED, observe_route(x), 0, n);
		return;
	}
	x->bytes_out += n;
	n = without_head(p, n);
	call_note_tunnel(&p->call, n, 0);
	metric_add(m, METRIC_TUNNEL_SENT, observe_route(x), 0, n);
}

static void
on_over(void *owner, enum err_code why)
{
	struct proxy *p = owner;
	struct exchange *x = p->exchange;

	x->reason = why;
	call_leave(&p->call, tunnel_is_cut(p->tunnel, TUNNEL_UPSTREAM));
	x->ops->leave(x, p->tunnel->end[TUNNEL_CLIENT].way == TUNNEL_ENDED);
}

static const struct tunnel_events tunnel_events = {
	.on_passed = on_passed,
	.on_over = on_over,
};

static void
stop_tunnel(void *arg)
{
	tunnel_stop(arg);
}

static enum err_code
on_upgrade(struct call *c, const struct h1_head *head, struct str early)
{
	struct proxy *p = c->owner;
	struct exchange *x = p->exchange;
	const struct proxy_conf *conf = &x->route->conf->proxy;
	const struct exchange_head out = {
		.status = head->status,
		.fields = &head->fields,
		.more = p->set_fields,
		.minor = head->minor,
		.upgrade = p->protocol,
	};
	enum err_code e = upgrade_check_answer(&x->request, p->protocol, head);
	struct stream *client;
	struct buf *to_client;

	if (e != ERR_NONE)
		return e;
	p->tunnel = arena_alloc(&x->arena, sizeof(*p->tunnel));
	tunnel_init(p->tunnel, &tunnel_events, p);
	arena_on_reset(&x->arena, stop_tunnel, p->tunnel);
	to_client = &p->tunnel->end[TUNNEL_UPSTREAM].held;
	client = x->ops->upgrade(x, &out, &p->tunnel->end[TUNNEL_CLIENT].held, to_client);
	p->head_left = to_client->n;
	buf_add(to_client, early);
	exchange_be_tunnel(x);
	tunnel_start(
	    p->tunnel, client, call_stream(c), conf->tunnel.idle_ns, conf->tunnel.most_ns);
	return ERR_NONE;
}

static const struct call_events call_events = {
	.on_head = on_head,
	.on_body = on_body,
	.on_sent = on_sent,
	.on_upgrade = on_upgrade,
	.on_done = on_done,
};

/* ---- start and end */

enum err_code
proxy_start(struct exchange *x)
{
	const struct proxy_plan *plan = &x->route->plan.proxy;
	struct proxy *p = arena_calloc(&x->arena, 1, sizeof(*p));
	enum err_code e;

	p->exchange = x;
	p->is_chunked = x->request.has_body && !x->has_length;
	e = choose_upgrade(p);
	if (e == ERR_NONE)
		e = request_line(p, plan);
	if (e == ERR_NONE)
		e = answer_fields(p, plan);
	if (e == ERR_NONE)
		e = request_fields(p, plan);
	if (e != ERR_NONE)
		return e;
	arena_on_reset(&x->arena, free_upload, p);
	p->request.method = x->request.method;
	p->request.body = x->request.body;
	p->request.is_streamed = !x->is_body_complete;
	p->request.is_idempotent =
	    (http_table_method_flags(x->request.method) & METHOD_IDEMPOTENT) != 0 ||
	    header_find(x->request.headers, HEADER_IDEMPOTENCY_KEY) != NULL ||
	    call_request_has_key(plan->request_fields, plan->n_request_fields);
	x->proxy = p;
	call_init(&p->call, &x->server->setup.gather->upstreams[plan->upstream], &x->arena,
	    &call_events, p);
	p->call.metric_index = plan->call_index;
	call_start(&p->call, &p->request, x->deadline_ns);
	/* On a connection that was ready the head has left already, and no event tells. */
	if (p->request.is_streamed && p->call.state >= CALL_SENDING)
		x->ops->want_body(x, true);
	return ERR_NONE;
}

void
proxy_cancel(struct proxy *p)
{
	if (p->call.state == CALL_TUNNEL) {
		bool is_cut = tunnel_is_cut(p->tunnel, TUNNEL_UPSTREAM);

		tunnel_stop(p->tunnel);
		call_leave(&p->call, is_cut);
	}
	call_cancel(&p->call);
}
