/* Lists of values in documents. No state; memory is the caller's arena. */
#include "gather/values.h"

#include <string.h>

#include "codec/json_iter.h"

/* Documents of this size may hold many values: they are counted first, so that the list need not grow. */
#define LARGE_BYTES 16384

/* A growing list in an arena. */
struct list {
	struct arena *arena;
	struct json_value *at;
	size_t n, cap;
	bool is_counting;
};

static void
add(struct list *l, struct json_value v)
{
	if (l->is_counting) {
		l->n++;
		return;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 16 : l->cap * 2;
		struct json_value *at = arena_alloc(l->arena, cap * sizeof *at);

		if (l->n != 0)
			memcpy(at, l->at, l->n * sizeof *at);
		l->at = at;
		l->cap = cap;
	}
	l->at[l->n++] = v;
}

/* The steps up to the next "[]" lead to one value; each of its elements goes on from there. */
static void
collect(const struct json_path *path, struct json_value root, struct list *l)
{
	struct json_path first = { path->steps, json_path_each(path) }, rest;
	struct json_member member;
	struct json_iter it;
	struct json_value v;

	v = json_path_find(&first, root);
	if (first.n == path->n) {
		add(l, v);
		return;
	}
	if (v.kind != JSON_ARRAY)
		return;
	rest = (struct json_path){ path->steps + first.n + 1, path->n - first.n - 1 };
	json_iter_init(&it, v);
	while (json_iter_next(&it, &member))
		collect(&rest, member.value, l);
}

size_t
values_collect(const struct json_path *path, struct json_value root, struct arena *arena,
    struct json_value **out)
{
	struct list l = { .arena = arena, .is_counting = root.kind != JSON_NONE && root.text.n > LARGE_BYTES };

	if (root.kind != JSON_NONE)
		collect(path, root, &l);
	if (l.is_counting) {
		l = (struct list){ .arena = arena, .cap = l.n };
		l.at = arena_alloc(arena, l.cap * sizeof *l.at);
		collect(path, root, &l);
	}
	*out = l.at;
	return l.n;
}

size_t
values_elements(struct json_value array, struct arena *arena, struct json_value **out)
{
	struct json_step each = { .kind = JSON_STEP_EACH };
	struct json_path path = { &each, 1 };

	return values_collect(&path, array, arena, out);
}

struct json_value
values_join(const struct json_value *values, size_t n, struct arena *arena)
{
	size_t bytes = 2, at = 0;
	char *to;

	for (size_t i = 0; i < n; i++)
		bytes += (values[i].kind == JSON_NONE ? 4 : values[i].text.n) + 1;
	to = arena_alloc(arena, bytes);
	to[at++] = '[';
	for (size_t i = 0; i < n; i++) {
		struct str text = values[i].kind == JSON_NONE ? STR("null") : values[i].text;

		if (i > 0)
			to[at++] = ',';
		memcpy(to + at, text.p, text.n);
		at += text.n;
	}
	to[at++] = ']';
	arena_trim(arena, to, bytes, at);
	return (struct json_value){ JSON_ARRAY, str_of(to, at) };
}

struct json_value
values_array(const struct json_path *path, struct json_value root, struct arena *arena)
{
	struct json_value *values;
	size_t n = values_collect(path, root, arena, &values), kept = 0;

	if (root.kind == JSON_NONE)
		return root;
	for (size_t i = 0; i < n; i++)
		if (values[i].kind != JSON_NONE)
			values[kept++] = values[i];
	return values_join(values, kept, arena);
}
