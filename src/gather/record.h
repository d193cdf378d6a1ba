/*
 * What a streamed answer says of one call, in each of its formats:
 *
 *     ndjson     {"call":"orders","result":[1]}            one line each
 *                {"call":"prices","error":"timeout","ms":400}
 *                {"complete":false}                        the last line
 *     sse        event: orders / data: [1]
 *                event: failure / data: {"call":"prices","error":"timeout","ms":400}
 *                event: end / data: {"complete":false}
 *     multipart  a part named orders with its content type and its bytes; one named prices of
 *                application/problem+json; the last one has no name and says {"complete":false}
 */
#ifndef GATHER_RECORD_H
#define GATHER_RECORD_H

#include "base/arena.h"
#include "base/err.h"
#include "gather/route_conf.h"

#define RECORD_BOUNDARY_BYTES 32

struct record_style {
	enum route_format format;              /* not FORMAT_JSON */
	char boundary[RECORD_BOUNDARY_BYTES];  /* of multipart; must not occur in a body */
};

/* Goes out as head, body, tail. */
struct record {
	struct str head; /* in the arena, or constant */
	struct str body; /* borrowed from who made it */
	struct str tail;
	bool is_one_line; /* line ends in the body are left out: in JSON they are white space only */
};

/* The media type of a format, also FORMAT_JSON, without parameters; a constant. */
struct str record_type(enum route_format format);
/* That of the answer, with the boundary when there is one; in the arena or constant. */
struct str record_media_type(const struct record_style *style, struct arena *arena);
/* The part of a call. type: of the body, for multipart; the others take JSON only. */
struct record record_of_part(const struct record_style *style, struct arena *arena, struct str call,
    struct str type, struct str body);
/* Why a call has none, `ms` after the request came. */
struct record record_of_failure(const struct record_style *style, struct arena *arena, struct str call,
    enum err_code e, uint64_t ms);
/* The last one. problem: the document that would have been the answer, or none. */
struct record record_of_end(const struct record_style *style, struct arena *arena, bool is_complete,
    struct str problem);

#endif
