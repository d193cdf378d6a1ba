/*
 * One pass over the text, no recursion: the open arrays and objects are a small stack of levels,
 * the keys of open objects a stack of records, compared when their object closes. Strings and
 * numbers end where the masks of a window over the text say so (json_block.h); those that are
 * seldom are left to json_run.h.
 */
#include "codec/json_scan.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "codec/json_bytes.h"
#include "codec/json_iter.h"
#include "codec/json_run.h"
#include "codec/json_str.h"

#define FEW_KEYS 4     /* up to so many are compared with each other at once */
#define SHORT_TEXT 192 /* bytes that are copied to the stack */

/* An open array or object. */
struct level {
	uint32_t first_key; /* of an object, on the stack of keys */
	char close;         /* the bracket that ends it */
};

/* The open containers, from those around the one that is read on. */
struct stack {
	struct level *lowest; /* around it, or the text itself: not ours to close */
	struct level *top;
	struct level *highest; /* that may be */
};

/* Sets many bits, as hashes want them (json_str.h), whatever the seed. */
static uint64_t
spread(uint64_t seed)
{
	return seed * UINT64_C(0x9e3779b97f4a7c15) ^ UINT64_C(0xbf58476d1ce4e5b9);
}

void
json_scan_init(struct json_scan *js, uint64_t seed)
{
	*js = (struct json_scan){ .blocks = json_block_best() };
	json_keys_init(&js->keys, spread(seed));
}

void
json_scan_fini(struct json_scan *js)
{
	json_keys_fini(&js->keys);
	json_cuts_fini(&js->cuts);
}

/* p at a byte that the text has, one that is no space stands there or behind. */
static inline const char *
skip_space(const struct json_run *r, const char *p)
{
	if (LIKELY((unsigned char)*p > ' '))
		return p;
	if (LIKELY(*p == ' ' && (unsigned char)p[1] > ' '))
		return p + 1;
	return json_bytes_space(p, r->end);
}

/* Whether the string that begins at p is plain and ends soon: after n bytes. */
static inline bool
is_quick_string(struct json_run *r, const char *p, size_t *n)
{
	uint64_t special = json_run_bits_from(r, &r->masks.special, p);

	if (UNLIKELY(special == 0))
		return false;
	*n = (size_t)__builtin_ctzll(special);
	return p[*n] == '"';
}

/* p at the opening quote. */
static inline const char *
scan_string(struct json_run *r, const char *p)
{
	size_t n;

	if (LIKELY(is_quick_string(r, p + 1, &n)))
		return p + n + 2;
	return json_run_string(r, p + 1);
}

/* Digits up to end, at least one, and no other behind a zero. What is not a digit can only stand first. */
static inline bool
is_integer(const char *first, const char *end)
{
	return !((end == first) | (*first < '0') | ((*first == '0') & (end - first > 1)));
}

/*
 * p at the minus or the first digit. Digits and a fraction are counted in the window, from the second byte on: where
 * the number ends must not have to wait for what its first byte is. Forced, as scan_key() is: optimised over all files,
 * the compiler leaves them alone, which costs a gather a tenth of its instructions.
 */
static inline __attribute__((always_inline)) const char *
scan_number(struct json_run *r, const char *p)
{
	uint64_t others = json_run_bits_from(r, &r->masks.others, p + 1);
	const char *end, *point;

	if (UNLIKELY(others == 0))
		return json_run_number(r, p);
	end = point = p + 1 + __builtin_ctzll(others);
	if (UNLIKELY(!is_integer(p + (*p == '-'), end)))
		return json_run_number(r, p);
	if (LIKELY(*end <= ','))
		return end;
	if (*end == '.') {
		others &= others - 1;
		if (UNLIKELY(others == 0))
			return json_run_number(r, p);
		end = p + 1 + __builtin_ctzll(others);
		if (UNLIKELY(end == point + 1))
			return json_run_number(r, p);
	}
	return (*end | 0x20) == 'e' ? json_run_number(r, p) : end;
}

/* Digits and the minus; two bytes between them, which json_run_number() refuses. */
static inline bool
may_be_number(char c)
{
	return (unsigned char)(c - '-') <= '9' - '-';
}

static inline bool
is_opening(char c)
{
	return (c | 0x20) == '{';
}

/* p at what can only be a word: with a bracket or zeros behind it, there are five bytes. */
static inline const char *
scan_literal(struct json_run *r, const char *p)
{
	if (LIKELY(r->limit - p >= 5)) {
		if (memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0)
			return p + 4;
		if (memcmp(p, "false", 5) == 0)
			return p + 5;
	}
	return json_run_fault_expected(r, p, "a value is expected");
}

/* The root value when it holds no others. */
static const char *
scan_scalar(struct json_run *r, const char *p)
{
	if (*p == '"')
		return json_run_string(r, p + 1);
	return may_be_number(*p) ? json_run_number(r, p) : scan_literal(r, p);
}

/* A key, p at its opening quote. It is noted; is_quick: it has no escapes and at most JSON_STR_SHORT bytes. */
static inline __attribute__((always_inline)) const char *
scan_key(struct json_run *r, const char *p, bool *is_quick)
{
	size_t n;

	*is_quick = false;
	if (UNLIKELY(*p != '"'))
		return json_run_fault_expected(r, p, "a key is expected");
	if (UNLIKELY(!is_quick_string(r, p + 1, &n) || n > JSON_STR_SHORT || p >= r->quick_end))
		return json_run_key(r, p + 1);
	json_keys_push(r->keys, json_str_hash_short(p + 1, n, r->seed), (uint32_t)(p - r->start));
	*is_quick = true;
	return p + n + 2;
}

/* p behind a key. Returns the first byte of the member's value. */
static inline const char *
scan_colon(struct json_run *r, const char *p)
{
	p = skip_space(r, p);
	if (UNLIKELY(*p != ':'))
		return json_run_fault_expected(r, p, "a colon is expected");
	return skip_space(r, p + 1);
}

/* Whether any two of n keys have the same hash. */
static inline bool
has_twins(const uint64_t *keys, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint32_t hash = (uint32_t)(keys[i] >> 32);

		for (size_t j = i; j-- > 0;)
			if (UNLIKELY((uint32_t)(keys[j] >> 32) == hash))
				return true;
	}
	return false;
}

/* The keys of an object that closes are all different. */
static inline bool
close_object(struct json_run *r, size_t first)
{
	size_t n = r->keys->n - first;

	if (n > FEW_KEYS ? json_keys_may_repeat(r->keys, first)
			 : n > 1 && has_twins(r->keys->at + first, n))
		return json_run_close_object(r, first);
	r->keys->n = first;
	return true;
}

/*
 * p at an opening bracket. Returns the first byte of what is inside, or, when that is empty and so
 * complete, the bracket that closes it.
 */
static inline const char *
scan_opening(struct json_run *r, struct stack *s, const char *p, bool *is_complete)
{
	char close = (char)(*p + 2); /* so they stand in ASCII */

	*is_complete = false;
	if (UNLIKELY(s->top == s->highest))
		return json_run_fault(r, p, "nested too deeply");
	*++s->top = (struct level){ (uint32_t)r->keys->n, close };
	p = skip_space(r, p + 1);
	*is_complete = *p == close;
	return p;
}

/*
 * p behind a value or at the bracket of an empty container: closes what ends here. Returns the
 * first byte of what comes next, or what is behind the root value when no level is open any more.
 */
static inline const char *
scan_end(struct json_run *r, struct stack *s, const char *p)
{
	p = skip_space(r, p);
	while (*p != ',') {
		if (UNLIKELY(*p != s->top->close))
			return json_run_fault_expected(
			    r, p, "a comma or the closing bracket is expected");
		if (*p == '}' && UNLIKELY(!close_object(r, s->top->first_key)))
			return NULL;
		p++;
		if (--s->top == s->lowest)
			return p;
		if (UNLIKELY(p == r->end))
			return json_run_fault_expected(r, p, "");
		p = skip_space(r, p);
	}
	return skip_space(r, p + 1);
}

/* A value, or a container as far as its first byte inside, p at its first byte. */
static inline const char *
scan_value(struct json_run *r, struct stack *s, const char *p, bool *is_complete)
{
	*is_complete = true;
	if (*p == '"')
		return scan_string(r, p);
	if (may_be_number(*p))
		return scan_number(r, p);
	if (is_opening(*p))
		return scan_opening(r, s, p, is_complete);
	return scan_literal(r, p);
}

/* A member of an object, or an element, as far as scan_value(). */
static inline const char *
scan_member(struct json_run *r, struct stack *s, const char *p, bool *is_complete)
{
	bool is_quick;

	if (s->top->close == '}') {
		p = scan_key(r, p, &is_quick);
		if (LIKELY(p != NULL))
			p = scan_colon(r, p);
	}
	return LIKELY(p != NULL) ? scan_value(r, s, p, is_complete) : NULL;
}

/* An array or object, p at its bracket, `around` being the levels that are open: returns what is behind it. */
static const char *
scan_container(struct json_run *r, const struct stack *around, const char *p)
{
	struct stack s = { around->top, around->top, around->highest };
	bool is_complete;

	for (p = scan_opening(r, &s, p, &is_complete); LIKELY(p != NULL);
	     p = scan_member(r, &s, p, &is_complete)) {
		if (is_complete)
			p = scan_end(r, &s, p);
		if (UNLIKELY(p == NULL) || s.top == s.lowest)
			break;
	}
	return p;
}

/* ---- finding cuts on the way: as above, one function call for each container that rules reach into */

static const char *cut_container(struct json_run *r, struct stack *s, const struct json_rule *rule, const char *p)
    __attribute__((noinline));

/* Inside another container, so the text does not end behind it. Nothing but brackets is done here. */
static inline const char *
cut_any_container(struct json_run *r, struct stack *s, const struct json_rule *rule, const char *p)
{
	if (rule != NULL && json_rule_reaches_into(rule, *p))
		p = cut_container(r, s, rule, p);
	else if (p[1] == *p + 2 && LIKELY(s->top != s->highest))
		p += 2;
	else
		p = scan_container(r, s, p);
	return UNLIKELY(p == r->end) ? json_run_fault_expected(r, p, "") : p;
}

/* A value whose rule, or NULL, is given; p at its first byte. Returns what is behind it. */
static inline __attribute__((always_inline)) const char *
cut_value(struct json_run *r, struct stack *s, const struct json_rule *rule, const char *p)
{
	const char *value = p;

	if (*p == '"')
		p = scan_string(r, p);
	else if (may_be_number(*p))
		p = scan_number(r, p);
	else if (!is_opening(*p))
		p = scan_literal(r, p);
	else
		p = cut_any_container(r, s, rule, p);
	if (rule != NULL && UNLIKELY(rule->is_target) && LIKELY(p != NULL))
		json_cuts_set_target(r->cuts, value, p);
	return p;
}

/*
 * p behind a member or element. Returns the first byte of the next one, or, when there is none, the bracket that closes
 * what is on top.
 */
static inline const char *
cut_next(struct json_run *r, const struct stack *s, const char *p, bool *has_next)
{
	p = skip_space(r, p);
	*has_next = *p == ',';
	if (*has_next)
		return skip_space(r, p + 1);
	if (UNLIKELY(*p != s->top->close))
		return json_run_fault_expected(r, p, "a comma or the closing bracket is expected");
	return p;
}

/* The key and colon of a member, as far as the first byte of its value; *rule is the one about it. */
static inline const char *
cut_key(struct json_run *r, const struct json_rule *around, const char *p, struct str *key,
    const struct json_rule **rule)
{
	const char *first = p + 1;
	bool is_quick;

	p = scan_key(r, p, &is_quick);
	if (UNLIKELY(p == NULL))
		return NULL;
	*key = str_of(first, (size_t)(p - 1 - first));
	*rule = LIKELY(is_quick) ? json_rule_of_quick(around, first, key->n) : json_rule_of(around, *key);
	return scan_colon(r, p);
}

/* The members of an object, p at the first of them. Returns the closing bracket. */
static inline const char *
cut_members(struct json_run *r, struct stack *s, const struct json_rule *around, const char *p)
{
	struct json_cursor c = json_cuts_enter(r->cuts);
	bool has_next = true;

	while (p != NULL && has_next) {
		const char *start = p;
		const struct json_rule *rule;
		bool is_left_out;
		struct str key;

		p = cut_key(r, around, p, &key, &rule);
		if (UNLIKELY(p == NULL))
			return NULL;
		is_left_out = json_rule_leaves_out(around, rule);
		json_cuts_start(r->cuts, &c, start, is_left_out);
		if (rule != NULL && !is_left_out)
			json_cuts_rename(r->cuts, &c, rule, key);
		p = cut_value(r, s, is_left_out ? NULL : rule, p);
		if (UNLIKELY(p == NULL))
			return NULL;
		c.end = p;
		p = cut_next(r, s, p, &has_next);
	}
	json_cuts_leave(r->cuts, &c);
	return p;
}

/* The elements of an array, p at the first of them. Returns the closing bracket. */
static inline const char *
cut_elements(struct json_run *r, struct stack *s, const struct json_rule *around, const char *p)
{
	struct json_cursor c = json_cuts_enter(r->cuts);
	bool is_left_out = json_rule_leaves_out(around, around->each);
	bool has_next = true;

	json_cuts_start(r->cuts, &c, p, is_left_out);
	for (uint64_t i = 0; p != NULL && has_next; i++) {
		bool is_meant = !is_left_out && (around->index == JSON_RULE_EVERY || around->index == i);

		p = cut_value(r, s, is_meant ? around->each : NULL, p);
		if (UNLIKELY(p == NULL))
			return NULL;
		c.end = p;
		p = cut_next(r, s, p, &has_next);
	}
	json_cuts_leave(r->cuts, &c);
	return p;
}

/* An array or object that the rule reaches into, p at its bracket: returns what is behind it. */
static const char *
cut_container(struct json_run *r, struct stack *s, const struct json_rule *rule, const char *p)
{
	bool is_empty;

	p = scan_opening(r, s, p, &is_empty);
	if (LIKELY(p != NULL) && !is_empty)
		p = s->top->close == '}' ? cut_members(r, s, rule, p) : cut_elements(r, s, rule, p);
	if (UNLIKELY(p == NULL) || (*p == '}' && UNLIKELY(!close_object(r, s->top->first_key))))
		return NULL;
	s->top--;
	return p + 1;
}

/* The root value, when it holds others. */
static const char *
scan_whole(struct json_run *r, const char *p)
{
	struct level levels[JSON_SCAN_MAX_DEPTH + 1];
	struct stack s = { levels, levels, levels + JSON_SCAN_MAX_DEPTH };

	levels[0].close = '\0';
	if (r->cuts == NULL)
		return scan_container(r, &s, p);
	return json_rule_reaches_into(r->cuts->rules->root, *p) ? cut_container(r, &s, r->cuts->rules->root, p)
								 : scan_container(r, &s, p);
}

/* The text from r->start to r->end. */
static enum err_code
scan_root(struct json_run *r, struct json_value *root)
{
	const char *p = json_bytes_skip_space(r->start, r->end);
	const char *value = p, *last;

	if (r->end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		json_run_fault(r, p, "byte order mark");
		return ERR_INVALID_BODY;
	}
	p = is_opening(*p) ? scan_whole(r, p) : scan_scalar(r, p);
	if (p == NULL)
		return ERR_INVALID_BODY;
	last = p;
	p = json_bytes_skip_space(p, r->end);
	if (p != r->end) {
		json_run_fault(r, p, "bytes after the value");
		return ERR_INVALID_BODY;
	}
	root->kind = json_iter_kind(*value);
	root->text = str_of(value, (size_t)(last - value));
	if (r->cuts != NULL && r->cuts->rules->root->is_target)
		json_cuts_set_target(r->cuts, value, last);
	return ERR_NONE;
}

static void
set_text(struct json_run *r, struct str text, const char *limit)
{
	r->start = text.p;
	r->end = text.p + text.n;
	r->limit = limit;
	r->quick_end = limit - JSON_STR_SHORT;
	json_run_move_window(r, r->start);
	if (r->cuts != NULL)
		json_cuts_restart(r->cuts, r->start);
}

/* Text that does not end with a bracket, or is short: a copy with zeros behind it. */
static enum err_code
scan_copy(struct json_run *r, struct str text, struct json_value *root)
{
	char small[SHORT_TEXT + JSON_BLOCK_BYTES];
	char *copy = text.n <= SHORT_TEXT ? small : mem_alloc(text.n + JSON_BLOCK_BYTES);
	enum err_code e;

	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	memset(copy + text.n, 0, JSON_BLOCK_BYTES);
	set_text(r, str_of(copy, text.n), copy + text.n + JSON_BLOCK_BYTES);
	e = scan_root(r, root);
	if (e == ERR_NONE)
		root->text.p = text.p + (root->text.p - copy);
	if (copy != small)
		free(copy);
	return e;
}

static bool
ends_with_bracket(struct str text)
{
	return text.n >= JSON_BLOCK_BYTES && (text.p[text.n - 1] | 0x20) == '}';
}

/*
 * In place when the root value can only be an array or object. A text that then turns out to end
 * too early is scanned again as a copy: where it ends depends on the space behind it.
 */
static enum err_code
scan_text(struct json_run *r, struct str text, struct json_value *root)
{
	struct str trimmed = text;
	enum err_code e;

	while (trimmed.n > 0 && json_bytes_is_space(trimmed.p[trimmed.n - 1]))
		trimmed.n--;
	if (!ends_with_bracket(trimmed))
		return scan_copy(r, text, root);
	set_text(r, trimmed, trimmed.p + trimmed.n);
	e = scan_root(r, root);
	if (e != ERR_NONE && r->fault.offset == trimmed.n) {
		r->keys->n = 0;
		return scan_copy(r, text, root);
	}
	return e;
}

enum err_code
json_scan_text(struct json_scan *js, struct str text, unsigned flags, struct json_value *root,
    struct json_fault *fault)
{
	struct json_run r = {
		.blocks = js->blocks,
		.keys = &js->keys,
		.cuts = (flags & JSON_SCAN_CUTS) != 0 ? &js->cuts : NULL,
		.seed = js->keys.seed,
		.keeps_duplicates = (flags & JSON_SCAN_KEEP_DUPLICATES) != 0,
	};
	enum err_code e = ERR_INVALID_BODY;

	js->keys.n = 0;
	if (text.n > INT32_MAX)
		r.fault.reason = "the text is too long";
	else
		e = scan_text(&r, text, root);
	json_keys_clear(&js->keys);
	js->cuts.text = text.p;
	js->has_duplicates = r.has_duplicates;
	if (e != ERR_NONE && fault != NULL)
		*fault = r.fault;
	return e;
}

enum err_code
json_scan_once(struct str text, struct json_value *root, struct json_fault *fault)
{
	struct json_scan js;
	enum err_code e;

	json_scan_init(&js, 0);
	e = json_scan_text(&js, text, 0, root, fault);
	json_scan_fini(&js);
	return e;
}
