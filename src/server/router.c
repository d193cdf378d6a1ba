/* The tree of routes. Owns nothing but arena memory; built at load, then read by any thread. */
#include "server/router.h"

#include <stdio.h>

#include "base/compiler.h"
#include "codec/uri.h"

/* The methods that a route takes. */
struct method_set {
	bool is_any;
	uint32_t known; /* one bit per enum http_method but METHOD_OTHER */
	struct str *others;
	size_t n_others;
};

_Static_assert(METHOD_COUNT <= 32, "a bit per method");

/* A route at the node where its path ends. */
struct route_end {
	struct route_end *next;
	size_t index;
	const struct route_conf *route;
	struct method_set methods;
};

struct node {
	struct str literal;     /* decoded; what leads here from the parent */
	struct node **literals; /* sorted by their literal */
	size_t n_literals;
	size_t cap_literals;
	struct node *param;
	struct route_end *ends;  /* routes whose path ends here */
	struct route_end *tails; /* routes with a {tail...} from here on */
};

struct router {
	struct arena *arena;
	router_report_fn *report;
	void *report_arg;
	struct node root;
};

struct router *
router_new(struct arena *arena, router_report_fn *report, void *arg)
{
	struct router *r = arena_calloc(arena, 1, sizeof(*r));

	r->arena = arena;
	r->report = report;
	r->report_arg = arg;
	return r;
}

static enum err_code
refuse(const struct router *r, const struct conf_pos *where, const struct conf_pos *other,
    const char *message)
{
	if (r->report != NULL)
		r->report(r->report_arg, where, other, message);
	return ERR_BAD_CONFIG;
}

/* ---- methods */

static enum err_code
methods_of(const struct router *r, const struct route_conf *route, struct method_set *out)
{
	const struct conf_text_list *list = &route->methods;

	*out = (struct method_set){ .is_any = list->n == 0 };
	out->others = arena_calloc(r->arena, list->n, sizeof(*out->others));
	for (size_t i = 0; i < list->n; i++) {
		enum http_method m = http_table_method(list->at[i].s);

		if (!header_is_token(list->at[i].s))
			return refuse(r, &list->at[i].pos, NULL, "a method is a token such as GET");
		if (m == METHOD_CONNECT || m == METHOD_TRACE)
			return refuse(
			    r, &list->at[i].pos, NULL, "CONNECT and TRACE are not served");
		if (m != METHOD_OTHER)
			out->known |= UINT32_C(1) << m;
		else
			out->others[out->n_others++] = list->at[i].s;
	}
	return ERR_NONE;
}

static bool
set_has_other(const struct method_set *set, struct str text)
{
	for (size_t i = 0; i < set->n_others; i++)
		if (str_eq(set->others[i], text))
			return true;
	return false;
}

static bool
set_has(const struct method_set *set, enum http_method m, struct str text)
{
	if (set->is_any)
		return true;
	return m == METHOD_OTHER ? set_has_other(set, text) : (set->known >> m & 1) != 0;
}

static bool
sets_overlap(const struct method_set *a, const struct method_set *b)
{
	if (a->is_any || b->is_any || (a->known & b->known) != 0)
		return true;
	for (size_t i = 0; i < a->n_others; i++)
		if (set_has_other(b, a->others[i]))
			return true;
	return false;
}

/* ---- building */

/* Index of the first child that is not before `literal`. */
static size_t
child_place(const struct node *n, struct str literal)
{
	size_t low = 0, high = n->n_literals;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (str_cmp(n->literals[middle]->literal, literal) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct node *
child_find(const struct node *n, struct str literal)
{
	size_t at = child_place(n, literal);

	return at < n->n_literals && str_eq(n->literals[at]->literal, literal) ? n->literals[at]
									       : NULL;
}

static struct node *
child_add(struct router *r, struct node *n, struct str literal)
{
	size_t at = child_place(n, literal);
	struct node *child = arena_calloc(r->arena, 1, sizeof(*child));

	if (n->n_literals == n->cap_literals) {
		size_t cap = n->cap_literals == 0 ? 4 : 2 * n->cap_literals;
		struct node **more = arena_calloc(r->arena, cap, sizeof(*more));

		for (size_t i = 0; i < n->n_literals; i++)
			more[i] = n->literals[i];
		n->literals = more;
		n->cap_literals = cap;
	}
	for (size_t i = n->n_literals; i > at; i--)
		n->literals[i] = n->literals[i - 1];
	child->literal = literal;
	n->literals[at] = child;
	n->n_literals++;
	return child;
}

static struct node *
descend(struct router *r, struct node *n, const struct route_segment *segment)
{
	struct node *child;

	if (segment->kind == ROUTE_SEGMENT_PARAM) {
		if (n->param == NULL)
			n->param = arena_calloc(r->arena, 1, sizeof(*n->param));
		return n->param;
	}
	child = child_find(n, segment->text);
	return child != NULL ? child : child_add(r, n, segment->text);
}

static enum err_code
end_at(struct router *r, struct route_end **list, const struct route_end *end)
{
	struct route_end **last = list;

	for (; *last != NULL; last = &(*last)->next) {
		char message[300];

		if (!sets_overlap(&(*last)->methods, &end->methods))
			continue;
		snprintf(message, sizeof(message),
		    "route \"%.*s\" takes the same requests as route \"%.*s\"",
		    (int)(end->route->name.n > 100 ? 100 : end->route->name.n), end->route->name.p,
		    (int)((*last)->route->name.n > 100 ? 100 : (*last)->route->name.n),
		    (*last)->route->name.p);
		return refuse(r, &end->route->path.pos, &(*last)->route->path.pos, message);
	}
	*last = arena_alloc(r->arena, sizeof(*end));
	**last = *end;
	return ERR_NONE;
}

enum err_code
router_add(struct router *r, const struct route_conf *route, size_t index, struct route_path *path)
{
	struct route_end end = { .index = index, .route = route };
	struct template_error error;
	struct node *n = &r->root;
	bool has_tail;
	enum err_code e;

	*path = (struct route_path){ 0 };
	if (route_path_parse(r->arena, route->path.s, path, &error) != ERR_NONE) {
		struct conf_pos at = route->path.pos;

		at.column += (uint32_t)error.offset;
		return refuse(r, &at, NULL, error.message);
	}
	e = methods_of(r, route, &end.methods);
	if (e != ERR_NONE)
		return e;
	has_tail = path->params.has_tail;
	for (size_t i = 0; i < path->n_segments - (has_tail ? 1 : 0); i++)
		n = descend(r, n, &path->segments[i]);
	return end_at(r, has_tail ? &n->tails : &n->ends, &end);
}

/* ---- finding */

#define ALLOW_MAX_OTHERS 16

/* A look-up under way. */
struct find {
	struct request *request;
	struct arena *arena;
	size_t n_params;
	const struct route_end *found;
	bool is_path_known; /* some route has this path */
	uint32_t allow;     /* methods of the routes that have it */
	struct str others[ALLOW_MAX_OTHERS];
	size_t n_others;
};

static void
note_others(struct find *f, const struct method_set *set)
{
	for (size_t i = 0; i < set->n_others; i++) {
		size_t j = 0;

		while (j < f->n_others && !str_eq(f->others[j], set->others[i]))
			j++;
		if (j == f->n_others && j < ALLOW_MAX_OTHERS)
			f->others[f->n_others++] = set->others[i];
	}
}

/* The route among those that end at one node. RFC 9110 9.3.2: what can be got can be asked about with HEAD. */
static bool
choose(struct find *f, const struct route_end *ends)
{
	enum http_method m = f->request->method;

	for (const struct route_end *e = ends; e != NULL; e = e->next)
		if (set_has(&e->methods, m, f->request->method_text)) {
			f->found = e;
			return true;
		}
	for (const struct route_end *e = ends; e != NULL; e = e->next) {
		if (m == METHOD_HEAD && set_has(&e->methods, METHOD_GET, STR("GET"))) {
			f->found = e;
			return true;
		}
		f->is_path_known = true;
		f->allow |= e->methods.known;
		note_others(f, &e->methods);
	}
	return false;
}

static struct str
decoded(struct find *f, struct str segment)
{
	char *plain;

	if (segment.n == 0 || memchr(segment.p, '%', segment.n) == NULL)
		return segment;
	plain = arena_alloc(f->arena, segment.n);
	return str_of(plain, uri_decode(plain, segment));
}

/*
 * Depth first in the order of specificity. Each node is reached by one way only, and depth is
 * bounded by ROUTE_PATH_MAX_SEGMENTS.
 */
static bool
visit(struct find *f, const struct node *n, struct str rest)
{
	struct str after = rest, segment;
	const struct node *child;

	if (!uri_next_segment(&after, &segment))
		return n->ends != NULL && choose(f, n->ends);
	child = n->n_literals == 0 ? NULL : child_find(n, decoded(f, segment));
	if (child != NULL && visit(f, child, after))
		return true;
	if (n->param != NULL && segment.n > 0) {
		f->request->params[f->n_params++] = segment;
		if (visit(f, n->param, after))
			return true;
		f->n_params--;
	}
	if (n->tails == NULL || !choose(f, n->tails))
		return false;
	f->request->params[f->n_params++] = str_of(rest.p + 1, rest.n - 1);
	return true;
}

static struct str
allow_text(struct find *f)
{
	char *to = arena_alloc(f->arena, 512);
	size_t n = 0;

	if ((f->allow >> METHOD_GET & 1) != 0)
		f->allow |= UINT32_C(1) << METHOD_HEAD;
	for (size_t m = 0; m < METHOD_COUNT + f->n_others; m++) {
		struct str name;

		if (m < METHOD_COUNT && (f->allow >> m & 1) == 0)
			continue;
		name = m < METHOD_COUNT ? http_table_method_name((enum http_method)m)
					: f->others[m - METHOD_COUNT];
		if (n + 2 + name.n > 512)
			break;
		if (n > 0)
			n += (size_t)snprintf(to + n, 3, ", ");
		memcpy(to + n, name.p, name.n);
		n += name.n;
	}
	return str_of(to, n);
}

enum err_code
router_find(const struct router *r, struct request *request, struct arena *arena,
    struct router_match *match)
{
	struct find f;

	f.request = request;
	f.arena = arena;
	f.n_params = 0;
	f.is_path_known = false;
	f.allow = 0;
	f.n_others = 0;
	if (visit(&f, &r->root, request->path)) {
		match->index = f.found->index;
		return ERR_NONE;
	}
	if (!f.is_path_known)
		return ERR_NO_ROUTE;
	match->allow = allow_text(&f);
	return ERR_METHOD_NOT_ALLOWED;
}

struct str
router_allow(const struct router *r, const struct request *request, struct arena *arena)
{
	struct request other = *request;
	struct router_match match;

	other.method = METHOD_OTHER;
	other.method_text = STR("");
	if (router_find(r, &other, arena, &match) != ERR_METHOD_NOT_ALLOWED)
		return str_none();
	return match.allow;
}
