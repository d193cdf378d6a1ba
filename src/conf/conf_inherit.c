/* Layers of maps folded into one by the rows. Start-up and reload only; one thread. */
#include "conf/conf_inherit.h"

#include "base/compiler.h"
#include "conf/conf.h"
#include "conf/conf_idle.h"
#include "conf/conf_root.h"

#define LAYERS_MAX 4

/* Maps from the nearest to the farthest. */
struct layers {
	struct {
		const struct yaml_node *map; /* never NULL */
		unsigned level;              /* only rows that carry it count; 0: all */
	} at[LAYERS_MAX];
	size_t n;
};

/* The node of a row's default, made once: it has no place, so that all can share it. */
struct builtin {
	const struct conf_row *row;
	struct yaml_node *node;
};

#define BUILTINS_MAX 128

struct inheritor {
	struct arena *arena;
	struct conf_errors *errors;
	struct builtin builtins[BUILTINS_MAX];
	size_t n_builtins;
	const struct yaml_node *root;
	const struct yaml_node *route; /* whose calls are being made */
};

static struct yaml_node *section_node(
    struct inheritor *in, const struct conf_section *section, const struct layers *layers);

static void
layers_add(struct layers *layers, const struct yaml_node *map, unsigned level)
{
	if (map == NULL || map->kind != YAML_MAP)
		return;
	assert(layers->n < LAYERS_MAX);
	layers->at[layers->n].map = map;
	layers->at[layers->n++].level = level;
}

static struct yaml_node *
defaults_for(const struct inheritor *in, struct str what)
{
	return yaml_tree_get(yaml_tree_get(in->root, STR("defaults")), what);
}

/* The one place that knows who inherits from whom. */
static void
layers_of_item(struct inheritor *in, const struct conf_section *section,
    const struct yaml_node *item, struct layers *out)
{
	layers_add(out, item, 0);
	if (section == &upstream_conf_section) {
		layers_add(out, defaults_for(in, STR("upstream")), CONF_IN_DEFAULTS);
	} else if (section == &route_conf_section) {
		layers_add(out, defaults_for(in, STR("route")), CONF_IN_DEFAULTS);
		in->route = item;
	} else if (section == &call_conf_section) {
		const struct yaml_node *name = yaml_tree_get(item, STR("upstream"));
		const struct yaml_node *upstreams = yaml_tree_get(in->root, STR("upstreams"));

		layers_add(out, in->route, CONF_IN_ROUTE);
		if (name != NULL && name->kind == YAML_SCALAR)
			layers_add(out, yaml_tree_get(upstreams, name->text), CONF_IN_UPSTREAM);
		layers_add(out, defaults_for(in, STR("call")), CONF_IN_DEFAULTS);
	}
}

static struct yaml_node *
item_node(struct inheritor *in, const struct conf_section *section, struct yaml_node *item)
{
	struct layers layers = { .n = 0 };
	struct yaml_node *out;

	if (item->kind == YAML_SCALAR && section->short_key != NULL) {
		struct yaml_node *map = yaml_tree_new(in->arena, YAML_MAP, item);

		yaml_tree_add(map, str_c(section->short_key), item, in->arena);
		item = map;
	}
	if (item->kind != YAML_MAP)
		return item;
	layers_of_item(in, section, item, &layers);
	out = section_node(in, section, &layers);
	conf_idle_settle(section, item, out, in->errors);
	return out;
}

static struct yaml_node *
items_node(struct inheritor *in, const struct conf_row *row, struct yaml_node *list)
{
	struct yaml_node *out;

	if (row->type == CONF_ITEMS && list->kind == YAML_SCALAR && row->section->short_key != NULL) {
		struct yaml_node *one = yaml_tree_new(in->arena, YAML_LIST, list);

		yaml_tree_add(one, str_none(), list, in->arena);
		list = one;
	}
	if (list->kind != (row->type == CONF_NAMED ? YAML_MAP : YAML_LIST))
		return list;
	out = yaml_tree_new(in->arena, list->kind, list);
	for (size_t i = 0; i < list->n; i++)
		yaml_tree_add(out, list->entries[i].key,
		    item_node(in, row->section, list->entries[i].value), in->arena);
	return out;
}

/* From the farthest to the nearest; a key keeps its place and takes the nearer value. */
static struct yaml_node *
pairs_node(struct inheritor *in, const struct layers *values)
{
	struct yaml_node *out = yaml_tree_new(in->arena, YAML_MAP, values->at[0].map);

	for (size_t l = values->n; l-- > 0;) {
		const struct yaml_node *map = values->at[l].map;

		for (size_t i = 0; i < map->n; i++) {
			size_t k = 0;

			while (k < out->n && !str_eq(out->entries[k].key, map->entries[i].key))
				k++;
			if (k < out->n)
				out->entries[k].value = map->entries[i].value;
			else
				yaml_tree_add(
				    out, map->entries[i].key, map->entries[i].value, in->arena);
		}
	}
	return out;
}

/* What the layers have under the key of a row; *nearest is the first of them whatever its shape. */
static void
values_of(const struct conf_row *row, const struct layers *layers, struct layers *out,
    struct yaml_node **nearest)
{
	*nearest = NULL;
	for (size_t i = 0; i < layers->n; i++) {
		struct yaml_node *value = yaml_tree_get(layers->at[i].map, str_c(row->key));

		if (value == NULL ||
		    (layers->at[i].level != 0 && (row->levels & layers->at[i].level) == 0))
			continue;
		if (*nearest == NULL)
			*nearest = value;
		layers_add(out, value, 0);
	}
}

static struct yaml_node *
builtin_node(struct inheritor *in, const struct conf_row *row)
{
	struct builtin *b = in->builtins;

	if (row->fallback == NULL)
		return NULL;
	for (; b < in->builtins + in->n_builtins; b++)
		if (b->row == row)
			return b->node;
	assert(in->n_builtins < BUILTINS_MAX);
	in->n_builtins++;
	*b = (struct builtin){ row, yaml_tree_builtin(row->fallback, in->arena) };
	return b->node;
}

static struct yaml_node *
row_node(struct inheritor *in, const struct conf_row *row, const struct layers *layers)
{
	struct layers values = { .n = 0 };
	struct yaml_node *nearest;

	values_of(row, layers, &values, &nearest);
	if (row->type == CONF_SECTION && (nearest == NULL || nearest->kind == YAML_MAP))
		return nearest == NULL && row->is_optional
			   ? NULL
			   : section_node(in, row->section, &values);
	if (nearest == NULL)
		return builtin_node(in, row);
	if (row->type == CONF_NAMED || row->type == CONF_ITEMS)
		return items_node(in, row, nearest);
	if ((row->type == CONF_PAIRS || row->type == CONF_TEXT_PAIRS) && nearest->kind == YAML_MAP)
		return pairs_node(in, &values);
	return nearest;
}

static struct yaml_node *
section_node(struct inheritor *in, const struct conf_section *section, const struct layers *layers)
{
	struct yaml_node *out =
	    yaml_tree_new(in->arena, YAML_MAP, layers->n == 0 ? NULL : layers->at[0].map);

	for (size_t i = 0; i < section->n_rows; i++) {
		struct yaml_node *value = row_node(in, &section->rows[i], layers);

		if (value != NULL)
			yaml_tree_add(out, str_c(section->rows[i].key), value, in->arena);
	}
	return out;
}

struct yaml_node *
conf_inherit(const struct yaml_node *root, struct arena *a, struct conf_errors *errors)
{
	struct inheritor in = { .arena = a, .errors = errors, .root = root };
	struct layers layers = { .n = 0 };
	struct yaml_node *out = yaml_tree_new(a, YAML_MAP, root);

	layers_add(&layers, root, 0);
	for (size_t i = 0; i < conf_root_section.n_rows; i++) {
		const struct conf_row *row = &conf_root_section.rows[i];
		struct yaml_node *value = row_node(&in, row, &layers);

		if (value != NULL && !str_eq(str_c(row->key), STR("defaults")) &&
		    !str_eq(str_c(row->key), STR("include")))
			yaml_tree_add(out, str_c(row->key), value, a);
	}
	conf_idle_settle(&conf_root_section, root, out, errors);
	return out;
}
