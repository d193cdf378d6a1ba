/* Lists of header fields and the grammar of their values. Pure functions over the caller's memory. */
#include "codec/header.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/octet.h"

void
header_list_init(struct header_list *list, struct header *at, size_t cap)
{
	assert(cap <= HEADER_LIST_MAX);
	list->at = at;
	list->n = 0;
	list->has_repeats = false;
	list->cap = (uint16_t)cap;
	memset(list->first, 0, sizeof(list->first));
}

static char
dash(char c)
{
	return c == '_' ? '-' : c;
}

bool
header_is_look_alike(struct str name)
{
	char dashed[32];

	if (name.n > sizeof(dashed) || memchr(name.p, '_', name.n) == NULL)
		return false;
	for (size_t i = 0; i < name.n; i++)
		dashed[i] = dash(name.p[i]);
	return http_table_header_flags(http_table_header(str_of(dashed, name.n))) != 0;
}

bool
header_is_same_name(struct str a, struct str b)
{
	size_t i = 0;

	if (a.n != b.n)
		return false;
	while (i < a.n &&
	    (dash(a.p[i]) == dash(b.p[i]) || str_ieq(str_of(a.p + i, 1), str_of(b.p + i, 1))))
		i++;
	return i == a.n;
}

bool
header_list_add(struct header_list *list, struct str name, struct str value)
{
	return header_list_add_id(list, http_table_header(name), name, value);
}

const struct header *
header_search_next(const struct header_list *list, const struct header *h)
{
	const struct header *end = list->at + list->n;

	assert(h->id != HEADER_OTHER);
	for (const struct header *next = h + 1; next < end; next++)
		if (next->id == h->id)
			return next;
	return NULL;
}

const struct header *
header_find_name(const struct header_list *list, struct str name)
{
	enum header_id id = http_table_header(name);

	if (id != HEADER_OTHER)
		return header_find(list, id);
	for (uint16_t i = 0; i < list->n; i++)
		if (list->at[i].id == HEADER_OTHER && str_ieq(list->at[i].name, name))
			return &list->at[i];
	return NULL;
}

void
header_list_nominate(struct header_list *list, struct str name)
{
	enum header_id id = http_table_header(name);
	uint16_t from = 0;

	if (id != HEADER_OTHER) {
		if (list->first[id] == 0)
			return;
		from = (uint16_t)(list->first[id] - 1);
	}
	for (uint16_t i = from; i < list->n; i++) {
		struct header *h = &list->at[i];

		if (h->id == id && (id != HEADER_OTHER || str_ieq(h->name, name)))
			h->is_hop = true;
	}
}

/* Index of the first comma outside quoted strings, or s.n. */
static size_t
find_comma(struct str s)
{
	bool is_quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && s.p[i] == '\\')
			i++;
		else if (!is_quoted && s.p[i] == ',')
			return i;
	}
	return s.n;
}

bool
header_next_element(struct str *rest, struct str *element)
{
	while (rest->n > 0) {
		size_t comma = find_comma(*rest);
		struct str e = str_trim(str_of(rest->p, comma));
		size_t skip = comma < rest->n ? comma + 1 : comma;

		*rest = str_of(rest->p + skip, rest->n - skip);
		if (e.n > 0) {
			*element = e;
			return true;
		}
	}
	return false;
}

bool
header_has_element(struct str value, struct str token)
{
	struct str one;

	while (header_next_element(&value, &one))
		if (str_ieq(one, token))
			return true;
	return false;
}

bool
header_has_token(const struct header_list *list, enum header_id id, struct str token)
{
	const struct header *h = header_find(list, id);

	for (; h != NULL; h = header_next(list, h))
		if (header_has_element(h->value, token))
			return true;
	return false;
}

bool
header_next_line(struct str *lines, struct str *name, struct str *value)
{
	if (lines->n == 0)
		return false;
	str_split(lines, '\n', value);
	if (str_has_suffix(*value, STR("\r")))
		value->n--;
	str_split(value, ':', name);
	*value = str_trim(*value);
	return true;
}

bool
header_is_token(struct str s)
{
	return s.n > 0 && octet_all(s, OCTET_TOKEN);
}

bool
header_is_value(struct str s)
{
	return octet_find_control(s.p, s.n) == s.n;
}
