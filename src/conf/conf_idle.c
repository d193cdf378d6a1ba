/* Which keys belong to which kind of route or call. No state; start-up and reload only. */
#include "conf/conf_idle.h"

#include "base/compiler.h"
#include "conf/conf_root.h"
#include "gather/route_conf.h"

/* A path of at most two keys which routes of a kind do not obey. The kind is the key that makes it. */
static const struct idle_key {
	struct str kind;
	struct str key;
	struct str below; /* none: the key as a whole */
} idle_keys[] = {
	{ STR_INIT("proxy"), STR_INIT("request"), STR_INIT("body") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("on_conflict") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("partial") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("static") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("move") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("append") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("drop") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("shape") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("status") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("body") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("json") },
	{ STR_INIT("proxy"), STR_INIT("response"), STR_INIT("errors") },
	{ STR_INIT("reply"), STR_INIT("response"), { NULL, 0 } },
	{ STR_INIT("proxy"), STR_INIT("format"), { NULL, 0 } },
	{ STR_INIT("reply"), STR_INIT("format"), { NULL, 0 } },
	{ STR_INIT("batch"), STR_INIT("format"), { NULL, 0 } },
	{ STR_INIT("proxy"), STR_INIT("need"), { NULL, 0 } },
	{ STR_INIT("reply"), STR_INIT("need"), { NULL, 0 } },
	{ STR_INIT("batch"), STR_INIT("need"), { NULL, 0 } },
	{ STR_INIT("batch"), STR_INIT("response"), { NULL, 0 } },
	/* streams, which are not merged */
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("on_conflict") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("partial") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("static") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("move") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("append") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("drop") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("shape") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("status") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("body") },
	{ STR_INIT("format"), STR_INIT("response"), STR_INIT("json") },
};

/* Keys of a call that say how its `for_each` goes. */
static const struct str for_each_keys[] = {
	STR_INIT("distinct"),
	STR_INIT("max_items"),
	STR_INIT("truncate"),
	STR_INIT("parallel"),
};

/* Keys of a response that say how the answer is merged, where `body` or `json` stands in its place. */
static const struct str merge_keys[] = {
	STR_INIT("on_conflict"),
	STR_INIT("static"),
	STR_INIT("move"),
	STR_INIT("append"),
	STR_INIT("drop"),
	STR_INIT("shape"),
};

/* `format` says something of the rows above when the merged answer is not among the formats. */
static bool
is_merged(const struct yaml_node *format)
{
	if (format->kind != YAML_LIST)
		return str_eq(format->text, STR("json"));
	for (size_t i = 0; i < format->n; i++)
		if (str_eq(format->entries[i].value->text, STR("json")))
			return true;
	return false;
}

static struct yaml_node *
find(const struct yaml_node *route, const struct idle_key *idle)
{
	struct yaml_node *node = yaml_tree_get(route, idle->key);
	const struct yaml_node *kind = yaml_tree_get(route, idle->kind);

	if (kind == NULL || (str_eq(idle->kind, STR("format")) && is_merged(kind)))
		return NULL;
	return str_is_none(idle->below) ? node : yaml_tree_get(node, idle->below);
}

/* What is passed on to calls, where there are none. */
static void
report_passed_on(const struct yaml_node *route, struct conf_errors *errors)
{
	struct conf_root_view view;

	if (route->kind != YAML_MAP || yaml_tree_get(route, STR("calls")) != NULL)
		return;
	for (size_t i = 0; i < route->n; i++)
		if (conf_root_find(&route_conf_section, route->entries[i].key, &view) &&
		    view.lender != NULL)
			conf_error_add(errors, yaml_tree_key_pos(route->entries[i].value),
			    "has no effect: it is for calls, and this route has none");
}

static void
report_route(const struct yaml_node *route, struct conf_errors *errors)
{
	report_passed_on(route, errors);
	for (size_t i = 0; i < ARRAY_LEN(idle_keys); i++) {
		const struct yaml_node *node = find(route, &idle_keys[i]);

		if (node == NULL)
			continue;
		if (str_eq(idle_keys[i].kind, STR("format")))
			conf_error_add(errors, yaml_tree_key_pos(node),
			    "has no effect: the route's `format` does not merge its parts");
		else
			conf_error_add(errors, yaml_tree_key_pos(node),
			    "has no effect on a route with `%.*s`", STR_FMT(idle_keys[i].kind));
	}
}

static bool
has_body(const struct yaml_node *response)
{
	return yaml_tree_get(response, STR("body")) != NULL || yaml_tree_get(response, STR("json")) != NULL;
}

static void
report_merge(const struct yaml_node *route, struct conf_errors *errors)
{
	const struct yaml_node *response = yaml_tree_get(route, STR("response"));

	if (!has_body(response))
		return;
	for (size_t i = 0; i < ARRAY_LEN(merge_keys); i++) {
		const struct yaml_node *node = yaml_tree_get(response, merge_keys[i]);

		if (node != NULL)
			conf_error_add(errors, yaml_tree_key_pos(node),
			    "has no effect: `%s` stands in place of the merged answer",
			    yaml_tree_get(response, STR("body")) != NULL ? "body" : "json");
	}
}

static void
report_call(const struct yaml_node *call, struct conf_errors *errors)
{
	if (yaml_tree_get(call, STR("for_each")) != NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(for_each_keys); i++) {
		const struct yaml_node *node = yaml_tree_get(call, for_each_keys[i]);

		if (node != NULL)
			conf_error_add(errors, yaml_tree_key_pos(node),
			    "has no effect: it is for calls with `for_each`");
	}
}

static void
report_calls(const struct yaml_node *route, struct conf_errors *errors)
{
	const struct yaml_node *calls = yaml_tree_get(route, STR("calls"));

	for (size_t i = 0; calls != NULL && calls->kind == YAML_MAP && i < calls->n; i++)
		report_call(calls->entries[i].value, errors);
}

void
conf_idle_report(const struct yaml_node *written, struct conf_errors *errors)
{
	const struct yaml_node *routes = yaml_tree_get(written, STR("routes"));

	if (routes == NULL || routes->kind != YAML_LIST)
		return;
	for (size_t i = 0; i < routes->n; i++) {
		report_route(routes->entries[i].value, errors);
		report_merge(routes->entries[i].value, errors);
		report_calls(routes->entries[i].value, errors);
	}
}

/* What is built in for other routes is not for a batch, which takes POST. */
static void
drop_methods(struct yaml_node *route)
{
	const struct yaml_node *methods = yaml_tree_get(route, STR("methods"));

	if (yaml_tree_get(route, STR("batch")) != NULL && methods != NULL && methods->pos.file == NULL)
		yaml_tree_remove(route, STR("methods"));
}

static void
drop_merge(struct yaml_node *route)
{
	struct yaml_node *response = yaml_tree_get(route, STR("response"));

	if (!has_body(response))
		return;
	for (size_t i = 0; i < ARRAY_LEN(merge_keys); i++)
		yaml_tree_remove(response, merge_keys[i]);
}

void
conf_idle_drop(struct yaml_node *route)
{
	drop_methods(route);
	drop_merge(route);
	for (size_t i = 0; i < ARRAY_LEN(idle_keys); i++) {
		const struct idle_key *idle = &idle_keys[i];
		struct yaml_node *node = find(route, idle);

		if (node != NULL && str_is_none(idle->below))
			yaml_tree_remove(route, idle->key);
		else if (node != NULL)
			yaml_tree_remove(yaml_tree_get(route, idle->key), idle->below);
	}
}

void
conf_idle_drop_call(struct yaml_node *call)
{
	if (yaml_tree_get(call, STR("for_each")) != NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(for_each_keys); i++)
		yaml_tree_remove(call, for_each_keys[i]);
}
