/* What a scan seldom does: faults, escapes, long strings, strings in other scripts, equal keys. */
#include "codec/json_run.h"

#include "base/compiler.h"
#include "codec/json_bytes.h"
#include "codec/json_iter.h"
#include "codec/json_str.h"
#include "codec/utf8.h"

__attribute__((cold)) const char *
json_run_fault(struct json_run *r, const char *p, const char *reason)
{
	r->fault = (struct json_fault){ (size_t)(p - r->start), reason };
	return NULL;
}

__attribute__((cold)) const char *
json_run_fault_expected(struct json_run *r, const char *p, const char *reason)
{
	return json_run_fault(r, p, p == r->end ? "the text ends too early" : reason);
}

static inline bool
is_hex(char c)
{
	unsigned char letter = (unsigned char)(c | 0x20);

	return json_bytes_is_digit(c) || (letter >= 'a' && letter <= 'f');
}

/* p at a backslash. RFC 8259 7 */
static const char *
read_escape(struct json_run *r, const char *p)
{
	const char *end = r->end;

	if (end - p < 2)
		return json_run_fault_expected(r, end, "");
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p + 2;
	case 'u':
		for (int i = 2; i < 6; i++) {
			if (p + i == end || !is_hex(p[i]))
				return json_run_fault_expected(
				    r, p + i, "four hex digits must follow \\u");
		}
		return p + 6;
	default:
		return json_run_fault(r, p + 1, "unknown escape");
	}
}

/* Looks for the closing quote, p at a quote, a backslash or a control character. */
static const char *
find_quote(struct json_run *r, const char *p, bool *has_escapes)
{
	for (; p != r->end && *p != '"'; p = json_bytes_wide(p, r->end)) {
		if (*p != '\\')
			return json_run_fault(r, p, "control character in a string");
		*has_escapes = true;
		p = read_escape(r, p);
		if (UNLIKELY(p == NULL))
			return NULL;
	}
	return p != r->end ? p : json_run_fault_expected(r, p, "");
}

/*
 * The rest of a string, p at the first byte in it that needs a look. Returns the closing quote. All
 * that is not ASCII is checked in one go.
 */
static const char *
read_rest(struct json_run *r, const char *p, bool *has_escapes)
{
	const char *quote = find_quote(r, json_bytes_wide(p, r->end), has_escapes);
	const char *limit = quote != NULL ? quote : r->start + r->fault.offset;
	const char *invalid = utf8_find_invalid(str_of(p, (size_t)(limit - p)));

	return invalid == NULL ? quote : json_run_fault(r, invalid, "invalid UTF-8");
}

const char *
json_run_string(struct json_run *r, const char *p)
{
	bool has_escapes;

	p = json_bytes_plain(p, r->end);
	if (p == r->end || *p != '"')
		p = read_rest(r, p, &has_escapes);
	return p == NULL ? NULL : p + 1;
}

const char *
json_run_key(struct json_run *r, const char *key)
{
	bool has_escapes = false;
	const char *p = json_bytes_plain(key, r->end);
	struct str raw;
	uint32_t hash;

	if (p == r->end || *p != '"')
		p = read_rest(r, p, &has_escapes);
	if (p == NULL)
		return NULL;
	raw = str_of(key, (size_t)(p - key));
	hash = has_escapes ? json_str_hash_escaped(raw, r->seed)
			   : json_str_hash_plain(raw, r->end, r->seed);
	json_keys_push(r->keys, hash, (uint32_t)(key - 1 - r->start));
	return p + 1;
}

static inline const char *
read_digits(struct json_run *r, const char *p)
{
	if (UNLIKELY(!json_bytes_is_digit(*p)))
		return json_run_fault_expected(r, p, "a digit is expected");
	return json_bytes_digits(p + 1, r->end);
}

/* What may follow the integer part; p stands at a point or the exponent. */
static const char *
read_fraction(struct json_run *r, const char *p)
{
	if (*p == '.') {
		p = read_digits(r, p + 1);
		if (p == NULL || (*p | 0x20) != 'e')
			return p;
	}
	p++;
	if (*p == '+' || *p == '-')
		p++;
	return read_digits(r, p);
}

const char *
json_run_number(struct json_run *r, const char *p)
{
	if (*p == '-')
		p++;
	else if (!json_bytes_is_digit(*p))
		return json_run_fault(r, p, "a value is expected");
	if (*p == '0' && json_bytes_is_digit(p[1]))
		return json_run_fault(r, p + 1, "a number begins with 0");
	p = read_digits(r, p);
	if (p != NULL && (*p == '.' || (*p | 0x20) == 'e'))
		return read_fraction(r, p);
	return p;
}

static struct str
key_at(const struct json_run *r, uint32_t place)
{
	return json_iter_string(r->start + place, r->end);
}

/* Two keys with equal hashes. */
static bool
check_pair(struct json_run *r, uint64_t a, uint64_t b)
{
	uint32_t first = (uint32_t)a, second = (uint32_t)b;

	if (!json_str_eq(key_at(r, first), key_at(r, second)))
		return true;
	r->has_duplicates = true;
	if (r->keeps_duplicates)
		return true;
	json_run_fault(r, r->start + (first > second ? first : second), "duplicate key");
	return false;
}

static inline uint32_t
hash_of(uint64_t record)
{
	return (uint32_t)(record >> 32);
}

static bool
check_few_keys(struct json_run *r, const uint64_t *keys, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint32_t hash = hash_of(keys[i]);

		for (size_t j = 0; j < i; j++) {
			if (UNLIKELY(hash_of(keys[j]) == hash) && !check_pair(r, keys[i], keys[j]))
				return false;
		}
	}
	return true;
}

static bool
check_many_keys(struct json_run *r, uint64_t *keys, size_t n)
{
	n = json_keys_suspects(keys, n);
	json_keys_sort(keys, n);
	for (size_t i = 1; i < n; i++) {
		/* nearly always none: equal hashes are equal keys, or one chance in 2^32 */
		for (size_t j = i; j > 0 && hash_of(keys[i]) == hash_of(keys[j - 1]); j--) {
			if (!check_pair(r, keys[i], keys[j - 1]))
				return false;
			if (r->has_duplicates)
				break;
		}
	}
	return true;
}

bool
json_run_close_object(struct json_run *r, size_t first)
{
	uint64_t *keys = json_keys_from(r->keys, first);
	size_t n = r->keys->n - first;

	r->keys->n = first;
	if (n <= 1)
		return true;
	return n <= JSON_RUN_FEW_KEYS ? check_few_keys(r, keys, n) : check_many_keys(r, keys, n);
}

void
json_run_move_window(struct json_run *r, const char *p)
{
	const char *last = r->limit - JSON_BLOCK_BYTES;

	r->window = p < last ? p : last;
	r->blocks->read(&r->masks, r->window);
}
