/* The keys of compression, and which types are compressed. No state; any thread. */
#include "gather/compress_conf.h"

#include <stddef.h>

#include "base/compiler.h"
#include "gather/route_conf.h"

static const char *
parse_coding(void *base, const struct conf_text *text, struct arena *a)
{
	struct compress_conf *c = &((struct route_conf *)base)->compress;
	enum coding coding;

	(void)a;
	if (!coding_find(text->s, &coding) || !str_eq(text->s, coding_name(coding)) ||
	    (coding != CODING_GZIP && coding != CODING_BR))
		return "expected br or gzip";
	for (size_t i = 0; i < c->n_codings; i++)
		if (c->codings[i] == coding)
			return "is in the list already";
	c->codings[c->n_codings++] = coding;
	return NULL;
}

static const struct conf_row level_rows[] = {
	{
	    .key = "gzip",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct route_conf, compress.gzip_level),
	    .min = 1,
	    .max = CODING_GZIP_LEVEL_MAX,
	    .fallback = "5",
	    .since = "0.1",
	    .doc = "1 is the fastest, 9 the smallest.",
	},
	{
	    .key = "br",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct route_conf, compress.br_level),
	    .min = 1,
	    .max = CODING_BR_LEVEL_MAX,
	    .fallback = "4",
	    .since = "0.1",
	    .doc = "Likewise; at 4 it takes less time than `gzip` at 5, and makes less of it.",
	},
};
static const struct conf_section level_section = {
	.rows = level_rows,
	.n_rows = ARRAY_LEN(level_rows),
	.doc = "How hard it is tried.",
};

static const struct conf_row rows[] = {
	{
	    .key = "encodings",
	    .type = CONF_PARSED_LIST,
	    .parse = parse_coding,
	    .form = "[ br, gzip ]",
	    .fallback = "[ br, gzip ]",
	    .since = "0.1",
	    .doc = "What is offered; where the client wants several alike, the first one. A client that takes none "
		   "of them, nor `identity`, gets the answer as it is. `[]` offers nothing, "
		   "for a route that is not to have what `defaults` give to all.",
	},
	{
	    .key = "min_size",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct route_conf, compress.min_bytes),
	    .max = 1 << 30,
	    .fallback = "1KiB",
	    .since = "0.1",
	    .doc = "A shorter body is sent as it is. One whose length is not known, since it is streamed, counts as "
		   "long enough.",
	},
	{
	    .key = "types",
	    .type = CONF_TEXTS,
	    .offset = offsetof(struct route_conf, compress.types),
	    .form = "[ \"text/*\", application/json ]",
	    .fallback = "[ \"text/*\", application/json, application/problem+json, application/ld+json, "
			"application/x-ndjson, application/javascript, application/manifest+json, "
			"application/xml, application/xhtml+xml, application/rss+xml, application/atom+xml, "
			"application/wasm, image/svg+xml, multipart/mixed ]",
	    .since = "0.1",
	    .doc = "The content types that are compressed, without parameters; `text/*` is all that begin so.",
	},
	{
	    .key = "levels",
	    .type = CONF_SECTION,
	    .section = &level_section,
	    .since = "0.1",
	    .doc = "How hard it is tried.",
	},
};
const struct conf_section compress_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.doc = "Compresses answers for clients whose `Accept-Encoding` asks for it (RFC 9110 12.5.3). Not those "
	       "that are coded already (`Content-Encoding`), that say `Cache-Control: no-transform`, or that are "
	       "parts of a body (206). An `ETag` becomes a weak one (which is a condition for 304, but none for "
	       "`If-Range` and `If-Match`), `Vary` gets `Accept-Encoding`, and "
	       "`Accept-Ranges` and digests of the body go. A stream is compressed as it comes, and nothing of it is "
	       "held back beyond the turn of the loop in which it came: each event of `format: sse` leaves at once. "
	       "A secret and what a client sends in one answer over TLS can be told from its length when it is "
	       "compressed (BREACH): leave such routes without it.",
};

bool
compress_conf_is_type(struct str type)
{
	size_t slash = str_find(type, '/');

	if (slash == type.n || !header_is_token(str_of(type.p, slash)))
		return false;
	/* "*" is a token character */
	return header_is_token(str_of(type.p + slash + 1, type.n - slash - 1));
}

static bool
matches(struct str pattern, struct str type)
{
	if (!str_has_suffix(pattern, STR("/*")))
		return str_ieq(pattern, type);
	return type.n >= pattern.n && str_ieq(str_of(type.p, pattern.n - 1), str_of(pattern.p, pattern.n - 1));
}

bool
compress_conf_takes(const struct compress_conf *conf, struct str content_type)
{
	struct str type;

	if (!str_split(&content_type, ';', &type))
		return false;
	type = str_trim(type);
	for (size_t i = 0; i < conf->types.n; i++)
		if (matches(conf->types.at[i].s, type))
			return true;
	return false;
}
