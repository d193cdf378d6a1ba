/* Compressed bodies. The states of one episode's only thread; nothing stays between calls. */
#include "sim_coding.h"

#include <inttypes.h>

#include "codec/coding.h"
#include "sim_oracle.h"

static struct coding_store store = { .max_bytes = SIZE_MAX };

const char *
sim_coding_compress(struct sim *s, struct str text, struct buf *out)
{
	const struct coding_setup how = {
		.coding = sim_chance(s, 500000) ? CODING_GZIP : CODING_BR,
		.level = (unsigned)sim_between(s, 1, 9),
		.size_bytes = sim_chance(s, 500000) ? text.n : 0,
	};
	struct coding_encoder *e = coding_encoder_new(&store, &how);

	while (text.n > 0 && sim_chance(s, 300000)) {
		size_t n = sim_between(s, 0, text.n);

		coding_encode(
		    e, str_of(text.p, n), sim_chance(s, 500000) ? CODING_FLUSH : CODING_HOLD, out);
		text = str_of(text.p + n, text.n - n);
	}
	coding_encode(e, text, CODING_FINISH, out);
	coding_encoder_free(&e);
	return coding_name(how.coding).p;
}

/* What the server of a proxied answer has compressed passes as it is. */
static bool
is_servers_own(const struct sim_request *r, const struct sim_http *h, struct str coding)
{
	const struct sim_call *c = &r->calls[0];

	return r->route->kind == SIM_KIND_PROXY && c->n_seen > 0 && c->coding != NULL &&
	    h->status == c->status && str_eq(coding, str_c(c->coding));
}

static bool
is_asked(const struct sim_request *r, struct str coding)
{
	struct str rest = str_c(r->accepts == NULL ? "" : r->accepts), one;

	while (rest.n > 0 && str_split(&rest, ',', &one))
		if (str_eq(str_trim(one), coding))
			return true;
	return false;
}

static void
decode(struct sim *s, const struct sim_request *r, struct sim_http *h, enum coding coding)
{
	static const struct coding_limits limits = { UINT64_C(1) << 30, UINT64_MAX };
	struct coding_decoder *d = coding_decoder_new(&store, coding, &limits);
	struct buf body = BUF_INIT;
	enum err_code e = coding_decode(d, buf_str(&h->body), &body);

	if (e == ERR_NONE)
		e = coding_decode_end(d);
	if (e != ERR_NONE || h->body.n == 0)
		sim_fail(s, "q%" PRIu64 " (%s): a compressed answer of %zu bytes: %s", r->number,
		    r->route->name, h->body.n, err_token(e));
	coding_decoder_free(&d);
	buf_fini(&h->body);
	h->body = body;
}

void
sim_coding_decompress(struct sim *s, const struct sim_request *r, struct sim_http *h)
{
	struct str name = sim_http_field(h, STR("Content-Encoding"), 0);
	enum coding coding;

	if (str_is_none(name) || r->route == NULL || is_servers_own(r, h, name))
		return;
	if (!s->env.has_compression || !is_asked(r, name) || !coding_find(name, &coding))
		sim_fail(s, "q%" PRIu64 " (%s): %.*s was not asked for", r->number, r->route->name,
		    STR_FMT(name));
	if (!str_has_suffix(sim_http_field(h, STR("Vary"), 0), STR("Accept-Encoding")))
		sim_fail(s, "q%" PRIu64 " (%s): compressed without Vary", r->number, r->route->name);
	if (!r->is_head)
		decode(s, r, h, coding);
}
