/* Walking valid JSON: to find the end of a value, only quotes and brackets are looked at. */
#include "codec/json_iter.h"

#include "codec/json_bytes.h"
#include "codec/json_skip.h"

static const unsigned char kinds[256] = {
	['n'] = JSON_NULL,
	['f'] = JSON_FALSE,
	['t'] = JSON_TRUE,
	['-'] = JSON_NUMBER,
	['0' ... '9'] = JSON_NUMBER,
	['"'] = JSON_STRING,
	['['] = JSON_ARRAY,
	['{'] = JSON_OBJECT,
};

static inline enum json_kind
kind_of(char first)
{
	return (enum json_kind)kinds[(unsigned char)first];
}

enum json_kind
json_iter_kind(char first)
{
	return kind_of(first);
}

static inline const char *
end_of_value(const char *p, const char *end, enum json_kind kind)
{
	switch (kind) {
	case JSON_STRING:
		return json_bytes_string_end(p + 1, end) + 1;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return json_skip_container(p, end);
	default:
		return json_bytes_word(p, end);
	}
}

struct str
json_iter_inside(struct json_value value)
{
	const char *p = value.text.p + 1;
	const char *end = value.text.p + value.text.n - 1;

	p = json_bytes_space(p, end);
	while (end > p && json_bytes_is_space(end[-1]))
		end--;
	return str_of(p, (size_t)(end - p));
}

void
json_iter_init(struct json_iter *it, struct json_value value)
{
	struct str inside = { "", 0 };

	if (value.kind == JSON_ARRAY || value.kind == JSON_OBJECT)
		inside = json_iter_inside(value);
	*it = (struct json_iter){ inside.p, inside.p + inside.n, value.kind == JSON_OBJECT };
}

void
json_iter_init_at(struct json_iter *it, struct json_value object, size_t offset)
{
	json_iter_init(it, object);
	it->at = object.text.p + offset;
}

struct str
json_iter_string(const char *p, const char *end)
{
	return str_of(p + 1, (size_t)(json_bytes_string_end(p + 1, end) - p - 1));
}

/* p at a byte of a valid text where something else than space follows. */
static inline const char *
skip_space(const char *p, const char *end)
{
	return LIKELY((unsigned char)*p > ' ') ? p : json_bytes_space(p, end);
}

static inline const char *
read_key(struct json_iter *it, const char *p, struct json_member *member)
{
	const char *key = p + 1;

	p = json_bytes_string_end(key, it->end);
	member->key = str_of(key, (size_t)(p - key));
	p = skip_space(p + 1, it->end) + 1; /* the colon */
	return skip_space(p, it->end);
}

bool
json_iter_next(struct json_iter *it, struct json_member *member)
{
	const char *p = it->at, *end = it->end;
	const char *value;

	if (p == end)
		return false;
	if (it->is_object)
		p = read_key(it, p, member);
	else
		member->key = str_none();
	value = p;
	member->value.kind = kind_of(*p);
	p = end_of_value(p, end, member->value.kind);
	member->value.text = str_of(value, (size_t)(p - value));
	if (p < end)
		p = skip_space(p, end);
	if (p < end) /* a comma */
		p = skip_space(p + 1, end);
	it->at = p;
	return true;
}

/* ---- each byte once */

void
json_iter_open(struct json_iter *it, const char *bracket, const char *end)
{
	*it = (struct json_iter){ skip_space(bracket + 1, end), end, *bracket == '{' };
}

bool
json_iter_enter(struct json_iter *it, struct json_member *member)
{
	const char *p = it->at;

	if (*p == '}' || *p == ']')
		return false;
	if (it->is_object)
		p = read_key(it, p, member);
	else
		member->key = str_none();
	member->value = (struct json_value){ kind_of(*p), str_of(p, 0) };
	return true;
}

/* A comma or the closing bracket follows. */
void
json_iter_leave(struct json_iter *it, const char *behind)
{
	const char *p = skip_space(behind, it->end);

	it->at = *p == ',' ? skip_space(p + 1, it->end) : p;
}

void
json_iter_pass(struct json_iter *it, struct json_member *member)
{
	struct str *text = &member->value.text;
	const char *behind = end_of_value(text->p, it->end, member->value.kind);

	text->n = (size_t)(behind - text->p);
	json_iter_leave(it, behind);
}

const char *
json_iter_close(const struct json_iter *it)
{
	return it->at + 1;
}
