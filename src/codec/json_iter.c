/* Walking valid JSON: to find the end of a value, only quotes and brackets are looked at. */
#include "codec/json_iter.h"

#include "codec/json_bytes.h"
#include "codec/json_skip.h"

enum json_kind
json_iter_kind(char first)
{
	switch (first) {
	case 'n':
		return JSON_NULL;
	case 'f':
		return JSON_FALSE;
	case 't':
		return JSON_TRUE;
	case '"':
		return JSON_STRING;
	case '[':
		return JSON_ARRAY;
	case '{':
		return JSON_OBJECT;
	case '-':
	case '0' ... '9':
		return JSON_NUMBER;
	default:
		return JSON_NONE;
	}
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

static const char *
read_key(struct json_iter *it, const char *p, struct json_member *member)
{
	const char *key = p + 1;

	p = json_bytes_string_end(key, it->end);
	member->key = str_of(key, (size_t)(p - key));
	p = json_bytes_skip_space(p + 1, it->end) + 1; /* the colon */
	return json_bytes_skip_space(p, it->end);
}

bool
json_iter_next(struct json_iter *it, struct json_member *member)
{
	const char *p = it->at;
	const char *value;

	if (p == it->end)
		return false;
	member->key = str_none();
	if (it->is_object)
		p = read_key(it, p, member);
	value = p;
	member->value.kind = json_iter_kind(*p);
	p = end_of_value(p, it->end, member->value.kind);
	member->value.text = str_of(value, (size_t)(p - value));
	p = json_bytes_skip_space(p, it->end);
	if (p < it->end) /* a comma */
		p = json_bytes_skip_space(p + 1, it->end);
	it->at = p;
	return true;
}
