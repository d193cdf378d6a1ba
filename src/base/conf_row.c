/* Text of one configuration scalar to its value and back. No state; any thread. */
#include "base/conf_row.h"

#include "base/compiler.h"

struct unit {
	struct str name;
	uint64_t factor;
};

/* From the largest, so that values are written with the largest unit that divides them. */
static const struct unit duration_units[] = {
	{ STR_INIT("h"), 3600 * NS_PER_SEC },
	{ STR_INIT("m"), 60 * NS_PER_SEC },
	{ STR_INIT("s"), NS_PER_SEC },
	{ STR_INIT("ms"), NS_PER_MS },
	{ STR_INIT("us"), NS_PER_US },
	{ STR_INIT("ns"), 1 },
};

static const struct unit size_units[] = {
	{ STR_INIT("GiB"), UINT64_C(1) << 30 },
	{ STR_INIT("MiB"), UINT64_C(1) << 20 },
	{ STR_INIT("KiB"), UINT64_C(1) << 10 },
	{ STR_INIT("B"), 1 },
};

static const char *const type_texts[] = {
	[CONF_BOOL] = "true or false",
	[CONF_COUNT] = "a whole number",
	[CONF_DURATION] = "a duration such as 250ms, 2s or 1m",
	[CONF_SIZE] = "a size such as 512B, 64KiB or 1MiB",
	[CONF_WORD] = "one of the words listed",
	[CONF_STR] = "a text",
	[CONF_TEXT] = "a text",
	[CONF_TEMPLATE] = "a text with references",
	[CONF_TEXTS] = "a text or a list of texts",
	[CONF_PAIRS] = "a map of texts with references",
	[CONF_TEXT_PAIRS] = "a map of texts",
	[CONF_STATUSES] = "a status such as 404 or 4xx, or a list of them",
	[CONF_JSON] = "a JSON value",
	[CONF_JSON_TEMPLATE] = "a JSON value whose texts may have references",
	[CONF_PARSED] = "a text",
	[CONF_PARSED_LIST] = "a text or a list of texts",
	[CONF_SECTION] = "a map",
	[CONF_NAMED] = "a map of names",
	[CONF_ITEMS] = "a list",
};

const char *
conf_row_type_text(enum conf_type type)
{
	assert((size_t)type < ARRAY_LEN(type_texts));
	return type_texts[type];
}

static size_t
count_digits(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

/* "250" and the factor of the unit behind it. */
static bool
parse_with_unit(struct str text, const struct unit *units, size_t n_units, uint64_t *out)
{
	size_t digits = count_digits(text);
	struct str name = str_of(text.p + digits, text.n - digits);
	uint64_t v;

	if (!str_to_u64(str_of(text.p, digits), &v))
		return false;
	for (size_t i = 0; i < n_units; i++)
		if (str_eq(name, units[i].name))
			return !__builtin_mul_overflow(v, units[i].factor, out);
	return false;
}

bool
conf_row_parse_duration(struct str text, uint64_t *ns)
{
	if (str_eq(text, STR("0"))) {
		*ns = 0;
		return true;
	}
	return parse_with_unit(text, duration_units, ARRAY_LEN(duration_units), ns);
}

bool
conf_row_parse_size(struct str text, uint64_t *bytes)
{
	return str_to_u64(text, bytes) ||
	       parse_with_unit(text, size_units, ARRAY_LEN(size_units), bytes);
}

static size_t
put_with_unit(char *dst, uint64_t v, const struct unit *units, size_t n_units)
{
	size_t i = 0, n;

	while (i + 1 < n_units && (v == 0 || v % units[i].factor != 0))
		i++;
	n = str_put_u64(dst, v / units[i].factor);
	for (size_t k = 0; k < units[i].name.n; k++)
		dst[n++] = units[i].name.p[k];
	return n;
}

size_t
conf_row_put_duration(char *dst, uint64_t ns)
{
	if (ns == 0) {
		dst[0] = '0';
		return 1;
	}
	return put_with_unit(dst, ns, duration_units, ARRAY_LEN(duration_units));
}

size_t
conf_row_put_size(char *dst, uint64_t bytes)
{
	return put_with_unit(dst, bytes, size_units, ARRAY_LEN(size_units));
}

bool
conf_row_parse_status(struct str text, struct status_set *set)
{
	uint64_t code;

	if (text.n != 3 || text.p[0] < '2' || text.p[0] > '5')
		return false;
	if (str_eq(str_of(text.p + 1, 2), STR("xx"))) {
		unsigned first = (unsigned)(text.p[0] - '0') * 100;

		for (unsigned c = first; c < first + 100; c++)
			status_set_add(set, c);
		return true;
	}
	if (!str_to_u64(text, &code))
		return false;
	status_set_add(set, (unsigned)code);
	return true;
}

static bool
parse_bool(struct str text, uint64_t *out)
{
	*out = str_eq(text, STR("true"));
	return *out != 0 || str_eq(text, STR("false"));
}

static const char *
parse_word(const struct conf_row *row, struct str text, struct arena *a, uint64_t *out)
{
	struct str known = STR("");

	for (const struct conf_word *w = row->words; w->word != NULL; w++) {
		if (str_eq(text, str_c(w->word))) {
			*out = (uint64_t)w->value;
			return NULL;
		}
		known =
		    arena_printf(a, "%.*s%s%s", STR_FMT(known), known.n == 0 ? "" : ", ", w->word);
	}
	return arena_printf(a, "expected one of: %.*s", STR_FMT(known)).p;
}

static bool
parse_number(enum conf_type type, struct str text, uint64_t *out)
{
	switch (type) {
	case CONF_BOOL:
		return parse_bool(text, out);
	case CONF_DURATION:
		return conf_row_parse_duration(text, out);
	case CONF_SIZE:
		return conf_row_parse_size(text, out);
	default:
		return str_to_u64(text, out);
	}
}

struct str
conf_row_put_value(enum conf_type type, uint64_t v, char *dst)
{
	if (type == CONF_DURATION)
		return str_of(dst, conf_row_put_duration(dst, v));
	if (type == CONF_SIZE)
		return str_of(dst, conf_row_put_size(dst, v));
	return str_of(dst, str_put_u64(dst, v));
}

static const char *
say_range(const struct conf_row *row, struct arena *a)
{
	char low[CONF_ROW_VALUE_MAX], high[CONF_ROW_VALUE_MAX];
	struct str min = conf_row_put_value(row->type, row->min, low);
	struct str max = conf_row_put_value(row->type, row->max, high);

	if (row->max == 0)
		return arena_printf(a, "out of range, must be at least %.*s", STR_FMT(min)).p;
	return arena_printf(a, "out of range, must be %.*s to %.*s", STR_FMT(min), STR_FMT(max)).p;
}

const char *
conf_row_parse(const struct conf_row *row, struct str text, struct arena *a, uint64_t *out)
{
	uint64_t v;

	if (row->type == CONF_WORD)
		return parse_word(row, text, a, out);
	if (!parse_number(row->type, text, &v))
		return arena_printf(a, "expected %s", conf_row_type_text(row->type)).p;
	if (v < row->min || (row->max != 0 && v > row->max))
		return say_range(row, a);
	*out = v;
	return NULL;
}
