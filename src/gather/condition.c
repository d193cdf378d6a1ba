/* Conditions: a recursive-descent compiler and a walk over the tree. Read-only when shared. */
#include "gather/condition.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "codec/json_iter.h"
#include "codec/json_scan.h"
#include "codec/json_str.h"
#include "codec/json_write.h"

#define MAX_DEPTH 32
#define MAX_LIST 256
#define NUMBER_MAX_BYTES 64

enum node_kind {
	NODE_OR,
	NODE_AND,
	NODE_NOT,
	NODE_EXISTS,
	NODE_TRUE, /* the operand is the boolean true */
	NODE_EQ,
	NODE_NE,
	NODE_LT,
	NODE_LE,
	NODE_GT,
	NODE_GE,
	NODE_IN,
};

/* A literal, a reference, or a list of literals. */
struct operand {
	struct json_value literal; /* JSON_NONE: a reference or a list */
	struct template reference;
	struct operand *list;
	size_t n_list;
	bool is_list;
};

struct condition {
	enum node_kind kind;
	struct condition *left; /* of OR, AND, NOT */
	struct condition *right;
	struct operand a; /* of the others */
	struct operand b;
};

/* ---- compiling */

struct parser {
	struct arena *arena;
	struct str text;
	size_t at;
	unsigned depth;
	const struct template_params *params;
	struct template_error *error;
};

static void
skip_space(struct parser *p)
{
	while (p->at < p->text.n && (p->text.p[p->at] == ' ' || p->text.p[p->at] == '\t'))
		p->at++;
}

static bool
is_word_char(char c)
{
	return str_is_alnum(c) || c == '_' || c == '-' || c == '.' || c == '+' || c == '/' || c == ':';
}

static struct str
peek_word(struct parser *p)
{
	size_t end = p->at;

	while (end < p->text.n && is_word_char(p->text.p[end]))
		end++;
	return str_of(p->text.p + p->at, end - p->at);
}

/* Takes a punctuation mark or a whole word when it is next. */
static bool
take(struct parser *p, struct str token)
{
	skip_space(p);
	if (!str_has_prefix(str_of(p->text.p + p->at, p->text.n - p->at), token))
		return false;
	if (is_word_char(token.p[0]) && !str_eq(peek_word(p), token))
		return false;
	p->at += token.n;
	return true;
}

static enum err_code
parse_reference(struct parser *p, struct operand *out)
{
	size_t begin = p->at, n = str_find(str_of(p->text.p + begin, p->text.n - begin), '}');
	enum err_code e;

	if (begin + n == p->text.n)
		return template_fault(p->error, p->at, "a reference that begins with { has no }");
	e = template_compile(p->arena, str_of(p->text.p + begin, n + 1), TEMPLATE_TEXT, p->params,
	    &out->reference, p->error);
	if (e != ERR_NONE) {
		p->error->offset += begin;
		return e;
	}
	if (!template_is_reference(&out->reference))
		return template_fault(p->error, p->at, "a reference is expected");
	p->at += n + 1;
	return ERR_NONE;
}

static enum err_code
parse_quoted(struct parser *p, struct operand *out)
{
	char quote = p->text.p[p->at];
	struct str rest = str_of(p->text.p + p->at + 1, p->text.n - p->at - 1);
	size_t n = str_find(rest, quote);

	if (n == rest.n)
		return template_fault(p->error, p->at, "a text that begins with %c does not end", quote);
	out->literal = (struct json_value){ JSON_STRING,
		json_write_str(p->arena, str_of(rest.p, n)) };
	p->at += n + 2;
	return ERR_NONE;
}

/* true, false, null and numbers are JSON; any other word is a text. */
static enum err_code
parse_word(struct parser *p, struct operand *out)
{
	struct str word = peek_word(p);
	struct json_value v;

	if (word.n == 0)
		return template_fault(p->error, p->at,
		    "a reference, a text, a number, true, false or null is expected");
	if (json_scan_once(word, &v, NULL) != ERR_NONE)
		v = (struct json_value){ JSON_STRING, json_write_str(p->arena, word) };
	out->literal = v;
	p->at += word.n;
	return ERR_NONE;
}

static enum err_code
parse_scalar(struct parser *p, struct operand *out)
{
	skip_space(p);
	*out = (struct operand){ .literal = { .kind = JSON_NONE } };
	if (p->at == p->text.n)
		return template_fault(p->error, p->at, "the condition ends where a value is expected");
	if (p->text.p[p->at] == '{')
		return parse_reference(p, out);
	if (p->text.p[p->at] == '"' || p->text.p[p->at] == '\'')
		return parse_quoted(p, out);
	return parse_word(p, out);
}

static enum err_code
parse_list(struct parser *p, struct operand *out)
{
	out->is_list = true;
	out->list = arena_alloc(p->arena, MAX_LIST * sizeof *out->list);
	if (take(p, STR("]")))
		return ERR_NONE;
	do {
		enum err_code e;

		if (out->n_list == MAX_LIST)
			return template_fault(p->error, p->at, "a list of more than %d values", MAX_LIST);
		e = parse_scalar(p, &out->list[out->n_list++]);
		if (e != ERR_NONE)
			return e;
	} while (take(p, STR(",")));
	return take(p, STR("]")) ? ERR_NONE : template_fault(p->error, p->at, "] or , is expected");
}

static enum err_code
parse_operand(struct parser *p, struct operand *out)
{
	*out = (struct operand){ .literal = { .kind = JSON_NONE } };
	if (take(p, STR("[")))
		return parse_list(p, out);
	return parse_scalar(p, out);
}

static bool
take_operator(struct parser *p, enum node_kind *kind)
{
	static const struct {
		struct str text;
		enum node_kind kind;
	} rows[] = {
		{ STR_INIT("=="), NODE_EQ },
		{ STR_INIT("!="), NODE_NE },
		{ STR_INIT("<="), NODE_LE },
		{ STR_INIT(">="), NODE_GE },
		{ STR_INIT("<"), NODE_LT },
		{ STR_INIT(">"), NODE_GT },
		{ STR_INIT("in"), NODE_IN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (take(p, rows[i].text)) {
			*kind = rows[i].kind;
			return true;
		}
	}
	return false;
}

/* What can be told at load: comparing with a list, ordering what has no order. */
static enum err_code
check_types(struct parser *p, const struct condition *c)
{
	bool orders = c->kind >= NODE_LT && c->kind <= NODE_GE;
	const struct operand *both[] = { &c->a, &c->b };

	if (c->a.is_list || (c->b.is_list && c->kind != NODE_IN))
		return template_fault(p->error, p->at, "a list can only stand on the right of in");
	for (size_t i = 0; orders && i < ARRAY_LEN(both); i++)
		if (both[i]->literal.kind != JSON_NONE && both[i]->literal.kind != JSON_NUMBER &&
		    both[i]->literal.kind != JSON_STRING)
			return template_fault(p->error, p->at, "true, false and null have no order");
	if (orders && c->a.literal.kind != JSON_NONE && c->b.literal.kind != JSON_NONE &&
	    c->a.literal.kind != c->b.literal.kind)
		return template_fault(p->error, p->at, "a number and a text have no order");
	return ERR_NONE;
}

static enum err_code
parse_comparison(struct parser *p, struct condition *c)
{
	enum err_code e;

	if (take(p, STR("exists"))) {
		c->kind = NODE_EXISTS;
		skip_space(p);
		if (p->at == p->text.n || p->text.p[p->at] != '{')
			return template_fault(p->error, p->at, "a reference is expected after exists");
		return parse_reference(p, &c->a);
	}
	c->kind = NODE_TRUE;
	e = parse_operand(p, &c->a);
	if (e == ERR_NONE && take_operator(p, &c->kind))
		e = parse_operand(p, &c->b);
	return e == ERR_NONE ? check_types(p, c) : e;
}

static enum err_code parse_or(struct parser *p, struct condition **out);

static enum err_code
parse_not(struct parser *p, struct condition **out)
{
	struct condition *c = arena_calloc(p->arena, 1, sizeof *c);
	enum err_code e;

	*out = c;
	if (++p->depth > MAX_DEPTH)
		return template_fault(p->error, p->at, "nested too deeply");
	if (take(p, STR("not"))) {
		c->kind = NODE_NOT;
		e = parse_not(p, &c->left);
	} else if (take(p, STR("("))) {
		e = parse_or(p, out);
		if (e == ERR_NONE && !take(p, STR(")")))
			e = template_fault(p->error, p->at, ") is expected");
	} else {
		e = parse_comparison(p, c);
	}
	p->depth--;
	return e;
}

static enum err_code
parse_chain(struct parser *p, struct condition **out, struct str word, enum node_kind kind,
    enum err_code (*next)(struct parser *, struct condition **))
{
	enum err_code e = next(p, out);

	while (e == ERR_NONE && take(p, word)) {
		struct condition *c = arena_calloc(p->arena, 1, sizeof *c);

		c->kind = kind;
		c->left = *out;
		e = next(p, &c->right);
		*out = c;
	}
	return e;
}

static enum err_code
parse_and(struct parser *p, struct condition **out)
{
	return parse_chain(p, out, STR("and"), NODE_AND, parse_not);
}

static enum err_code
parse_or(struct parser *p, struct condition **out)
{
	return parse_chain(p, out, STR("or"), NODE_OR, parse_and);
}

enum err_code
condition_compile(struct arena *arena, struct str text, const struct template_params *params,
    struct condition **out, struct template_error *error)
{
	struct parser p = { .arena = arena, .text = text, .params = params, .error = error };
	enum err_code e = parse_or(&p, out);

	skip_space(&p);
	if (e == ERR_NONE && p.at != text.n)
		return template_fault(p.error, p.at, "and, or, an operator or the end is expected");
	return e;
}

/* ---- evaluating */

/* A value, and whether it is text from outside of JSON, which may stand for a number. */
struct value {
	struct json_value json;
	struct str text; /* of strings, unescaped; none for others */
	bool is_loose;
};

static struct value
value_of(const struct operand *o, const struct template_env *env, struct arena *arena)
{
	struct value v = { .json = o->literal };

	if (v.json.kind == JSON_NONE)
		v.json = template_eval_value(&o->reference, env, arena);
	if (v.json.kind == JSON_STRING)
		v.text = json_str_text(arena, str_of(v.json.text.p + 1, v.json.text.n - 2));
	if (v.json.kind != JSON_NONE || o->literal.kind != JSON_NONE)
		return v;
	if (template_eval(&o->reference, env, arena, &v.text) != ERR_NONE) {
		v.json = (struct json_value){ JSON_NULL, STR("null") };
		v.text = str_none();
		return v;
	}
	v.json.kind = JSON_STRING;
	v.is_loose = true;
	return v;
}

/* strtod(3) would take "nan", which equals everything, "inf", "0x10" and leading space for numbers, too. */
static bool
to_number(struct str text, double *out)
{
	char copy[NUMBER_MAX_BYTES];
	char *end;

	if (text.n == 0 || text.n >= sizeof copy)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if ((text.p[i] < '0' || text.p[i] > '9') && str_find(STR("+-.eE"), text.p[i]) == 5)
			return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	*out = strtod(copy, &end);
	return *end == '\0';
}

static bool
number_of(const struct value *v, double *out)
{
	if (v->json.kind == JSON_NUMBER)
		return to_number(v->json.text, out);
	return v->is_loose && to_number(v->text, out);
}

/* The digits of a whole number without leading zeros; none when it is written in any other way. */
static struct str
whole_digits(struct str text, bool *is_negative)
{
	size_t at = 0;

	*is_negative = text.n != 0 && text.p[0] == '-';
	at = *is_negative;
	while (at + 1 < text.n && text.p[at] == '0')
		at++;
	for (size_t i = at; i < text.n; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return str_none();
	return at < text.n ? str_of(text.p + at, text.n - at) : str_none();
}

/* Ids of 19 digits are more than a double can tell apart. */
static bool
compare_whole(struct str a, struct str b, int *out)
{
	bool a_negative, b_negative;
	int order;

	a = whole_digits(a, &a_negative);
	b = whole_digits(b, &b_negative);
	if (str_is_none(a) || str_is_none(b))
		return false;
	if (a_negative != b_negative) {
		order = a_negative ? -1 : 1;
		*out = a.p[0] == '0' && b.p[0] == '0' ? 0 : order;
		return true;
	}
	order = a.n != b.n ? (a.n < b.n ? -1 : 1) : str_cmp(a, b);
	*out = a_negative ? -order : order;
	return true;
}

static struct str
digits_of(const struct value *v)
{
	return v->json.kind == JSON_NUMBER ? v->json.text : v->is_loose ? v->text : str_none();
}

/* -1, 0 or 1 through *out; false when the two have no order. */
static bool
compare(const struct value *a, const struct value *b, int *out)
{
	bool is_numeric = a->json.kind == JSON_NUMBER || b->json.kind == JSON_NUMBER;
	double x, y;

	if (is_numeric && compare_whole(digits_of(a), digits_of(b), out))
		return true;
	if (is_numeric && number_of(a, &x) && number_of(b, &y)) {
		*out = x < y ? -1 : x > y;
		return true;
	}
	if (is_numeric || a->json.kind != JSON_STRING || b->json.kind != JSON_STRING)
		return false;
	*out = str_cmp(a->text, b->text);
	return true;
}

/* "true" of a query is true, as "1" of one is 1. */
static bool
stands_for(const struct value *a, const struct value *b)
{
	bool is_boolean = b->json.kind == JSON_TRUE || b->json.kind == JSON_FALSE;

	return a->is_loose && is_boolean && str_eq(a->text, b->json.text);
}

static bool
is_equal(const struct value *a, const struct value *b)
{
	int order;

	if (compare(a, b, &order))
		return order == 0;
	if (stands_for(a, b) || stands_for(b, a))
		return true;
	return a->json.kind == b->json.kind && a->json.kind != JSON_NUMBER &&
	    a->json.kind != JSON_STRING && str_eq(a->json.text, b->json.text);
}

static bool
is_true(const struct value *v)
{
	return v->json.kind == JSON_TRUE || (v->is_loose && str_eq(v->text, STR("true")));
}

static bool
is_in_elements(const struct value *a, struct json_value array, struct arena *arena)
{
	struct json_member member;
	struct json_iter it;

	json_iter_init(&it, array);
	while (json_iter_next(&it, &member)) {
		struct operand o = { .literal = member.value };
		struct value v = value_of(&o, NULL, arena);

		if (is_equal(a, &v))
			return true;
	}
	return false;
}

static bool
is_in(const struct condition *c, const struct template_env *env, struct arena *arena)
{
	struct value a = value_of(&c->a, env, arena), v;

	for (size_t i = 0; i < c->b.n_list; i++) {
		v = value_of(&c->b.list[i], env, arena);
		if (is_equal(&a, &v))
			return true;
	}
	if (c->b.is_list)
		return false;
	v = value_of(&c->b, env, arena);
	return v.json.kind == JSON_ARRAY && is_in_elements(&a, v.json, arena);
}

static bool
holds_comparison(const struct condition *c, const struct template_env *env, struct arena *arena)
{
	struct value a = value_of(&c->a, env, arena), b = value_of(&c->b, env, arena);
	int order;

	if (c->kind == NODE_EQ || c->kind == NODE_NE)
		return is_equal(&a, &b) == (c->kind == NODE_EQ);
	if (!compare(&a, &b, &order))
		return false;
	switch (c->kind) {
	case NODE_LT:
		return order < 0;
	case NODE_LE:
		return order <= 0;
	case NODE_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

bool
condition_holds(const struct condition *c, const struct template_env *env, struct arena *arena)
{
	struct value v;
	struct str text;

	switch (c->kind) {
	case NODE_OR:
		return condition_holds(c->left, env, arena) || condition_holds(c->right, env, arena);
	case NODE_AND:
		return condition_holds(c->left, env, arena) && condition_holds(c->right, env, arena);
	case NODE_NOT:
		return !condition_holds(c->left, env, arena);
	case NODE_EXISTS:
		return template_eval_value(&c->a.reference, env, arena).kind != JSON_NONE ||
		    template_eval(&c->a.reference, env, arena, &text) == ERR_NONE;
	case NODE_TRUE:
		v = value_of(&c->a, env, arena);
		return is_true(&v);
	case NODE_IN:
		return is_in(c, env, arena);
	default:
		return holds_comparison(c, env, arena);
	}
}

/* ---- what it refers to */

static void
add_operand(struct template_uses *to, const struct operand *o)
{
	struct template_uses uses = o->reference.uses;

	uses.calls_needed = uses.calls_answer = 0;
	uses.body_json |= uses.body;
	template_add_uses(to, &uses);
	for (size_t i = 0; i < o->n_list; i++)
		add_operand(to, &o->list[i]);
}

void
condition_add_uses(struct template_uses *to, const struct condition *c)
{
	if (c == NULL)
		return;
	condition_add_uses(to, c->left);
	condition_add_uses(to, c->right);
	add_operand(to, &c->a);
	add_operand(to, &c->b);
}
