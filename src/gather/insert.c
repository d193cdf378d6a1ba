/* Changes that put values into objects. No state. */
#include "gather/insert.h"

#include <string.h>

#include "codec/json_iter.h"
#include "codec/json_str.h"
#include "gather/merge_json.h"

/* What is on its way: a value, and the keys that lead from where it is to its place. */
struct load {
	const struct json_step *steps;
	size_t n_steps;
	struct json_value value;
};

static void
add(const struct insert *in, const char *at, struct str s)
{
	edit_replace(in->edit, str_of(at, 0), s);
}

static const char *
end_of(struct json_value value)
{
	return value.text.p + value.text.n;
}

static void
add_load(const struct insert *in, const char *at, const struct load *load)
{
	for (size_t i = 0; i < load->n_steps; i++) {
		add(in, at, STR("{"));
		add(in, at, load->steps[i].quoted);
		add(in, at, STR(":"));
	}
	add(in, at, load->value.text);
	for (size_t i = 0; i < load->n_steps; i++)
		add(in, at, STR("}"));
}

static bool
is_nothing(struct json_value value)
{
	return value.kind == JSON_NONE || value.kind == JSON_NULL;
}

/* As elements: an array gives its own, any other value is one. */
static void
add_elements(const struct insert *in, const char *at, struct json_value value, struct str comma)
{
	struct str elements = value.kind == JSON_ARRAY ? json_iter_inside(value) : value.text;

	if (is_nothing(value) || elements.n == 0)
		return;
	add(in, at, comma);
	add(in, at, elements);
}

static void
append(const struct insert *in, struct json_value there, struct json_value value)
{
	struct str inside;

	if (there.kind == JSON_ARRAY) {
		inside = json_iter_inside(there);
		add_elements(in, inside.p + inside.n, value, inside.n > 0 ? STR(",") : STR(""));
		return;
	}
	add(in, there.text.p, STR("["));
	if (there.kind == JSON_NULL)
		edit_replace(in->edit, there.text, STR(""));
	add_elements(in, end_of(there), value, there.kind == JSON_NULL ? STR("") : STR(","));
	add(in, end_of(there), STR("]"));
}

/* Two objects become one, as two parts at the root would. */
static enum err_code
merge_objects(const struct insert *in, struct json_value there, struct json_value value)
{
	const struct json_value parts[2] = { there, value };
	struct merge_input input = { .parts = parts, .js = in->js, .arena = in->edit->arena };
	struct merge_result result = { .n = 0 };
	enum err_code e = merge_json_two(CONFLICT_DEEP, &input, &result);

	if (e != ERR_NONE)
		return e;
	edit_replace(in->edit, there.text, STR(""));
	for (size_t i = 0; i < result.n; i++)
		add(in, end_of(there), str_of(result.iov[i].iov_base, result.iov[i].iov_len));
	return ERR_NONE;
}

/* A value meets what is there. */
static enum err_code
meet(const struct insert *in, struct json_value there, const struct load *load)
{
	switch (in->policy) {
	case CONFLICT_ERROR:
		return ERR_MERGE_CONFLICT;
	case CONFLICT_FIRST:
		return ERR_NONE;
	case CONFLICT_APPEND:
		if (there.kind == JSON_ARRAY && load->n_steps == 0 && load->value.kind == JSON_ARRAY) {
			append(in, there, load->value);
			return ERR_NONE;
		}
		break;
	case CONFLICT_DEEP:
		/* with keys left to go, what is there is no object */
		if (there.kind == JSON_OBJECT && load->value.kind == JSON_OBJECT)
			return merge_objects(in, there, load->value);
		break;
	case CONFLICT_LAST:
		break;
	}
	edit_replace(in->edit, there.text, STR(""));
	add_load(in, end_of(there), load);
	return ERR_NONE;
}

/* The member with this key, or none; *end: where one more member can be put. */
static struct json_value
find_member(struct json_value object, const struct json_step *step, const char **end)
{
	struct str raw = str_of(step->quoted.p + 1, step->quoted.n - 2);
	struct json_value found = { JSON_NONE, { NULL, 0 } };
	struct json_member member;
	struct json_iter it;

	*end = object.text.p + 1;
	json_iter_init(&it, object);
	while (json_iter_next(&it, &member)) {
		if (json_str_eq(member.key, raw))
			found = member.value;
		*end = end_of(member.value);
	}
	return found;
}

static void
add_member(
    const struct insert *in, struct json_value object, const char *at, const struct load *load)
{
	struct load inside = { load->steps + 1, load->n_steps - 1, load->value };

	if (at != object.text.p + 1)
		add(in, at, STR(","));
	add(in, at, load->steps[0].quoted);
	add(in, at, STR(":"));
	add_load(in, at, &inside);
}

/* Follows the path as far as there is something: that, the keys left over, and the object around it. */
static struct json_value
follow(struct json_value *object, struct load *load, const char **end)
{
	struct json_value there = *object;

	while (load->n_steps > 0 && there.kind == JSON_OBJECT) {
		*object = there;
		there = find_member(*object, load->steps, end);
		if (there.kind == JSON_NONE)
			break;
		load->steps++;
		load->n_steps--;
	}
	return there;
}

enum err_code
insert_value(const struct insert *in, struct json_value object, const struct json_path *path,
    struct json_value value)
{
	struct load load = { path->steps, path->n, value };
	const char *end;
	struct json_value there = follow(&object, &load, &end);

	if (there.kind != JSON_NONE)
		return meet(in, there, &load);
	add_member(in, object, end, &load);
	return ERR_NONE;
}

/* As an array: a value that is none becomes its only element. */
static struct json_value
as_array(struct json_value value, struct arena *arena)
{
	char *text;

	if (value.kind == JSON_ARRAY)
		return value;
	text = arena_alloc(arena, value.text.n + 2);
	text[0] = '[';
	memcpy(text + 1, value.text.p, value.text.n);
	text[value.text.n + 1] = ']';
	return (struct json_value){ JSON_ARRAY, str_of(text, value.text.n + 2) };
}

enum err_code
insert_elements(const struct insert *in, struct json_value object, const struct json_path *path,
    struct json_value value)
{
	struct load load = { path->steps, path->n, value };
	const char *end;
	struct json_value there = follow(&object, &load, &end);

	if (there.kind != JSON_NONE && load.n_steps == 0) {
		append(in, there, value);
		return ERR_NONE;
	}
	if (is_nothing(value))
		return ERR_NONE;
	load.value = as_array(value, in->edit->arena);
	if (there.kind != JSON_NONE)
		return meet(in, there, &load);
	add_member(in, object, end, &load);
	return ERR_NONE;
}

size_t
insert_growth(const struct json_path *path, struct json_value value)
{
	size_t n = value.text.n + 3; /* a comma, brackets */

	for (size_t i = 0; i < path->n; i++)
		n += path->steps[i].quoted.n + 3; /* a colon, braces */
	return n;
}
