/*
 * Any bytes as a configuration: whatever they are, loading ends, in bounded memory. What is taken
 * is dumped, and the dump must be taken again and yield the same dump; trees without errors
 * round-trip likewise even when they are no configuration.
 */
#include "base/buf.h"
#include "conf/conf_dump.h"
#include "conf/conf_load.h"
#include "conf/yaml_tree.h"
#include "fuzz.h"

static void
must_be_equal(const struct buf *a, const struct buf *b)
{
	if (!str_eq(buf_str(a), buf_str(b)))
		abort();
}

static bool
dump_tree(struct str text, struct buf *out)
{
	struct arena arena;
	struct conf_errors errors;
	struct yaml_node *root;
	bool is_fine;

	arena_init(&arena, NULL, 0);
	conf_error_init(&errors, &arena);
	yaml_tree_parse(text, "tree", &arena, &errors, &root);
	is_fine = errors.n_errors == 0 && root != NULL && root->kind == YAML_MAP && root->n != 0;
	if (is_fine)
		conf_dump(root, out);
	arena_reset(&arena);
	return is_fine;
}

static bool
dump_conf(struct str text, struct buf *out)
{
	struct arena arena;
	struct conf_errors errors;
	struct conf *c = NULL;
	bool is_fine;

	arena_init(&arena, NULL, 0);
	is_fine = conf_load_text(text, "conf", &arena, &c, &errors) == ERR_NONE;
	if (is_fine != (errors.n_errors == 0))
		abort();
	if (is_fine)
		conf_dump(c->effective, out);
	arena_reset(&arena);
	return is_fine;
}

static void
round_trip(struct str text, bool (*dump)(struct str, struct buf *))
{
	struct buf first = BUF_INIT, second = BUF_INIT;

	if (dump(text, &first)) {
		if (!dump(buf_str(&first), &second))
			abort();
		must_be_equal(&first, &second);
	}
	buf_fini(&first);
	buf_fini(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };

	round_trip(text, dump_tree);
	round_trip(text, dump_conf);
	return 0;
}
