/* Parses the paths of routes. Owns nothing; at load, any thread. */
#include "server/route_path.h"

#include "base/compiler.h"
#include "codec/uri.h"

/* A parse under way. */
struct parse {
	struct arena *arena;
	struct str text;
	struct route_path *out;
	struct str *names; /* of the parameters so far */
	struct template_error *error;
};

static enum err_code
refuse(struct parse *p, struct str at, const char *message)
{
	return template_fault(p->error, (size_t)(at.p - p->text.p), "%s", message);
}

static bool
is_name(struct str s)
{
	return str_is_word(s) && !(s.p[0] >= '0' && s.p[0] <= '9');
}

static enum err_code
add_name(struct parse *p, struct str name)
{
	struct template_params *params = &p->out->params;

	if (!is_name(name))
		return refuse(p, name, "a parameter's name is letters, digits, _ and -");
	if (str_eq(name, STR("body")) || str_eq(name, STR("item")) || str_eq(name, STR("items")))
		return refuse(p, name, "this name means something else in templates");
	for (size_t i = 0; i < params->n; i++)
		if (str_eq(p->names[i], name))
			return refuse(p, name, "two parameters have this name");
	if (params->n == REQUEST_MAX_PARAMS)
		return refuse(p, name, "too many parameters");
	p->names[params->n++] = arena_str(p->arena, name);
	return ERR_NONE;
}

static enum err_code
parse_literal(struct parse *p, struct str text, struct route_segment *segment)
{
	struct str slashed = { text.p - 1, text.n + 1 };
	char *plain;

	if (str_find(text, '{') != text.n || str_find(text, '}') != text.n)
		return refuse(p, text, "a parameter is a whole segment: /{name}/");
	if (!uri_check_path(slashed))
		return refuse(p, text, "this segment cannot be part of a path; percent-encode it");
	plain = arena_alloc(p->arena, text.n + 1);
	segment->kind = ROUTE_SEGMENT_LITERAL;
	segment->text = str_of(plain, uri_decode(plain, text));
	return ERR_NONE;
}

static enum err_code
parse_segment(struct parse *p, struct str text, bool is_last)
{
	struct route_segment *segment = &p->out->segments[p->out->n_segments++];
	struct str name;

	if (text.n < 2 || text.p[0] != '{' || text.p[text.n - 1] != '}')
		return parse_literal(p, text, segment);
	name = str_of(text.p + 1, text.n - 2);
	segment->kind = ROUTE_SEGMENT_PARAM;
	if (str_has_suffix(name, STR("..."))) {
		if (!is_last)
			return refuse(p, text, "a {tail...} is the last segment");
		name.n -= 3;
		segment->kind = ROUTE_SEGMENT_TAIL;
		p->out->params.has_tail = true;
	}
	segment->text = name;
	return add_name(p, name);
}

enum err_code
route_path_parse(
    struct arena *arena, struct str text, struct route_path *out, struct template_error *error)
{
	struct parse p = { arena, text, out, NULL, error };
	struct str rest, segment;

	*out = (struct route_path){ 0 };
	if (text.n == 0 || text.p[0] != '/')
		return refuse(&p, text, "a path begins with a slash");
	out->segments = arena_calloc(arena, ROUTE_PATH_MAX_SEGMENTS, sizeof(*out->segments));
	p.names = arena_calloc(arena, REQUEST_MAX_PARAMS, sizeof(*p.names));
	out->params.names = p.names;
	rest = str_of(text.p + 1, text.n - 1);
	while (str_split(&rest, '/', &segment)) {
		enum err_code e;

		if (out->n_segments == ROUTE_PATH_MAX_SEGMENTS)
			return refuse(&p, segment, "too many segments");
		e = parse_segment(&p, segment, str_is_none(rest));
		if (e != ERR_NONE)
			return e;
	}
	return ERR_NONE;
}
