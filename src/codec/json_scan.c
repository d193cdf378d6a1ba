/*
 * One pass over the text, no recursion: the open arrays and objects are a small stack of levels,
 * the keys of open objects a stack of records, compared when their object closes. Functions take
 * the place they stand at and return the place behind what they read, or NULL when they found a
 * fault and noted it.
 */
#include "codec/json_scan.h"

#include "base/compiler.h"
#include "codec/json_bytes.h"
#include "codec/json_iter.h"
#include "codec/json_str.h"
#include "codec/utf8.h"

/* One scan: what the functions below share. */
struct run {
	const char *start;
	const char *end;
	struct json_keys *keys;
	bool keeps_duplicates;
	bool has_duplicates;
	struct json_fault fault;
};

/* An open array or object. */
struct level {
	uint32_t first_key; /* of the object, on the stack of keys */
	bool is_object;
};

/* Objects up to this size are compared key by key, of larger ones only the suspects. */
#define FEW_KEYS 12

void
json_scan_init(struct json_scan *js, uint64_t seed)
{
	*js = (struct json_scan){ .has_duplicates = false };
	json_keys_init(&js->keys, seed);
}

void
json_scan_fini(struct json_scan *js)
{
	json_keys_fini(&js->keys);
}

static __attribute__((noinline, cold)) const char *
fault_at(struct run *r, const char *p, const char *reason)
{
	r->fault = (struct json_fault){ (size_t)(p - r->start), reason };
	return NULL;
}

/* For bytes that cannot be here: a text that just ends has a reason of its own. */
static __attribute__((noinline, cold)) const char *
fault_expected(struct run *r, const char *p, const char *reason)
{
	return fault_at(r, p, p == r->end ? "the text ends too early" : reason);
}

static inline bool
is_hex(char c)
{
	unsigned char letter = (unsigned char)(c | 0x20);

	return json_bytes_is_digit(c) || (letter >= 'a' && letter <= 'f');
}

/* p stands at a backslash. RFC 8259 7 */
static const char *
scan_escape(struct run *r, const char *p)
{
	const char *end = r->end;

	if (end - p < 2)
		return fault_expected(r, end, "");
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
				return fault_expected(r, p + i, "four hex digits must follow \\u");
		}
		return p + 6;
	default:
		return fault_at(r, p + 1, "unknown escape");
	}
}

/* Looks for the closing quote, p at a quote, a backslash or a control character. */
static const char *
scan_to_quote(struct run *r, const char *p, bool *escaped)
{
	for (; p != r->end && *p != '"'; p = json_bytes_wide(p, r->end)) {
		if (*p != '\\')
			return fault_at(r, p, "control character in a string");
		*escaped = true;
		p = scan_escape(r, p);
		if (UNLIKELY(p == NULL))
			return NULL;
	}
	return p != r->end ? p : fault_expected(r, p, "");
}

/*
 * The rest of a string, p at the first byte in it that needs a look. Returns the closing quote;
 * *escaped is set when there is an escape before it. All that is not ASCII is checked in one go.
 */
static const char *
scan_string_rest(struct run *r, const char *p, bool *escaped)
{
	const char *quote = scan_to_quote(r, json_bytes_wide(p, r->end), escaped);
	const char *limit = quote != NULL ? quote : r->start + r->fault.offset;
	const char *invalid = utf8_find_invalid(str_of(p, (size_t)(limit - p)));

	return invalid == NULL ? quote : fault_at(r, invalid, "invalid UTF-8");
}

/* p behind the opening quote; returns the closing one. */
static inline const char *
scan_string(struct run *r, const char *p, bool *escaped)
{
	p = json_bytes_plain(p, r->end);
	if (LIKELY(p < r->end && *p == '"'))
		return p;
	return scan_string_rest(r, p, escaped);
}

static inline const char *
scan_digits(struct run *r, const char *p)
{
	if (UNLIKELY(p == r->end || !json_bytes_is_digit(*p)))
		return fault_expected(r, p, "a digit is expected");
	return json_bytes_digits(p + 1, r->end);
}

/* What may follow the integer part; p stands at a point or the exponent. */
static const char *
scan_fraction(struct run *r, const char *p)
{
	if (*p == '.') {
		p = scan_digits(r, p + 1);
		if (p == NULL || p == r->end || (*p | 0x20) != 'e')
			return p;
	}
	p++;
	if (p < r->end && (*p == '+' || *p == '-'))
		p++;
	return scan_digits(r, p);
}

/* p stands at the minus or the first digit. RFC 8259 6 */
static inline const char *
scan_number(struct run *r, const char *p)
{
	if (*p == '-')
		p++;
	if (p < r->end && *p == '0') {
		p++;
		if (UNLIKELY(p < r->end && json_bytes_is_digit(*p)))
			return fault_at(r, p, "a number begins with 0");
	} else {
		p = scan_digits(r, p);
	}
	if (p != NULL && p < r->end && (*p == '.' || (*p | 0x20) == 'e'))
		return scan_fraction(r, p);
	return p;
}

static inline const char *
scan_word(struct run *r, const char *p, const char *word, size_t n)
{
	if (LIKELY((size_t)(r->end - p) >= n && memcmp(p, word, n) == 0))
		return p + n;
	return fault_at(r, p, "a value is expected");
}

/* A value that holds no others; p stands at its first byte. */
static inline const char *
scan_scalar(struct run *r, const char *p)
{
	bool escaped;

	switch (*p) {
	case '"':
		p = scan_string(r, p + 1, &escaped);
		return p == NULL ? NULL : p + 1;
	case 't':
		return scan_word(r, p, "true", 4);
	case 'f':
		return scan_word(r, p, "false", 5);
	case 'n':
		return scan_word(r, p, "null", 4);
	case '-':
	case '0' ... '9':
		return scan_number(r, p);
	default:
		return fault_at(r, p, "a value is expected");
	}
}

static struct str
key_at(const struct run *r, uint32_t place)
{
	return json_iter_string(r->start + place, r->end);
}

/* Two keys with equal hashes. */
static bool
check_pair(struct run *r, uint64_t a, uint64_t b)
{
	uint32_t first = (uint32_t)a, second = (uint32_t)b;

	if (!json_str_eq(key_at(r, first), key_at(r, second)))
		return true;
	r->has_duplicates = true;
	if (r->keeps_duplicates)
		return true;
	fault_at(r, r->start + (first > second ? first : second), "duplicate key");
	return false;
}

static bool
check_few_keys(struct run *r, const uint64_t *keys, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (UNLIKELY((keys[i] ^ keys[j]) >> 32 == 0) &&
			    !check_pair(r, keys[i], keys[j]))
				return false;
		}
	}
	return true;
}

static bool
check_many_keys(struct run *r, uint64_t *keys, size_t n)
{
	n = json_keys_suspects(keys, n);
	json_keys_sort(keys, n);
	for (size_t i = 1; i < n; i++) {
		/* nearly always none: equal hashes are equal keys, or one chance in 2^32 */
		for (size_t j = i; j > 0 && (keys[i] ^ keys[j - 1]) >> 32 == 0; j--) {
			if (!check_pair(r, keys[i], keys[j - 1]))
				return false;
			if (r->has_duplicates)
				break;
		}
	}
	return true;
}

/* Pops the keys of an object that closes; false when two are equal. */
static inline bool
close_object(struct run *r, uint32_t first)
{
	uint64_t *keys = json_keys_from(r->keys, first);
	size_t n = r->keys->n - first;

	r->keys->n = first;
	if (n <= 1)
		return true;
	return n <= FEW_KEYS ? check_few_keys(r, keys, n) : check_many_keys(r, keys, n);
}

/* A key and its colon; p at the opening quote. Returns the first byte of the member's value. */
static inline const char *
scan_key(struct run *r, const char *p)
{
	const char *key = p + 1;
	bool escaped = false;
	struct str raw;
	uint32_t hash;

	if (UNLIKELY(p == r->end || *p != '"'))
		return fault_expected(r, p, "a key is expected");
	p = scan_string(r, key, &escaped);
	if (UNLIKELY(p == NULL))
		return NULL;
	raw = str_of(key, (size_t)(p - key));
	if (UNLIKELY(escaped))
		hash = json_str_hash_escaped(raw, r->keys->seed);
	else
		hash = json_str_hash_plain(raw, r->end, r->keys->seed);
	json_keys_push(r->keys, hash, (uint32_t)(key - 1 - r->start));
	p = json_bytes_skip_space(p + 1, r->end);
	if (UNLIKELY(p == r->end || *p != ':'))
		return fault_expected(r, p, "a colon is expected");
	return json_bytes_skip_space(p + 1, r->end);
}

/* The open containers. The lowest level stands for the text itself. */
struct stack {
	struct level *lowest;
	struct level *top;
};

/* p behind a comma or an opening bracket. Returns the first byte of the next value. */
static inline const char *
scan_next(struct run *r, const struct stack *s, const char *p)
{
	return s->top->is_object ? scan_key(r, p) : p;
}

/*
 * p behind a value: closes what ends here. Returns the first byte of the next value, or what is
 * behind the root value when no level is open any more.
 */
static inline const char *
scan_end(struct run *r, struct stack *s, const char *p)
{
	while (s->top != s->lowest) {
		p = json_bytes_skip_space(p, r->end);
		if (UNLIKELY(p == r->end))
			return fault_expected(r, p, "");
		if (*p == ',')
			return scan_next(r, s, json_bytes_skip_space(p + 1, r->end));
		if (UNLIKELY(*p != (s->top->is_object ? '}' : ']')))
			return fault_at(r, p, "a comma or the closing bracket is expected");
		if (s->top->is_object && UNLIKELY(!close_object(r, s->top->first_key)))
			return NULL;
		s->top--;
		p++;
	}
	return p;
}

/* p at an opening bracket. Returns the first byte of the next value, or the bracket that closes it.
 */
static inline const char *
scan_opening(struct run *r, struct stack *s, const char *p, bool *is_empty)
{
	if (UNLIKELY(s->top == s->lowest + JSON_SCAN_MAX_DEPTH))
		return fault_at(r, p, "nested too deeply");
	*++s->top = (struct level){ (uint32_t)r->keys->n, *p == '{' };
	p = json_bytes_skip_space(p + 1, r->end);
	*is_empty = p < r->end && *p == (s->top->is_object ? '}' : ']');
	return *is_empty ? p : scan_next(r, s, p);
}

/* The root value, p at its first byte: returns what is behind it. */
static const char *
scan_value(struct run *r, const char *p)
{
	struct level levels[JSON_SCAN_MAX_DEPTH + 1];
	struct stack s = { levels, levels };

	do {
		bool is_complete = true;

		if (UNLIKELY(p == r->end))
			return fault_expected(r, p, "");
		if (*p == '{' || *p == '[')
			p = scan_opening(r, &s, p, &is_complete);
		else
			p = scan_scalar(r, p);
		if (p != NULL && is_complete)
			p = scan_end(r, &s, p);
	} while (p != NULL && s.top != levels);
	return p;
}

static enum err_code
scan_root(struct run *r, struct json_value *root)
{
	const char *p = json_bytes_skip_space(r->start, r->end);
	const char *value = p;

	if (r->end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		fault_at(r, p, "byte order mark");
		return ERR_INVALID_BODY;
	}
	p = scan_value(r, p);
	if (p == NULL)
		return ERR_INVALID_BODY;
	*root = (struct json_value){ json_iter_kind(*value), str_of(value, (size_t)(p - value)) };
	p = json_bytes_skip_space(p, r->end);
	if (p == r->end)
		return ERR_NONE;
	fault_at(r, p, "bytes after the value");
	return ERR_INVALID_BODY;
}

enum err_code
json_scan_text(struct json_scan *js, struct str text, unsigned flags, struct json_value *root,
    struct json_fault *fault)
{
	struct run r = {
		.start = text.n == 0 ? "" : text.p,
		.keys = &js->keys,
		.keeps_duplicates = (flags & JSON_SCAN_KEEP_DUPLICATES) != 0,
	};
	enum err_code e = ERR_INVALID_BODY;

	r.end = r.start + text.n;
	js->keys.n = 0;
	if (text.n > INT32_MAX)
		fault_at(&r, r.start, "the text is too long");
	else
		e = scan_root(&r, root);
	json_keys_clear(&js->keys);
	js->has_duplicates = r.has_duplicates;
	if (e != ERR_NONE && fault != NULL)
		*fault = r.fault;
	return e;
}
