/* Requests given by hand. Owns nothing but arena memory; main thread. */
#include "daemon/canned.h"

#include "net/addr.h"
#include "server/peer.h"

#define PEER_IP "127.0.0.1"

/* "http://host/path" as its parts; a path alone is asked of localhost. */
static void
split_url(struct str url, struct str *host, struct str *target)
{
	static const struct str schemes[] = { STR_INIT("http://"), STR_INIT("https://") };

	*host = STR("localhost");
	url.n = str_find(url, '#');
	*target = url;
	for (size_t i = 0; i < 2; i++) {
		struct str rest = { url.p + schemes[i].n, url.n - schemes[i].n };

		if (!str_has_prefix(url, schemes[i]))
			continue;
		*host = str_of(rest.p, str_find(rest, '/'));
		*target = str_of(rest.p + host->n, rest.n - host->n);
	}
	if (target->n == 0)
		*target = STR("/");
}

size_t
canned_listener(const struct listener_conf *listeners, size_t n, struct str url)
{
	bool wants_tls = str_has_prefix(url, STR("https://"));

	for (size_t i = 0; i < n; i++)
		if (listeners[i].tls.is_on == wants_tls)
			return i;
	return 0;
}

static bool
has_field(const struct canned_setup *setup, struct str name)
{
	for (size_t i = 0; i < setup->n_fields; i++) {
		struct str line = setup->fields[i];

		if (str_ieq(str_of(line.p, str_find(line, ':')), name))
			return true;
	}
	return false;
}

static struct str
write_bytes(struct arena *arena, const struct canned_setup *setup)
{
	struct str host, target, text;

	split_url(setup->url, &host, &target);
	text = arena_printf(
	    arena, "%.*s %.*s HTTP/1.1\r\n", STR_FMT(setup->method), STR_FMT(target));
	if (!has_field(setup, STR("Host")))
		text = arena_printf(arena, "%.*sHost: %.*s\r\n", STR_FMT(text), STR_FMT(host));
	for (size_t i = 0; i < setup->n_fields; i++)
		text = arena_printf(
		    arena, "%.*s%.*s\r\n", STR_FMT(text), STR_FMT(setup->fields[i]));
	if (str_is_none(setup->body))
		return arena_printf(arena, "%.*s\r\n", STR_FMT(text));
	if (!str_is_none(setup->type) && !has_field(setup, STR("Content-Type")))
		text = arena_printf(
		    arena, "%.*sContent-Type: %.*s\r\n", STR_FMT(text), STR_FMT(setup->type));
	if (!has_field(setup, STR("Content-Length")))
		text = arena_printf(
		    arena, "%.*sContent-Length: %zu\r\n", STR_FMT(text), setup->body.n);
	return arena_printf(arena, "%.*s\r\n%.*s", STR_FMT(text), STR_FMT(setup->body));
}

static bool
is_trusted(const struct listener_conf *conf)
{
	struct addr peer;

	if (addr_parse(STR(PEER_IP ":1"), &peer) != ERR_NONE)
		return false;
	return peer_is_trusted(conf, &peer);
}

static void
fill_request(const struct canned_setup *setup, struct canned *c)
{
	c->request = (struct request){
		.scheme = setup->listener->tls.is_on ? "https" : "http",
		.peer_ip = STR(PEER_IP),
		.is_peer_trusted = is_trusted(setup->listener),
		.body = setup->body,
	};
	request_take_head(&c->request, &c->head, &c->frame);
	peer_find_client(setup->listener, &c->request);
}

enum err_code
canned_build(struct arena *arena, const struct canned_setup *setup, struct canned *out)
{
	const struct listener_conf *l = setup->listener;
	const struct h1_limits limits = listener_conf_head_limits(l);
	struct header *fields = arena_calloc(arena, l->limits.headers, sizeof *fields);
	enum err_code e;

	*out = (struct canned){ .bytes = write_bytes(arena, setup) };
	h1_head_init_request(&out->head, &limits, fields, l->limits.headers);
	switch (h1_head_feed(&out->head, out->bytes)) {
	case H1_REFUSED:
		return out->head.error;
	case H1_MORE: /* the bytes end in an empty line, so something in them is no line end */
		return ERR_BAD_REQUEST;
	case H1_DONE:
		break;
	}
	e = h1_frame_request(&out->frame, &out->head);
	if (e != ERR_NONE)
		return e;
	fill_request(setup, out);
	if (out->head.method == METHOD_CONNECT || out->head.method == METHOD_TRACE)
		return ERR_METHOD_UNKNOWN;
	out->is_routed = out->head.target_form != H1_TARGET_ASTERISK;
	return ERR_NONE;
}
