/*
 * The general merge. Whatever lands in one place of the answer is a list of claims, in the order of
 * the file; settle() decides by the policy what becomes of them, emit_...() writes it. Objects that
 * meet are not taken apart: their keys are compared by hash (json_keys.h), and runs of members that
 * meet nothing go out as they stand. So the memory needed is eight bytes per member of objects that
 * meet, whatever the values are.
 *
 * Recursion goes one level down per level of the answer: at most JSON_SCAN_MAX_DEPTH +
 * JSON_PATH_MAX_STEPS.
 */
#include "gather/merge_json.h"

#include "base/buf.h"
#include "base/compiler.h"
#include "codec/json_iter.h"
#include "codec/json_str.h"
#include "gather/slices.h"

/* A value on its way to its place: what is left of the path leads there from where it is now. */
struct claim {
	struct json_value value;
	const struct json_step *steps; /* borrowed from the plan */
	size_t n_steps;
	size_t part;     /* index of the call */
	bool is_meta;    /* the metadata object, which takes its place from whoever has it */
	bool is_filler;  /* the null of an absent part, which gives way to whatever else is there */
	bool is_element; /* settled: begins an element of an array; else belongs to the claim before */
	uint32_t base;   /* where its keys begin among the places of the object */
};

/* The claims to one place. */
struct place {
	struct claim *claims; /* settling reorders and drops them */
	size_t n;
	struct str key;             /* raw, of the member; none: the root */
	const struct place *parent; /* of the object around it */
};

/* Memory for the claims to one place; there are as many as objects lie in each other where parts meet. */
struct claim_room {
	struct claim_room *next; /* while it is free */
	struct claim claims[];
};

struct merger {
	struct slices out;
	size_t most_claims; /* to any place */
	struct claim_room *free;
	struct json_keys *keys;
	enum conflict_policy policy;
	struct merge_result *result;
};

enum claim_shape { SHAPE_SCALAR, SHAPE_ARRAY, SHAPE_OBJECT };

static enum err_code emit_place(struct merger *m, struct place *place);

/* What a claim makes of its place: a path that goes on needs an object or array there. */
static enum claim_shape
shape_of(const struct claim *c)
{
	if (c->n_steps > 0)
		return c->steps[0].kind == JSON_STEP_KEY ? SHAPE_OBJECT : SHAPE_ARRAY;
	if (c->value.kind == JSON_OBJECT)
		return SHAPE_OBJECT;
	return c->value.kind == JSON_ARRAY ? SHAPE_ARRAY : SHAPE_SCALAR;
}

/* Appends a key to a path for people, quoted when the configuration would have to. */
static void
add_key(struct buf *b, struct str key)
{
	bool is_bare = key.n > 0;

	for (size_t i = 0; i < key.n; i++)
		is_bare = is_bare && json_path_is_bare(key.p[i]) && key.p[i] != '\\';
	if (b->n > 0)
		buf_add_char(b, '.');
	buf_printf(b, is_bare ? "%.*s" : "\"%.*s\"", STR_FMT(key));
}

static void
add_path(struct buf *b, const struct place *place)
{
	if (place == NULL || str_is_none(place->key))
		return;
	add_path(b, place->parent);
	add_key(b, place->key);
}

static enum err_code
conflict(struct merger *m, const struct place *place, size_t part)
{
	struct buf b = BUF_INIT;

	add_path(&b, place);
	m->result->conflict_part = part;
	m->result->conflict_place = b.n == 0 ? STR(".") : arena_str(m->out.arena, buf_str(&b));
	buf_fini(&b);
	return ERR_MERGE_CONFLICT;
}

/* What the claims to a place have come to so far. */
struct outcome {
	enum claim_shape shape;
	bool is_owned; /* some part's value is there, not only paths leading through */
	size_t n;      /* claims kept, at the front of the place's */
};

static void
keep(struct place *place, struct outcome *o, const struct claim *c, bool is_element)
{
	place->claims[o->n] = *c;
	place->claims[o->n++].is_element = is_element;
	o->is_owned = o->is_owned || c->n_steps == 0;
}

/* Two shapes that share their place: who put them there does not matter to the policy. */
static bool
is_compatible(const struct merger *m, const struct outcome *o, const struct claim *c)
{
	bool is_path = c->n_steps > 0 || !o->is_owned;

	if (shape_of(c) != o->shape)
		return false;
	if (o->shape == SHAPE_OBJECT)
		return is_path || m->policy == CONFLICT_DEEP;
	return o->shape == SHAPE_ARRAY && (is_path || m->policy == CONFLICT_APPEND);
}

/* One more claim to a place that is taken. */
static enum err_code
settle_claim(struct merger *m, struct place *place, struct outcome *o, const struct claim *c)
{
	if (is_compatible(m, o, c)) {
		keep(place, o, c, o->shape == SHAPE_ARRAY);
		return ERR_NONE;
	}
	switch (m->policy) {
	case CONFLICT_ERROR:
		return conflict(m, place, c->part);
	case CONFLICT_FIRST:
		break;
	case CONFLICT_LAST:
	case CONFLICT_DEEP:
	case CONFLICT_APPEND:
		*o = (struct outcome){ .shape = shape_of(c) };
		keep(place, o, c, true);
		break;
	}
	return ERR_NONE;
}

/* One of them stays where there is nothing else. */
static void
drop_fillers(struct place *place)
{
	size_t n = 0;

	for (size_t i = 0; i < place->n; i++)
		if (!place->claims[i].is_filler || (n == 0 && i + 1 == place->n))
			place->claims[n++] = place->claims[i];
	place->n = n;
}

/* Drops what the policy drops; the shape of what stays. */
static enum err_code
settle(struct merger *m, struct place *place, enum claim_shape *shape)
{
	struct outcome o = { .n = 0 };
	enum err_code e = ERR_NONE;

	drop_fillers(place);
	o.shape = shape_of(&place->claims[0]);
	keep(place, &o, &place->claims[0], true);
	for (size_t i = 1; i < place->n && e == ERR_NONE; i++) {
		struct claim c = place->claims[i];

		e = settle_claim(m, place, &o, &c);
	}
	place->n = o.n;
	*shape = o.shape;
	return e;
}

/* ---- objects that meet */

/* An object in the making: the claims to it, and which of their keys are equal. */
struct object {
	const struct place *place;
	size_t first_link; /* on the stack of keys, ordered by place */
	size_t n_links;
	size_t next_link; /* of those that the walk has not passed yet */
	bool is_empty;    /* no member was written yet */
};

/* The claim whose keys this place is among. */
static const struct claim *
claim_at(const struct place *place, uint32_t at)
{
	size_t low = 0, high = place->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (place->claims[middle].base <= at)
			low = middle;
		else
			high = middle;
	}
	return &place->claims[low];
}

static struct str
step_key(const struct claim *c)
{
	return str_of(c->steps[0].quoted.p + 1, c->steps[0].quoted.n - 2);
}

/* json_keys_at_fn over the claims of a place. */
static struct str
key_at(const void *texts, uint32_t at)
{
	const struct claim *c = claim_at(texts, at);
	struct str text = c->value.text;

	return c->n_steps > 0 ? step_key(c)
			      : json_iter_string(text.p + (at - c->base), text.p + text.n);
}

static uint32_t
place_of(const struct claim *c, const struct json_member *member)
{
	return c->base + (uint32_t)(member->key.p - 1 - c->value.text.p);
}

static void
push_keys(struct json_keys *keys, const struct claim *c)
{
	struct json_iter it;
	struct json_member member;

	if (c->n_steps > 0) {
		json_keys_push(keys, json_str_hash(step_key(c), keys->seed), c->base);
		return;
	}
	json_iter_init(&it, c->value);
	while (json_iter_next(&it, &member))
		json_keys_push(keys, json_str_hash(member.key, keys->seed), place_of(c, &member));
}

/* Gives every claim its range of places; false when there are not enough. */
static bool
number_claims(struct place *place)
{
	size_t base = 0;

	for (size_t i = 0; i < place->n; i++) {
		struct claim *c = &place->claims[i];
		size_t n = c->n_steps > 0 ? 1 : c->value.text.n;

		if (n > INT32_MAX - base)
			return false;
		c->base = (uint32_t)base;
		base += n;
	}
	return true;
}

static void
link_keys(struct merger *m, struct object *o)
{
	struct json_keys *keys = m->keys;

	o->first_link = keys->n;
	for (size_t i = 0; i < o->place->n; i++)
		push_keys(keys, &o->place->claims[i]);
	o->n_links = json_keys_link(
	    json_keys_from(keys, o->first_link), keys->n - o->first_link, key_at, o->place);
	keys->n = o->first_link + o->n_links; /* what is inside goes on top */
}

/* Whether the walk has come to a key that is not alone. */
static bool
is_link_before(const struct merger *m, const struct object *o, size_t limit)
{
	return o->next_link < o->n_links &&
	       json_keys_place(m->keys->at[o->first_link + o->next_link]) < limit;
}

/* Members, or the first bytes of one, as they stand in a part. */
static void
add_members(struct merger *m, struct object *o, struct str members)
{
	if (members.n == 0)
		return;
	if (!o->is_empty)
		slices_copy(&m->out, STR(","));
	slices_add(&m->out, members);
	o->is_empty = false;
}

/* What the key at a place of this claim has to say: a claim to the place of that key. */
static struct claim
claim_inside(const struct claim *c, uint32_t at)
{
	struct claim inside = *c;
	struct json_iter it;
	struct json_member member;

	if (c->n_steps > 0) {
		inside.steps++;
		inside.n_steps--;
	} else {
		json_iter_init_at(&it, c->value, at - c->base);
		json_iter_next(&it, &member);
		inside.value = member.value;
	}
	return inside;
}

/* Collects the claims to the key of a link, at most one of each claim to the object around it. */
static void
collect(const struct merger *m, const struct object *o, uint64_t link, struct place *place)
{
	const uint64_t *links = m->keys->at + o->first_link;

	while (place->n < o->place->n) {
		uint32_t at = json_keys_place(link);

		place->claims[place->n++] = claim_inside(claim_at(o->place, at), at);
		if (json_keys_next(link) == 0)
			return;
		link = json_keys_find(links, o->n_links, json_keys_next(link));
	}
}

static struct claim_room *
room_take(struct merger *m)
{
	struct claim_room *room = m->free;

	if (room == NULL)
		return arena_alloc(m->out.arena, sizeof(*room) + m->most_claims * sizeof(room->claims[0]));
	m->free = room->next;
	return room;
}

static void
room_give(struct merger *m, struct claim_room *room)
{
	room->next = m->free;
	m->free = room;
}

static enum err_code
emit_member(struct merger *m, struct object *o, struct place *place)
{
	/* the quotes around the key are where the key is, in a part or in the plan */
	add_members(m, o, str_of(place->key.p - 1, place->key.n + 2));
	slices_copy(&m->out, STR(":"));
	return emit_place(m, place);
}

/* A member whose key is not alone: written where it is seen first, unless metadata replaces it. */
static enum err_code
emit_linked(struct merger *m, struct object *o, struct str key)
{
	uint64_t link = m->keys->at[o->first_link + o->next_link++];
	struct place place = { .key = key, .parent = o->place };
	enum err_code e = ERR_NONE;
	struct claim_room *room;

	if (!json_keys_is_first(link))
		return ERR_NONE;
	room = room_take(m);
	place.claims = room->claims;
	collect(m, o, link, &place);
	if (!place.claims[place.n - 1].is_meta)
		e = emit_member(m, o, &place);
	room_give(m, room);
	return e;
}

/* The one member that a path makes. */
static enum err_code
emit_step(struct merger *m, struct object *o, const struct claim *c)
{
	struct claim inside = claim_inside(c, c->base);
	struct place place = { &inside, 1, step_key(c), o->place };

	if (!is_link_before(m, o, (size_t)c->base + 1))
		return emit_member(m, o, &place);
	if (!c->is_meta)
		return emit_linked(m, o, step_key(c));
	o->next_link++;
	return emit_member(m, o, &place);
}

/* The members of a part's object: runs of those that meet nothing, between them those that do. */
static enum err_code
emit_part(struct merger *m, struct object *o, const struct claim *c)
{
	struct str run = { NULL, 0 };
	struct json_iter it;
	struct json_member member;
	enum err_code e = ERR_NONE;

	if (!is_link_before(m, o, c->base + c->value.text.n)) {
		add_members(m, o, json_iter_inside(c->value));
		return ERR_NONE;
	}
	json_iter_init(&it, c->value);
	while (e == ERR_NONE && json_iter_next(&it, &member)) {
		if (is_link_before(m, o, (size_t)place_of(c, &member) + 1)) {
			add_members(m, o, run);
			run.n = 0;
			e = emit_linked(m, o, member.key);
			continue;
		}
		if (run.n == 0)
			run.p = member.key.p - 1;
		run.n = (size_t)(member.value.text.p + member.value.text.n - run.p);
	}
	add_members(m, o, run);
	return e;
}

static enum err_code
emit_object(struct merger *m, struct place *place)
{
	struct object o = { .place = place, .is_empty = true };
	enum err_code e = ERR_NONE;

	if (!number_claims(place))
		return ERR_BUDGET;
	link_keys(m, &o);
	slices_copy(&m->out, STR("{"));
	for (size_t i = 0; i < place->n && e == ERR_NONE; i++) {
		const struct claim *c = &place->claims[i];

		e = c->n_steps > 0 ? emit_step(m, &o, c) : emit_part(m, &o, c);
	}
	slices_copy(&m->out, STR("}"));
	m->keys->n = o.first_link;
	return e;
}

/* ---- arrays */

/* The elements that n claims give: those of one array, or one element. */
static enum err_code
emit_elements(struct merger *m, struct place *element)
{
	const struct claim *c = &element->claims[0];

	if (shape_of(c) == SHAPE_OBJECT && element->n + c->n_steps > 1)
		return emit_object(m, element);
	slices_add(
	    &m->out, c->value.kind == JSON_ARRAY ? json_iter_inside(c->value) : c->value.text);
	return ERR_NONE;
}

static enum err_code
emit_array(struct merger *m, struct place *place)
{
	enum err_code e = ERR_NONE;
	size_t written = 0;

	slices_copy(&m->out, STR("["));
	for (size_t i = 0; i < place->n && e == ERR_NONE;) {
		struct place element = { place->claims + i, 1, place->key, place->parent };
		const struct claim *c = &place->claims[i];

		while (i + element.n < place->n && !place->claims[i + element.n].is_element)
			element.n++;
		i += element.n;
		if (c->value.kind == JSON_ARRAY && shape_of(c) == SHAPE_ARRAY &&
		    json_iter_inside(c->value).n == 0)
			continue;
		if (written++ > 0)
			slices_copy(&m->out, STR(","));
		e = emit_elements(m, &element);
	}
	slices_copy(&m->out, STR("]"));
	return e;
}

static enum err_code
emit_place(struct merger *m, struct place *place)
{
	const struct claim *c = &place->claims[0];
	enum claim_shape shape;
	enum err_code e = settle(m, place, &shape);

	if (e != ERR_NONE)
		return e;
	if (place->n == 1 && shape == shape_of(c) &&
	    (c->n_steps == 0 || (shape == SHAPE_ARRAY && c->value.kind == JSON_ARRAY))) {
		slices_add(&m->out, c->value.text); /* the whole value, as it came */
		return ERR_NONE;
	}
	return shape == SHAPE_ARRAY ? emit_array(m, place) : emit_object(m, place);
}

/* ---- the root */

/* What stands for an absent part: the member of the root that its path begins with. */
static void
claim_filler(struct place *root, const struct json_path *into, size_t part)
{
	if (into->n == 0 || into->steps[0].kind != JSON_STEP_KEY)
		return;
	root->claims[root->n++] = (struct claim){ .value = { JSON_NULL, STR_INIT("null") },
		.steps = into->steps,
		.n_steps = 1,
		.part = part,
		.is_filler = true };
}

/* The claims of the parts that are there; a part at the root must be an object. */
static enum err_code
claim_root(struct merger *m, const struct merge_plan *plan, const struct merge_input *in,
    struct place *root)
{
	for (size_t i = 0; i < plan->spec.n; i++) {
		const struct json_path *into = &plan->spec.places[i].into;

		if (in->parts[i].kind == JSON_NONE) {
			if (plan->spec.keeps_places)
				claim_filler(root, into, i);
			continue;
		}
		if (into->n == 0 && in->parts[i].kind != JSON_OBJECT)
			return conflict(m, root, i);
		root->claims[root->n++] = (struct claim){
			.value = in->parts[i], .steps = into->steps, .n_steps = into->n, .part = i
		};
	}
	if (str_is_none(in->meta) || plan->meta.into.n == 0)
		return ERR_NONE;
	root->claims[root->n++] = (struct claim){ .value = { JSON_OBJECT, in->meta },
		.steps = plan->meta.into.steps,
		.n_steps = 1,
		.part = plan->spec.n,
		.is_meta = true };
	return ERR_NONE;
}

static enum err_code
emit_root(struct merger *m, const struct merge_plan *plan, struct place *root)
{
	if (plan->is_array && root->n == 0) {
		slices_copy(&m->out, STR("[]"));
		return ERR_NONE;
	}
	if (plan->is_array)
		return emit_place(m, root);
	if (root->n == 1 && root->claims[0].n_steps == 0) {
		slices_add(&m->out, root->claims[0].value.text);
		return ERR_NONE;
	}
	return emit_object(m, root);
}

enum err_code
merge_json_run(
    const struct merge_plan *plan, const struct merge_input *in, struct merge_result *result)
{
	struct merger m = { .keys = &in->js->keys, .policy = plan->spec.policy, .result = result };
	struct place root = { .n = 0 };
	enum err_code e;

	root.claims = arena_alloc(in->arena, (plan->spec.n + 1) * sizeof *root.claims);
	slices_init(&m.out, in->arena, 4 * plan->spec.n + 4);
	m.most_claims = plan->spec.n + 1;
	m.keys->n = 0;
	if (plan->spec.n == 1 && plan->spec.places[0].into.n == 0 &&
	    in->parts[0].kind != JSON_NONE && in->parts[0].kind != JSON_OBJECT) {
		slices_add(&m.out, in->parts[0].text); /* the whole answer, whatever it is */
		e = ERR_NONE;
	} else {
		e = claim_root(&m, plan, in, &root);
		if (e == ERR_NONE)
			e = emit_root(&m, plan, &root);
	}
	json_keys_clear(m.keys);
	if (e != ERR_NONE)
		return e;
	result->iov = m.out.iov;
	result->n = m.out.n;
	result->bytes = m.out.bytes;
	return ERR_NONE;
}

enum err_code
merge_json_two(enum conflict_policy policy, const struct merge_input *in, struct merge_result *result)
{
	const struct merge_place root[2] = { { .name = STR("") }, { .name = STR("") } };
	const struct merge_plan plan = { .spec = { .places = root, .n = 2, .policy = policy } };

	return merge_json_run(&plan, in, result);
}
