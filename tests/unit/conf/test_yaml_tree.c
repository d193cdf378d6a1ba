#include "conf/yaml_tree.h"

#include "unit.h"

static struct arena arena;
static struct conf_errors errors;

static struct yaml_node *
parse(const char *text)
{
	struct yaml_node *root;

	arena_init(&arena, NULL, 0);
	conf_error_init(&errors, &arena);
	yaml_tree_parse(str_c(text), "f", &arena, &errors, &root);
	return root;
}

static void
assert_place(const struct yaml_node *node, uint32_t line, uint32_t column, const char *path)
{
	char buf[YAML_TREE_PATH_MAX];

	ck_assert_uint_eq(node->pos.line, line);
	ck_assert_uint_eq(node->pos.column, column);
	ck_assert_str_eq(yaml_tree_path(node, buf), path);
}

START_TEST(nodes_know_their_place)
{
	struct yaml_node *root = parse("a:\n  b: [ x, { c: y } ]\n  d: \"z\"\n"), *a, *b, *c;

	a = yaml_tree_get(root, STR("a"));
	b = yaml_tree_get(a, STR("b"));
	c = yaml_tree_get(b->entries[1].value, STR("c"));
	assert_place(root, 1, 1, "");
	assert_place(a, 2, 3, "a");
	ck_assert_uint_eq(yaml_tree_key_pos(a).line, 1);
	assert_place(b, 2, 6, "a.b");
	assert_place(b->entries[0].value, 2, 8, "a.b[0]");
	assert_place(c, 2, 16, "a.b[1].c");
	ck_assert_uint_eq(yaml_tree_key_pos(c).column, 13);
	ck_assert(c->is_plain);
	ck_assert(!yaml_tree_get(a, STR("d"))->is_plain);
	ck_assert_uint_eq(errors.n, 0);
	arena_reset(&arena);
}
END_TEST

START_TEST(columns_count_characters)
{
	struct yaml_node *root = parse("\"é\": ü\n");

	assert_place(root->entries[0].value, 1, 6, "é");
	arena_reset(&arena);
}
END_TEST

START_TEST(a_byte_order_mark_is_no_text)
{
	struct yaml_node *root = parse("\xef\xbb\xbf" "a: 1\r\n");

	ck_assert_uint_eq(errors.n, 0);
	assert_place(yaml_tree_get(root, STR("a")), 1, 4, "a");
	arena_reset(&arena);
	ck_assert_ptr_null(parse("\xef\xbb\xbf"));
	arena_reset(&arena);
}
END_TEST

START_TEST(empty_input_has_no_root)
{
	ck_assert_ptr_null(parse(""));
	ck_assert_uint_eq(errors.n, 0);
	arena_reset(&arena);
	ck_assert_ptr_null(parse("# a comment\n"));
	arena_reset(&arena);
}
END_TEST

START_TEST(goes_on_after_what_it_refuses)
{
	struct yaml_node *root = parse("a: &x 1\nb: *x\na: 2\nc: !t 3\n");

	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(errors.n, 4);
	ck_assert_int_eq(yaml_tree_get(root, STR("b"))->kind, YAML_BROKEN);
	ck_assert_str_is(yaml_tree_get(root, STR("a"))->raw, "1");
	arena_reset(&arena);
}
END_TEST

START_TEST(depth_is_bounded)
{
	char text[2 * YAML_TREE_DEPTH_MAX + 3];

	for (size_t i = 0; i <= YAML_TREE_DEPTH_MAX; i++) {
		text[i] = '[';
		text[2 * YAML_TREE_DEPTH_MAX + 1 - i] = ']';
	}
	text[2 * YAML_TREE_DEPTH_MAX + 2] = '\0';
	ck_assert_ptr_null(parse(text));
	ck_assert_uint_eq(errors.n, 1);
	arena_reset(&arena);
	text[2 * YAML_TREE_DEPTH_MAX + 1] = '\0';
	ck_assert_ptr_nonnull(parse(text + 1));
	ck_assert_uint_eq(errors.n, 0);
	arena_reset(&arena);
}
END_TEST

START_TEST(long_paths_are_cut)
{
	char text[4096], path[YAML_TREE_PATH_MAX];
	size_t n = 0;
	const struct yaml_node *node;

	for (int i = 0; i < 15; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "{ %0199d: ", i);
	n += (size_t)snprintf(text + n, sizeof text - n, "x");
	for (int i = 0; i < 15; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, " }");
	node = parse(text);
	ck_assert_uint_eq(errors.n, 0);
	while (node->n != 0)
		node = node->entries[0].value;
	ck_assert_uint_eq(strlen(yaml_tree_path(node, path)), YAML_TREE_PATH_MAX - 1);
	arena_reset(&arena);
}
END_TEST

START_TEST(keys_are_removed_and_found)
{
	struct yaml_node *root = parse("a: 1\nb: 2\nc: 3\n");

	yaml_tree_remove(root, STR("b"));
	yaml_tree_remove(root, STR("z"));
	ck_assert_uint_eq(root->n, 2);
	ck_assert_ptr_null(yaml_tree_get(root, STR("b")));
	ck_assert_str_is(yaml_tree_get(root, STR("c"))->text, "3");
	ck_assert_ptr_null(yaml_tree_get(NULL, STR("c")));
	ck_assert_ptr_null(yaml_tree_get(root->entries[0].value, STR("c")));
	arena_reset(&arena);
}
END_TEST

START_TEST(paths_of_keys_are_followed)
{
	struct yaml_node *root = parse("a: { b: { c: 1 } }\n");

	ck_assert_str_is(yaml_tree_find(root, "a.b.c")->text, "1");
	ck_assert_ptr_eq(yaml_tree_find(root, "a"), yaml_tree_get(root, STR("a")));
	ck_assert_ptr_null(yaml_tree_find(root, "a.x.c"));
	ck_assert_ptr_null(yaml_tree_find(root, "a.b.c.d"));
	ck_assert_ptr_null(yaml_tree_find(NULL, "a"));
	arena_reset(&arena);
}
END_TEST

UNIT_MAIN("yaml_tree", nodes_know_their_place, columns_count_characters,
    a_byte_order_mark_is_no_text, empty_input_has_no_root,
    goes_on_after_what_it_refuses, depth_is_bounded, long_paths_are_cut, keys_are_removed_and_found,
    paths_of_keys_are_followed)
