/* What a scan seldom does: faults, escapes, long strings, strings in other scripts, equal keys. */
#include "codec/json_run.h"

#include "base/compiler.h"
#include "codec/json_bytes.h"
#include "codec/json_iter.h"
#include "codec/json_str.h"
#include "codec/utf8.h"

/* Objects up to this size are compared key by key, of larger ones only the suspects. */
#define FEW_KEYS 12

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

enum { LETTER_ESCAPE = 1, LETTER_HEX = 2 };

/* What a byte may be behind a backslash. RFC 8259 7 */
static const unsigned char letters[256] = {
	['"'] = LETTER_ESCAPE,
	['\\'] = LETTER_ESCAPE,
	['/'] = LETTER_ESCAPE,
	['0' ... '9'] = LETTER_HEX,
	['A' ... 'F'] = LETTER_HEX,
	['a'] = LETTER_HEX,
	['b'] = LETTER_HEX | LETTER_ESCAPE,
	['c' ... 'e'] = LETTER_HEX,
	['f'] = LETTER_HEX | LETTER_ESCAPE,
	['n'] = LETTER_ESCAPE,
	['r'] = LETTER_ESCAPE,
	['t'] = LETTER_ESCAPE,
};

static inline unsigned
letter(char c)
{
	return letters[(unsigned char)c];
}

static inline bool
is_letter(char c, unsigned kind)
{
	return (letter(c) & kind) != 0;
}

/* p at a backslash of a text that may end within the escape, or of one that is wrong. */
static const char *
read_any_escape(struct json_run *r, const char *p)
{
	p++;
	if (is_letter(*p, LETTER_ESCAPE))
		return p + 1;
	if (*p != 'u')
		return json_run_fault_expected(r, p, "unknown escape");
	for (int i = 0; i < 4; i++) {
		if (!is_letter(*++p, LETTER_HEX))
			return json_run_fault_expected(r, p, "four hex digits must follow \\u");
	}
	return p + 1;
}

/* p at a backslash. No branch on the length: which escape is next cannot be foreseen. */
static inline const char *
read_escape(struct json_run *r, const char *p)
{
	unsigned is_hex, is_valid;

	if (UNLIKELY(r->limit - p < 6))
		return read_any_escape(r, p);
	is_hex = p[1] == 'u';
	is_valid = letter(p[2]) & letter(p[3]) & letter(p[4]) & letter(p[5]) & LETTER_HEX;
	is_valid = (letter(p[1]) & LETTER_ESCAPE) | (is_valid & is_hex * LETTER_HEX);
	return LIKELY(is_valid != 0) ? p + 2 + 4 * is_hex : read_any_escape(r, p);
}

/*
 * The rest of a string, p at its first byte that is not ASCII. Returns the closing quote. UTF-8 is
 * checked in one go.
 */
static const char *
read_wide(struct json_run *r, const char *p, bool *has_escapes)
{
	const char *from = p, *limit, *invalid;

	while ((p = json_bytes_wide(p, r->end)) != r->end && *p == '\\') {
		*has_escapes = true;
		p = read_escape(r, p);
		if (p == NULL)
			break;
	}
	if (p != NULL && (p == r->end || *p != '"'))
		p = json_run_fault_expected(r, p, "control character in a string");
	limit = p != NULL ? p : r->start + r->fault.offset;
	invalid = utf8_find_invalid(str_of(from, (size_t)(limit - from)));
	return invalid == NULL ? p : json_run_fault(r, invalid, "invalid UTF-8");
}

/* Any string, p behind its opening quote. Returns the closing one. */
static const char *
find_quote(struct json_run *r, const char *p, bool *has_escapes)
{
	while (p != NULL) {
		uint64_t special = json_run_bits_from(r, &r->masks.special, p);

		p = special != 0 ? p + __builtin_ctzll(special) : json_bytes_plain(p, r->end);
		if (p == r->end)
			return json_run_fault_expected(r, p, "");
		if (*p == '"')
			return p;
		if ((unsigned char)*p >= 0x80)
			return read_wide(r, p, has_escapes);
		if (*p != '\\')
			return json_run_fault(r, p, "control character in a string");
		*has_escapes = true;
		p = read_escape(r, p);
	}
	return NULL;
}

const char *
json_run_string(struct json_run *r, const char *p)
{
	bool has_escapes;

	p = find_quote(r, p, &has_escapes);
	return p == NULL ? NULL : p + 1;
}

const char *
json_run_key(struct json_run *r, const char *key)
{
	bool has_escapes = false;
	const char *p = find_quote(r, key, &has_escapes);
	struct str raw;
	uint32_t hash;

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
	return n <= FEW_KEYS ? check_few_keys(r, keys, n) : check_many_keys(r, keys, n);
}

void
json_run_move_window(struct json_run *r, const char *p)
{
	const char *last = r->limit - JSON_BLOCK_BYTES;

	r->window = p < last ? p : last;
	r->blocks->read(&r->masks, r->window);
}
