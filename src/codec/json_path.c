/* Compiling and following paths. Compilation runs at load, looking up in any thread. */
#include "codec/json_path.h"

#include "base/compiler.h"
#include "codec/json_bytes.h"
#include "codec/json_iter.h"
#include "codec/json_scan.h"
#include "codec/json_str.h"
#include "codec/json_write.h"
#include "codec/utf8.h"

/* A path that is being read. */
struct reader {
	struct arena *arena;
	struct str text;
	size_t at;
	struct json_path path;
	struct json_fault fault;
};

static enum err_code
fail(struct reader *r, size_t offset, const char *reason)
{
	r->fault = (struct json_fault){ offset, reason };
	return ERR_BAD_CONFIG;
}

static bool
is_at_end(const struct reader *r)
{
	return r->at == r->text.n;
}

static bool
is_at(const struct reader *r, char c)
{
	return r->at < r->text.n && r->text.p[r->at] == c;
}

static enum err_code
add_step(struct reader *r, struct json_step step)
{
	if (r->path.n == JSON_PATH_MAX_STEPS)
		return fail(r, r->at, "the path has too many steps");
	r->path.steps[r->path.n++] = step;
	return ERR_NONE;
}

static struct json_step
key_step(struct arena *a, struct str key)
{
	return (struct json_step){ .kind = JSON_STEP_KEY, .key = key, .quoted = json_write_str(a, key) };
}

bool
json_path_is_bare(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && memchr(".[]{}|\"", c, 7) == NULL;
}

static enum err_code
read_bare_key(struct reader *r)
{
	size_t from = r->at;

	while (!is_at_end(r) && json_path_is_bare(r->text.p[r->at]))
		r->at++;
	if (r->at == from)
		return fail(r, from, "a key is expected");
	return add_step(r, key_step(r->arena, str_of(r->text.p + from, r->at - from)));
}

/* A key written as a JSON string; the scanner decides whether it is one. */
static enum err_code
read_quoted_key(struct reader *r)
{
	const char *from = r->text.p + r->at;
	const char *end = r->text.p + r->text.n;
	const char *p = json_bytes_string_end(from + 1, end);
	struct json_value value;
	struct json_fault fault;
	struct str key;
	enum err_code e;

	if (p == end)
		return fail(r, r->at, "the quoted key has no end");
	e = json_scan_once(str_of(from, (size_t)(p + 1 - from)), &value, &fault);
	if (e != ERR_NONE)
		return fail(r, r->at + fault.offset, fault.reason);
	key = json_str_text(r->arena, str_of(from + 1, value.text.n - 2));
	if (!utf8_is_valid(key))
		return fail(r, r->at, "a lone surrogate in a key");
	r->at += value.text.n;
	return add_step(r, key_step(r->arena, key));
}

static enum err_code
read_key(struct reader *r)
{
	return is_at(r, '"') ? read_quoted_key(r) : read_bare_key(r);
}

static enum err_code
read_bracket(struct reader *r)
{
	struct json_step step = { .kind = JSON_STEP_EACH };
	size_t from = ++r->at;
	struct str digits;

	while (!is_at_end(r) && !is_at(r, ']'))
		r->at++;
	if (is_at_end(r))
		return fail(r, from - 1, "the bracket has no end");
	digits = str_of(r->text.p + from, r->at - from);
	if (digits.n > 0) {
		step.kind = JSON_STEP_INDEX;
		if (!str_to_u64(digits, &step.index))
			return fail(r, from, "an index or nothing is expected between brackets");
	}
	r->at++;
	return add_step(r, step);
}

/* One step; a dot stands before every key but the first. */
static enum err_code
read_step(struct reader *r)
{
	if (is_at(r, '['))
		return read_bracket(r);
	if (r->path.n > 0) {
		if (!is_at(r, '.'))
			return fail(r, r->at, "a dot or a bracket is expected");
		r->at++;
	}
	return read_key(r);
}

enum err_code
json_path_compile(
    struct arena *a, struct str text, struct json_path *path, struct json_fault *fault)
{
	struct json_step steps[JSON_PATH_MAX_STEPS];
	struct reader r = { .arena = a, .text = text, .path = { steps, 0 } };
	enum err_code e = ERR_NONE;

	if (text.n == 0)
		e = fail(&r, 0, "the path is empty; the root is \".\"");
	else if (!utf8_is_valid(text))
		e = fail(&r, 0, "invalid UTF-8");
	else if (str_eq(text, STR(".")))
		r.at = text.n;
	while (e == ERR_NONE && !is_at_end(&r))
		e = read_step(&r);
	if (e != ERR_NONE) {
		*fault = r.fault;
		return e;
	}
	path->n = r.path.n;
	path->steps = arena_alloc(a, path->n * sizeof *path->steps);
	memcpy(path->steps, steps, path->n * sizeof *path->steps);
	return ERR_NONE;
}

enum err_code
json_path_compile_into(
    struct arena *a, struct str text, struct json_path *path, struct json_fault *fault)
{
	enum err_code e = json_path_compile(a, text, path, fault);

	if (e != ERR_NONE)
		return e;
	*fault = (struct json_fault){ 0, NULL };
	for (size_t i = 0; i < path->n; i++) {
		if (path->steps[i].kind == JSON_STEP_INDEX)
			fault->reason = "a part cannot be put at an index of an array";
		else if (path->steps[i].kind == JSON_STEP_EACH && i + 1 < path->n)
			fault->reason = "\"[]\" can only be the last step";
	}
	return fault->reason == NULL ? ERR_NONE : ERR_BAD_CONFIG;
}

enum err_code
json_path_compile_ref(
    struct arena *a, struct str text, struct json_path *path, struct json_fault *fault)
{
	enum err_code e = json_path_compile(a, text, path, fault);

	if (e != ERR_NONE || json_path_each(path) == path->n)
		return e;
	*fault = (struct json_fault){ 0, "\"[]\" names many values, not one" };
	return ERR_BAD_CONFIG;
}

bool
json_path_eq(const struct json_path *a, const struct json_path *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++) {
		const struct json_step *s = &a->steps[i], *t = &b->steps[i];

		if (s->kind != t->kind || s->index != t->index || !str_eq(s->key, t->key))
			return false;
	}
	return a->n == b->n;
}

size_t
json_path_each(const struct json_path *path)
{
	size_t at = 0;

	while (at < path->n && path->steps[at].kind != JSON_STEP_EACH)
		at++;
	return at;
}

void
json_path_of_key(struct arena *a, struct str key, struct json_path *path)
{
	path->n = 1;
	path->steps = arena_alloc(a, sizeof *path->steps);
	path->steps[0] = key_step(a, key);
}

static struct json_value
find_key(struct json_value object, const struct json_step *step)
{
	struct str quoted = step->quoted;
	struct str raw = str_of(quoted.p + 1, quoted.n - 2);
	struct json_iter it;
	struct json_member member;

	if (object.kind == JSON_OBJECT) {
		json_iter_init(&it, object);
		while (json_iter_next(&it, &member)) {
			if (json_str_eq(member.key, raw))
				return member.value;
		}
	}
	return (struct json_value){ JSON_NONE, { NULL, 0 } };
}

static struct json_value
find_index(struct json_value array, uint64_t index)
{
	struct json_iter it;
	struct json_member member;

	if (array.kind == JSON_ARRAY) {
		json_iter_init(&it, array);
		while (json_iter_next(&it, &member)) {
			if (index-- == 0)
				return member.value;
		}
	}
	return (struct json_value){ JSON_NONE, { NULL, 0 } };
}

struct json_value
json_path_find(const struct json_path *path, struct json_value root)
{
	struct json_value at = root;

	for (size_t i = 0; i < path->n && at.kind != JSON_NONE; i++) {
		const struct json_step *step = &path->steps[i];

		if (step->kind == JSON_STEP_KEY)
			at = find_key(at, step);
		else if (step->kind == JSON_STEP_INDEX)
			at = find_index(at, step->index);
		else
			at = (struct json_value){ JSON_NONE, { NULL, 0 } };
	}
	return at;
}
