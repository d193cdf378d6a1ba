/* Which keys have an effect beside which others. No state; start-up and reload only. */
#include "conf/conf_idle.h"

#include "base/compiler.h"
#include "conf/conf.h"
#include "conf/conf_root.h"

/* ---- what an item of the effective tree is */

enum state {
	IS_ALWAYS, /* no condition */
	IS_THERE,
	IS_MISSING,
	IS_EMPTY,  /* a list of nothing */
	IS_FILLED, /* anything else */
	IS_WORD,   /* one of these words */
	IS_NO_WORD,
	LACKS,     /* a list, or the text that stands for a list of one, without this text */
	HAS_NO_TLS /* servers without an https URL */
};

struct condition {
	const char *path; /* below the item */
	enum state state;
	const char *text;
};

static bool
is_word(const struct yaml_node *node, const char *words)
{
	struct str rest = str_c(words), word;

	if (node == NULL || node->kind != YAML_SCALAR)
		return false;
	while (str_split(&rest, ' ', &word))
		if (str_eq(node->text, word))
			return true;
	return false;
}

static bool
lists(const struct yaml_node *node, const char *text)
{
	if (node->kind != YAML_LIST)
		return is_word(node, text);
	for (size_t i = 0; i < node->n; i++)
		if (str_eq(node->entries[i].value->text, str_c(text)))
			return true;
	return false;
}

static bool
is_empty(const struct yaml_node *node)
{
	return node != NULL && node->kind == YAML_LIST && node->n == 0;
}

static bool
has_tls(const struct yaml_node *servers)
{
	for (size_t i = 0; servers != NULL && i < servers->n; i++) {
		const struct yaml_node *url = yaml_tree_find(servers->entries[i].value, "url");

		if (url != NULL && str_has_prefix(url->text, STR("https://")))
			return true;
	}
	return false;
}

static bool
holds(const struct yaml_node *item, const struct condition *c)
{
	const struct yaml_node *node = c->path == NULL ? NULL : yaml_tree_find(item, c->path);

	switch (c->state) {
	case IS_ALWAYS:
		return true;
	case IS_THERE:
		return node != NULL;
	case IS_MISSING:
		return node == NULL;
	case IS_EMPTY:
		return is_empty(node);
	case IS_FILLED:
		return !is_empty(node);
	case IS_WORD:
		return is_word(node, c->text);
	case IS_NO_WORD:
		return !is_word(node, c->text);
	case LACKS:
		return node != NULL && !lists(node, c->text);
	case HAS_NO_TLS:
		return !has_tls(node);
	}
	return false;
}

/* ---- what has then no effect */

/* How the answer is merged. */
static const char *const merging[] = {
	"response.on_conflict",
	"response.static",
	"response.move",
	"response.append",
	"response.drop",
	"response.shape",
	NULL,
};
/* What else an answer is made of that is put together here. */
static const char *const making[] = { "response.partial", "response.status", "response.body", "response.json", NULL };
static const char *const for_proxy[] = {
	"request.body",
	"response.errors",
	"response.headers.copy",
	"response.headers.remove",
	"format",
	"need",
	NULL,
};
static const char *const for_reply[] = { "response", "format", "need", "request.body.required", NULL };
static const char *const meta[] = { "response.partial.meta", NULL };
static const char *const tunnel[] = { "proxy.tunnel", NULL };
static const char *const compression[] = { "compress.min_size", "compress.types", "compress.levels", NULL };
static const char *const gzip_level[] = { "compress.levels.gzip", NULL };
static const char *const br_level[] = { "compress.levels.br", NULL };
/* How the list of a `for_each` is gone through. */
static const char *const for_made_once[] = { "distinct", "max_items", "truncate", "parallel", NULL };
static const char *const handshakes[] = { "timeouts.handshake", "limits.handshakes", NULL };
static const char *const trusted_field[] = { "trusted_field", NULL };
static const char *const queue[] = { "queue", NULL };
static const char *const tls[] = { "tls", NULL };
static const char *const overload_queue[] = { "overload.queue", NULL };
static const char *const admin[] = { "admin", NULL };
static const char *const answer[] = { "status", "headers", "json", "body", NULL };
static const char *const delay[] = { "delay", NULL };

#define INSTEAD(key) "has no effect: `" key "` stands in place of the merged answer"
#define UNMERGED "has no effect: the route's `format` does not merge its parts"
#define ON(key) "has no effect on a route with `" key "`"
#define WITHOUT(key) "has no effect without `" key "`"

static const struct rule {
	const struct conf_section *section; /* of the item */
	struct condition when[2];           /* both hold */
	const char *const *paths;           /* below the item */
	bool is_warning;
	const char *why;
} rules[] = {
	{ &route_conf_section, { { "proxy", IS_THERE, NULL } }, merging, false, ON("proxy") },
	{ &route_conf_section, { { "proxy", IS_THERE, NULL } }, making, false, ON("proxy") },
	{ &route_conf_section, { { "proxy", IS_THERE, NULL } }, for_proxy, false, ON("proxy") },
	{ &route_conf_section, { { "reply", IS_THERE, NULL } }, for_reply, false, ON("reply") },
	{ &route_conf_section, { { "batch", IS_THERE, NULL } }, for_reply, false, ON("batch") },
	{ &route_conf_section, { { "format", LACKS, "json" } }, merging, false, UNMERGED },
	{ &route_conf_section, { { "format", LACKS, "json" } }, making, false, UNMERGED },
	{ &route_conf_section, { { "response.body", IS_THERE, NULL } }, merging, false, INSTEAD("body") },
	{ &route_conf_section, { { "response.json", IS_THERE, NULL }, { "response.body", IS_MISSING, NULL } },
	    merging, false, INSTEAD("json") },
	{ &route_conf_section, { { "response.body", IS_THERE, NULL } }, meta, true, INSTEAD("body") },
	{ &route_conf_section, { { "response.json", IS_THERE, NULL }, { "response.body", IS_MISSING, NULL } },
	    meta, true, INSTEAD("json") },
	{ &route_conf_section, { { "response.shape", IS_WORD, "array" } }, meta, true,
	    "has no effect: an array has no metadata" },
	{ &route_conf_section, { { "proxy.upgrade", IS_EMPTY, NULL } }, tunnel, true, WITHOUT("upgrade") },
	{ &route_conf_section, { { "compress.encodings", IS_EMPTY, NULL } }, compression, true,
	    "has no effect: `encodings` is empty" },
	{ &route_conf_section,
	    { { "compress.encodings", LACKS, "gzip" }, { "compress.encodings", IS_FILLED, NULL } },
	    gzip_level, true, "has no effect: `encodings` has no gzip" },
	{ &route_conf_section,
	    { { "compress.encodings", LACKS, "br" }, { "compress.encodings", IS_FILLED, NULL } },
	    br_level, true, "has no effect: `encodings` has no br" },
	{ &call_conf_section, { { "for_each", IS_MISSING, NULL } }, for_made_once, false,
	    "has no effect: it is for calls with `for_each`" },
	{ &listener_conf_section, { { "tls", IS_MISSING, NULL } }, handshakes, true, WITHOUT("tls") },
	{ &listener_conf_section, { { "trusted_proxies", IS_EMPTY, NULL } }, trusted_field, true,
	    WITHOUT("trusted_proxies") },
	{ &upstream_conf_section, { { "concurrency.limit", IS_WORD, "0" } }, queue, true,
	    WITHOUT("concurrency.limit") },
	{ &upstream_conf_section,
	    { { "servers", HAS_NO_TLS, NULL }, { "discover.scheme", IS_NO_WORD, "https" } }, tls, true,
	    "has no effect: the URL of no server begins with https" },
	{ &conf_root_section, { { "overload.concurrency.limit", IS_WORD, "0" } }, overload_queue, true,
	    WITHOUT("concurrency.limit") },
	{ &conf_root_section, { { "admin.address", IS_MISSING, NULL }, { "admin.socket", IS_MISSING, NULL } },
	    admin, true, WITHOUT("address") " or `socket`" },
	{ &test_conf_call_section, { { "fault", IS_WORD, "refuse timeout reset garbage" } }, answer, true,
	    "has no effect: the `fault` leaves no answer" },
	{ &test_conf_call_section, { { "fault", IS_WORD, "refuse timeout" } }, delay, true,
	    "has no effect: the `fault` leaves no answer" },
};

/* ---- settling */

/* What is passed on to calls, where there are none. */
static void
report_passed_on(const struct yaml_node *route, struct conf_errors *errors)
{
	struct conf_root_view view;

	if (yaml_tree_find(route, "calls") != NULL)
		return;
	for (size_t i = 0; i < route->n; i++)
		if (conf_root_find(&route_conf_section, route->entries[i].key, &view) &&
		    view.lender != NULL)
			conf_error_add(errors, yaml_tree_key_pos(route->entries[i].value),
			    "has no effect: it is for calls, and this route has none");
}

static void
take_out(struct yaml_node *map, const char *path)
{
	struct str rest = str_c(path), key;

	while (map != NULL && str_split(&rest, '.', &key)) {
		if (str_is_none(rest))
			yaml_tree_remove(map, key);
		map = yaml_tree_get(map, key);
	}
}

static void
settle_key(const struct yaml_node *written, struct yaml_node *effective, const char *path,
    const struct rule *rule, struct conf_errors *errors)
{
	const struct yaml_node *node = yaml_tree_find(written, path);

	if (node != NULL && rule->is_warning)
		conf_error_warn(errors, yaml_tree_key_pos(node), "%s", rule->why);
	else if (node != NULL)
		conf_error_add(errors, yaml_tree_key_pos(node), "%s", rule->why);
	take_out(effective, path);
}

/* What is built in for other routes is not for a batch, which takes POST. */
static void
drop_methods(struct yaml_node *route)
{
	const struct yaml_node *methods = yaml_tree_find(route, "methods");

	if (yaml_tree_find(route, "batch") != NULL && methods != NULL && methods->pos.file == NULL)
		yaml_tree_remove(route, STR("methods"));
}

/* With `need` one call is as good as another. Of a for_each it is still said whether all of its items must succeed. */
static void
settle_required(const struct yaml_node *written, struct yaml_node *effective, struct conf_errors *errors)
{
	static const struct rule rule = { .is_warning = true, .why = "has no effect: the route's `need` counts" };
	struct yaml_node *calls = yaml_tree_find(effective, "calls");

	if (is_word(yaml_tree_find(effective, "need"), "all") || calls == NULL || calls->kind != YAML_MAP)
		return;
	for (size_t i = 0; i < calls->n; i++) {
		const struct yaml_node *own =
		    yaml_tree_get(yaml_tree_find(written, "calls"), calls->entries[i].key);

		if (yaml_tree_find(calls->entries[i].value, "for_each") == NULL)
			settle_key(own, calls->entries[i].value, "required", &rule, errors);
	}
}

void
conf_idle_settle(const struct conf_section *section, const struct yaml_node *written,
    struct yaml_node *effective, struct conf_errors *errors)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].section != section || !holds(effective, &rules[i].when[0]) ||
		    !holds(effective, &rules[i].when[1]))
			continue;
		for (const char *const *path = rules[i].paths; *path != NULL; path++)
			settle_key(written, effective, *path, &rules[i], errors);
	}
	if (section != &route_conf_section)
		return;
	report_passed_on(written, errors);
	drop_methods(effective);
	settle_required(written, effective, errors);
}
