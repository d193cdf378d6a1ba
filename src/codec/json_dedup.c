/* Copying a document without its duplicates. Recursive, no deeper than the scanner allowed. */
#include "codec/json_dedup.h"

#include "codec/json_iter.h"
#include "codec/json_str.h"

/* One copy in the making. */
struct copy {
	struct json_keys *keys;
	char *to; /* as long as the original: a copy is never longer */
};

static void copy_value(struct copy *c, struct json_value value);

static void
copy_bytes(struct copy *c, const char *p, size_t n)
{
	memcpy(c->to, p, n);
	c->to += n;
}

/* json_keys_at_fn: texts is the text of the object, a place the offset of a key's quote. */
static struct str
key_at(const void *texts, uint32_t place)
{
	const struct str *object = texts;

	return json_iter_string(object->p + place, object->p + object->n);
}

static uint32_t
place_of(struct json_value object, const struct json_member *member)
{
	return (uint32_t)(member->key.p - 1 - object.text.p);
}

/* Links the equal keys of an object on top of the stack; returns how many links there are. */
static size_t
link_keys(struct copy *c, struct json_value object)
{
	size_t base = c->keys->n;
	struct json_iter it;
	struct json_member member;

	json_iter_init(&it, object);
	while (json_iter_next(&it, &member))
		json_keys_push(
		    c->keys, json_str_hash(member.key, c->keys->seed), place_of(object, &member));
	return json_keys_link(
	    json_keys_from(c->keys, base), c->keys->n - base, key_at, &object.text);
}

/* The value of the last key that equals the one of this link. */
static struct json_value
last_value(struct json_value object, const uint64_t *links, size_t n, uint64_t link)
{
	struct json_iter it;
	struct json_member member;

	while (json_keys_next(link) != 0)
		link = json_keys_find(links, n, json_keys_next(link));
	json_iter_init_at(&it, object, json_keys_place(link));
	json_iter_next(&it, &member);
	return member.value;
}

static void
copy_member(struct copy *c, const struct json_member *member)
{
	if (c->to[-1] != '{')
		copy_bytes(c, ",", 1);
	copy_bytes(c, member->key.p - 1, member->key.n + 2);
	copy_bytes(c, ":", 1);
	copy_value(c, member->value);
}

static void
copy_object(struct copy *c, struct json_value object)
{
	size_t base = c->keys->n;
	size_t n = link_keys(c, object);
	size_t next = 0;
	struct json_iter it;
	struct json_member member;

	c->keys->n = base + n; /* the links stay, what is inside the object goes on top */
	copy_bytes(c, "{", 1);
	json_iter_init(&it, object);
	while (json_iter_next(&it, &member)) {
		const uint64_t *links = json_keys_from(c->keys, base); /* the stack may move */

		if (next < n && json_keys_place(links[next]) == place_of(object, &member)) {
			uint64_t link = links[next++];

			if (!json_keys_is_first(link))
				continue;
			member.value = last_value(object, links, n, link);
		}
		copy_member(c, &member);
	}
	copy_bytes(c, "}", 1);
	c->keys->n = base;
}

static void
copy_array(struct copy *c, struct json_value array)
{
	struct json_iter it;
	struct json_member member;

	copy_bytes(c, "[", 1);
	json_iter_init(&it, array);
	while (json_iter_next(&it, &member)) {
		copy_value(c, member.value);
		if (it.at != it.end)
			copy_bytes(c, ",", 1);
	}
	copy_bytes(c, "]", 1);
}

static void
copy_value(struct copy *c, struct json_value value)
{
	if (value.kind == JSON_OBJECT)
		copy_object(c, value);
	else if (value.kind == JSON_ARRAY)
		copy_array(c, value);
	else
		copy_bytes(c, value.text.p, value.text.n);
}

struct json_value
json_dedup_last(struct json_scan *js, struct arena *a, struct json_value root)
{
	struct copy c = { &js->keys, arena_alloc(a, root.text.n) };
	char *start = c.to;

	js->keys.n = 0;
	copy_value(&c, root);
	json_keys_clear(&js->keys);
	return (struct json_value){ root.kind, str_of(start, (size_t)(c.to - start)) };
}
