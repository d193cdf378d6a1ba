/*
 * Header fields: a list over the caller's memory whose slices point into the caller's bytes, with
 * lookup of known names in constant time, and the grammar of list-valued fields.
 */
#ifndef CODEC_HEADER_H
#define CODEC_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "codec/http_table.h"

struct header {
	struct str name;  /* as it came; borrowed from the bytes that were parsed */
	struct str value; /* without the white space around it; borrowed likewise */
	enum header_id id;
	/*
	 * It belongs to this hop: Connection names it (RFC 9110 7.6.1), or it looks like a field
	 * that gatherd writes or decides by to a server that takes "_" for "-", as CGI and its
	 * heirs do: X_Forwarded_For.
	 */
	bool is_hop;
};

#define HEADER_LIST_MAX UINT16_MAX

struct header_list {
	struct header *at; /* borrowed: `cap` of them */
	uint16_t n;
	uint16_t cap;
	bool has_repeats;             /* a known name stands there twice */
	uint16_t first[HEADER_COUNT]; /* by id: 1 + index of the first; 0: none */
};

/* An empty list over `cap` headers at `at`; cap is at most HEADER_LIST_MAX. */
void header_list_init(struct header_list *list, struct header *at, size_t cap);

/* Appends a field; false when the list is full. `name` must be a token. */
bool header_list_add(struct header_list *list, struct str name, struct str value);
/* With "-" for each "_", is it the name of a field that is not simply passed on? */
bool header_is_look_alike(struct str name);
/* Are these one field to a server that takes "_" for "-"? Case does not matter. */
bool header_is_same_name(struct str a, struct str b);

/* As header_list_add(), when the id of the name is known already. */
static inline bool
header_list_add_id(struct header_list *list, enum header_id id, struct str name, struct str value)
{
	struct header *h = &list->at[list->n];

	if (list->n == list->cap)
		return false;
	*h = (struct header){ name, value, id, id == HEADER_OTHER && header_is_look_alike(name) };
	list->n++;
	if (id == HEADER_OTHER)
		return true;
	if (list->first[id] == 0)
		list->first[id] = list->n;
	else
		list->has_repeats = true;
	return true;
}

/* Marks every field with this name as named by Connection. */
void header_list_nominate(struct header_list *list, struct str name);

/* The first field with this id (not HEADER_OTHER), or NULL. */
static inline const struct header *
header_find(const struct header_list *list, enum header_id id)
{
	return list->first[id] == 0 ? NULL : &list->at[list->first[id] - 1];
}

const struct header *header_search_next(const struct header_list *list, const struct header *h);
/* The next field with the id of `h`, which must be in the list and known; or NULL. */
static inline const struct header *
header_next(const struct header_list *list, const struct header *h)
{
	return list->has_repeats ? header_search_next(list, h) : NULL;
}

/* The first field with this name, known or not, whatever its case; or NULL. */
const struct header *header_find_name(const struct header_list *list, struct str name);

/* The value of the first field with this id; none when it is not there. */
static inline struct str
header_value(const struct header_list *list, enum header_id id)
{
	const struct header *h = header_find(list, id);

	return h == NULL ? str_none() : h->value;
}

/*
 * True when this received field may be sent on: not hop-by-hop, not is_hop, and not
 * one that frames the message (those are written anew).
 */
static inline bool
header_crosses(const struct header *h)
{
	return !h->is_hop && (http_table_header_flags(h->id) & (FIELD_HOP | FIELD_FRAMING)) == 0;
}

/*
 * The elements of a list-valued field (RFC 9110 5.6.1): takes the next non-empty element off *rest,
 * without the white space around it. Commas inside quoted strings do not separate. False at the
 * end.
 *
 *     for (struct str rest = h->value, e; header_next_element(&rest, &e);)
 */
bool header_next_element(struct str *rest, struct str *element);

/* True when the value has this token among its elements, whatever its case. */
bool header_has_element(struct str value, struct str token);
/* The same of all fields with this id. */
bool header_has_token(const struct header_list *list, enum header_id id, struct str token);

/*
 * Takes the next of complete lines "name: value" with their ends off *lines; false at the end. They are ours, and so
 * well formed.
 */
bool header_next_line(struct str *lines, struct str *name, struct str *value);

/* True for one or more token characters (RFC 9110 5.6.2). */
bool header_is_token(struct str s);
/* True when s can be a field value: no control byte but HTAB (RFC 9110 5.5). Empty is fine. */
bool header_is_value(struct str s);

#endif
