/* Rules of compression. Start-up and reload only; one thread. */
#include "conf/conf_check_coding.h"

#include "gather/forward_set.h"

/* ---- answers to clients */

static void
check_types(const struct conf_check *check, const struct route_conf *route)
{
	const struct conf_text_list *types = &route->compress.types;

	if (types->n == 0)
		conf_error_add(check->errors, conf_check_place(route->pos, "compress.types"),
		    "no type is listed, so nothing would be compressed; `encodings: []` says that");
	for (size_t i = 0; i < types->n; i++)
		if (!compress_conf_is_type(types->at[i].s))
			conf_error_add(check->errors, types->at[i].pos,
			    "expected a media type such as application/json or \"text/*\"");
}

static void
check_fields(const struct conf_check *check, const struct conf_pair_list *fields)
{
	for (size_t i = 0; i < fields->n; i++) {
		const struct conf_text *name = &fields->at[i].name, *value = &fields->at[i].value;

		if (str_ieq(name->s, STR("Content-Encoding")))
			conf_error_add(check->errors, name->pos,
			    "says that the answer is coded already, so that `compress` would do nothing; one "
			    "of them must go (`compress: { encodings: [] }` is none)");
		if (str_ieq(name->s, STR("Cache-Control")) && header_has_element(value->s, STR("no-transform")))
			conf_error_add(check->errors, value->pos,
			    "`no-transform` forbids what `compress` does; one of them must go (`compress: { "
			    "encodings: [] }` is none)");
	}
}

void
conf_check_coding_route(const struct conf_check *check, const struct route_conf *route)
{
	if (route->compress.n_codings == 0)
		return;
	check_types(check, route);
	check_fields(check, &route->response.set_headers);
	if (route->kind == ROUTE_REPLY)
		check_fields(check, &route->reply.headers);
}

/* ---- answers of upstreams */

void
conf_check_coding_call(const struct conf_check *check, const struct call_conf *call)
{
	struct str name, as;

	if (call->n_asked_codings == 0)
		return;
	for (size_t i = 0; i < call->headers.n; i++)
		if (str_ieq(call->headers.at[i].name.s, STR("Accept-Encoding")))
			conf_error_add(check->errors, call->headers.at[i].name.pos,
			    "`accept_encoding` sets this field");
	for (size_t i = 0; i < call->forward.headers.n; i++) {
		const struct conf_text *entry = &call->forward.headers.at[i];

		if (forward_set_split(entry->s, &name, &as) &&
		    str_ieq(str_is_none(as) ? name : as, STR("Accept-Encoding")))
			conf_error_add(check->errors, entry->pos, "`accept_encoding` sets this field");
	}
}
