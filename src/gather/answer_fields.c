/* The header fields of a gathered answer. Worker thread; memory is the exchange's arena. */
#include "gather/answer_fields.h"

#include "base/buf.h"
#include "base/compiler.h"
#include "gather/gather.h"

/* ---- compiling */

static enum err_code
compile_copy(struct plan *plan, const struct conf_text *text, struct copy_plan *out,
    struct plan_fault *fault)
{
	struct str rest = text->s, call;

	str_split(&rest, ':', &call);
	call = str_trim(call);
	rest = str_trim(rest);
	for (out->call = 0; out->call < plan->n_calls; out->call++)
		if (str_eq(plan->calls[out->call].conf->name, call))
			break;
	if (out->call == plan->n_calls)
		return plan_fault_at(fault, &text->pos,
		    "expected \"CALL: FIELD\" or \"CALL: *\" with a call of the route");
	if (plan->calls[out->call].list.n != 0)
		return plan_fault_at(fault, &text->pos,
		    "a for_each has many answers, so none whose fields could be copied");
	out->name = str_eq(rest, STR("*")) ? str_none() : rest;
	if (str_is_none(out->name))
		return ERR_NONE;
	if (!header_is_token(rest))
		return plan_fault_at(fault, &text->pos, "the name of a header field is expected after the colon");
	if ((http_table_header_flags(http_table_header(rest)) & (FIELD_HOP | FIELD_FRAMING)) != 0)
		return plan_fault_at(fault, &text->pos, "this field belongs to one connection and is never copied");
	if (http_table_header(rest) == HEADER_DATE)
		return plan_fault_at(fault, &text->pos, "gatherd dates its own answers");
	if (http_table_header(rest) == HEADER_CONTENT_ENCODING)
		return plan_fault_at(fault, &text->pos, "answers are decompressed before anything is made of them");
	return ERR_NONE;
}

enum err_code
answer_fields_compile(
    struct arena *arena, const struct response_conf *conf, struct plan *plan, struct plan_fault *fault)
{
	const struct conf_text_list *list = &conf->copy_headers;
	enum err_code e = ERR_NONE;

	plan->copies = arena_calloc(arena, list->n, sizeof *plan->copies);
	plan->n_copies = list->n;
	for (size_t i = 0; i < list->n && e == ERR_NONE; i++) {
		e = compile_copy(plan, &list->at[i], &plan->copies[i], fault);
		if (e == ERR_NONE)
			plan->calls[plan->copies[i].call].keeps_fields = true;
	}
	return e;
}

/* ---- Cache-Control, RFC 9111 5.2.2: what holds for all */

struct freshness {
	bool is_there; /* some call has the field */
	bool no_store, no_cache, is_private, must_revalidate;
	bool is_public; /* every one says so */
	bool has_max_age;
	uint64_t max_age_s; /* the least */
};

static void
add_directive(struct freshness *f, struct str directive, bool *is_public)
{
	struct str value = directive, name;
	uint64_t seconds;

	str_split(&value, '=', &name);
	f->no_store |= str_ieq(name, STR("no-store"));
	f->no_cache |= str_ieq(name, STR("no-cache"));
	f->is_private |= str_ieq(name, STR("private"));
	f->must_revalidate |= str_ieq(name, STR("must-revalidate"));
	*is_public |= str_ieq(name, STR("public"));
	if (!str_ieq(name, STR("max-age")) || str_is_none(value) || !str_to_u64(value, &seconds))
		return;
	if (!f->has_max_age || seconds < f->max_age_s)
		f->max_age_s = seconds;
	f->has_max_age = true;
}

static void
add_freshness(struct freshness *f, const struct header_list *fields)
{
	const struct header *h = header_find(fields, HEADER_CACHE_CONTROL);
	bool is_public = false;

	if (h == NULL)
		f->no_cache = true;
	for (; h != NULL; h = header_next(fields, h)) {
		struct str rest = h->value, directive;

		f->is_there = true;
		while (header_next_element(&rest, &directive))
			add_directive(f, directive, &is_public);
	}
	f->is_public &= is_public;
}

static void
put_freshness(struct buf *out, const struct freshness *f)
{
	if (!f->is_there)
		return;
	buf_add_c(out, "Cache-Control: ");
	if (f->no_store) {
		buf_add_c(out, "no-store\r\n");
		return;
	}
	buf_add_c(out, f->is_private ? "private" : f->is_public ? "public" : "");
	if (f->no_cache)
		buf_add_c(out, f->is_private || f->is_public ? ", no-cache" : "no-cache");
	else if (f->has_max_age)
		buf_printf(out, "%smax-age=%llu", f->is_private || f->is_public ? ", " : "",
		    (unsigned long long)f->max_age_s);
	buf_add_c(out, f->must_revalidate ? ", must-revalidate\r\n" : "\r\n");
}

/* ---- copying */

/* Speaks of the body, or of the upstream's own message: not of an answer made of several. */
static bool
describes_body(enum header_id id)
{
	switch (id) {
	case HEADER_ACCEPT_RANGES:
	case HEADER_CONTENT_DISPOSITION:
	case HEADER_CONTENT_ENCODING:
	case HEADER_CONTENT_LANGUAGE:
	case HEADER_CONTENT_LOCATION:
	case HEADER_CONTENT_RANGE:
	case HEADER_CONTENT_TYPE:
	case HEADER_DATE:
	case HEADER_ETAG:
	case HEADER_LAST_MODIFIED:
	case HEADER_SERVER:
	case HEADER_VIA:
		return true;
	default:
		return false;
	}
}

static bool
is_listed(const struct conf_text_list *list, struct str name)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_ieq(list->at[i].s, name))
			return true;
	return false;
}

static bool
is_set(const struct gather *g, struct str name)
{
	for (size_t i = 0; i < g->plan->n_set_headers; i++)
		if (str_ieq(g->plan->set_headers[i].name, name))
			return true;
	return is_listed(&g->plan->conf->response.remove_headers, name);
}

static bool
takes(const struct copy_plan *copy, const struct header *h)
{
	if (str_is_none(copy->name))
		return header_crosses(h) && !describes_body(h->id);
	return header_crosses(h) && str_ieq(copy->name, h->name);
}

/* A streamed answer has the type of its format, and in it perhaps the boundary of its parts. */
static bool
is_own_type(const struct gather *g, struct str name)
{
	return g->events->on_part != NULL && str_ieq(name, STR("Content-Type"));
}

/* Something failed, and is missing or has its default: the same request may get another answer soon. */
static bool
is_makeshift(const struct gather *g)
{
	for (size_t i = 0; i < g->plan->n_calls; i++)
		if (g->plan->conf->need == 0 && !g->calls[i].is_passed &&
		    (g->calls[i].error != ERR_NONE || g->calls[i].n_failed_items != 0))
			return true;
	return false;
}

/* A client that names it later is told that nothing has changed. */
static bool
is_validator(enum header_id id)
{
	return id == HEADER_ETAG || id == HEADER_LAST_MODIFIED;
}

/* Those of an answer that is a part, or the client's; what an error had is nobody's. NULL: none. */
static const struct header_list *
fields_of(const struct gather *g, size_t call)
{
	const struct gather_call *gc = &g->calls[call];

	return gc->error == ERR_NONE || gc->is_passed ? g->known[call].fields : NULL;
}

/* An entry before this one has given the field already. */
static bool
is_taken(const struct gather *g, size_t entry, const struct header *h)
{
	for (size_t i = 0; i < entry; i++) {
		const struct copy_plan *copy = &g->plan->copies[i];
		const struct header_list *fields = fields_of(g, copy->call);
		const struct header *same = fields == NULL ? NULL : header_find_name(fields, h->name);

		if (same != NULL && takes(copy, same))
			return true;
	}
	return false;
}

static void
put_copy(struct gather *g, size_t entry, bool is_lasting, struct buf *out)
{
	const struct copy_plan *copy = &g->plan->copies[entry];
	const struct header_list *fields = fields_of(g, copy->call);

	for (size_t i = 0; fields != NULL && i < fields->n; i++) {
		const struct header *h = &fields->at[i];

		if (!takes(copy, h) || is_set(g, h->name) || h->id == HEADER_CACHE_CONTROL ||
		    is_own_type(g, h->name))
			continue;
		if (h->id != HEADER_SET_COOKIE && is_taken(g, entry, h))
			continue;
		if (!is_lasting && is_validator(h->id))
			continue;
		buf_printf(out, "%.*s: %.*s\r\n", STR_FMT(h->name), STR_FMT(h->value));
	}
}

static bool
copies_freshness(const struct copy_plan *copy)
{
	return str_is_none(copy->name) || str_ieq(copy->name, STR("Cache-Control"));
}

static void
put_copies(struct gather *g, bool is_lasting, struct buf *out)
{
	struct freshness f = { .no_cache = !is_lasting, .is_public = true };

	for (size_t i = 0; i < g->plan->n_copies; i++) {
		const struct copy_plan *copy = &g->plan->copies[i];

		put_copy(g, i, is_lasting, out);
		if (copies_freshness(copy) && fields_of(g, copy->call) != NULL)
			add_freshness(&f, fields_of(g, copy->call));
	}
	if (!is_set(g, STR("Cache-Control")))
		put_freshness(out, &f);
}

/* ---- all of them */

static void
put_missing(const struct meta_call *missing, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "Proxy-Status: gatherd;error=%s;details=\"%.*s\"\r\n",
		    err_token(missing[i].error), STR_FMT(missing[i].name));
}

static void
put_set(struct gather *g, bool is_lasting, struct buf *out)
{
	struct str value;

	for (size_t i = 0; i < g->plan->n_set_headers; i++) {
		const struct field_plan *f = &g->plan->set_headers[i];

		if (is_own_type(g, f->name))
			continue;
		if (!is_lasting && is_validator(http_table_header(f->name)))
			continue;
		/* A field whose value is not there is left out: nothing is sent with a hole. */
		if (template_eval(&f->value, &g->values, g->arena, &value) == ERR_NONE)
			buf_printf(out, "%.*s: %.*s\r\n", STR_FMT(f->name), STR_FMT(value));
	}
}

struct str
answer_fields_write(struct gather *g, const struct meta_call *missing, size_t n_missing)
{
	struct buf out = BUF_INIT;
	struct str text;
	bool is_lasting;

	if (n_missing == 0 && g->plan->n_copies == 0 && g->plan->n_set_headers == 0)
		return STR("");
	if (!is_listed(&g->plan->conf->response.remove_headers, STR("Proxy-Status")))
		put_missing(missing, n_missing, &out);
	is_lasting = !is_makeshift(g);
	put_copies(g, is_lasting, &out);
	put_set(g, is_lasting, &out);
	text = arena_str(g->arena, buf_str(&out));
	buf_fini(&out);
	return text;
}

struct str
answer_fields_value(struct str fields, struct str name)
{
	struct str key, value;

	while (header_next_line(&fields, &key, &value))
		if (str_ieq(key, name))
			return value;
	return str_none();
}
