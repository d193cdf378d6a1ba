/* Walks the members of objects and elements of arrays in a text that json_scan.h found valid. */
#ifndef CODEC_JSON_ITER_H
#define CODEC_JSON_ITER_H

#include <stdbool.h>

#include "codec/json_value.h"

/* A member of an object, or an element of an array. */
struct json_member {
	struct str key; /* as written, between the quotes; none in an array */
	struct json_value value;
};

struct json_iter {
	const char *at; /* borrowed from the text: before the next member, or at the closing bracket */
	const char *end;
	bool is_object;
};

/* Stands before the first member; any other value than an object or array has none. */
void json_iter_init(struct json_iter *it, struct json_value value);
/* Stands before the member whose key has its opening quote at this offset of the object. */
void json_iter_init_at(struct json_iter *it, struct json_value object, size_t offset);
/* What is inside the string whose opening quote is at p; the text goes on to end. */
struct str json_iter_string(const char *p, const char *end);
/* False when there are no more. */
bool json_iter_next(struct json_iter *it, struct json_member *member);
/*
 * Another way, which passes each byte once when some values are walked inside: json_iter_open() at an opening bracket
 * of a text that goes on to `end`; then for each member json_iter_enter(), which leaves member->value.text empty at the
 * value's first byte, and json_iter_pass(), which finds its end, or json_iter_leave() with the end that a walk inside
 * has found. When there is none left json_iter_close() is what stands behind the closing bracket.
 */
void json_iter_open(struct json_iter *it, const char *bracket, const char *end);
bool json_iter_enter(struct json_iter *it, struct json_member *member);
void json_iter_pass(struct json_iter *it, struct json_member *member);
void json_iter_leave(struct json_iter *it, const char *behind);
const char *json_iter_close(const struct json_iter *it);
/* What is between the brackets, without white space at its ends; empty: there are no members. */
struct str json_iter_inside(struct json_value value);
/* The kind of the value that begins with this byte; JSON_NONE for a byte that begins none. */
enum json_kind json_iter_kind(char first);

#endif
