/* Requests of calls, for people. No state; memory is the caller's arena. */
#include "daemon/explain_request.h"

#include "gather/call_request.h"
#include "gather/forward.h"
#include "gather/plan_call.h"

/* A request on its way to paper. */
struct draft {
	const struct call_plan *cp;
	const struct template_env *env;
	struct arena *arena;
	enum err_code error; /* of the first value that is not there */
};

void
explain_request_put_lines(struct buf *out, const char *margin, struct str text)
{
	struct str line;

	if (text.n != 0 && text.p[text.n - 1] == '\n')
		text.n--;
	while (str_split(&text, '\n', &line)) {
		if (line.n != 0 && line.p[line.n - 1] == '\r')
			line.n--;
		buf_printf(out, "%s%s%.*s\n", margin, line.n == 0 ? "" : " ", STR_FMT(line));
	}
}

struct str
explain_request_host(const struct upstream_conf *up)
{
	if (up->host.s.n != 0)
		return up->host.s;
	return up->n_servers == 0 ? up->name : up->servers[0].host;
}

/* ---- templates of which only a part is known */

static bool
is_open(const struct template_uses *uses)
{
	return uses->item || uses->calls != 0;
}

/* The next reference of a template's text, with its braces; "{{" is a brace. */
static struct str
next_reference(struct str *text)
{
	while (text->n > 1) {
		size_t at = str_find(*text, '{');
		struct str found;

		if (at + 1 >= text->n)
			break;
		*text = str_of(text->p + at, text->n - at);
		if (text->p[1] == '{') {
			*text = str_of(text->p + 2, text->n - 2);
			continue;
		}
		found = str_of(text->p, str_find(*text, '}') + 1);
		*text = str_of(text->p + found.n, text->n - found.n);
		return found;
	}
	return str_none();
}

static bool
is_of_answer(enum template_op_kind kind)
{
	return kind >= TEMPLATE_CALL_BODY && kind <= TEMPLATE_ITEM;
}

/* raw: the text that t was compiled from. */
static void
put_template(struct buf *out, struct draft *d, struct str raw, const struct template *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct template one = { .ops = &t->ops[i], .n = 1, .place = t->place };
		struct str written, value;
		enum err_code e = ERR_NONE;

		if (t->ops[i].kind == TEMPLATE_LITERAL) {
			buf_add(out, t->ops[i].text);
			continue;
		}
		written = next_reference(&raw);
		if (!is_of_answer(t->ops[i].kind))
			e = template_eval(&one, d->env, d->arena, &value);
		if (e != ERR_NONE && d->error == ERR_NONE)
			d->error = e;
		buf_add(out, e != ERR_NONE || is_of_answer(t->ops[i].kind) ? written : value);
	}
}

static struct str
own_query(struct draft *d, struct str raw)
{
	const struct call_plan *cp = d->cp;
	struct buf query = BUF_INIT;
	struct str kept;

	put_template(&query, d, raw, &cp->path_query);
	for (size_t i = 0; i < cp->n_query; i++) {
		if (query.n != 0)
			buf_add_char(&query, '&');
		buf_printf(&query, "%.*s=", STR_FMT(cp->query[i].name));
		put_template(&query, d, cp->conf->query.at[i].value.s, &cp->query[i].value);
	}
	kept = query.n == 0 ? str_none() : arena_str(d->arena, buf_str(&query));
	buf_fini(&query);
	return kept;
}

/* A JSON template is all or nothing: its references stand in the middle of it. */
static struct str
body_of(struct draft *d)
{
	const struct call_conf *conf = d->cp->conf;
	struct template_uses uses = { 0 };
	struct buf text = BUF_INIT;
	struct str kept = str_none();
	enum err_code e;

	if (d->cp->json == NULL) {
		put_template(&text, d, conf->body.s, &d->cp->body);
		kept = arena_str(d->arena, buf_str(&text));
		buf_fini(&text);
		return kept;
	}
	json_template_add_uses(&uses, d->cp->json);
	if (!is_open(&uses)) {
		e = json_template_eval(d->cp->json, d->env, d->arena, &kept);
		if (e == ERR_NONE)
			return kept;
		if (d->error == ERR_NONE)
			d->error = e;
	}
	return json_template_literal(d->arena, &conf->json);
}

static void
put_draft(struct buf *out, struct draft *d)
{
	const struct call_conf *conf = d->cp->conf;
	struct str path, query, body;

	plan_call_split_path(conf->path.s, &path, &query);
	buf_printf(out, "%.*s ", STR_FMT(conf->method.s));
	put_template(out, d, path, &d->cp->path);
	query = forward_query(d->env->request, &d->cp->forward_query, own_query(d, query), d->arena);
	if (!str_is_none(query))
		buf_printf(out, "?%.*s", STR_FMT(query));
	buf_printf(out, " HTTP/1.1\nHost: %.*s\n", STR_FMT(explain_request_host(d->cp->upstream)));
	buf_add(out, call_request_shared(d->env->request, &d->cp->forward_headers, d->arena));
	for (size_t i = 0; i < d->cp->n_fields; i++) {
		buf_printf(out, "%.*s: ", STR_FMT(d->cp->fields[i].name));
		put_template(out, d, conf->headers.at[i].value.s, &d->cp->fields[i].value);
		buf_add_char(out, '\n');
	}
	buf_add(out, d->cp->accept_encoding);
	if (d->cp->json != NULL && !d->cp->has_content_type)
		buf_add_c(out, "Content-Type: application/json\n");
	body = body_of(d);
	if (body.n != 0)
		buf_printf(out, "\n%.*s\n", STR_FMT(body));
}

/* ---- requests of which all is known */

static void
put_whole(struct buf *out, struct draft *d, const struct h1_request *r)
{
	struct str fields = { r->fields.p, r->fields.n - 2 }; /* without the empty line */

	buf_add(out, r->start_line);
	buf_printf(out, "Host: %.*s\n", STR_FMT(explain_request_host(d->cp->upstream)));
	buf_add(out, call_request_shared(d->env->request, &d->cp->forward_headers, d->arena));
	buf_add(out, fields);
	if (r->body.n != 0)
		buf_printf(out, "\n%.*s\n", STR_FMT(r->body));
}

void
explain_request_put(struct buf *out, const char *margin, const struct call_plan *cp,
    const struct template_env *env, struct arena *arena)
{
	struct draft d = { .cp = cp, .env = env, .arena = arena };
	struct buf text = BUF_INIT;
	struct h1_request request;

	if (cp->list.n == 0 && call_request_build(cp, env, arena, &request) == ERR_NONE)
		put_whole(&text, &d, &request);
	else
		put_draft(&text, &d);
	if (d.error != ERR_NONE)
		buf_printf(out, "  is not sent: %s: %s\n", err_token(d.error), err_text(d.error));
	explain_request_put_lines(out, margin, buf_str(&text));
	buf_fini(&text);
}
