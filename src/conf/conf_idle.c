/* Which keys have an effect beside which others. No state; start-up and reload only. */
#include "conf/conf_idle.h"

#include "base/compiler.h"
#include "conf/conf.h"
#include "conf/conf_root.h"

/* ---- what an item of the effective tree is */

static bool
has(const struct yaml_node *item, const char *path)
{
	return yaml_tree_find(item, path) != NULL;
}

static bool
is_text(const struct yaml_node *item, const char *path, const char *text)
{
	const struct yaml_node *node = yaml_tree_find(item, path);

	return node != NULL && node->kind == YAML_SCALAR && str_eq(node->text, str_c(text));
}

/* The list under the path, or the text that stands for a list of one. */
static bool
lists(const struct yaml_node *item, const char *path, const char *text)
{
	const struct yaml_node *node = yaml_tree_find(item, path);

	if (node == NULL || node->kind != YAML_LIST)
		return is_text(item, path, text);
	for (size_t i = 0; i < node->n; i++)
		if (str_eq(node->entries[i].value->text, str_c(text)))
			return true;
	return false;
}

static bool
is_empty_list(const struct yaml_node *item, const char *path)
{
	const struct yaml_node *node = yaml_tree_find(item, path);

	return node != NULL && node->kind == YAML_LIST && node->n == 0;
}

static bool
is_proxy(const struct yaml_node *route)
{
	return has(route, "proxy");
}

static bool
is_reply(const struct yaml_node *route)
{
	return has(route, "reply");
}

static bool
is_batch(const struct yaml_node *route)
{
	return has(route, "batch");
}

static bool
is_streamed(const struct yaml_node *route)
{
	return has(route, "format") && !lists(route, "format", "json");
}

static bool
has_body(const struct yaml_node *route)
{
	return has(route, "response.body");
}

static bool
has_json(const struct yaml_node *route)
{
	return has(route, "response.json") && !has_body(route);
}

static bool
is_array(const struct yaml_node *route)
{
	return is_text(route, "response.shape", "array");
}

static bool
has_no_upgrade(const struct yaml_node *route)
{
	return is_empty_list(route, "proxy.upgrade");
}

static bool
offers_nothing(const struct yaml_node *route)
{
	return is_empty_list(route, "compress.encodings");
}

static bool
offers_no_gzip(const struct yaml_node *route)
{
	return has(route, "compress") && !offers_nothing(route) &&
	    !lists(route, "compress.encodings", "gzip");
}

static bool
offers_no_br(const struct yaml_node *route)
{
	return has(route, "compress") && !offers_nothing(route) &&
	    !lists(route, "compress.encodings", "br");
}

static bool
is_made_once(const struct yaml_node *call)
{
	return !has(call, "for_each");
}

static bool
has_no_tls(const struct yaml_node *listener)
{
	return !has(listener, "tls");
}

static bool
trusts_nobody(const struct yaml_node *listener)
{
	return is_empty_list(listener, "trusted_proxies");
}

static bool
has_no_limit(const struct yaml_node *upstream)
{
	return is_text(upstream, "concurrency.limit", "0");
}

static bool
has_no_tls_server(const struct yaml_node *upstream)
{
	const struct yaml_node *servers = yaml_tree_find(upstream, "servers");

	for (size_t i = 0; servers != NULL && i < servers->n; i++) {
		const struct yaml_node *url = yaml_tree_find(servers->entries[i].value, "url");

		if (url != NULL && str_has_prefix(url->text, STR("https://")))
			return false;
	}
	return !is_text(upstream, "discover.scheme", "https");
}

static bool
has_no_overload_limit(const struct yaml_node *root)
{
	return is_text(root, "overload.concurrency.limit", "0");
}

static bool
shows_nothing(const struct yaml_node *root)
{
	return !has(root, "admin.address") && !has(root, "admin.socket");
}

static bool
never_answers(const struct yaml_node *entry)
{
	return is_text(entry, "fault", "refuse") || is_text(entry, "fault", "timeout");
}

static bool
has_no_answer(const struct yaml_node *entry)
{
	return never_answers(entry) || is_text(entry, "fault", "reset") ||
	    is_text(entry, "fault", "garbage");
}

/* ---- what has then no effect */

static const char *const for_proxy[] = {
	"request.body",
	"response.on_conflict",
	"response.partial",
	"response.static",
	"response.move",
	"response.append",
	"response.drop",
	"response.shape",
	"response.status",
	"response.body",
	"response.json",
	"response.errors",
	"response.headers.copy",
	"response.headers.remove",
	"format",
	"need",
	NULL,
};
static const char *const for_reply[] = { "response", "format", "need", "request.body.required", NULL };
static const char *const for_stream[] = {
	"response.on_conflict",
	"response.partial",
	"response.static",
	"response.move",
	"response.append",
	"response.drop",
	"response.shape",
	"response.status",
	"response.body",
	"response.json",
	NULL,
};
/* How the answer is merged. */
static const char *const for_own_body[] = {
	"response.on_conflict",
	"response.static",
	"response.move",
	"response.append",
	"response.drop",
	"response.shape",
	NULL,
};
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
#define ON(key) "has no effect on a route with `" key "`"
#define WITHOUT(key) "has no effect without `" key "`"

static const struct rule {
	const struct conf_section *section; /* of the item */
	bool (*is_off)(const struct yaml_node *item);
	const char *const *paths; /* below the item */
	bool is_warning;
	const char *why;
} rules[] = {
	{ &route_conf_section, is_proxy, for_proxy, false, ON("proxy") },
	{ &route_conf_section, is_reply, for_reply, false, ON("reply") },
	{ &route_conf_section, is_batch, for_reply, false, ON("batch") },
	{ &route_conf_section, is_streamed, for_stream, false,
	    "has no effect: the route's `format` does not merge its parts" },
	{ &route_conf_section, has_body, for_own_body, false, INSTEAD("body") },
	{ &route_conf_section, has_json, for_own_body, false, INSTEAD("json") },
	{ &route_conf_section, has_body, meta, true, INSTEAD("body") },
	{ &route_conf_section, has_json, meta, true, INSTEAD("json") },
	{ &route_conf_section, is_array, meta, true, "has no effect: an array has no metadata" },
	{ &route_conf_section, has_no_upgrade, tunnel, true, WITHOUT("upgrade") },
	{ &route_conf_section, offers_nothing, compression, true, "has no effect: `encodings` is empty" },
	{ &route_conf_section, offers_no_gzip, gzip_level, true, "has no effect: `encodings` has no gzip" },
	{ &route_conf_section, offers_no_br, br_level, true, "has no effect: `encodings` has no br" },
	{ &call_conf_section, is_made_once, for_made_once, false,
	    "has no effect: it is for calls with `for_each`" },
	{ &listener_conf_section, has_no_tls, handshakes, true, WITHOUT("tls") },
	{ &listener_conf_section, trusts_nobody, trusted_field, true, WITHOUT("trusted_proxies") },
	{ &upstream_conf_section, has_no_limit, queue, true, WITHOUT("concurrency.limit") },
	{ &upstream_conf_section, has_no_tls_server, tls, true,
	    "has no effect: the URL of no server begins with https" },
	{ &conf_root_section, has_no_overload_limit, overload_queue, true, WITHOUT("concurrency.limit") },
	{ &conf_root_section, shows_nothing, admin, true, WITHOUT("address") " or `socket`" },
	{ &test_conf_call_section, has_no_answer, answer, true, "has no effect: the `fault` leaves no answer" },
	{ &test_conf_call_section, never_answers, delay, true, "has no effect: the `fault` leaves no answer" },
};

/* ---- settling */

/* What is passed on to calls, where there are none. */
static void
report_passed_on(const struct yaml_node *route, struct conf_errors *errors)
{
	struct conf_root_view view;

	if (has(route, "calls"))
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

	if (is_batch(route) && methods != NULL && methods->pos.file == NULL)
		yaml_tree_remove(route, STR("methods"));
}

/* With `need` one call is as good as another. Of a for_each it is still said whether all of its items must succeed. */
static void
settle_required(const struct yaml_node *written, struct yaml_node *effective, struct conf_errors *errors)
{
	static const struct rule rule = { .is_warning = true, .why = "has no effect: the route's `need` counts" };
	struct yaml_node *calls = yaml_tree_find(effective, "calls");

	if (is_text(effective, "need", "all") || calls == NULL || calls->kind != YAML_MAP)
		return;
	for (size_t i = 0; i < calls->n; i++) {
		const struct yaml_node *own =
		    yaml_tree_get(yaml_tree_find(written, "calls"), calls->entries[i].key);

		if (is_made_once(calls->entries[i].value))
			settle_key(own, calls->entries[i].value, "required", &rule, errors);
	}
}

void
conf_idle_settle(const struct conf_section *section, const struct yaml_node *written,
    struct yaml_node *effective, struct conf_errors *errors)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].section != section || !rules[i].is_off(effective))
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
