/* Putting results into the elements of a list. No state. */
#include "gather/zip.h"

#include "codec/json_iter.h"
#include "gather/insert.h"

const char *
zip_check(const struct json_path *inside)
{
	size_t at = json_path_each(inside);

	if (at == inside->n)
		return "\"[]\" is expected: results go into the elements of a list";
	if (at + 1 == inside->n)
		return "a key is expected behind \"[]\"";
	for (size_t i = at + 1; i < inside->n; i++) {
		if (inside->steps[i].kind != JSON_STEP_KEY)
			return "only keys can stand behind the \"[]\"";
	}
	return NULL;
}

static enum err_code
zip_elements(const struct zip_input *in, const struct insert *insert, struct json_value list,
    const struct json_path *path)
{
	struct json_member element;
	struct json_iter it;
	enum err_code e = ERR_NONE;
	size_t i = 0;

	json_iter_init(&it, list);
	for (; e == ERR_NONE && json_iter_next(&it, &element); i++) {
		struct json_value result = i < in->n ? in->results[i] : in->beyond;

		if (i >= in->n && result.kind == JSON_NONE)
			return ERR_SHAPE_MISMATCH;
		if (result.kind == JSON_NONE)
			continue;
		if (element.value.kind != JSON_OBJECT)
			return ERR_SHAPE_MISMATCH;
		e = insert_value(insert, element.value, path, result);
	}
	return e == ERR_NONE && i < in->n ? ERR_SHAPE_MISMATCH : e;
}

/* What all results together add. */
static size_t
growth(const struct zip_input *in, const struct json_path *path)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n; i++)
		n += insert_growth(path, in->results[i]);
	return n;
}

enum err_code
zip_apply(const struct zip_input *in, struct json_value *out)
{
	size_t at = json_path_each(in->inside);
	struct json_path outer = { in->inside->steps, at };
	struct json_path inner = { in->inside->steps + at + 1, in->inside->n - at - 1 };
	struct json_value list = json_path_find(&outer, in->target);
	struct edit edit;
	struct insert insert = { .edit = &edit, .js = in->js, .policy = in->policy };
	enum err_code e;

	if (list.kind != JSON_ARRAY)
		return ERR_SHAPE_MISMATCH;
	edit_init(&edit, in->arena, in->target.text, growth(in, &inner));
	e = zip_elements(in, &insert, list, &inner);
	if (e != ERR_NONE)
		return e;
	out->kind = in->target.kind;
	return edit_finish(&edit, &out->text);
}
