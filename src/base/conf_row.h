/*
 * One row per configuration key. A module declares the rows of its part of the file beside the
 * structure that they fill; parsing, error messages, the effective dump, doc/reference.md and the
 * JSON schema all come out of the rows. Adding a key is adding a row.
 *
 * Here: what a row says, and how the text of one scalar becomes a value. How trees become
 * structures is src/conf's business.
 */
#ifndef BASE_CONF_ROW_H
#define BASE_CONF_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/conf_value.h"
#include "base/str.h"

/* The type decides what the field at `offset` is (named behind each). */
enum conf_type {
	CONF_BOOL,          /* bool */
	CONF_COUNT,         /* uint64_t */
	CONF_DURATION,      /* uint64_t, nanoseconds */
	CONF_SIZE,          /* uint64_t, bytes */
	CONF_WORD,          /* an enum as wide as int; `words` lists the values */
	CONF_STR,           /* struct str */
	CONF_TEXT,          /* struct conf_text */
	CONF_TEMPLATE,      /* struct conf_text; references are allowed */
	CONF_TEXTS,         /* struct conf_text_list: a list, or one text */
	CONF_PAIRS,         /* struct conf_pair_list: a map of free keys to templates */
	CONF_TEXT_PAIRS,    /* struct conf_pair_list: a map of free keys to texts */
	CONF_STATUSES,      /* struct status_set: a list, or one of `404`, `4xx` */
	CONF_JSON,          /* struct conf_json: any tree */
	CONF_JSON_TEMPLATE, /* the same; its strings are templates */
	CONF_PARSED,        /* text given to `parse`, which fills what it likes */
	CONF_PARSED_LIST,   /* as CONF_PARSED, for a list of texts or one text */
	CONF_SECTION, /* a map with the rows of `section`; offsets are in the same structure */
	CONF_NAMED,   /* a map of names to items; pointer at `offset`, size_t at `count_offset` */
	CONF_ITEMS,   /* a list of items; likewise */
};

/* Other places where a key may be set, for all that is below them; the nearest value wins. */
enum conf_level {
	CONF_IN_DEFAULTS = 1,
	CONF_IN_UPSTREAM = 2,
	CONF_IN_ROUTE = 4,
};

struct conf_word {
	const char *word; /* NULL ends the list */
	int value;
};

struct conf_section;

/*
 * Fills its part of the structure at `base` from one text. Returns NULL, or what is wrong (a
 * constant or in the arena). For lists it is called once per element, in order; *base is zeroed
 * before.
 */
typedef const char *conf_parse_fn(void *base, const struct conf_text *text, struct arena *a);

struct conf_row {
	const char *key;
	enum conf_type type;
	bool is_required; /* missing is an error */
	bool is_optional; /* sections: absent means something; no defaults are filled in */
	unsigned levels;  /* enum conf_level bits */
	size_t offset;
	size_t count_offset;
	uint64_t min; /* counts, sizes, durations (ns); list and map lengths */
	uint64_t max; /* 0: no limit */
	const char *fallback; /* the default as text, parsed as if it stood in the file; NULL: none */
	const char *unit; /* what is counted; NULL: nothing to say */
	const char *form; /* CONF_PARSED: what the text looks like */
	const struct conf_word *words;
	const struct conf_section *section;
	conf_parse_fn *parse;
	const char *since;
	const char *doc;
};

#define CONF_NOWHERE SIZE_MAX

struct conf_section {
	const struct conf_row *rows;
	size_t n_rows;
	size_t size;        /* items: of the structure */
	size_t name_offset; /* items: of its struct str name, or CONF_NOWHERE */
	size_t pos_offset;  /* items: of its struct conf_pos, or CONF_NOWHERE */
	const char *short_key; /* items: a scalar stands for { short_key: scalar }; NULL: not allowed */
	const char *doc;
};

/*
 * The value of a scalar of one of the numeric types (bool, count, duration, size, word) within the
 * bounds of its row. NULL and *out, or what is wrong: a constant, or in the arena.
 */
const char *conf_row_parse(
    const struct conf_row *row, struct str text, struct arena *a, uint64_t *out);
/* Adds "404" or "4xx" to the set; false when it is neither. 1xx is no answer and is not taken. */
bool conf_row_parse_status(struct str text, struct status_set *set);
/* One number (digits, no sign, no fraction) and ns, us, ms, s, m or h; "0" alone. "1m30s" is not taken. */
bool conf_row_parse_duration(struct str text, uint64_t *ns);
/* Digits alone are bytes; B, KiB, MiB, GiB. */
bool conf_row_parse_size(struct str text, uint64_t *bytes);
/* As the parsers above take them; dst has room for CONF_ROW_VALUE_MAX. Return the length. */
#define CONF_ROW_VALUE_MAX 32
size_t conf_row_put_duration(char *dst, uint64_t ns);
size_t conf_row_put_size(char *dst, uint64_t bytes);
/* One of these, or a count, as its type has it; in dst. */
struct str conf_row_put_value(enum conf_type type, uint64_t v, char *dst);
/* "a duration such as 250ms", for messages and the reference; a constant. */
const char *conf_row_type_text(enum conf_type type);

#endif
