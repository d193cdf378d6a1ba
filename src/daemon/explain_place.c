/* Where values stand. No state. */
#include "daemon/explain_place.h"

#include "conf/yaml_tree.h"

#define VALUE_COLUMNS 12

void
explain_place_at(struct buf *out, const struct conf_pos *pos)
{
	buf_printf(out, "%s:%u", pos->file, pos->line);
}

/* Lists on one line; what ${…} expanded to is not shown. */
static void
put_value(struct buf *out, const struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR) {
		buf_add(out, node->raw);
		return;
	}
	for (size_t i = 0; i < node->n; i++) {
		if (i > 0)
			buf_add_c(out, ", ");
		if (node->entries[i].key.n != 0)
			buf_printf(out, "%.*s: ", STR_FMT(node->entries[i].key));
		put_value(out, node->entries[i].value);
	}
}

void
explain_place_line(
    struct buf *out, const char *label, const struct conf_pos *item, const char *path)
{
	const struct yaml_node *node = yaml_tree_find(item->node, path);
	char key[YAML_TREE_PATH_MAX];
	size_t begin;

	if (node == NULL || (node->kind != YAML_SCALAR && node->n == 0))
		return;
	if (node->pos.file == NULL && str_eq(node->raw, STR("0")))
		return; /* no limit of its own */
	buf_printf(out, "  %-14s ", label);
	begin = out->n;
	put_value(out, node);
	while (out->n - begin < VALUE_COLUMNS - 2)
		buf_add_char(out, ' ');
	buf_add_c(out, "  ");
	if (node->pos.file == NULL) {
		buf_add_c(out, "built-in\n");
		return;
	}
	explain_place_at(out, &node->pos);
	buf_printf(out, "  %s\n", yaml_tree_path(node, key));
}
