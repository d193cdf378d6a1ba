/* The calls of a for_each. Worker thread; lives in the arena of its gather. */
#include "gather/fanout.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/json_iter.h"
#include "codec/json_str.h"
#include "gather/values.h"
#include "upstream/upstream.h"

struct slot {
	struct fanout *fanout; /* owner */
	struct task task;
	struct arena arena; /* of one call at a time */
	struct defer next;  /* takes the next item when the stack is clear of the last one */
	size_t first;       /* its items: indexes into todo, n of them */
	size_t n;
	bool is_busy;
};

struct fanout {
	struct fanout_setup setup;
	struct json_value *items; /* as found; JSON_NONE or null: no call is made */
	size_t n_items;
	size_t *same_as;          /* distinct: index of the first equal item; itself: it is the first */
	struct json_value *results;
	size_t *todo;             /* indexes of the items that calls are made for */
	size_t n_todo;
	size_t next;              /* of todo, not begun */
	struct slot *slots;
	size_t n_slots;
	size_t n_busy;
	enum err_code error;      /* the first failure */
	size_t n_failed;          /* items of calls that failed */
	bool is_passed;           /* `last` is an answer that becomes the client's */
	struct str content_type;  /* then; in the arena, as last.body */
	bool is_over;
	struct defer finish_later;
	struct call last;         /* a copy, for logs; only its plain fields are of use */
};

static size_t
batch_size(const struct fanout *f)
{
	uint64_t max = f->setup.plan->conf->batch.max;

	return max == 0 ? 1 : (size_t)max;
}

static bool
is_batch(const struct fanout *f)
{
	return f->setup.plan->conf->batch.max != 0;
}

/* Does the failure of one item fail the call? */
static bool
is_strict(const struct fanout *f)
{
	return f->setup.plan->conf->is_required && str_is_none(f->setup.plan->default_json);
}

/* Is it settled that no more calls are made? What the results take is within the budget of the request. */
static bool
is_given_up(const struct fanout *f)
{
	return f->setup.arena->is_over || (f->error != ERR_NONE && is_strict(f));
}

/* ---- the end */

static void
release_slot(struct slot *s)
{
	task_cancel(&s->task);
	loop_defer_cancel(s->fanout->setup.env->loop, &s->next);
}

void
fanout_cancel(struct fanout *f)
{
	f->is_over = true;
	loop_defer_cancel(f->setup.env->loop, &f->finish_later);
	for (size_t i = 0; i < f->n_slots; i++)
		release_slot(&f->slots[i]);
}

static void
free_slots(void *arg)
{
	struct fanout *f = arg;

	for (size_t i = 0; i < f->n_slots; i++)
		arena_reset(&f->slots[i].arena);
}

static void
finish(void *arg)
{
	struct fanout *f = arg;

	fanout_cancel(f);
	f->setup.on_done(f);
}

void *
fanout_owner(const struct fanout *f)
{
	return f->setup.owner;
}

static struct json_value
default_of(const struct fanout *f)
{
	struct str text = f->setup.plan->default_json;

	if (str_is_none(text))
		return (struct json_value){ JSON_NULL, STR("null") };
	return (struct json_value){ json_iter_kind(text.p[0]), text };
}

enum err_code
fanout_result(const struct fanout *f, struct json_value *out)
{
	if (f->setup.arena->is_over)
		return ERR_BUDGET;
	if (f->error != ERR_NONE && is_strict(f))
		return f->error;
	for (size_t i = 0; i < f->n_items; i++) {
		f->results[i] = f->results[f->same_as[i]];
		if (f->results[i].kind == JSON_NONE)
			f->results[i] = default_of(f);
	}
	*out = values_join(f->results, f->n_items, f->setup.arena);
	return ERR_NONE;
}

size_t
fanout_failed_items(const struct fanout *f, enum err_code *first)
{
	*first = f->error;
	return f->n_failed;
}

const struct call *
fanout_last_call(const struct fanout *f)
{
	return &f->last;
}

bool
fanout_is_passed(const struct fanout *f, struct str *content_type)
{
	*content_type = f->content_type;
	return f->is_passed;
}

/* ---- results */

static void
keep_result(struct fanout *f, size_t item, struct json_value v)
{
	f->results[item] = (struct json_value){ v.kind, arena_str(f->setup.arena, v.text) };
}

/* A key in an answer and an item are the same when their text is: "7" is 7. */
static struct str
scalar_text(struct json_value v, struct arena *arena)
{
	if (v.kind != JSON_STRING)
		return v.text;
	return json_str_text(arena, str_of(v.text.p + 1, v.text.n - 2));
}

/* The items of one call by their text, for batch.match: an open-addressing table of the first with each text. */
struct matches {
	struct slot *slot;
	struct str *texts;        /* by place in the call, as all below */
	size_t *first;            /* of the same text */
	struct json_value *found; /* what the latest element that matched is; of the first ones only */
	size_t *table;            /* 1 + place */
	size_t cap;
};

static size_t *
find_text(const struct matches *m, struct str text)
{
	uint64_t seed = (uintptr_t)m->slot->fanout;
	size_t at = json_str_hash_plain(text, text.p + text.n, seed) & (m->cap - 1);

	while (m->table[at] != 0 && !str_eq(m->texts[m->table[at] - 1], text))
		at = (at + 1) & (m->cap - 1);
	return &m->table[at];
}

static void
index_items(struct matches *m, struct slot *s)
{
	struct fanout *f = s->fanout;
	struct arena *arena = &s->arena;

	m->slot = s;
	for (m->cap = 16; m->cap < s->n * 2;)
		m->cap *= 2;
	m->texts = arena_alloc(arena, s->n * sizeof *m->texts);
	m->first = arena_alloc(arena, s->n * sizeof *m->first);
	m->found = arena_calloc(arena, s->n, sizeof *m->found);
	m->table = arena_calloc(arena, m->cap, sizeof *m->table);
	for (size_t i = 0; i < s->n; i++) {
		size_t *at;

		m->texts[i] = scalar_text(f->items[f->todo[s->first + i]], arena);
		at = find_text(m, m->texts[i]);
		if (*at == 0)
			*at = i + 1;
		m->first[i] = *at - 1;
	}
}

/* What was found goes to all items that it is for; equal ones share it. */
static void
keep_found(const struct matches *m)
{
	struct slot *s = m->slot;
	struct fanout *f = s->fanout;

	for (size_t i = 0; i < s->n; i++) {
		size_t first = m->first[i];

		if (m->found[first].kind == JSON_NONE)
			continue;
		if (first == i)
			keep_result(f, f->todo[s->first + i], m->found[i]);
		f->results[f->todo[s->first + i]] = f->results[f->todo[s->first + first]];
	}
}

/* batch.match: each element of the answer goes to the items whose value its key holds; the last one stays. */
static void
match_elements(struct slot *s, struct json_value answer)
{
	struct json_member element;
	struct matches m;
	struct json_iter it;

	index_items(&m, s);
	json_iter_init(&it, answer);
	while (json_iter_next(&it, &element)) {
		struct json_value key = json_path_find(&s->fanout->setup.plan->match, element.value);
		size_t place;

		if (key.kind == JSON_NONE)
			continue;
		place = *find_text(&m, scalar_text(key, &s->arena));
		if (place != 0)
			m.found[place - 1] = element.value;
	}
	keep_found(&m);
}

/* Without match the answer has one element per item, in their order. */
static enum err_code
spread_elements(struct slot *s, struct json_value answer)
{
	struct json_value *elements;
	size_t n = values_elements(answer, &s->arena, &elements);

	if (n != s->n)
		return ERR_BATCH_MISMATCH;
	for (size_t i = 0; i < n; i++)
		keep_result(s->fanout, s->fanout->todo[s->first + i], elements[i]);
	return ERR_NONE;
}

static enum err_code
take_result(struct slot *s)
{
	struct json_value result = s->task.result;
	struct fanout *f = s->fanout;

	if (s->task.error != ERR_NONE)
		return s->task.error;
	if (!is_batch(f)) {
		keep_result(f, f->todo[s->first], result);
		return ERR_NONE;
	}
	if (result.kind != JSON_ARRAY)
		return ERR_BATCH_MISMATCH;
	if (str_is_none(f->setup.plan->conf->batch.match.s))
		return spread_elements(s, result);
	match_elements(s, result);
	return ERR_NONE;
}

static void
note_failure(struct slot *s, enum err_code e)
{
	struct fanout *f = s->fanout;

	if (f->error == ERR_NONE)
		f->error = e;
	f->n_failed += s->n;
}

/* pass_errors: the answer to one item decides. */
static void
keep_passed(struct fanout *f, const struct task *t)
{
	struct arena *arena = f->setup.arena;

	f->is_passed = true;
	f->last.body = arena_str(arena, t->call.body);
	if (!str_is_none(t->content_type))
		f->content_type = arena_str(arena, t->content_type);
}

static void
on_task_done(struct task *t)
{
	struct slot *s = t->owner;
	struct fanout *f = s->fanout;
	enum err_code e = take_result(s);

	if (t->is_passed || !is_given_up(f))
		f->last = t->call;
	s->is_busy = false;
	f->n_busy--;
	if (e != ERR_NONE)
		note_failure(s, e);
	if (t->is_passed)
		keep_passed(f, t);
	if (t->is_passed || is_given_up(f) || (f->n_busy == 0 && f->next == f->n_todo))
		finish(f);
	else
		loop_defer(f->setup.env->loop, &s->next);
}

/* ---- calls */

/* What {item} (or {items}) is for this slot's call. */
static struct json_value
item_of(struct slot *s)
{
	struct fanout *f = s->fanout;
	struct json_value *items;

	if (!is_batch(f))
		return f->items[f->todo[s->first]];
	items = arena_alloc(&s->arena, s->n * sizeof *items);
	for (size_t i = 0; i < s->n; i++)
		items[i] = f->items[f->todo[s->first + i]];
	return values_join(items, s->n, &s->arena);
}

/* Begins the next item or batch on an idle slot. False: there is none, or it failed at once. */
static bool
begin(struct slot *s)
{
	struct fanout *f = s->fanout;
	struct template_env values = *f->setup.values;
	size_t left = f->n_todo - f->next;
	enum err_code e;

	s->first = f->next;
	s->n = left < batch_size(f) ? left : batch_size(f);
	f->next += s->n;
	arena_reset(&s->arena);
	f->last.body = str_none(); /* it may have been this slot's */
	values.item = item_of(s);
	task_init(&s->task, f->setup.plan, f->setup.env, &s->arena);
	s->task.call.times.started = f->setup.env->loop->now_ns;
	s->task.on_done = on_task_done;
	s->task.owner = s;
	e = task_build(&s->task, &values, f->setup.shared);
	if (e == ERR_NONE && f->setup.env->loop->now_ns >= f->setup.deadline_ns)
		e = ERR_TIMEOUT;
	if (e != ERR_NONE) {
		call_refuse(&s->task.call, e);
		if (!is_given_up(f))
			f->last = s->task.call;
		note_failure(s, e);
		return false;
	}
	s->is_busy = true;
	f->n_busy++;
	task_start(&s->task, f->setup.deadline_ns);
	return true;
}

static void
fill(struct slot *s)
{
	struct fanout *f = s->fanout;

	while (!s->is_busy && f->next < f->n_todo && !is_given_up(f))
		begin(s);
}

static bool
is_exhausted(const struct fanout *f)
{
	return f->n_busy == 0 && (f->next == f->n_todo || is_given_up(f));
}

static void
on_next(void *arg)
{
	struct slot *s = arg;
	struct fanout *f = s->fanout;

	fill(s);
	if (is_exhausted(f))
		finish(f);
}

/* ---- items */

/* Equal items share one call: an open-addressing table of first occurrences. */
static void
find_same(struct fanout *f)
{
	struct arena *arena = f->setup.arena;
	size_t cap = 16;
	size_t *table; /* 1 + index of an item */

	while (cap < f->n_items * 2)
		cap *= 2;
	table = arena_calloc(arena, cap, sizeof *table);
	for (size_t i = 0; i < f->n_items; i++) {
		size_t at = json_str_hash(f->items[i].text, (uintptr_t)f) & (cap - 1);

		while (table[at] != 0 && !str_eq(f->items[table[at] - 1].text, f->items[i].text))
			at = (at + 1) & (cap - 1);
		if (table[at] == 0)
			table[at] = i + 1;
		f->same_as[i] = table[at] - 1;
	}
}

static void
list_todo(struct fanout *f)
{
	f->same_as = arena_alloc(f->setup.arena, f->n_items * sizeof *f->same_as);
	f->todo = arena_alloc(f->setup.arena, f->n_items * sizeof *f->todo);
	for (size_t i = 0; i < f->n_items; i++)
		f->same_as[i] = i;
	if (f->setup.plan->conf->for_each.is_distinct)
		find_same(f);
	for (size_t i = 0; i < f->n_items; i++)
		if (f->same_as[i] == i && f->items[i].kind != JSON_NONE &&
		    f->items[i].kind != JSON_NULL)
			f->todo[f->n_todo++] = i;
}

static void
init_slots(struct fanout *f)
{
	size_t n_calls = (f->n_todo + batch_size(f) - 1) / batch_size(f);
	size_t parallel = (size_t)f->setup.plan->conf->for_each.parallel;

	f->n_slots = n_calls < parallel ? n_calls : parallel;
	f->slots = arena_calloc(f->setup.arena, f->n_slots, sizeof *f->slots);
	for (size_t i = 0; i < f->n_slots; i++) {
		struct slot *s = &f->slots[i];

		s->fanout = f;
		arena_init(&s->arena, f->setup.arena->pool, f->setup.arena->budget_bytes);
		defer_init(&s->next, on_next, s);
		task_init(&s->task, f->setup.plan, f->setup.env, &s->arena);
	}
	arena_on_reset(f->setup.arena, free_slots, f);
}

enum err_code
fanout_start(const struct fanout_setup *setup, struct fanout **out)
{
	const struct call_conf *conf = setup->plan->conf;
	struct fanout *f = arena_calloc(setup->arena, 1, sizeof *f);
	enum err_code e;

	f->setup = *setup;
	f->last.upstream = &setup->env->upstreams[conf->upstream];
	defer_init(&f->finish_later, finish, f);
	e = template_eval_list(&setup->plan->list, setup->values, setup->arena, &f->items, &f->n_items);
	if (e != ERR_NONE)
		return e;
	if (f->n_items > conf->for_each.max_items) {
		if (!conf->for_each.is_truncated)
			return ERR_TOO_MANY_ITEMS;
		f->n_items = (size_t)conf->for_each.max_items;
	}
	f->results = arena_calloc(setup->arena, f->n_items, sizeof *f->results);
	list_todo(f);
	init_slots(f);
	*out = f;
	for (size_t i = 0; i < f->n_slots; i++)
		fill(&f->slots[i]);
	if (is_exhausted(f))
		loop_defer(setup->env->loop, &f->finish_later);
	return ERR_NONE;
}
