/*
 * The path of a route as the file writes it: literals, {parameters} that stand for one whole,
 * non-empty segment, and a {tail...} at the end that takes whatever is left, slashes and nothing at
 * all included.
 */
#ifndef SERVER_ROUTE_PATH_H
#define SERVER_ROUTE_PATH_H

#include "base/arena.h"
#include "gather/template.h"

#define ROUTE_PATH_MAX_SEGMENTS 64

enum route_segment_kind { ROUTE_SEGMENT_LITERAL, ROUTE_SEGMENT_PARAM, ROUTE_SEGMENT_TAIL };

struct route_segment {
	enum route_segment_kind kind;
	struct str text; /* the literal, percent-decoded; or the parameter's name */
};

struct route_path {
	struct route_segment *segments;
	size_t n_segments;
	struct template_params params; /* in order; for the templates of the route */
};

/* Into the arena. ERR_BAD_CONFIG with *error set when the text is not a path of a route. */
enum err_code route_path_parse(
    struct arena *arena, struct str text, struct route_path *out, struct template_error *error);

#endif
