/* JSON for the checks. No state. */
#include "sim_json.h"

static void
skip_space(struct str *s)
{
	while (
	    s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\n' || s->p[0] == '\t' || s->p[0] == '\r'))
		*s = str_of(s->p + 1, s->n - 1);
}

static bool
skip_string(struct str *s)
{
	size_t i = 1;

	while (i < s->n && s->p[i] != '"')
		i += s->p[i] == '\\' ? 2 : 1;
	if (i >= s->n)
		return false;
	*s = str_of(s->p + i + 1, s->n - i - 1);
	return true;
}

static bool
skip_nested(struct str *s)
{
	size_t depth = 0;

	do {
		if (s->n == 0)
			return false;
		if (s->p[0] == '"') {
			if (!skip_string(s))
				return false;
			continue;
		}
		if (s->p[0] == '{' || s->p[0] == '[')
			depth++;
		else if (s->p[0] == '}' || s->p[0] == ']')
			depth--;
		*s = str_of(s->p + 1, s->n - 1);
	} while (depth > 0);
	return true;
}

static bool
skip_word(struct str *s)
{
	size_t i = 0;

	while (i < s->n && s->p[i] != ',' && s->p[i] != '}' && s->p[i] != ']' && s->p[i] > ' ')
		i++;
	*s = str_of(s->p + i, s->n - i);
	return i > 0;
}

bool
sim_json_value(struct str *rest, struct str *value)
{
	const char *from;
	bool is_there;

	skip_space(rest);
	if (rest->n == 0)
		return false;
	from = rest->p;
	if (from[0] == '"')
		is_there = skip_string(rest);
	else if (from[0] == '{' || from[0] == '[')
		is_there = skip_nested(rest);
	else
		is_there = skip_word(rest);
	*value = str_of(from, (size_t)(rest->p - from));
	return is_there;
}

/* The next member; false at the end, and then *is_whole says whether the object was one. */
static bool
next_member(struct str *rest, struct str *key, struct str *value, bool *is_whole)
{
	*is_whole = false;
	skip_space(rest);
	if (rest->n > 0 && (rest->p[0] == '{' || rest->p[0] == ','))
		*rest = str_of(rest->p + 1, rest->n - 1);
	skip_space(rest);
	if (rest->n > 0 && rest->p[0] == '}') {
		*rest = str_of(rest->p + 1, rest->n - 1);
		skip_space(rest);
		*is_whole = rest->n == 0;
		return false;
	}
	if (!sim_json_value(rest, key) || key->n < 2 || key->p[0] != '"')
		return false;
	*key = str_of(key->p + 1, key->n - 2);
	skip_space(rest);
	if (rest->n == 0 || rest->p[0] != ':')
		return false;
	*rest = str_of(rest->p + 1, rest->n - 1);
	return sim_json_value(rest, value);
}

struct str
sim_json_member(struct str object, struct str key)
{
	struct str k, v;
	bool is_whole;

	if (object.n == 0 || object.p[0] != '{')
		return str_none();
	while (next_member(&object, &k, &v, &is_whole))
		if (str_eq(k, key))
			return v;
	return str_none();
}

size_t
sim_json_count(struct str object)
{
	struct str k, v;
	bool is_whole;
	size_t n = 0;

	if (object.n == 0 || object.p[0] != '{')
		return SIZE_MAX;
	while (next_member(&object, &k, &v, &is_whole))
		n++;
	return is_whole ? n : SIZE_MAX;
}
