/* Differences of JSON values. No state; as deep as the values, which is bounded. */
#include "daemon/json_diff.h"

#include "codec/json_iter.h"
#include "codec/json_str.h"

#define SHOWN_MAX 120 /* bytes of a value */

struct diff {
	struct buf *out;
	struct buf path; /* of the values that are being compared */
	size_t n;
};

static void compare(struct diff *d, struct json_value expected, struct json_value got);

static void
put_value(struct buf *out, struct json_value v)
{
	if (v.kind == JSON_NONE)
		buf_add_c(out, "nothing");
	else if (v.text.n <= SHOWN_MAX)
		buf_add(out, v.text);
	else
		buf_printf(out, "%.*s...", SHOWN_MAX, v.text.p);
}

static void
differ(struct diff *d, struct json_value expected, struct json_value got)
{
	if (d->n++ >= JSON_DIFF_MAX)
		return;
	buf_printf(d->out, "%.*s: expected ", STR_FMT(buf_str(&d->path)));
	put_value(d->out, expected);
	buf_add_c(d->out, ", got ");
	put_value(d->out, got);
	buf_add_char(d->out, '\n');
}

/* JSON_NONE: no such member. */
static struct json_value
member(struct json_value object, struct str key)
{
	struct json_iter it;
	struct json_member m;

	json_iter_init(&it, object);
	while (json_iter_next(&it, &m))
		if (json_str_eq(m.key, key))
			return m.value;
	return (struct json_value){ JSON_NONE, str_none() };
}

/* With one more step on the path. */
static void
compare_at(struct diff *d, struct str step, struct json_value expected, struct json_value got)
{
	size_t n = d->path.n;

	buf_add(&d->path, step);
	compare(d, expected, got);
	d->path.n = n;
}

static void
compare_member(struct diff *d, struct str key, struct json_value expected, struct json_value got)
{
	size_t n = d->path.n;

	buf_add_char(&d->path, '.');
	compare_at(d, key, expected, got);
	d->path.n = n;
}

static void
compare_objects(struct diff *d, struct json_value expected, struct json_value got)
{
	const struct json_value none = { JSON_NONE, str_none() };
	struct json_iter it;
	struct json_member m;

	json_iter_init(&it, expected);
	while (json_iter_next(&it, &m))
		compare_member(d, m.key, m.value, member(got, m.key));
	json_iter_init(&it, got);
	while (json_iter_next(&it, &m))
		if (member(expected, m.key).kind == JSON_NONE)
			compare_member(d, m.key, none, m.value);
}

static void
compare_arrays(struct diff *d, struct json_value expected, struct json_value got)
{
	struct json_iter a, b;
	struct json_member ma = { 0 }, mb = { 0 };
	bool has_a = true, has_b = true;

	json_iter_init(&a, expected);
	json_iter_init(&b, got);
	for (size_t i = 0; has_a || has_b; i++) {
		struct buf step = BUF_INIT;

		has_a = has_a && json_iter_next(&a, &ma);
		has_b = has_b && json_iter_next(&b, &mb);
		if (!has_a)
			ma.value.kind = JSON_NONE;
		if (!has_b)
			mb.value.kind = JSON_NONE;
		buf_printf(&step, "[%zu]", i);
		if (has_a || has_b)
			compare_at(d, buf_str(&step), ma.value, mb.value);
		buf_fini(&step);
	}
}

static void
compare(struct diff *d, struct json_value expected, struct json_value got)
{
	struct str a = expected.text, b = got.text;
	bool is_same = expected.kind == got.kind;

	if (is_same && expected.kind == JSON_OBJECT) {
		compare_objects(d, expected, got);
		return;
	}
	if (is_same && expected.kind == JSON_ARRAY) {
		compare_arrays(d, expected, got);
		return;
	}
	if (is_same && expected.kind == JSON_STRING)
		is_same = json_str_eq(str_of(a.p + 1, a.n - 2), str_of(b.p + 1, b.n - 2));
	else if (is_same && expected.kind == JSON_NUMBER)
		is_same = str_eq(a, b);
	if (!is_same)
		differ(d, expected, got);
}

size_t
json_diff_put(struct buf *out, struct str name, struct json_value expected, struct json_value got)
{
	struct diff d = { .out = out, .path = BUF_INIT };

	buf_add(&d.path, name);
	compare(&d, expected, got);
	if (d.n > JSON_DIFF_MAX)
		buf_printf(out, "and %zu more differences\n", d.n - JSON_DIFF_MAX);
	buf_fini(&d.path);
	return d.n;
}
