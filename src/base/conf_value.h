/*
 * Values as a configuration file holds them, shared by the structures that each module declares for its
 * own part of the file (listener_conf, upstream_conf, route_conf). They live in the arena of their
 * generation and are never written to after the file was checked.
 */
#ifndef BASE_CONF_VALUE_H
#define BASE_CONF_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct yaml_node;

/* Where a value stands in the files. */
struct conf_pos {
	const char *file; /* NUL-terminated; NULL: a built-in default */
	uint32_t line;    /* from 1 */
	uint32_t column;  /* from 1 */
	const struct yaml_node *node; /* borrowed, in the same arena; for messages only; may be NULL */
};

/* Text whose meaning is settled later (templates, paths), with its place for error messages. */
struct conf_text {
	struct str s; /* none: the key is not there */
	struct conf_pos pos;
};

struct conf_text_list {
	struct conf_text *at;
	size_t n;
};

/* One `key: value` of a map whose keys are free (query, headers). */
struct conf_pair {
	struct conf_text name;
	struct conf_text value;
};

struct conf_pair_list {
	struct conf_pair *at;
	size_t n;
};

/* JSON written as YAML, under `json:` and `default:`. Plain scalars follow the JSON grammar, or are strings. */
enum conf_json_kind {
	CONF_JSON_NONE, /* the key is not there */
	CONF_JSON_RAW,  /* null, true, false or a number: `text` is the JSON */
	CONF_JSON_STRING, /* `text` is the unescaped string, a template where references are allowed */
	CONF_JSON_ARRAY,  /* `members` without names */
	CONF_JSON_OBJECT, /* `members` in the order of the file */
};

struct conf_json_member;

struct conf_json {
	enum conf_json_kind kind;
	struct conf_text text;
	struct conf_json_member *members;
	size_t n;
};

struct conf_json_member {
	struct str name; /* unescaped */
	struct conf_json value;
};

/* A set of status codes: `404`, `4xx`, `[403, 404]`. One bit per code from 100 to 599. */
struct status_set {
	uint64_t bits[8]; /* bit (code - 100) */
};

static inline void
status_set_add(struct status_set *set, unsigned code)
{
	set->bits[(code - 100) / 64] |= UINT64_C(1) << (code - 100) % 64;
}

static inline bool
status_set_has(const struct status_set *set, unsigned code)
{
	return code >= 100 && code < 600 && (set->bits[(code - 100) / 64] >> (code - 100) % 64 & 1);
}

#endif
