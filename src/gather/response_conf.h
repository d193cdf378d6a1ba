/* What the file says of a route's merged answer: where it is put together, and what becomes of it then. */
#ifndef GATHER_RESPONSE_CONF_H
#define GATHER_RESPONSE_CONF_H

#include "base/conf_row.h"
#include "base/conf_value.h"

enum conflict_policy {
	CONFLICT_ERROR,
	CONFLICT_FIRST,
	CONFLICT_LAST,
	CONFLICT_DEEP,
	CONFLICT_APPEND
};
enum static_when { STATIC_ALWAYS, STATIC_COMPLETE, STATIC_PARTIAL };
enum answer_form { ANSWER_OBJECT, ANSWER_ARRAY };

enum answer_errors { ERRORS_PLAIN, ERRORS_DETAIL };

/* One rule of response.status. */
struct status_conf {
	struct conf_text status; /* template: a number, or a call's status */
	struct conf_text when;   /* condition; none: always */
	struct conf_pos pos;
};

struct response_conf {
	enum conflict_policy on_conflict;
	uint64_t partial_status;
	struct conf_text partial_meta;     /* key of the metadata object; none: no metadata */
	struct conf_pair_list set_headers; /* values are templates */
	enum static_when static_when;
	struct conf_json static_json; /* CONF_JSON_NONE: none */
	struct conf_pair_list move;   /* path: path */
	struct conf_pair_list append; /* path: path */
	struct conf_text_list drop;   /* paths */
	enum answer_form shape;
	struct conf_text_list copy_headers;   /* "call: Field" */
	struct conf_text_list remove_headers; /* names */
	struct status_conf *status;
	size_t n_status;
	struct conf_text body; /* template; excludes json */
	struct conf_json json; /* template; none: the merged answer */
	enum answer_errors errors;
};

/* The rows; their offsets are those of struct route_conf. */
extern const struct conf_section response_conf_section;

#endif
